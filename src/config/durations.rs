//! Durations as operators write them.

use chrono::TimeDelta;

/// Parses seconds, or a text in the syntax of `humantime`; at most 10 years.
pub fn parse_duration(text: &str) -> Option<TimeDelta> {
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => humantime::parse_duration(text).ok()?.as_secs(),
    };
    let duration = TimeDelta::try_seconds(i64::try_from(seconds).ok()?)?;
    (duration <= TimeDelta::days(3650)).then_some(duration)
}

pub(super) fn written(duration: TimeDelta) -> String {
    humantime::format_duration(duration.to_std().unwrap_or_default()).to_string()
}
