//! Requests that are addressed to no route, or to no host.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::Response;

use super::failure::Rejection;
use super::guard::refused;
use super::native::Native;
use super::registry::FAMILIES;
use super::right_path::RightPath;

/// The longest path that an answer names, in bytes.
const MAX_NAMED_PATH_BYTES: usize = 256;

/// Refuses a request without a Host header, with several, or with an invalid one (RFC 9112 section 3.2).
pub(super) async fn require_host(request: Request, next: Next) -> Response {
    if has_host(request.version(), request.headers()) {
        return next.run(request).await;
    }
    let detail = "The request must have exactly one valid Host header".to_owned();
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
    answer.unwrap_or_else(|| refused::<Native>(rejection))
}
