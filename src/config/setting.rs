//! The kinds of settings, and the texts that they are read from.

use std::fmt::Display;

use chrono::TimeDelta;

use super::durations::{parse_duration, written};

/// A parser of a setting's text. The error says which texts are allowed: "must be …".
type Parser<T> = fn(&str) -> Result<T, String>;

/// A setting that always has a value.
pub(super) struct Setting<T> {
    pub(super) name: &'static str,
    /// The text that is parsed when none is set, as `--help` shows it.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
    pub(super) parse: Parser<T>,
}

/// A setting that may have no value.
pub(super) struct OptionalSetting<T> {
    pub(super) name: &'static str,
    /// The meaning of no value, for `--help`; empty: nothing is shown.
    pub(super) unset: &'static str,
    pub(super) help: &'static str,
    pub(super) parse: Parser<T>,
}

/// A setting whose value is a secret, which may also be in the file that `NAME_FILE` names.
pub(super) struct SecretSetting {
    pub(super) name: &'static str,
    /// The meaning of no value, for `--help`; empty: nothing is shown.
    pub(super) unset: &'static str,
    pub(super) help: &'static str,
}

impl<T> Setting<T> {
    pub(super) const fn new(name: &'static str, default: &'static str, help: &'static str, parse: Parser<T>) -> Self {
        Self { name, default, help, parse }
    }
}

impl<T> OptionalSetting<T> {
    pub(super) const fn new(name: &'static str, unset: &'static str, help: &'static str, parse: Parser<T>) -> Self {
        Self { name, unset, help, parse }
    }
}

impl SecretSetting {
    pub(super) const fn new(name: &'static str, unset: &'static str, help: &'static str) -> Self {
        Self { name, unset, help }
    }
}

/// The part of a setting that `--help` shows.
pub trait Documented: Sync {
    /// Its name in the environment.
    fn name(&self) -> &'static str;
    /// The default, or the meaning of no value; may be empty.
    fn default(&self) -> &'static str;
    /// One sentence about it.
    fn help(&self) -> String;
    /// The value when none is set, if there is one.
    fn default_value(&self) -> Option<&'static str> {
        None
    }
    /// The name of the setting for a file with the value, if there is one.
    fn file_name(&self) -> Option<String> {
        None
    }
    /// Whether the value is a secret.
    fn is_secret(&self) -> bool {
        false
    }
}

impl<T> Documented for Setting<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> &'static str {
        self.default
    }

    fn help(&self) -> String {
        self.help.to_owned()
    }
    fn default_value(&self) -> Option<&'static str> {
        Some(self.default)
    }
}

impl<T> Documented for OptionalSetting<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> &'static str {
        self.unset
    }

    fn help(&self) -> String {
        self.help.to_owned()
    }
}

impl Documented for SecretSetting {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> &'static str {
        self.unset
    }

    fn help(&self) -> String {
        format!("{}; also as {}_FILE", self.help, self.name)
    }

    fn file_name(&self) -> Option<String> {
        Some(format!("{}_FILE", self.name))
    }

    fn is_secret(&self) -> bool {
        true
    }
}

/// A number within bounds.
pub(super) fn number<T, const MIN: u32, const MAX: u32>(text: &str) -> Result<T, String>
where
    T: TryFrom<u32>,
{
    let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
    expected(format_args!("a number from {MIN} to {MAX}"), number.and_then(|number| T::try_from(number).ok()))
}

/// The upper bound of a duration that has none of its own.
pub(super) const ANY: i64 = i64::MAX;

/// A duration within bounds in seconds.
pub(super) fn duration<const MIN: i64, const MAX: i64>(text: &str) -> Result<TimeDelta, String> {
    let duration = parse_duration(text).filter(|duration| (MIN..=MAX).contains(&duration.num_seconds()));
    let least = written(TimeDelta::seconds(MIN));
    match MAX {
        ANY => expected(format_args!("a duration of {least} or more"), duration),
        _ => expected(format_args!("a duration from {least} to {}", written(TimeDelta::seconds(MAX))), duration),
    }
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    expected("true or false", text.parse().ok())
}

/// The parsed value, or the texts that are allowed.
pub(super) fn expected<T>(allowed: impl Display, parsed: Option<T>) -> Result<T, String> {
    parsed.ok_or_else(|| allowed.to_string())
}
