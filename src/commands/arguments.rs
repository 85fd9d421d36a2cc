//! Values of arguments, and errors by the names of arguments.

use chrono::TimeDelta;

use super::CommandError;
use crate::config::parse_duration;
use crate::model::MAX_PAGE;
use crate::sessions::Error;

pub(super) fn duration(text: &str) -> Result<TimeDelta, String> {
    let duration = parse_duration(text).filter(|duration| *duration > TimeDelta::zero());
    duration.ok_or_else(|| "must be a duration such as 90d or 12h".to_owned())
}

pub(super) fn limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| format!("must be a number from 1 to {MAX_PAGE}"))
}

/// The errors of invalid fields in one line, by the names of the arguments.
pub(super) fn of_arguments(error: Error) -> CommandError {
    by_arguments(error, |field| match field {
        "client_id" => "application",
        "audiences" => "audience",
        "claims" => "claim",
        field => field,
    })
}

/// As [`of_arguments`], for the commands of sessions.
pub(super) fn of_session_arguments(error: Error) -> CommandError {
    by_arguments(error, |field| match field {
        "user_id" => "user",
        "client_id" => "client",
        field => field,
    })
}

fn by_arguments(error: Error, argument: fn(&str) -> &str) -> CommandError {
    let Error::Invalid(errors) = error else { return error.into() };
    let name = |field: &str| argument(field).replace('_', "-");
    let lines = errors.iter().map(|error| format!("--{}: {}", name(&error.field), error.message));
    CommandError::Other(lines.collect::<Vec<_>>().join("; "))
}
