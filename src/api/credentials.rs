//! The credentials of a request: the `Authorization` header and the session's cookie.

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::addressing::origin_of;
use super::app::App;
use super::family::Family;
use crate::sessions::{Cookie, Credential, Error, Refusal};
use crate::tokens::{Form as TokenForm, TokenError};

/// The most different values of our cookies that one request may have.
const MAX_COOKIES: usize = 8;

/// The forms of `Authorization` that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer <credential>`.
    Bearer,
    /// The same, or the credential alone.
    BearerOrBare,
}

/// A client that names itself by HTTP Basic (RFC 6749 section 2.3.1), without or with a secret.
pub(super) struct BasicClient {
    /// The `client_id`.
    pub(super) id: String,
    /// The `client_secret`, form-decoded as the standard wants it.
    pub(super) secret: String,
    /// The `client_secret` as sent, because many clients do not encode theirs.
    pub(super) raw_secret: String,
}

/// The `Authorization` header of a client.
pub(super) enum ClientHeader {
    /// No header, or one of another scheme.
    Nothing,
    /// `Bearer`, valid or not.
    Bearer,
    /// `Basic`.
    Basic(BasicClient),
}

impl ClientHeader {
    /// The header. Two of them are refused, and so is one of Basic that cannot be read.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        match authorization(headers, Place::Bearer) {
            Err(Refusal::Several) => return Err(Refusal::Several),
            Ok(Some(_)) | Err(_) => return Ok(Self::Bearer),
            Ok(None) => {}
        }
        let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        match value.split_at_checked(BASIC.len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case(BASIC) && !rest.trim_ascii().is_empty() => {
                let malformed = || Refusal::Token(TokenError::Malformed);
                BasicClient::parse(rest.trim_ascii()).map(Self::Basic).ok_or_else(malformed)
            }
            _ => Ok(Self::Nothing),
        }
    }
}

/// The scheme of RFC 7617, and the space after it.
const BASIC: &[u8] = b"Basic ";

impl BasicClient {
    fn parse(encoded: &[u8]) -> Option<Self> {
        let text = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        Some(Self { id: form_decoded(id)?, secret: form_decoded(secret)?, raw_secret: secret.to_owned() })
    }
}

/// The text behind a value of `application/x-www-form-urlencoded`.
fn form_decoded(value: &str) -> Option<String> {
    let spaced = value.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// The credentials of a request: that of the header, or else those of the cookies where the family accepts them. A header
/// of another scheme does not hide a cookie, because gateways and browsers add such headers.
pub(super) fn credentials<F: Family>(parts: &Parts, app: &App, place: Place) -> Result<Vec<Credential>, Error> {
    match authorization(&parts.headers, place)? {
        Some(token) => Ok(vec![Credential::in_header(token)]),
        None => cookies::<F>(parts, app),
    }
}

/// The session tokens in the cookies of a request. A state-changing request must come from a page of ours, because browsers
/// send cookies by themselves.
pub(crate) fn cookies<F: Family>(parts: &Parts, app: &App) -> Result<Vec<Credential>, Error> {
    if !F::COOKIE || !parts.headers.contains_key(header::COOKIE) {
        return Err(Refusal::Missing.into());
    }
    let (server, of_applications) = (app.http.cookie.as_deref(), app.sessions.application_cookies());
    let tokens = session_cookies(&parts.headers, |name| match server {
        Some(server) if server == name => Some(Cookie { name: name.to_owned(), of_applications: false }),
        _ if of_applications.contains(name) => Some(Cookie { name: name.to_owned(), of_applications: true }),
        _ => None,
    })?;
    if !is_safe(&parts.method) {
        require_own_page(parts, app)?;
    }
    Ok(tokens)
}

/// Refuses a request that no page of ours made.
pub(crate) fn require_own_page(parts: &Parts, app: &App) -> Result<(), Error> {
    Ok(comes_from_own_page(&parts.headers, app.sessions.access_tokens().issuer(), &app.http.cors_origins)?)
}

/// The session token in the `Authorization` header; `None` for anything else.
pub(super) fn session_token(headers: &HeaderMap) -> Option<&str> {
    let token = authorization(headers, Place::Bearer).ok().flatten();
    token.filter(|token| TokenForm::of(token) == TokenForm::SessionToken)
}

/// Whether a method changes nothing (RFC 9110 section 9.2.1).
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The token in the `Authorization` header: the scheme in any case, then one or more spaces (RFC 9110 section 11.4).
/// `None` for no header, an empty one, or another scheme's. Our scheme with an invalid token is refused, and so are two
/// headers, because it would be a guess which of them counts.
fn authorization(headers: &HeaderMap, place: Place) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (Some(value), None) => value.as_bytes(),
        (None, _) => return Ok(None),
        (Some(_), Some(_)) => return Err(Refusal::Several),
    };
    let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
        Some(space) => value.split_at(space),
        None if place == Place::BearerOrBare && !value.eq_ignore_ascii_case(b"Bearer") => (&b"Bearer"[..], value),
        None if value.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"Bearer\t")) => {
            return Err(Refusal::Missing);
        }
        None => return Ok(None),
    };
    let token = rest.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"Bearer") || token.is_empty() {
        return Ok(None);
    }
    // A count over the whole token is vectorised by the compiler; a search that stops at the first odd byte is slower.
    let odd = token.iter().filter(|byte| !matches!(byte, b'!'..=b'~')).count();
    let token = str::from_utf8(token).map_err(|_| Refusal::Missing)?;
    if odd == 0 { Ok(Some(token)) } else { Err(Refusal::Missing) }
}

/// The distinct session tokens in the cookies that `ours` knows. Browsers send several of one name when other paths or
/// domains have cookies of that name, in an order without meaning (RFC 6265 section 5.4). Cookies of other names may hold
/// any bytes.
fn session_cookies(headers: &HeaderMap, ours: impl Fn(&str) -> Option<Cookie>) -> Result<Vec<Credential>, Refusal> {
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
fn comes_from_own_page(headers: &HeaderMap, issuer: &str, listed: &[HeaderValue]) -> Result<(), Refusal> {
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
    use axum::http::HeaderName;

    use super::*;

    fn headers(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn a_bearer_token_has_one_form_and_another_scheme_is_none() {
        type Row<'a> = (&'a [u8], Result<Option<&'a str>, Refusal>);
        let rows: [Row<'_>; 14] = [
            (b"Bearer abc", Ok(Some("abc"))),
            (b"bearer abc", Ok(Some("abc"))),
            (b"BEARER   abc", Ok(Some("abc"))),
            (b"Bearer ", Ok(None)),
            (b"Bearer", Ok(None)),
            (b"Bearer\tabc", Err(Refusal::Missing)),
            (b"Bearer abc def", Err(Refusal::Missing)),
            (b"Bearer \xe9", Err(Refusal::Missing)),
            (b"Basic abc", Ok(None)),
            (b"Basic \xe9", Ok(None)),
            (b"DPoP abc", Ok(None)),
            (b"Digest username=\"a\", realm=\"b\"", Ok(None)),
            (b"abc", Ok(None)),
            (b"", Ok(None)),
        ];
        for (value, token) in rows {
            let headers = headers(&header::AUTHORIZATION, &[value]);
            assert_eq!(authorization(&headers, Place::Bearer), token, "{}", value.escape_ascii());
        }
        for (value, token) in [("abc", Some("abc")), ("Bearer", None), ("Basic abc", None), ("", None)] {
            let headers = headers(&header::AUTHORIZATION, &[value.as_bytes()]);
            assert_eq!(authorization(&headers, Place::BearerOrBare), Ok(token), "{value:?}");
        }
        let two = headers(&header::AUTHORIZATION, &[b"Basic abc", b"Bearer abc"]);
        assert_eq!(authorization(&two, Place::Bearer), Err(Refusal::Several));
    }

    #[test]
    fn a_client_s_name_and_secret_are_form_decoded_and_the_first_colon_parts_them() {
        let parsed = |text: &str| BasicClient::parse(BASE64.encode(text).as_bytes());
        for (text, id, secret) in [
            ("app:key", "app", "key"),
            ("a%3Ab+c%2b:k%2Be+y:%5f", "a:b c+", "k+e y:_"),
            (":", "", ""),
            ("app:%zz", "app", "%zz"),
        ] {
            let client = parsed(text).unwrap();
            assert_eq!((client.id.as_str(), client.secret.as_str()), (id, secret), "{text}");
            assert!(text.ends_with(&format!(":{}", client.raw_secret)), "{text}");
        }
        assert!(parsed("app").is_none() && parsed("%ff:key").is_none() && parsed("app:%ff").is_none());
        for encoded in ["", "YXBwOmtleQ", "YXBw OmtleQ==", "YXBwOmtleQ==x", "-_8=", "/zrA"] {
            assert!(BasicClient::parse(encoded.as_bytes()).is_none(), "{encoded}");
        }
    }

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
            let ours = |name: &str| (name == "s").then(|| Cookie { name: name.to_owned(), of_applications: false });
            let found = session_cookies(&headers(&header::COOKIE, values), ours);
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
