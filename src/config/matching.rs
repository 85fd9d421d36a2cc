//! Checks of settings that requests are compared with: a value that no request can match is refused at the start.

use std::net::IpAddr;

use axum::http::{HeaderName, HeaderValue, header};
use ipnet::IpNet;
use url::Url;

use super::setting::expected;
use crate::model::text::is_token;

/// The prefixes that browsers give a meaning to (RFC 6265bis section 4.1.3).
const COOKIE_PREFIXES: [&str; 2] = ["__Host-", "__Secure-"];

/// An address and a port to listen on.
pub(super) fn address(text: &str) -> Result<String, String> {
    let address = text.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    expected("an address and a port such as 127.0.0.1:8080", address.map(|_| text.to_owned()))
}

/// A text without spaces and control characters.
pub(super) fn word(text: &str) -> Option<String> {
    (!text.chars().any(|c| c.is_control() || c.is_whitespace())).then(|| text.to_owned())
}

/// An origin as browsers write it (RFC 6454 section 6.2): lower case, no path, no default port, no name in Unicode. An
/// asterisk is refused, because it would be no wildcard.
pub(super) fn origin(text: &str) -> Option<HeaderValue> {
    let text = text.trim();
    let url = web(text)?;
    (url.origin().ascii_serialization() == text && !text.contains('*'))
        .then(|| HeaderValue::from_str(text).ok())
        .flatten()
}

/// An `http` or `https` URL with a host and without a user.
fn web(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = url.has_host() && url.username().is_empty() && url.password().is_none();
    (plain && matches!(url.scheme(), "http" | "https")).then_some(url)
}

/// An issuer (RFC 8414 section 2): a URL without query and fragment. Tokens are compared with its text.
pub(super) fn issuer(text: &str) -> Option<String> {
    let url = web(text)?;
    word(text).filter(|_| url.query().is_none() && url.fragment().is_none())
}

/// A cookie's name (RFC 6265 section 4.1.1). A prefix in another case has its effect in browsers but is another name to
/// us, and a prefix alone names nothing.
pub(super) fn cookie_name(text: &str) -> Option<String> {
    let misspelt = COOKIE_PREFIXES.iter().any(|prefix| {
        let start = text.get(..prefix.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(prefix) && (start != *prefix || text.len() == prefix.len())
    });
    (is_token(text) && !misspelt).then(|| text.to_owned())
}

/// A network that a proxy's address can be in. Addresses are compared in their canonical form, so an IPv4-mapped
/// network matches none, and no client has the unspecified address, a multicast or the broadcast address.
pub(super) fn proxy_network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let address = network.network();
    let mapped =
        matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) && network.prefix_len() >= 96;
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    let alone = network.prefix_len() == network.max_prefix_len();
    let group = address.is_multicast();
    let nobody = mapped || broadcast || group || (alone && address.is_unspecified());
    (!nobody).then_some(network)
}

/// A header that names a client's address. Headers with another meaning would never yield one.
pub(super) fn forwarding_header(text: &str) -> Option<HeaderName> {
    let name: HeaderName = text.parse().ok()?;
    let other = [header::HOST, header::AUTHORIZATION, header::COOKIE, header::VIA, header::ORIGIN, header::USER_AGENT];
    let not_an_address = ["x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"];
    (!other.contains(&name) && !not_an_address.contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_that_no_browser_sends_is_refused() {
        for text in
            ["https://app.example.org", "http://localhost:3000", "https://[2001:db8::1]:8443", "http://127.0.0.1"]
        {
            assert!(origin(text).is_some(), "{text}");
        }
        for text in [
            "https://app.example.org/",
            "https://app.example.org/path",
            "https://app.example.org?",
            "https://app.example.org#",
            "https://App.example.org",
            "HTTPS://app.example.org",
            "https://app.example.org:443",
            "http://app.example.org:80",
            "https://user@app.example.org",
            "https://bücher.example",
            "https://*.example.org",
            "https://",
            "app.example.org",
            "ftp://app.example.org",
            "null",
            "*",
        ] {
            assert!(origin(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_issuer_has_neither_query_nor_fragment() {
        for text in ["http://localhost:8080", "https://id.example.org/", "https://id.example.org/tenant/1"] {
            assert_eq!(issuer(text).as_deref(), Some(text));
        }
        for text in [
            "https://id.example.org?a=b",
            "https://id.example.org/?",
            "https://id.example.org/#",
            "https://user:password@id.example.org",
            "https://id.example .org",
            "id.example.org",
            "urn:example:issuer",
            "file:///etc",
            "sojourn",
        ] {
            assert_eq!(issuer(text), None, "{text}");
        }
    }

    #[test]
    fn a_cookie_s_prefix_is_written_as_browsers_know_it() {
        for text in ["session", "__Host-session", "__Secure-session", "__host", "__Hostsession"] {
            assert!(cookie_name(text).is_some(), "{text}");
        }
        for text in
            ["__host-session", "__HOST-session", "__secure-session", "__Host-", "__Secure-", "a b", "a=b", "é", ""]
        {
            assert!(cookie_name(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_network_that_no_proxy_can_be_in_is_refused() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "::/0", "192.0.2.1", "2001:db8::/32", "::1", "::ffff:0:0/90"] {
            assert!(proxy_network(text).is_some(), "{text}");
        }
        for text in [
            "::ffff:10.0.0.0/104",
            "::ffff:192.0.2.1",
            "0.0.0.0",
            "::",
            "224.0.0.0/4",
            "ff02::1",
            "255.255.255.255",
            "10.0.0.0/33",
            "proxy.example.org",
        ] {
            assert!(proxy_network(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_header_that_names_no_address_is_refused() {
        for text in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"] {
            assert!(forwarding_header(text).is_some(), "{text}");
        }
        for text in
            ["X-Forwarded-Host", "X-Forwarded-Proto", "Via", "Host", "X Forwarded For", "X-Forwarded-For,Forwarded"]
        {
            assert!(forwarding_header(text).is_none(), "{text}");
        }
    }
}
