//! The cookies of a request: the session tokens in them, and whether a page of ours sent them.

use axum::http::{HeaderMap, HeaderValue, header};

use super::addressing::origin_of;
use crate::sessions::{Cookie, Credential, Refusal};
use crate::tokens::{Form as TokenForm, TokenError};

/// The most different values of our cookies that one request may have.
const MAX_COOKIES: usize = 8;

/// The distinct session tokens in the cookies that `ours` knows. Browsers send several of one name when other paths or
/// domains have cookies of that name, in an order without meaning (RFC 6265 section 5.4). Cookies of other names may hold
/// any bytes.
pub(super) fn session_cookies(
    headers: &HeaderMap,
    ours: impl Fn(&str) -> Option<Cookie>,
) -> Result<Vec<Credential>, Refusal> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let mut found: Vec<Credential> = Vec::new();
    for pair in pairs {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = pair.split_at(equals);
        let Some(cookie) = str::from_utf8(name.trim_ascii()).ok().and_then(&ours) else { continue };
        let value = str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or_default().trim_ascii();
        let credential = Credential { text: value.to_owned(), cookie: Some(cookie) };
        if !value.is_empty() && !found.contains(&credential) {
            found.push(credential);
        }
        if found.len() > MAX_COOKIES {
            return Err(Refusal::Several);
        }
    }
    let is_any = !found.is_empty();
    found.retain(|credential| TokenForm::of(&credential.text) == TokenForm::SessionToken);
    match (is_any, found.is_empty()) {
        (false, _) => Err(Refusal::Missing),
        (true, true) => Err(Refusal::Token(TokenError::WrongType)),
        (true, false) => Ok(found),
    }
}

/// Refuses a request that no page of ours made: one at the address that it calls (`Sec-Fetch-Site`), at a listed origin, or,
/// in browsers without that header, at the issuer's. The issuer alone tells our own scheme and host: `Host` and what proxies
/// add to it can be forged, and the connection does not know whether a proxy took off TLS.
pub(super) fn comes_from_own_page(headers: &HeaderMap, issuer: &str, listed: &[HeaderValue]) -> Result<(), Refusal> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next();
    if origins.next().is_some() {
        return Err(Refusal::CrossSite);
    }
    if origin.is_some_and(|origin| listed.contains(origin)) {
        return Ok(());
    }
    match (headers.get("sec-fetch-site"), origin) {
        (Some(site), _) if site == "same-origin" => Ok(()),
        (None, Some(origin)) if origin_of(issuer).is_some_and(|own| *origin == own) => Ok(()),
        (None, None) => Err(Refusal::NoOrigin),
        _ => Err(Refusal::CrossSite),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::CookieKind;

    #[test]
    fn a_cookie_is_found_among_any_others() {
        type Row<'a> = (&'a [&'a [u8]], Result<&'a [&'a str], Refusal>);
        let rows: [Row<'_>; 12] = [
            (&[b"s=sjs_a"], Ok(&["sjs_a"])),
            (&[b"n=\xc3\xb6; s=sjs_a"], Ok(&["sjs_a"])),
            (&[b"s=sjs_a; n=\xe9"], Ok(&["sjs_a"])),
            (&[b"n=\xe9", b"s=sjs_a"], Ok(&["sjs_a"])),
            (&[b"=x;;flag; s = sjs_a ;"], Ok(&["sjs_a"])),
            (&[b"s=sjs_a; s=sjs_b"], Ok(&["sjs_a", "sjs_b"])),
            (&[b"s=sjs_a; s=sjs_a"], Ok(&["sjs_a"])),
            (&[b"s=; s=other; s=sjs_a"], Ok(&["sjs_a"])),
            (&[b"s=other"], Err(Refusal::Token(TokenError::WrongType))),
            (&[b"s=\xe9"], Err(Refusal::Missing)),
            (&[b"S=sjs_a; xs=sjs_a"], Err(Refusal::Missing)),
            (&[b"s=1; s=2; s=3; s=4; s=5; s=6; s=7; s=8; s=sjs_a"], Err(Refusal::Several)),
        ];
        for (values, expected) in rows {
            let ours = |name: &str| (name == "s").then(|| Cookie { name: name.to_owned(), kind: CookieKind::Server });
            let cookies =
                values.iter().map(|value| (header::COOKIE, HeaderValue::from_bytes(value).unwrap())).collect();
            let found = session_cookies(&cookies, ours);
            let found = found.map(|found| found.into_iter().map(|credential| credential.text).collect::<Vec<_>>());
            let expected = expected.map(|tokens| tokens.iter().map(|token| (*token).to_owned()).collect());
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn only_pages_of_ours_may_change_things_by_cookie() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Result<(), Refusal>);
        let (allowed, cross_site, no_origin) = (Ok(()), Err(Refusal::CrossSite), Err(Refusal::NoOrigin));
        let same_origin = ("sec-fetch-site", "same-origin");
        let (same_site, cross) = (("sec-fetch-site", "same-site"), ("sec-fetch-site", "cross-site"));
        let listed = ("origin", "https://spa.example");
        let own = ("origin", "https://app.example");
        let rows: [Row<'_>; 18] = [
            (&[same_origin], allowed.clone()),
            (&[same_origin, own], allowed.clone()),
            (&[same_origin, ("origin", "https://other-host.example")], allowed.clone()),
            (&[same_site], cross_site.clone()),
            (&[("sec-fetch-site", "none")], cross_site.clone()),
            (&[cross, own, ("host", "app.example")], cross_site.clone()),
            (&[own, ("host", "app.example")], allowed.clone()),
            (&[listed], allowed.clone()),
            (&[listed, same_site], allowed.clone()),
            (&[listed, cross], allowed),
            (&[("origin", "http://spa.example"), cross], cross_site.clone()),
            (&[("origin", "https://spa.example:8443"), same_site], cross_site.clone()),
            (&[listed, ("origin", "https://evil.example")], cross_site.clone()),
            (&[("origin", "https://evil.example"), ("host", "app.example")], cross_site.clone()),
            (&[("origin", "http://app.example"), ("host", "app.example")], cross_site.clone()),
            (&[("origin", "https://app.example:8443"), ("host", "app.example")], cross_site.clone()),
            (&[("origin", "null"), ("host", "app.example")], cross_site),
            (&[("host", "app.example")], no_origin),
        ];
        for (headers, expected) in rows {
            let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let spa = ["https://spa.example".parse().unwrap()];
            assert_eq!(comes_from_own_page(&map, "https://app.example/login", &spa), expected, "{headers:?}");
        }
    }
}
