//! Failures: the reasons why a request is not answered as wished, with the status and the message of each.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode};

use super::addressing::RightPath;
use crate::error_chain::chain;
use crate::metrics;
use crate::sessions::{Error, FieldError, GrantRefusal, Refusal, Unmet};

/// The longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

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
    /// The token endpoint knows no such grant.
    UnsupportedGrant,
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
    /// The kind in one word, which holds nothing that a client sent.
    fn kind(&self) -> &'static str {
        self.row().0
    }

    /// The kind in one word, the status, and the message.
    fn row(&self) -> (&'static str, StatusCode, Cow<'static, str>) {
        match self {
            Self::UnknownPath => ("unknown_path", StatusCode::NOT_FOUND, "There is nothing at this path".into()),
            Self::NeedlessSlash(right) => {
                let message = format!("There is nothing at this path: without needless slashes it is {right}");
                ("needless_slash", StatusCode::NOT_FOUND, message.into())
            }
            Self::NotThere(detail) => ("not_there", StatusCode::NOT_FOUND, detail.clone().into()),
            Self::MethodNotAllowed => {
                ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method".into())
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

const OUR_FAULT: &str = "Something went wrong on our side";

/// The status and the message of an error of the core.
fn row_of(error: &Error) -> (StatusCode, Cow<'static, str>) {
    match error {
        Error::Unauthenticated(Refusal::Missing) => (StatusCode::UNAUTHORIZED, "A credential is needed".into()),
        Error::Unauthenticated(Refusal::CrossSite) => {
            (StatusCode::FORBIDDEN, "A cookie from another site changes nothing here".into())
        }
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "The credential is not valid".into()),
        Error::Forbidden { needed } => (StatusCode::FORBIDDEN, format!("The scope {needed} is needed").into()),
        Error::Unmet(unmet) => (StatusCode::FORBIDDEN, message_of(unmet)),
        Error::SessionNotFound => (StatusCode::NOT_FOUND, "There is no such session".into()),
        Error::AmbiguousSession(_) => (StatusCode::CONFLICT, "Several sessions are called so".into()),
        Error::SessionNotActive => (StatusCode::CONFLICT, "The session is over".into()),
        Error::UserNotFound => (StatusCode::NOT_FOUND, "There is no such user".into()),
        Error::UserBanned => (StatusCode::FORBIDDEN, "The user is banned".into()),
        Error::SessionLimitReached => (StatusCode::CONFLICT, "The user has as many sessions as allowed".into()),
        Error::IdempotencyKeyReused => {
            (StatusCode::UNPROCESSABLE_ENTITY, "The idempotency key was used with another request".into())
        }
        Error::InvalidGrant(GrantRefusal::WiderScope) => {
            (StatusCode::BAD_REQUEST, "The scope is wider than the session's".into())
        }
        Error::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "The refresh token is not valid any more".into()),
        Error::Invalid(errors) => (StatusCode::UNPROCESSABLE_ENTITY, sentence(errors).into()),
        Error::SearchTooBroad => {
            let message = "The search would read too much: narrow it by user or by a range of created_at";
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
        Unmet::Client => "The session is another application's".into(),
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

    /// The status in dialects that know no 422: to them it is a 400.
    pub fn status_without_422(&self) -> StatusCode {
        match self.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        }
    }

    /// The message for a client: nothing internal, and nothing of why a credential was refused.
    pub fn message(&self) -> String {
        match self {
            Self::Core(error) => row_of(error).1,
            Self::Request(rejection) => rejection.row().2,
        }
        .into_owned()
    }

    /// The fields that cannot be taken, and why.
    pub fn fields(&self) -> &[FieldError] {
        match self {
            Self::Core(Error::Invalid(errors)) => errors,
            Self::Request(Rejection::Invalid(error)) => std::slice::from_ref(error),
            _ => &[],
        }
    }

    /// The challenge (RFC 6750 section 3, RFC 9470 section 3) of an error of authentication; `None` for other errors.
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
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

    /// Logs the cause, which the client does not learn.
    pub(super) fn log(&self) {
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
