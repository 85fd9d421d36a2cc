//! Failures of requests, with the status and the message of each.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode};

use super::right_path::RightPath;
use crate::error_chain::chain;
use crate::metrics;
use crate::model::FieldError;
use crate::sessions::{Error, GrantRefusal, Refusal, Unmet};

/// The longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The failure of a request.
#[derive(Debug)]
pub enum Failure {
    /// An error of the core.
    Core(Error),
    /// A rejection before the core.
    Request(Rejection),
}

/// The reason why a request did not reach the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The path has no route.
    UnknownPath,
    /// The path has no route, but may have one without its trailing and doubled slashes.
    NeedlessSlash(RightPath),
    /// The resource in the path does not exist, in the family's own sentence.
    NotThere(String),
    /// The path has no route for this method.
    MethodNotAllowed,
    /// The connection is one of the last, which are reserved for health checks and requests that end sessions.
    Busy,
    /// The body is longer than 64 KiB.
    TooLarge,
    /// The body does not have the expected type.
    UnsupportedMediaType(&'static str),
    /// The body is compressed or otherwise encoded.
    UnsupportedEncoding,
    /// The body, the query or the path cannot be read at all.
    Malformed(String),
    /// The grant type is not supported by the token endpoint.
    UnsupportedGrant,
    /// A field is well-formed but not acceptable.
    Invalid(FieldError),
    /// A list has too many entries.
    TooMany {
        /// The list.
        field: &'static str,
        /// The most entries.
        most: usize,
    },
    /// The caller has made too many requests.
    TooManyRequests {
        /// Seconds until the next request is accepted.
        retry_after: u64,
    },
    /// The request did not arrive in time.
    Timeout,
    /// The handler panicked.
    Panic,
}

impl Rejection {
    /// The kind in one word, which quotes nothing that a client sent.
    fn kind(&self) -> &'static str {
        self.row().0
    }

    /// The kind in one word, the status, and the message.
    fn row(&self) -> (&'static str, StatusCode, Cow<'static, str>) {
        match self {
            Self::UnknownPath => ("unknown_path", StatusCode::NOT_FOUND, "There is nothing at this path".into()),
            Self::NeedlessSlash(right) => {
                let message = format!("There is nothing at this path; did you mean {right}?");
                ("needless_slash", StatusCode::NOT_FOUND, message.into())
            }
            Self::NotThere(detail) => ("not_there", StatusCode::NOT_FOUND, detail.clone().into()),
            Self::MethodNotAllowed => {
                ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "This path does not support this method".into())
            }
            Self::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "The server is busy, try again in a moment".into()),
            Self::TooLarge => {
                let message = format!("The body must have at most {MAX_BODY_BYTES} bytes");
                ("too_large", StatusCode::PAYLOAD_TOO_LARGE, message.into())
            }
            Self::UnsupportedMediaType(expected) => {
                let message = format!("The body must be {expected}");
                ("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, message.into())
            }
            Self::UnsupportedEncoding => {
                let message = "The body must not be compressed or otherwise encoded";
                ("unsupported_encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, message.into())
            }
            Self::Malformed(detail) => ("malformed", StatusCode::BAD_REQUEST, detail.clone().into()),
            Self::UnsupportedGrant => {
                ("unsupported_grant", StatusCode::BAD_REQUEST, "The grant_type must be refresh_token".into())
            }
            Self::Invalid(error) => {
                ("invalid", StatusCode::UNPROCESSABLE_ENTITY, sentence(std::slice::from_ref(error)).into())
            }
            Self::TooMany { field, most } => {
                let message = format!("{field} must have at most {most} entries");
                ("too_many", StatusCode::UNPROCESSABLE_ENTITY, message.into())
            }
            Self::TooManyRequests { .. } => {
                let message = "You have made too many requests, try again later";
                ("too_many_requests", StatusCode::TOO_MANY_REQUESTS, message.into())
            }
            Self::Timeout => ("timeout", StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time".into()),
            Self::Panic => ("panic", StatusCode::INTERNAL_SERVER_ERROR, OUR_FAULT.into()),
        }
    }
}

/// The challenge to a client (RFC 7617 section 2).
pub(super) const BASIC_CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"sojourn\"");

const OUR_FAULT: &str = "Something went wrong on our side";

/// The status and the message of an error of the core.
fn row_of(error: &Error) -> (StatusCode, Cow<'static, str>) {
    match error {
        Error::Unauthenticated(Refusal::Missing) => (StatusCode::UNAUTHORIZED, "A credential is needed".into()),
        Error::Unauthenticated(Refusal::CrossSite) => {
            (StatusCode::FORBIDDEN, "The session cookie does not allow changes from another site".into())
        }
        Error::Unauthenticated(Refusal::NoOrigin) => {
            let message = "A change by cookie must have the Origin of the page that makes it: a backend passes on the \
                           browser's, or sends the session token as Authorization: Bearer instead of the cookie";
            (StatusCode::FORBIDDEN, message.into())
        }
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "The credential is not valid".into()),
        Error::InvalidClient(Refusal::Missing) => (StatusCode::UNAUTHORIZED, "A client_secret is needed".into()),
        Error::InvalidClient(_) => (StatusCode::UNAUTHORIZED, "The client_secret is not a valid service key".into()),
        Error::Forbidden { needed } => (StatusCode::FORBIDDEN, format!("The scope {needed} is needed").into()),
        Error::Unmet(unmet) => (StatusCode::FORBIDDEN, message_of(unmet)),
        Error::SessionNotFound => (StatusCode::NOT_FOUND, "There is no such session".into()),
        Error::AmbiguousSession(_) => (StatusCode::CONFLICT, "Several sessions match this id".into()),
        Error::SessionNotActive => (StatusCode::CONFLICT, "The session has ended or expired".into()),
        Error::UserNotFound => (StatusCode::NOT_FOUND, "There is no such user".into()),
        Error::BoundKey => {
            (StatusCode::FORBIDDEN, "This key is bound to one application, and this concerns others too".into())
        }
        Error::ApplicationNotFound => (StatusCode::NOT_FOUND, "There is no such application".into()),
        Error::ApplicationExists => (StatusCode::CONFLICT, "There is an application of that client_id".into()),
        Error::ServiceKeyNotFound => (StatusCode::NOT_FOUND, "There is no such service key".into()),
        Error::UserBanned => (StatusCode::FORBIDDEN, "The user is banned".into()),
        Error::SessionLimitReached => (StatusCode::CONFLICT, "The user has reached the session limit".into()),
        Error::IdempotencyKeyReused => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key was used with a different request".into())
        }
        Error::InvalidGrant(GrantRefusal::WiderScope) => {
            (StatusCode::BAD_REQUEST, "The scope is wider than the session's".into())
        }
        Error::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "The refresh token is not valid any more".into()),
        Error::Invalid(errors) => (StatusCode::UNPROCESSABLE_ENTITY, sentence(errors).into()),
        Error::SearchTooBroad => {
            let message = "The search is too broad: narrow it by user or by a range of created_at";
            (StatusCode::UNPROCESSABLE_ENTITY, message.into())
        }
        Error::TooManyStreams => {
            (StatusCode::SERVICE_UNAVAILABLE, "Too many streams are open, close one or try again later".into())
        }
        Error::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "The database is not available, try again in a moment".into())
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, OUR_FAULT.into()),
    }
}

fn message_of(unmet: &Unmet) -> Cow<'static, str> {
    match unmet {
        Unmet::Scope(scope) => format!("The scope {scope} is needed").into(),
        Unmet::Client => "The session belongs to another application".into(),
        Unmet::SignIn { .. } => "A stronger or more recent sign-in is needed".into(),
    }
}

impl Failure {
    /// The status by the rules of HTTP; a family may have another.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Core(error) => row_of(error).0,
            Self::Request(rejection) => rejection.row().1,
        }
    }

    /// The status in dialects without 422, which use 400 instead.
    pub fn status_without_422(&self) -> StatusCode {
        match self.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    /// The message for a client, without internals and without the reason why a credential was refused.
    pub fn message(&self) -> String {
        match self {
            Self::Core(error) => row_of(error).1,
            Self::Request(rejection) => rejection.row().2,
        }
        .into_owned()
    }

    /// The invalid fields, with the reasons.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Core(Error::Invalid(errors)) => errors,
            Self::Request(Rejection::Invalid(error)) => std::slice::from_ref(error),
            _ => &[],
        }
    }

    /// The challenge (RFC 6750 section 3, RFC 7617 section 2, RFC 9470 section 3) of an error of authentication; `None`
    /// for other errors.
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Core(Error::Unauthenticated(Refusal::Missing)) => {
                Some(HeaderValue::from_static("Bearer realm=\"sojourn\""))
            }
            Self::Core(Error::Unauthenticated(Refusal::CrossSite | Refusal::NoOrigin)) => None,
            Self::Core(Error::Unauthenticated(_)) => {
                Some(HeaderValue::from_static("Bearer realm=\"sojourn\", error=\"invalid_token\""))
            }
            Self::Core(Error::InvalidClient(_)) => Some(BASIC_CHALLENGE),
            Self::Core(Error::Forbidden { needed }) => {
                let text = format!("Bearer realm=\"sojourn\", error=\"insufficient_scope\", scope=\"{needed}\"");
                HeaderValue::from_str(&text).ok()
            }
            Self::Core(Error::Unmet(unmet)) => HeaderValue::from_str(&challenge_of(unmet)).ok(),
            _ => None,
        }
    }

    /// Counts a refused credential, and logs a failure of ours with its cause, which the client does not learn.
    pub(super) fn record(&self) {
        match self {
            Self::Core(Error::Unauthenticated(refusal) | Error::InvalidClient(refusal)) => {
                metrics::refused(refusal.kind());
            }
            Self::Core(error @ Error::Unavailable(_)) => tracing::warn!(error = %chain(error), "not available"),
            Self::Core(error @ Error::Internal(_)) => tracing::error!(error = %chain(error), "internal error"),
            Self::Core(_) | Self::Request(_) => {}
        }
    }

    /// The cause for the request's line in the log. Messages about fields and requirements may quote the request, and any
    /// part of it may hold a token: such a cause is one word.
    pub(super) fn cause(&self) -> Cow<'static, str> {
        match self {
            Self::Core(Error::Unauthenticated(refusal) | Error::InvalidClient(refusal)) => refusal.to_string().into(),
            Self::Core(Error::Invalid(_)) => "invalid".into(),
            Self::Core(Error::Unmet(_)) => "unmet".into(),
            Self::Core(error) => error.to_string().into(),
            Self::Request(rejection) => rejection.kind().into(),
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
