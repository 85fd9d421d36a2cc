//! The server's own address as clients see it.

use axum::http::uri::Uri;

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
