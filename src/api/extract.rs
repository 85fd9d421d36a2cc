//! Extractors that refuse in the words of the family they stand in.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;

use super::credentials::{Place, credentials};
use super::limits::Counted;
use super::{App, Family, Refused, Rejection, wording};
use crate::sessions::{self, Error, Freshness, Refusal, SessionId, SignedIn};

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

/// The caller, counted against the rate limits. A request without a valid credential counts by its address.
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
