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
use super::{App, Family, Refused, Rejection};
use crate::sessions::{self, Error, Freshness, Refusal, SessionId, SignedIn};
use crate::tokens::{Form as TokenForm, TokenError};

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
        let authenticated = match credential::<F>(parts, app, Place::Bearer) {
            Ok(credential) => app.sessions.authenticate_watcher(&credential).await,
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
    let authenticated = match credential::<F>(parts, app, place) {
        Ok(credential) => app.sessions.authenticate(&credential, freshness).await,
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

/// The credential of a request: from the header, else from the cookie where the family takes one. A cookie with a
/// state-changing method must come from our own site, because browsers send cookies along by themselves.
fn credential<F: Family>(parts: &Parts, app: &App, place: Place) -> Result<String, Error> {
    if let Some(value) = only(&parts.headers, &header::AUTHORIZATION)? {
        return Ok(bearer(value, place).ok_or(Refusal::Missing)?.to_owned());
    }
    let cookie = match &app.cookie {
        Some(name) if F::COOKIE => session_cookie(&parts.headers, name)?,
        _ => None,
    };
    let cookie = cookie.ok_or(Refusal::Missing)?;
    if TokenForm::of(&cookie) != TokenForm::SessionToken {
        return Err(Refusal::Token(TokenError::WrongType).into());
    }
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !safe && !is_same_origin(&parts.headers, app.sessions.access_tokens().issuer()) {
        return Err(Refusal::CrossSite.into());
    }
    Ok(cookie)
}

/// The token in an `Authorization` header: the scheme in any case, then one or more spaces (RFC 9110 section 11.4).
fn bearer(value: &str, place: Place) -> Option<&str> {
    let token = match value.split_once(' ') {
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim_matches(' '))?,
        None if place == Place::BearerOrBare && !value.eq_ignore_ascii_case("Bearer") => value,
        None => return None,
    };
    // To the end in any case, which the compiler makes quick; stopping at the first is not.
    let blanks = token.bytes().filter(|byte| matches!(byte, b' ' | b'\t')).count();
    (!token.is_empty() && blanks == 0).then_some(token)
}

/// A header's value if it is there once. Twice is refused: which one counts is not for us to guess.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(Some(value.to_str().map_err(|_| Refusal::Missing)?)),
        (Some(_), Some(_)) => Err(Refusal::Several),
    }
}

fn session_cookie(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    let mut values = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(cookie::Cookie::split_parse)
        .filter_map(Result::ok)
        .filter(|cookie| cookie.name() == name && !cookie.value().is_empty())
        .map(|cookie| cookie.value().to_owned());
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::Several),
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
            .map_err(|error| Rejection::Malformed(format!("The query cannot be read: {}", cause(&error))))?;
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
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            let what = if error.is_data() { "does not fit" } else { "is not valid JSON" };
            Rejection::Malformed(format!("The body {what}: {error}"))
        })?;
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
            .map_err(|error| unreadable(error.to_string()))?;
        let form =
            axum::extract::Form::<T>::from_request(request, app).await.map_err(|error| unreadable(cause(&error)))?;
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

/// The innermost cause: what the decoder says, without the wrapping.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_has_one_form() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Bearer\tabc", None),
            ("Bearer abc def", None),
            ("Basic abc", None),
            ("DPoP abc", None),
            ("abc", None),
            ("", None),
        ];
        for (value, token) in rows {
            assert_eq!(bearer(value, Place::Bearer), token, "{value:?}");
        }
        assert_eq!(bearer("abc", Place::BearerOrBare), Some("abc"));
        assert_eq!(bearer("Bearer", Place::BearerOrBare), None);
        assert_eq!(bearer("Basic abc", Place::BearerOrBare), None);
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
