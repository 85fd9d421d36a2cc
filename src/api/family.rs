//! Families of wire formats, and a failure on its way out in the words of one.

use std::marker::PhantomData;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::failure::{BASIC_CHALLENGE, Failure, Rejection};
use super::request_notes::Cause;
use crate::model::FieldError;
use crate::sessions::{Error, Refusal};

/// A family of wire formats.
pub trait Family: Send + Sync + 'static {
    /// The name for operators: in the log, the metrics and the documents.
    const NAME: &'static str;
    /// The prefixes of the paths: an unknown path below one of them is answered in the family's words.
    const PREFIXES: &'static [&'static str];
    /// Whether callers may present the session cookie, where one is configured.
    const COOKIE: bool = false;
    /// Whether the console calls it.
    const CONSOLE: bool = false;

    /// Whether a client may authenticate by HTTP Basic, so that a request without a credential gets that challenge too.
    const CLIENTS: bool = false;

    /// Whether the rest of a rate limit is in the standard's headers rather than in the originals' `X-RateLimit-*`.
    const STANDARD_LIMITS: bool = false;

    /// Paths whose operations ignore unknown parameters and bodies, because a standard requires it or because they
    /// belong to another request.
    const IGNORING: &'static [&'static str] = &[];

    /// Query parameters whose empty value means the default in the original.
    const BLANK_IS_DEFAULT: &'static [&'static str] = &[];

    /// Targets whose endings include the session that the request comes with: paths, or paths with their whole query.
    const ENDS_OWN_SESSION: &'static [&'static str] = &[];

    /// Beginnings of the paths at which DELETE ends no session.
    const OTHER_DELETIONS: &'static [&'static str] = &[];

    /// Whether a POST to this path does nothing but end sessions.
    fn is_ending_post(_path: &str) -> bool {
        false
    }

    /// A failure in the family's own words. The headers that all families share are added later.
    fn respond(failure: &Failure) -> Response;
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
        self.failure.record();
        let mut response = F::respond(&self.failure);
        response.extensions_mut().insert(Cause(self.failure.cause()));
        if let Some(challenge) = self.failure.challenge() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if F::CLIENTS && matches!(self.failure, Failure::Core(Error::Unauthenticated(Refusal::Missing))) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, BASIC_CHALLENGE);
        }
        if let Failure::Request(Rejection::TooManyRequests { retry_after }) = self.failure {
            response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
        }
        if matches!(self.failure, Failure::Request(Rejection::UnsupportedEncoding)) {
            // RFC 9110 section 12.5.3: the encodings that are accepted.
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            // A stream slot becomes free when a client disconnects; an outage may end at any moment.
            let full = matches!(self.failure, Failure::Core(Error::TooManyStreams));
            let seconds = if full { "10" } else { "1" };
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
