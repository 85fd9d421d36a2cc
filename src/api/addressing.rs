//! The address of a request, its host and its path, and the server's own address as clients see it.

use std::fmt;

use axum::extract::Request;
use axum::http::uri::{Authority, Uri};
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use super::guard::refused;
use super::{FAMILIES, Rejection, native};

/// The longest path that an answer names, in bytes.
const MAX_NAMED_PATH_BYTES: usize = 256;

/// The path that a client seems to mean. It may hold anything, so only that client's answer names it, never the log.
#[derive(Clone, PartialEq, Eq)]
pub struct RightPath(String);

impl fmt::Debug for RightPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RightPath")
    }
}

impl fmt::Display for RightPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Refuses a request without a Host header, with several, or with an invalid one (RFC 9112 section 3.2).
pub(super) async fn require_host(request: Request, next: Next) -> Response {
    if has_host(request.version(), request.headers()) {
        return next.run(request).await;
    }
    let detail = "The request must have one Host header with the name of a host".to_owned();
    refuse(request.uri().path(), &Rejection::Malformed(detail))
}

fn has_host(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            host.to_str().is_ok_and(|host| host.is_empty() || !host.contains('@') && host.parse::<Authority>().is_ok())
        }
        (None, _) => version < Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// The answer to a path without a route. Trailing and doubled slashes are significant here, so the answer names the
/// path without them.
pub(super) async fn unknown_path(request: Request) -> Response {
    let path = request.uri().path();
    let right = path.split('/').filter(|part| !part.is_empty()).fold(String::new(), |path, part| path + "/" + part);
    let rejection = if right == path || right.is_empty() || right.len() > MAX_NAMED_PATH_BYTES {
        Rejection::UnknownPath
    } else {
        Rejection::NeedlessSlash(RightPath(right.clone()))
    };
    refuse(&right, &rejection)
}

/// The rejection in the words of the family whose prefix the path is below, or else of the native API.
fn refuse(path: &str, rejection: &Rejection) -> Response {
    let answer = FAMILIES.iter().find_map(|family| (family.refuse)(path, rejection));
    answer.unwrap_or_else(|| refused::<native::Native>(rejection))
}

/// The origin that a browser sends from pages at the issuer's address (RFC 6454 section 6.2); `None` for an issuer
/// without a host.
pub(super) fn origin_of(issuer: &str) -> Option<String> {
    let issuer: Uri = issuer.parse().ok()?;
    let (scheme, authority) = (issuer.scheme_str()?, issuer.authority()?);
    let port = match (scheme, authority.port_u16()) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => String::new(),
        (_, Some(port)) => format!(":{port}"),
    };
    Some(format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase()))
}

/// The path prefix that a reverse proxy strips from requests, without a trailing slash; empty without one.
pub(super) fn prefix_of(issuer: &str) -> String {
    let path = issuer.parse::<Uri>().map(|issuer| issuer.path().trim_end_matches('/').to_owned());
    path.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_an_origin_and_perhaps_a_path() {
        let rows = [
            ("https://Id.example", Some("https://id.example"), ""),
            ("https://id.example:443/", Some("https://id.example"), ""),
            ("http://id.example:443", Some("http://id.example:443"), ""),
            ("http://[::1]:8080/sessions/", Some("http://[::1]:8080"), "/sessions"),
            ("urn:sojourn", None, ""),
        ];
        for (issuer, origin, prefix) in rows {
            assert_eq!(origin_of(issuer).as_deref(), origin, "{issuer}");
            assert_eq!(prefix_of(issuer), prefix, "{issuer}");
        }
    }
}
