//! Families of wire formats, and failures in their words.

use std::marker::PhantomData;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::addressing::RightPath;
use crate::metrics;
use crate::sessions::{Error, FieldError, GrantRefusal, Refusal, Unmet};
use crate::telemetry::chain;

/// The longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A family of wire formats.
pub trait Family: Send + Sync + 'static {
    /// What the operator knows it by.
    const NAME: &'static str;
    /// Where its paths begin: an unknown path below them is answered in its words.
    const PREFIXES: &'static [&'static str];
    /// Whether its callers may present the session cookie, where one is set.
    const COOKIE: bool = false;

    /// Whether what is left of a rate limit is told in the standard's headers, not in the originals' `X-RateLimit-*`.
    const STANDARD_LIMITS: bool = false;

    /// Paths whose operations ignore parameters and bodies that they do not know, because a standard wants it, or because
    /// those are of another request.
    const IGNORING: &'static [&'static str] = &[];

    /// Query parameters whose empty value the original takes for their default.
    const BLANK_IS_DEFAULT: &'static [&'static str] = &[];

    /// A failure in the family's own words. Headers that all families share are added to it.
    fn respond(failure: &Failure) -> Response;
}

/// Why a request was not answered as wished.
#[derive(Debug)]
pub enum Failure {
    /// The core refused, or could not.
    Core(Error),
    /// It did not get as far as the core.
    Request(Rejection),
}

/// Why a request did not get as far as the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing is there.
    UnknownPath,
    /// Nothing is there, but perhaps at this path, which has no slash at its end and no two in a row.
    NeedlessSlash(RightPath),
    /// What the path names is not there, in the family's own sentence.
    NotThere(String),
    /// Something is there, but not for this method.
    MethodNotAllowed,
    /// The connection has one of the last places, which are kept for other requests.
    Busy,
    /// The body is longer than 64 KiB.
    TooLarge,
    /// The body is of a type that is not read here.
    UnsupportedMediaType(&'static str),
    /// The body is compressed, or encoded otherwise.
    UnsupportedEncoding,
    /// The body, the query or the path cannot be read at all.
    Malformed(String),
    /// It can be read, but not taken.
    Invalid(FieldError),
    /// A list has more entries than are taken at once.
    TooMany {
        /// The list.
        field: &'static str,
        /// How many are taken.
        most: usize,
    },
    /// The caller has made too many requests.
    TooManyRequests {
        /// Seconds until the next one is taken.
        retry_after: u64,
    },
    /// It did not arrive in time.
    Timeout,
    /// The handler broke down.
    Panic,
}

impl Rejection {
    /// In one word, which holds nothing that a client sent.
    fn kind(&self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::NeedlessSlash(_) => "needless_slash",
            Self::NotThere(_) => "not_there",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Busy => "busy",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::Malformed(_) => "malformed",
            Self::Invalid(_) => "invalid",
            Self::TooMany { .. } => "too_many",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
        }
    }
}

impl Failure {
    /// The status that HTTP has for it; a family may have another.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Core(error) => match error {
                Error::Unauthenticated(Refusal::CrossSite)
                | Error::Forbidden { .. }
                | Error::Unmet(_)
                | Error::UserBanned => StatusCode::FORBIDDEN,
                Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
                Error::SessionNotFound | Error::UserNotFound => StatusCode::NOT_FOUND,
                Error::AmbiguousSession(_) | Error::SessionNotActive | Error::SessionLimitReached => {
                    StatusCode::CONFLICT
                }
                Error::InvalidGrant(_) => StatusCode::BAD_REQUEST,
                Error::IdempotencyKeyReused | Error::Invalid(_) | Error::SearchTooBroad => {
                    StatusCode::UNPROCESSABLE_ENTITY
                }
                Error::Unavailable(_) | Error::TooManyStreams => StatusCode::SERVICE_UNAVAILABLE,
                Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Request(rejection) => match rejection {
                Rejection::UnknownPath | Rejection::NeedlessSlash(_) | Rejection::NotThere(_) => StatusCode::NOT_FOUND,
                Rejection::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
                Rejection::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Rejection::UnsupportedMediaType(_) | Rejection::UnsupportedEncoding => {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE
                }
                Rejection::Busy => StatusCode::SERVICE_UNAVAILABLE,
                Rejection::Malformed(_) => StatusCode::BAD_REQUEST,
                Rejection::Invalid(_) | Rejection::TooMany { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Rejection::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
                Rejection::Timeout => StatusCode::REQUEST_TIMEOUT,
                Rejection::Panic => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    /// As [`Failure::status`], for dialects that know no 422: to them it is a 400.
    pub fn status_without_422(&self) -> StatusCode {
        match self.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    /// What to tell a client: nothing internal, and nothing of why a credential was refused.
    pub fn message(&self) -> String {
        match self {
            Self::Core(error) => match error {
                Error::Unauthenticated(Refusal::Missing) => "A credential is needed".to_owned(),
                Error::Unauthenticated(Refusal::CrossSite) => {
                    "A cookie from another site changes nothing here".to_owned()
                }
                Error::Unauthenticated(_) => "The credential is not valid".to_owned(),
                Error::Forbidden { needed } => format!("The scope {needed} is needed"),
                Error::Unmet(Unmet::Scope(scope)) => format!("The scope {scope} is needed"),
                Error::Unmet(Unmet::Client) => "The session is another application's".to_owned(),
                Error::Unmet(Unmet::SignIn { .. }) => "A stronger or more recent sign-in is needed".to_owned(),
                Error::SessionNotFound => "There is no such session".to_owned(),
                Error::AmbiguousSession(_) => "Several sessions are called so".to_owned(),
                Error::SessionNotActive => "The session is over".to_owned(),
                Error::UserNotFound => "There is no such user".to_owned(),
                Error::UserBanned => "The user is banned".to_owned(),
                Error::SessionLimitReached => "The user has as many sessions as allowed".to_owned(),
                Error::IdempotencyKeyReused => "The idempotency key was used with another request".to_owned(),
                Error::InvalidGrant(GrantRefusal::WiderScope) => "The scope is wider than the session's".to_owned(),
                Error::InvalidGrant(_) => "The refresh token is not valid any more".to_owned(),
                Error::Invalid(errors) => sentence(errors),
                Error::SearchTooBroad => {
                    "The search would read too much: narrow it by user or by a range of created_at".to_owned()
                }
                Error::TooManyStreams => "Too many streams are open, close one or try again later".to_owned(),
                Error::Unavailable(_) => "The database is not available, try again in a moment".to_owned(),
                Error::Internal(_) => "Something went wrong on our side".to_owned(),
            },
            Self::Request(rejection) => match rejection {
                Rejection::UnknownPath => "There is nothing at this path".to_owned(),
                Rejection::NeedlessSlash(right) => {
                    format!("There is nothing at this path: without needless slashes it is {right}")
                }
                Rejection::MethodNotAllowed => "This path does not take this method".to_owned(),
                Rejection::TooLarge => format!("The body must have at most {MAX_BODY_BYTES} bytes"),
                Rejection::UnsupportedMediaType(expected) => format!("The body must be {expected}"),
                Rejection::UnsupportedEncoding => "The body must not be compressed or otherwise encoded".to_owned(),
                Rejection::Busy => "The server is busy, try again in a moment".to_owned(),
                Rejection::NotThere(detail) | Rejection::Malformed(detail) => detail.clone(),
                Rejection::Invalid(error) => sentence(std::slice::from_ref(error)),
                Rejection::TooMany { field, most } => format!("{field} must have at most {most} entries"),
                Rejection::TooManyRequests { .. } => "You have made too many requests, try again later".to_owned(),
                Rejection::Timeout => "The request did not arrive in time".to_owned(),
                Rejection::Panic => "Something went wrong on our side".to_owned(),
            },
        }
    }

    /// What is wrong with single fields.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Core(Error::Invalid(errors)) => errors,
            Self::Request(Rejection::Invalid(error)) => std::slice::from_ref(error),
            _ => &[],
        }
    }

    /// The challenge (RFC 6750 section 3, RFC 9470 section 3) of an error of authentication; `None` for other errors.
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Core(Error::Unauthenticated(Refusal::Missing)) => {
                Some(HeaderValue::from_static("Bearer realm=\"sojourn\""))
            }
            Self::Core(Error::Unauthenticated(Refusal::CrossSite)) => None,
            Self::Core(Error::Unauthenticated(_)) => {
                Some(HeaderValue::from_static("Bearer realm=\"sojourn\", error=\"invalid_token\""))
            }
            Self::Core(Error::Forbidden { needed }) => {
                let text = format!("Bearer realm=\"sojourn\", error=\"insufficient_scope\", scope=\"{needed}\"");
                HeaderValue::from_str(&text).ok()
            }
            Self::Core(Error::Unmet(unmet)) => HeaderValue::from_str(&challenge_of(unmet)).ok(),
            _ => None,
        }
    }

    /// Tells the operator what the client is not told.
    fn log(&self) {
        match self {
            Self::Core(Error::Unauthenticated(refusal)) => {
                metrics::refused(refusal.as_str());
                tracing::info!(%refusal, "refused");
            }
            Self::Core(error @ Error::Unavailable(_)) => tracing::warn!(error = %chain(error), "not available"),
            Self::Core(error @ Error::Internal(_)) => tracing::error!(error = %chain(error), "internal error"),
            // The sentences about fields may quote what came in, and a token may have come in anywhere.
            Self::Core(Error::Invalid(_)) => tracing::debug!(kind = "invalid", "rejected"),
            Self::Core(error) => tracing::debug!(%error, "refused"),
            Self::Request(rejection) => tracing::debug!(kind = rejection.kind(), "rejected"),
        }
    }
}

fn challenge_of(unmet: &Unmet) -> String {
    let realm = "Bearer realm=\"sojourn\"";
    match unmet {
        Unmet::Scope(scope) => format!("{realm}, error=\"insufficient_scope\", scope=\"{scope}\""),
        Unmet::Client => format!("{realm}, error=\"insufficient_scope\""),
        Unmet::SignIn { acr, max_age } => {
            let acr = if acr.is_empty() { String::new() } else { format!(", acr_values=\"{acr}\"") };
            let max_age = max_age.map(|seconds| format!(", max_age=\"{seconds}\"")).unwrap_or_default();
            format!("{realm}, error=\"insufficient_user_authentication\"{acr}{max_age}")
        }
    }
}

fn sentence(errors: &[FieldError]) -> String {
    errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect::<Vec<_>>().join("; ")
}

/// A failure on its way out, in the words of the family `F`.
pub struct Refused<F> {
    failure: Failure,
    family: PhantomData<F>,
}

impl<F> From<Error> for Refused<F> {
    fn from(error: Error) -> Self {
        Self { failure: Failure::Core(error), family: PhantomData }
    }
}

impl<F> From<Rejection> for Refused<F> {
    fn from(rejection: Rejection) -> Self {
        Self { failure: Failure::Request(rejection), family: PhantomData }
    }
}

impl<F> From<FieldError> for Refused<F> {
    fn from(error: FieldError) -> Self {
        Error::from(error).into()
    }
}

impl<F: Family> IntoResponse for Refused<F> {
    fn into_response(self) -> Response {
        self.failure.log();
        let mut response = F::respond(&self.failure);
        if let Some(challenge) = self.failure.challenge() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Failure::Request(Rejection::TooManyRequests { retry_after }) = self.failure {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
        }
        if matches!(self.failure, Failure::Request(Rejection::UnsupportedEncoding)) {
            // RFC 9110 section 12.5.3: the encodings that would be taken.
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            // A place becomes free when somebody leaves; an outage may be over at any moment.
            let full = matches!(self.failure, Failure::Core(Error::TooManyStreams));
            let seconds = if full { "10" } else { "1" };
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
