//! The client's address: the peer's, or behind trusted proxies the one in their header.
//!
//! Only the header that the operator names counts, because proxies pass on any other header that a client forges. Its
//! elements are read from the right, the end to which proxies append. An unreadable element does not affect the others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::FORWARDED;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

/// The longest chain of proxies that is followed.
const MAX_HOPS: usize = 20;

/// The trusted proxies, and the one header of theirs that counts.
#[derive(Debug, Clone)]
pub struct Forwarding {
    header: HeaderName,
    trusted_proxies: Vec<IpNet>,
}

impl Forwarding {
    /// `header` is `Forwarded` (RFC 7239), a list of addresses such as `X-Forwarded-For` (the default), or a single
    /// address such as `X-Real-IP`. It is read only when a peer in `trusted_proxies` sent it.
    pub fn new(header: Option<HeaderName>, trusted_proxies: Vec<IpNet>) -> Self {
        Self { header: header.unwrap_or(HeaderName::from_static("x-forwarded-for")), trusted_proxies }
    }

    /// The peer's address, or behind trusted proxies the last address that is not a trusted proxy's. If a proxy names
    /// no address, the proxy's own is returned, because everything before it may be forged. `None` without a peer.
    pub(crate) fn client_address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let mut address = peer_of(extensions)?;
        if !self.trusts(address) {
            return Some(address);
        }
        let values: Vec<&[u8]> = headers.get_all(&self.header).iter().map(HeaderValue::as_bytes).collect();
        for element in
            values.into_iter().rev().flat_map(|value| Pieces { rest: Some(value), separator: b',' }).take(MAX_HOPS)
        {
            let Some(told) = self.told(element) else { break };
            address = told;
            if !self.trusts(address) {
                break;
            }
        }
        Some(address)
    }

    /// The address of the user, for a request that the user's own client sends: the client's address, unless it is that of
    /// a proxy, or that of a peer in a private network that no proxy vouches for, such as a backend.
    pub(super) fn user_address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let address = self.client_address(headers, extensions)?;
        let is_forwarded = Some(address) != peer_of(extensions);
        (!self.trusts(address) && (is_forwarded || !is_private(address))).then_some(address)
    }

    /// The address of the user, for a request that a gateway sends: only one that a trusted proxy names.
    pub(super) fn forwarded_address(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = peer_of(extensions)?;
        self.client_address(headers, extensions).filter(|address| self.trusts(peer) && !self.trusts(*address))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// The address in an element; `None` without one.
    fn told(&self, element: &[u8]) -> Option<IpAddr> {
        let element = str::from_utf8(element).ok()?;
        let node = if self.header == FORWARDED { forwarded_for(element)? } else { element };
        address_of(unquoted(node)).map(|address| address.to_canonical())
    }
}

fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(peer.ip().to_canonical())
}

/// Whether an address is of this machine or of a private network.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let is_shared = matches!(address.octets(), [100, 64..=127, ..]);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// The trimmed, non-empty pieces between separators, from right to left. A quoted separator does not separate. An
/// unclosed quote affects only its own piece, as seen from the right.
struct Pieces<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let rest = self.rest?;
            let mut quoted = false;
            let start = rest.iter().enumerate().rposition(|(at, byte)| {
                quoted ^= *byte == b'"' && !is_escaped(rest, at);
                *byte == self.separator && !quoted
            });
            let (before, piece) = match start {
                Some(start) => rest.split_at(start),
                None => (&[][..], rest),
            };
            self.rest = start.map(|_| before);
            let piece = if start.is_some() { piece.get(1..).unwrap_or_default() } else { piece }.trim_ascii();
            if !piece.is_empty() {
                return Some(piece);
            }
        }
    }
}

/// Whether the byte at `at` follows an odd number of backslashes.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The value of the one `for` in an element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = Pieces { rest: Some(element.as_bytes()), separator: b';' };
    let mut values = pairs.filter_map(|pair| {
        let (name, value) = str::from_utf8(pair).ok()?.split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    values.next().filter(|_| values.next().is_none())
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Reads an address with or without a port or a zone: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`,
/// `fe80::1%eth0`.
fn address_of(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        return is_port_or_nothing(port).then(|| six(address)).flatten();
    }
    match text.split_once(':') {
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        Some((address, port)) if !port.contains(':') => {
            address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port)).map(IpAddr::from)
        }
        Some(_) => six(text),
    }
}

fn six(text: &str) -> Option<IpAddr> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address.parse::<Ipv6Addr>().ok().map(IpAddr::from)
}

fn is_port_or_nothing(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(is_port)
}

/// A port, or an obfuscated one (RFC 7239 section 6).
fn is_port(text: &str) -> bool {
    let obfuscated = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
        || text.strip_prefix('_').is_some_and(obfuscated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(header: &str, proxies: &str, peer: &str, values: &[&[u8]]) -> String {
        let forwarding = Forwarding::new(
            header.parse().ok(),
            proxies.split_whitespace().map(|network| network.parse().unwrap()).collect(),
        );
        let mut request = axum::http::Request::builder();
        for value in values {
            request = request.header(header, HeaderValue::from_bytes(value).unwrap());
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 1)));
        forwarding.client_address(&parts.headers, &parts.extensions).unwrap().to_string()
    }

    fn behind_one_proxy(header: &str, value: &[u8]) -> String {
        from(header, "10.0.0.0/8", "10.1.2.3", &[value])
    }

    #[test]
    fn only_a_trusted_proxy_may_speak_for_an_address() {
        let told: &[&[u8]] = &[b"203.0.113.7"];
        assert_eq!(from("x-forwarded-for", "", "198.51.100.1", told), "198.51.100.1");
        assert_eq!(from("x-forwarded-for", "10.0.0.0/8", "198.51.100.1", told), "198.51.100.1");
        assert_eq!(from("x-forwarded-for", "10.0.0.0/8", "10.1.2.3", told), "203.0.113.7");
        assert_eq!(from("x-forwarded-for", "10.0.0.0/8", "::ffff:10.1.2.3", told), "203.0.113.7");
        assert_eq!(from("x-forwarded-for", "10.0.0.0/8", "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn an_odd_element_spoils_only_itself() {
        let rows: [(&[u8], &str); 18] = [
            (b"203.0.113.2:1111", "203.0.113.2"),
            (b"[2001:db8:1::1]:443", "2001:db8:1::1"),
            (b"[2001:db8:2::1]", "2001:db8:2::1"),
            (b"2001:db8:2::1", "2001:db8:2::1"),
            (b"unknown, 203.0.113.9", "203.0.113.9"),
            (b"<x>, 203.0.113.7", "203.0.113.7"),
            (b"\"a, 203.0.113.8", "203.0.113.8"),
            (b"\xe9, 203.0.113.12", "203.0.113.12"),
            (b"fe80::1%eth0", "fe80::1"),
            (b"[fe80::1%25eth0]:80", "fe80::1"),
            (b"::ffff:203.0.113.5", "203.0.113.5"),
            (b"203.0.113.5,", "203.0.113.5"),
            (b" , 203.0.113.5 ,, ", "203.0.113.5"),
            (b"", "10.1.2.3"),
            (b"203.0.113.9, unknown", "10.1.2.3"),
            (b"203.0.113.9, 203.0.113.2:99999", "10.1.2.3"),
            (b"203.0.113.9, [2001:db8::1", "10.1.2.3"),
            (b"203.0.113.9, 203.0.113", "10.1.2.3"),
        ];
        for (value, expected) in rows {
            assert_eq!(behind_one_proxy("x-forwarded-for", value), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn reading_stops_at_the_first_address_that_is_no_proxy_s() {
        let both: &[&[u8]] = &[b"1.1.1.1, 203.0.113.7", b"10.9.9.9"];
        assert_eq!(from("x-forwarded-for", "10.0.0.0/8", "10.1.2.3", both), "203.0.113.7");
        let odd_between = b"203.0.113.7, unknown, 10.9.9.9";
        assert_eq!(
            behind_one_proxy("x-forwarded-for", odd_between),
            "10.9.9.9",
            "nobody vouches for what is before it"
        );
        let many = ["10.0.0.1"; 50].join(", ");
        assert_eq!(behind_one_proxy("x-forwarded-for", many.as_bytes()), "10.0.0.1");
    }

    #[test]
    fn the_standard_s_header_is_read_where_it_is_named() {
        let rows: [(&[u8], &str); 14] = [
            (b"for=203.0.113.7;proto=https", "203.0.113.7"),
            (b"proto=https;For=203.0.113.7", "203.0.113.7"),
            (b"for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
            (b"for=\"203.0.113.7:_port\"", "203.0.113.7"),
            (b"for=1.1.1.1, for=203.0.113.7", "203.0.113.7"),
            (b"for=\"1.1.1.1, for=203.0.113.7", "203.0.113.7"),
            (b"for=\"1.1.1.1, for=\"[2001:db8::7]\";host=\"a,b;for=1.1.1.1\"", "2001:db8::7"),
            (b"for=203.0.113.7;host=\"x\\\", for=6.6.6.6\"", "203.0.113.7"),
            (b"\xff, for=203.0.113.7", "203.0.113.7"),
            (b"for=203.0.113.9, for=unknown", "10.1.2.3"),
            (b"for=203.0.113.9, for=_hidden", "10.1.2.3"),
            (b"for=203.0.113.9;for=203.0.113.7", "10.1.2.3"),
            (b"203.0.113.7", "10.1.2.3"),
            (b"proto=https", "10.1.2.3"),
        ];
        for (value, expected) in rows {
            assert_eq!(behind_one_proxy("forwarded", value), expected, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_header_with_one_address_may_be_named() {
        for header in ["x-real-ip", "cf-connecting-ip", "true-client-ip"] {
            assert_eq!(behind_one_proxy(header, b"203.0.113.7"), "203.0.113.7");
            assert_eq!(behind_one_proxy(header, b"2001:db8::7"), "2001:db8::7");
        }
    }
}
