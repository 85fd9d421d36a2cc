//! The extractors, which refuse requests in the words of their family. Each family has aliases that name it once.

use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde::de::DeserializeOwned;

use super::app::App;
use super::credentials::{self, Place, credentials};
use super::failure::Rejection;
use super::family::{Family, Refused};
use super::limits::Counted;
use super::request_log::REQUEST_ID;
use super::request_notes::CallerSlot;
use super::session_cookie::CookieSlot;
use super::wording;
use crate::model;
use crate::model::{SessionId, SignedIn};
use crate::sessions::{Credential, Error, Freshness, Refusal};

/// Declares extractors: the value, and the family `F` in whose words a request without it is refused.
macro_rules! extractors {
    ($($(#[$doc:meta])* $name:ident<F $(, $T:ident)?>($value:ty);)+) => {$(
        $(#[$doc])*
        pub struct $name<F $(, $T)?> {
            value: $value,
            family: PhantomData<F>,
        }

        impl<F $(, $T)?> $name<F $(, $T)?> {
            fn new(value: $value) -> Self {
                Self { value, family: PhantomData }
            }

            /// The value, owned.
            pub fn into_inner(self) -> $value {
                self.value
            }
        }

        impl<F $(, $T)?> Deref for $name<F $(, $T)?> {
            type Target = $value;

            fn deref(&self) -> &$value {
                &self.value
            }
        }
    )+};
}

extractors! {
    /// The caller: a user in a session, or a service.
    Caller<F>(model::Caller);
    /// The caller of a change, with the request for the audit trail.
    Actor<F>(model::Actor);
    /// As [`Actor`], on a route whose clients leave out `Bearer`.
    ActorWithBareToken<F>(model::Actor);
    /// The request, for the audit trail.
    Origin<F>(model::Origin);
    /// The caller of a stream. Opening one does not count as a use of the caller's session.
    Watcher<F>(model::Caller);
    /// The caller of a route whose clients leave out `Bearer`.
    CallerWithBareToken<F>(model::Caller);
    /// The caller, who must be a user in a session.
    User<F>(SignedIn);
    /// The user of a route whose clients leave out `Bearer`.
    UserWithBareToken<F>(SignedIn);
    /// The session id in the path. A text that is no id is answered like the id of no session.
    SessionPath<F>(SessionId);
    /// The one parameter in the path, percent-decoded.
    PathText<F>(String);
    /// The query string as `T`.
    Query<F, T>(T);
    /// A JSON body as `T`.
    Body<F, T>(T);
    /// A JSON body as `T`, and its bytes.
    BodyAndBytes<F, T>((T, Bytes));
    /// A JSON body as `T`; an empty body is `T`'s default.
    OptionalBody<F, T>(T);
    /// A form-encoded body as `T`.
    Form<F, T>(T);
}

impl<F: Family> FromRequestParts<Arc<App>> for Caller<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        caller(parts, app, Place::Bearer, None).await.map(Self::new)
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for Actor<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let caller = caller(parts, app, Place::Bearer, None).await?;
        Ok(Self::new(model::Actor { caller, origin: origin(parts, app) }))
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for ActorWithBareToken<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let caller = caller(parts, app, Place::BearerOrBare, None).await?;
        Ok(Self::new(model::Actor { caller, origin: origin(parts, app) }))
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for Origin<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::new(origin(parts, app)))
    }
}

/// The request, as the log names it.
pub(crate) fn origin(parts: &Parts, app: &App) -> model::Origin {
    let request_id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    model::Origin { request_id, address: app.kept_address(&parts.headers, &parts.extensions) }
}

impl<F: Family> FromRequestParts<Arc<App>> for Watcher<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let authenticated = match credentials::<F>(parts, app, Place::Bearer) {
            Ok(credentials) => app.sessions.authenticate_watcher(&credentials).await,
            Err(refusal) => Err(refusal),
        };
        admit(parts, app, authenticated).map(Self::new)
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for CallerWithBareToken<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        caller(parts, app, Place::BearerOrBare, None).await.map(Self::new)
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for User<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        user(parts, app, Place::Bearer).await.map(Self::new)
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for UserWithBareToken<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        user(parts, app, Place::BearerOrBare).await.map(Self::new)
    }
}

async fn user<F: Family>(parts: &Parts, app: &App, place: Place) -> Result<SignedIn, Refused<F>> {
    match caller(parts, app, place, None).await? {
        model::Caller::User(signed_in) => Ok(*signed_in),
        model::Caller::Service(_) => Err(Error::from(Refusal::NotAUser).into()),
    }
}

/// The caller, counted against the rate limits. A request without a valid credential counts by its address.
pub(crate) async fn caller<F: Family>(
    parts: &Parts,
    app: &App,
    place: Place,
    freshness: Option<Freshness>,
) -> Result<model::Caller, Refused<F>> {
    let from = app.forwarding.user_address(&parts.headers, &parts.extensions);
    caller_from(parts, app, place, freshness, from).await
}

/// As [`caller`], for a check by a gateway: the user's address is only what a trusted proxy says.
pub(super) async fn guarded_caller<F: Family>(
    parts: &Parts,
    app: &App,
    freshness: Option<Freshness>,
) -> Result<model::Caller, Refused<F>> {
    let from = app.forwarding.forwarded_address(&parts.headers, &parts.extensions);
    caller_from(parts, app, Place::Bearer, freshness, from).await
}

async fn caller_from<F: Family>(
    parts: &Parts,
    app: &App,
    place: Place,
    freshness: Option<Freshness>,
    from: Option<IpAddr>,
) -> Result<model::Caller, Refused<F>> {
    let presented = match credentials::<F>(parts, app, place) {
        Ok(presented) => presented,
        Err(refusal) => return admit(parts, app, Err(refusal)),
    };
    let caller = admit(parts, app, app.sessions.authenticate(&presented, freshness, from).await)?;
    CookieSlot::note(parts, app, &presented, &caller);
    Ok(caller)
}

/// The cookies of a request that gives them back, counted by the session of the first one, valid or not.
pub(super) fn cookies<F: Family>(parts: &Parts, app: &App) -> Result<Vec<Credential>, Refused<F>> {
    let cookies = credentials::cookies::<F>(parts, app).or_else(|refusal| refused(parts, app, refusal))?;
    let session = cookies.iter().find_map(|cookie| app.sessions.session_of_token(&cookie.text));
    app.limits.admit::<F>(parts, session.map_or(Counted::Address, |(id, _)| Counted::Session(id)))?;
    Ok(cookies)
}

/// The caller that authenticated, counted; without one, the request counts by its address.
pub(super) fn admit<F: Family>(
    parts: &Parts,
    app: &App,
    authenticated: Result<model::Caller, Error>,
) -> Result<model::Caller, Refused<F>> {
    let caller = authenticated.or_else(|error| refused(parts, app, error))?;
    CallerSlot::note(&parts.extensions, &caller);
    app.limits.admit::<F>(parts, Counted::Caller(&caller))?;
    Ok(caller)
}

/// The refusal of a request without a caller, which counts by its address, or by its banned user.
fn refused<F: Family, T>(parts: &Parts, app: &App, error: Error) -> Result<T, Refused<F>> {
    match &error {
        Error::Unauthenticated(Refusal::Banned(user)) => app.limits.admit::<F>(parts, Counted::User(user))?,
        Error::Unauthenticated(_) | Error::InvalidClient(_) => app.limits.admit::<F>(parts, Counted::Address)?,
        _ => {}
    }
    Err(error.into())
}

impl<F: Family> FromRequestParts<Arc<App>> for SessionPath<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let text = path_parameter(parts, app, None).await?;
        Ok(Self::new(SessionId::parse(&text).ok_or(Error::SessionNotFound)?))
    }
}

impl<F: Family> FromRequestParts<Arc<App>> for PathText<F> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        path_parameter(parts, app, None).await.map(Self::new)
    }
}

/// The parameter of that name in the path, or without a name the first one, percent-decoded.
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

impl<F: Family, T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<F, T> {
    type Rejection = Refused<F>;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default();
        // The form decoder would silently replace invalid UTF-8.
        if percent_encoding::percent_decode_str(query).decode_utf8().is_err() {
            return Err(Rejection::Malformed("The query is not valid percent-encoded UTF-8".to_owned()).into());
        }
        let value = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| Rejection::Malformed(format!("The query cannot be read: {}", wording::of_form(&error))))?;
        Ok(Self::new(value.0))
    }
}

impl<F: Family, T: DeserializeOwned> FromRequest<Arc<App>> for Body<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let (value, _) = BodyAndBytes::from_request(request, app).await?.into_inner();
        Ok(Self::new(value))
    }
}

impl<F: Family, T: DeserializeOwned> FromRequest<Arc<App>> for BodyAndBytes<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        require_type(request.headers(), "application/json")?;
        let bytes = body(request, app).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Rejection::Malformed(wording::of_json::<T>(&bytes, &error)))?;
        // serde reads a struct from an array of its fields as well.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Rejection::Malformed("The body is invalid: it is not an object".to_owned()).into());
        }
        Ok(Self::new((value, bytes)))
    }
}

impl<F: Family, T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalBody<F, T> {
    type Rejection = Refused<F>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = self::body(Request::from_parts(parts.clone(), body), app).await?;
        if bytes.is_empty() {
            return Ok(Self::new(T::default()));
        }
        let request = Request::from_parts(parts, axum::body::Body::from(bytes));
        Body::from_request(request, app).await.map(|body: Body<F, T>| Self::new(body.into_inner()))
    }
}

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
        Ok(Self::new(form.0))
    }
}

async fn body<F: Family>(request: Request, app: &Arc<App>) -> Result<Bytes, Refused<F>> {
    require_no_encoding(request.headers())?;
    Bytes::from_request(request, app).await.map_err(|error| {
        let too_large = error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE;
        let broken = || Rejection::Malformed("The body is incomplete".to_owned());
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

/// Refuses a body that is compressed or otherwise encoded, because it would be read as it is.
fn require_no_encoding<F>(headers: &HeaderMap) -> Result<(), Refused<F>> {
    let is_plain = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    let plain = headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain);
    if plain { Ok(()) } else { Err(Rejection::UnsupportedEncoding.into()) }
}
