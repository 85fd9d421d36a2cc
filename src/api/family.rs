//! Families of wire formats, and a failure on its way out in the words of one.

use std::marker::PhantomData;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::failure::{Failure, Rejection};
use crate::sessions::{Error, FieldError};

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
