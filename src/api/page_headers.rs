//! The headers of pages for people, which no script, style, frame or form of anybody else may get into.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// The directives of every page but its `frame-ancestors`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The headers of every page besides its policy.
const OTHERS: [(HeaderName, &str); 6] = [
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("permissions-policy"), ""),
    (header::X_DNS_PREFETCH_CONTROL, "off"),
];

/// The policy of pages that the sites `frame_ancestors` may show in a frame, which is nobody when it is empty.
pub fn policy(frame_ancestors: &[HeaderValue]) -> HeaderValue {
    let sites = frame_ancestors.iter().filter_map(|site| site.to_str().ok());
    let sites = sites.fold(String::new(), |sites, site| sites + " " + site);
    let sites = if sites.is_empty() { " 'none'" } else { &sites };
    // Origins are checked at the start, and have no character that a header cannot have.
    HeaderValue::try_from(format!("{POLICY}; frame-ancestors{sites}"))
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// Adds the headers of a page with this policy. A policy of its own stays.
pub fn secure(headers: &mut HeaderMap, policy: &HeaderValue) {
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert_with(|| policy.clone());
    for (name, value) in OTHERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
