//! The credentials of a request: the `Authorization` header and the session's cookie.

use std::borrow::Cow;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::app::App;
use super::console_cookie;
use super::family::Family;
use super::request_cookies::{comes_from_own_page, session_cookies};
use crate::sessions::{Cookie, CookieKind, Credential, Error, Refusal};
use crate::tokens::{Form as TokenForm, TokenError};

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
    if let Some(token) = authorization(&parts.headers, place)? {
        return Ok(vec![Credential::in_header(token)]);
    }
    let cookies = cookies::<F>(parts, app);
    let has_cookie = !matches!(cookies, Err(Error::Unauthenticated(Refusal::Missing)));
    match console_cookie::of_request::<F>(parts, app, has_cookie)? {
        Some(console) => Ok(vec![console]),
        None => cookies,
    }
}

/// The token in the `Authorization` header, whatever it is worth; `None` without one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    authorization(headers, Place::Bearer).ok().flatten()
}

/// The session tokens in the cookies of a request. A state-changing request must come from a page of ours, because browsers
/// send cookies by themselves.
pub(crate) fn cookies<F: Family>(parts: &Parts, app: &App) -> Result<Vec<Credential>, Error> {
    if !F::COOKIE || !parts.headers.contains_key(header::COOKIE) {
        return Err(Refusal::Missing.into());
    }
    let (server, of_applications) = (app.http.cookie.as_deref(), app.sessions.application_cookies());
    let tokens = session_cookies(&parts.headers, |name| match server {
        Some(server) if server == name => Some(Cookie { name: name.to_owned(), kind: CookieKind::Server }),
        _ if of_applications.contains(name) => Some(Cookie { name: name.to_owned(), kind: CookieKind::Applications }),
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
}
