//! The console's cookie: it carries a token that is a credential nowhere else, and only for requests of the console's own pages,
//! reading ones too.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::app::App;
use super::endings::is_check;
use super::family::Family;
use super::request_cookies::{comes_from_own_page, session_cookies};
use crate::config::ConsoleAddress;
use crate::sessions::{Cookie, CookieKind, Credential, Error, Refusal};

/// The name over HTTPS. Browsers take a cookie of this prefix only from the host itself, with `Secure` (RFC 6265bis section
/// 4.1.3.2).
const NAME: &str = "__Host-sojourn-console";
/// The name over plain HTTP on this machine, where not every browser keeps `Secure` cookies.
const NAME_ON_LOOPBACK: &str = "sojourn-console";
/// The header by which the console's pages say whose request it is, where an application's cookie comes along.
const MARK: HeaderName = HeaderName::from_static("x-sojourn-console");

/// The credential in the console's cookie of a request to the family `F`; `None` where another credential counts.
///
/// An application at the same host may have a cookie of its own in the browser. Its pages call the API as the application's user,
/// so that its cookie counts first, unless the request is marked as the console's.
pub(super) fn of_request<F: Family>(parts: &Parts, app: &App, has_other: bool) -> Result<Option<Credential>, Error> {
    // A gateway passes on the cookies of the guarded application.
    if !F::CONSOLE || !is_at(parts, app) || is_check(parts.uri.path()) {
        return Ok(None);
    }
    if has_other && !parts.headers.contains_key(MARK) {
        return Ok(None);
    }
    read(parts, app)
}

/// The mark of requests that came to the console's own address. Browsers send a cookie to every port of its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct AtConsoleAddress;

/// Whether the console is at the address that a request came to.
fn is_at(parts: &Parts, app: &App) -> bool {
    match app.http.console {
        ConsoleAddress::Main => true,
        ConsoleAddress::Own(_) => parts.extensions.get::<AtConsoleAddress>().is_some(),
        ConsoleAddress::None => false,
    }
}

/// The credential in the console's cookie; `None` without one. Refuses a request that no page of the server's made.
pub(crate) fn read(parts: &Parts, app: &App) -> Result<Option<Credential>, Error> {
    let ours = |name: &str| {
        let is_ours = name == NAME || name == NAME_ON_LOOPBACK && is_loopback(&parts.headers);
        is_ours.then(|| Cookie { name: name.to_owned(), kind: CookieKind::Console })
    };
    let credential = match session_cookies(&parts.headers, ours) {
        // A neighbour in the same domain can set a cookie without the prefix, but none with it.
        Ok(found) => {
            let is_prefixed = |found: &&Credential| found.cookie.as_ref().is_some_and(|cookie| cookie.name == NAME);
            found.iter().find(is_prefixed).or(found.first()).cloned()
        }
        Err(Refusal::Missing) => return Ok(None),
        Err(refusal) => return Err(refusal.into()),
    };
    require_own_page(parts, app)?;
    Ok(credential)
}

/// Refuses a request that no page of the server's made.
pub(crate) fn require_own_page(parts: &Parts, app: &App) -> Result<(), Error> {
    Ok(comes_from_own_page(&parts.headers, app.sessions.access_tokens().issuer(), &[])?)
}

/// The cookie with a token, for a browser that sent these headers. The server, and no date in the browser, decides when the
/// session is over.
pub(crate) fn set(headers: &HeaderMap, token: &str) -> Result<HeaderValue, Error> {
    with_attributes(headers, token, "")
}

/// The cookie that makes the browser forget the token.
pub(crate) fn clear(headers: &HeaderMap) -> Result<HeaderValue, Error> {
    with_attributes(headers, "", "; Max-Age=0")
}

fn with_attributes(headers: &HeaderMap, token: &str, more: &str) -> Result<HeaderValue, Error> {
    let (name, secure) = if is_plain(headers) { (NAME_ON_LOOPBACK, "") } else { (NAME, "; Secure") };
    let value = format!("{name}={token}; Path=/{secure}; HttpOnly; SameSite=Strict{more}");
    HeaderValue::try_from(value).map_err(|error| Error::Internal(error.into()))
}

/// Whether a browser calls over plain HTTP on this machine. Its page's origin tells, because a proxy in front may have taken off
/// TLS and may have put its own address into Host.
fn is_plain(headers: &HeaderMap) -> bool {
    is_loopback(headers) && headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes().starts_with(b"http:"))
}

/// Whether a request was sent to a name or an address of this machine.
fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|authority| {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_has_the_prefix_of_its_host_but_on_this_machine_without_tls() {
        let plain = "sojourn-console=t; Path=/; HttpOnly; SameSite=Strict";
        let secure = "__Host-sojourn-console=t; Path=/; Secure; HttpOnly; SameSite=Strict";
        for (host, origin, expected) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080"), plain),
            ("localhost:8080", None, plain),
            ("[::1]:8080", Some("http://[::1]:8080"), plain),
            ("127.0.0.1:8080", Some("https://auth.example"), secure),
            ("auth.example", Some("https://auth.example"), secure),
            ("auth.example", Some("http://auth.example"), secure),
            ("localhost.example", None, secure),
            ("10.0.0.1", None, secure),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            headers.extend(origin.map(|origin| (header::ORIGIN, origin.parse().unwrap())));
            assert_eq!(set(&headers, "t").unwrap(), expected, "{host} {origin:?}");
        }
    }
}
