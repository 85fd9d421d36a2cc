//! Extractors that refuse in the words of the family they stand in.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::de::DeserializeOwned;

use super::addressing::origin_of;
use super::limits::Counted;
use super::{App, Family, Refused, Rejection, wording};
use crate::sessions::{self, Error, Freshness, Refusal, SessionId, SignedIn};
use crate::tokens::{Form as TokenForm, TokenError};

/// The most different values of the session's cookie that one request may have.
const MOST_COOKIES: usize = 8;

/// Where a credential may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer <credential>`.
    Bearer,
    /// The same, or the credential alone.
    BearerOrBare,
}

/// The caller, whoever it is.
pub struct Caller<F>(pub sessions::Caller, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for Caller<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        caller(parts, app, Place::Bearer, None).await.map(|caller| Self(caller, PhantomData))
    }
}

/// As [`Caller`], for streams: opening one is no use of the caller's session.
pub struct Watcher<F>(pub sessions::Caller, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for Watcher<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let authenticated = match credentials::<F>(parts, app, Place::Bearer) {
            Ok(credentials) => app.sessions.authenticate_watcher(&credentials).await,
            Err(refusal) => Err(refusal),
        };
        admit(parts, app, authenticated).map(|caller| Self(caller, PhantomData))
    }
}

/// As [`Caller`], for routes whose clients leave out `Bearer`.
pub struct CallerWithBareToken<F>(pub sessions::Caller, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for CallerWithBareToken<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        caller(parts, app, Place::BearerOrBare, None).await.map(|caller| Self(caller, PhantomData))
    }
}

/// The caller, who must be a user in a session.
pub struct User<F>(pub SignedIn, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for User<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        user(parts, app, Place::Bearer).await.map(|user| Self(user, PhantomData))
    }
}

/// As [`User`], for routes whose clients leave out `Bearer`.
pub struct UserWithBareToken<F>(pub SignedIn, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for UserWithBareToken<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        user(parts, app, Place::BearerOrBare).await.map(|user| Self(user, PhantomData))
    }
}

async fn user<F: Family>(parts: &Parts, app: &App, place: Place) -> Result<SignedIn, Refused<F>> {
    match caller(parts, app, place, None).await? {
        sessions::Caller::User(signed_in) => Ok(*signed_in),
        sessions::Caller::Service(_) => Err(Error::from(Refusal::NotAUser).into()),
    }
}

/// Who is calling, and that they have not called too often. Somebody who cannot be told counts by address.
pub(super) async fn caller<F: Family>(
    parts: &Parts,
    app: &App,
    place: Place,
    freshness: Option<Freshness>,
) -> Result<sessions::Caller, Refused<F>> {
    let authenticated = match credentials::<F>(parts, app, place) {
        Ok(credentials) => app.sessions.authenticate(&credentials, freshness).await,
        Err(refusal) => Err(refusal),
    };
    admit(parts, app, authenticated)
}

fn admit<F: Family>(
    parts: &Parts,
    app: &App,
    authenticated: Result<sessions::Caller, Error>,
) -> Result<sessions::Caller, Refused<F>> {
    match authenticated {
        Ok(caller) => {
            app.limits.admit(parts, Counted::Caller(&caller))?;
            Ok(caller)
        }
        Err(error) => {
            match &error {
                Error::Unauthenticated(Refusal::Banned(user)) => app.limits.admit(parts, Counted::User(user))?,
                Error::Unauthenticated(_) => app.limits.admit(parts, Counted::Address)?,
                _ => {}
            }
            Err(error.into())
        }
    }
}

/// The credentials of a request: that of the header, else those of the cookie where the family takes one. A header of another
/// scheme, as gateways and browsers add it, hides no cookie. A cookie with a state-changing method must come from our own
/// site, because browsers send cookies along by themselves.
fn credentials<F: Family>(parts: &Parts, app: &App, place: Place) -> Result<Vec<String>, Error> {
    if let Some(token) = authorization(&parts.headers, place)? {
        return Ok(vec![token.to_owned()]);
    }
    let tokens = match &app.cookie {
        Some(name) if F::COOKIE => session_cookies(&parts.headers, name)?,
        _ => return Err(Refusal::Missing.into()),
    };
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && !is_same_origin(&parts.headers, app.sessions.access_tokens().issuer()) {
        return Err(Refusal::CrossSite.into());
    }
    Ok(tokens)
}

/// The token in the `Authorization` header: the scheme in any case, then one or more spaces (RFC 9110 section 11.4). `None`
/// without one: no header, an empty one, or another scheme's. Refused: our scheme with something that is no token, and two
/// headers, because which one counts is not for us to guess.
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
    // To the end in any case, which the compiler makes quick; stopping at the first is not.
    let odd = token.iter().filter(|byte| !matches!(byte, b'!'..=b'~')).count();
    let token = str::from_utf8(token).map_err(|_| Refusal::Missing)?;
    if odd == 0 { Ok(Some(token)) } else { Err(Refusal::Missing) }
}

/// The session tokens in cookies of that name, each once. Browsers send several when cookies of other paths or domains have
/// the same name, in an order that says nothing (RFC 6265 section 5.4). Cookies of other names may hold any bytes.
fn session_cookies(headers: &HeaderMap, name: &str) -> Result<Vec<String>, Refusal> {
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let mut values: Vec<&str> = Vec::new();
    for pair in pairs {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
        let (own, value) = pair.split_at(equals);
        let value = str::from_utf8(value.get(1..).unwrap_or_default()).unwrap_or_default().trim_ascii();
        if own.trim_ascii() == name.as_bytes() && !value.is_empty() && !values.contains(&value) {
            values.push(value);
        }
        if values.len() > MOST_COOKIES {
            return Err(Refusal::Several);
        }
    }
    let is_session_token = |value: &&str| TokenForm::of(value) == TokenForm::SessionToken;
    let tokens: Vec<String> = values.iter().copied().filter(is_session_token).map(ToOwned::to_owned).collect();
    match (values.is_empty(), tokens.is_empty()) {
        (true, _) => Err(Refusal::Missing),
        (false, true) => Err(Refusal::Token(TokenError::WrongType)),
        (false, false) => Ok(tokens),
    }
}

/// Whether a browser says that our own site made the request: by `Sec-Fetch-Site`, else by an `Origin` that is the issuer's.
/// A request that says neither is not from our site.
fn is_same_origin(headers: &HeaderMap, issuer: &str) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let origin = text(header::ORIGIN);
    origin.is_some() && origin == origin_of(issuer).as_deref()
}

/// The session id in the path. A text that is no id is one that no session has.
pub struct SessionPath<F>(pub SessionId, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for SessionPath<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let text = PathText::<F>::from_request_parts(parts, app).await?.0;
        Ok(Self(SessionId::parse(&text).ok_or(Error::SessionNotFound)?, PhantomData))
    }
}

/// The one parameter in the path, percent-decoded.
pub struct PathText<F>(pub String, pub PhantomData<F>);

impl<F: Family> FromRequestParts<Arc<App>> for PathText<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        path_parameter(parts, app, None).await.map(|text| Self(text, PhantomData))
    }
}

/// The parameter of that name in the path, or the first one, percent-decoded.
pub(super) async fn path_parameter<F: Family>(
    parts: &mut Parts,
    app: &Arc<App>,
    name: Option<&str>,
) -> Result<String, Refused<F>> {
    let malformed = || Rejection::Malformed("The path is not valid percent-encoded UTF-8".to_owned());
    let parameters = RawPathParams::from_request_parts(parts, app).await.map_err(|_| malformed())?;
    let found = parameters.iter().find(|(known, _)| name.is_none_or(|name| name == *known));
    found.map(|(_, text)| text.to_owned()).ok_or_else(|| malformed().into())
}

/// The query string as `T`.
pub struct Query<F, T>(pub T, pub PhantomData<F>);

impl<F: Family, T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<F, T> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        // The form decoder would quietly replace what is not UTF-8.
        if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
            return Err(Rejection::Malformed("The query is not valid percent-encoded UTF-8".to_owned()).into());
        }
        let value = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| Rejection::Malformed(format!("The query cannot be read: {}", wording::of_form(&error))))?;
        Ok(Self(value.0, PhantomData))
    }
}

/// A JSON body as `T`, and its bytes.
pub struct Body<F, T>(pub T, pub Bytes, pub PhantomData<F>);

impl<F: Family, T: DeserializeOwned> FromRequest<Arc<App>> for Body<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        require_type(request.headers(), "application/json")?;
        let bytes = body(request, app).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Rejection::Malformed(wording::of_json::<T>(&bytes, &error)))?;
        // The decoder takes an array of a struct's fields for the struct.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Rejection::Malformed("The body does not fit: it is not an object".to_owned()).into());
        }
        Ok(Self(value, bytes, PhantomData))
    }
}

/// As [`Body`], but no body at all is `T`'s default.
pub struct OptionalBody<F, T>(pub T, pub PhantomData<F>);

impl<F: Family, T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalBody<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = self::body(Request::from_parts(parts.clone(), body), app).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default(), PhantomData));
        }
        let request = Request::from_parts(parts, axum::body::Body::from(bytes));
        Body::from_request(request, app).await.map(|Body(value, ..)| Self(value, PhantomData))
    }
}

/// A form-encoded body as `T`.
pub struct Form<F, T>(pub T, pub PhantomData<F>);

impl<F: Family, T: DeserializeOwned> FromRequest<Arc<App>> for Form<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        require_type(request.headers(), "application/x-www-form-urlencoded")?;
        let bytes = body(request, app).await?;
        let unreadable = |detail: String| Rejection::Malformed(format!("The body cannot be read: {detail}"));
        if percent_encoding::percent_decode(&bytes).decode_utf8().is_err() {
            return Err(unreadable("it is not valid percent-encoded UTF-8".to_owned()).into());
        }
        let request = Request::builder()
            .method(Method::POST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(axum::body::Body::from(bytes))
            .map_err(|error| Error::Internal(error.into()))?;
        let form = axum::extract::Form::<T>::from_request(request, app)
            .await
            .map_err(|error| unreadable(wording::of_form(&error)))?;
        Ok(Self(form.0, PhantomData))
    }
}

/// A form whose token is its own credential.
pub(super) trait HoldsToken {
    /// The token; empty if there is none.
    fn token(&self) -> &str;
}

/// As [`Form`], counted by the token's session when it is a token of ours, else by address.
pub struct CountedForm<F, T>(pub T, pub PhantomData<F>);

impl<F: Family, T: DeserializeOwned + HoldsToken> FromRequest<Arc<App>> for CountedForm<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        if !app.limits.are_on() {
            return Form::from_request(request, app).await.map(|Form(value, _)| Self(value, PhantomData));
        }
        let (parts, body) = request.into_parts();
        let form = Form::<F, T>::from_request(Request::from_parts(parts.clone(), body), app).await;
        let session = form.as_ref().ok().and_then(|Form(value, _)| app.sessions.session_of_token(value.token()));
        app.limits.admit(&parts, session.map_or(Counted::Address, |(id, _)| Counted::Session(id)))?;
        form.map(|Form(value, _)| Self(value, PhantomData))
    }
}

async fn body<F: Family>(request: Request, app: &Arc<App>) -> Result<Bytes, Refused<F>> {
    require_no_encoding(request.headers())?;
    Bytes::from_request(request, app).await.map_err(|error| {
        let too_large = error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        let broken = || Rejection::Malformed("The body did not arrive whole".to_owned());
        if too_large { Rejection::TooLarge } else { broken() }.into()
    })
}

/// Refuses a body that is not of the type `expected` in UTF-8.
fn require_type<F>(headers: &HeaderMap, expected: &'static str) -> Result<(), Refused<F>> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let right_type = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(expected));
    let utf8 = parts.all(|parameter| {
        let charset = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
        charset.is_none_or(|(_, charset)| charset.trim_matches('"').eq_ignore_ascii_case("utf-8"))
    });
    if right_type && utf8 { Ok(()) } else { Err(Rejection::UnsupportedMediaType(expected).into()) }
}

/// Refuses a body that is compressed or otherwise encoded: it would be read as garbage.
fn require_no_encoding<F>(headers: &HeaderMap) -> Result<(), Refused<F>> {
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain);
    if plain { Ok(()) } else { Err(Rejection::UnsupportedEncoding.into()) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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
            let found = session_cookies(&headers(&header::COOKIE, values), "s");
            let expected = expected.map(|tokens| tokens.iter().map(|token| (*token).to_owned()).collect());
            assert_eq!(found, expected, "{values:?}");
        }
    }

    #[test]
    fn only_our_own_site_may_change_things_by_cookie() {
        let rows: [(&[(&str, &str)], bool); 9] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://app.example"), ("host", "app.example")], false),
            (&[("origin", "https://app.example"), ("host", "app.example")], true),
            (&[("origin", "https://evil.example"), ("host", "app.example")], false),
            (&[("origin", "http://app.example"), ("host", "app.example")], false),
            (&[("origin", "https://app.example:8443"), ("host", "app.example")], false),
            (&[("origin", "null"), ("host", "app.example")], false),
            (&[("host", "app.example")], false),
        ];
        for (headers, allowed) in rows {
            let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            assert_eq!(is_same_origin(&map, "https://app.example/login"), allowed, "{headers:?}");
        }
    }
}
