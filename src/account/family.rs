//! The page as a family: its paths, and its errors, which are pages too.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::words::Problem;
use crate::api::{Failure, Family, Rejection};
use crate::sessions::{Error, Refusal, Unmet};

/// The account page.
pub(super) struct Account;

/// The answer's extension that tells [`render`](super::render::render) what to say. Only there is the language known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unrendered(pub(super) Problem);

impl Family for Account {
    const NAME: &'static str = "account";
    const PREFIXES: &'static [&'static str] = &["/account"];
    const COOKIE: bool = true;

    fn is_ending_post(path: &str) -> bool {
        let form = path.strip_prefix("/account/sessions/");
        form.is_some_and(|form| form == "end-others" || form.ends_with("/end"))
    }

    fn respond(failure: &Failure) -> Response {
        let mut response = failure.status().into_response();
        response.extensions_mut().insert(Unrendered(problem(failure)));
        response
    }
}

fn problem(failure: &Failure) -> Problem {
    match failure {
        Failure::Core(error) => match error {
            Error::Unauthenticated(Refusal::CrossSite | Refusal::NoOrigin) => Problem::OtherSite,
            Error::Unauthenticated(Refusal::Link) => Problem::LinkGone,
            Error::Unauthenticated(_) => Problem::NotSignedIn,
            Error::Unmet(Unmet::SignIn { .. }) => Problem::SignInAgain,
            Error::SessionNotFound => Problem::NotFound,
            Error::SessionNotActive => Problem::IsOver,
            Error::Invalid(_) => Problem::BadName,
            Error::Unavailable(_) | Error::TooManyStreams => Problem::Unreachable,
            _ => Problem::Broken,
        },
        Failure::Request(rejection) => match rejection {
            Rejection::TooManyRequests { .. } => Problem::TooMany,
            Rejection::Busy | Rejection::Timeout => Problem::Unreachable,
            _ if failure.status() == StatusCode::NOT_FOUND => Problem::NotFound,
            _ => Problem::Broken,
        },
    }
}
