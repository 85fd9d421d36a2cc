//! The texts that a language has.

/// The texts of a language.
pub(in crate::account) struct Words {
    /// The language's tag (RFC 5646).
    pub(in crate::account) lang: &'static str,
    /// The direction of its writing.
    pub(in crate::account) dir: &'static str,
    pub(in crate::account) title: &'static str,
    pub(in crate::account) lead: &'static str,
    pub(in crate::account) back: &'static str,
    pub(in crate::account) this_device: &'static str,
    pub(in crate::account) now: &'static str,
    pub(in crate::account) others: &'static str,
    pub(in crate::account) devices: &'static str,
    pub(in crate::account) no_others: &'static str,
    pub(in crate::account) none: &'static str,
    pub(in crate::account) over: &'static str,
    pub(in crate::account) end: &'static str,
    pub(in crate::account) sign_out: &'static str,
    pub(in crate::account) end_others: &'static str,
    pub(in crate::account) end_all: &'static str,
    pub(in crate::account) rename: &'static str,
    pub(in crate::account) name_of_device: &'static str,
    pub(in crate::account) save: &'static str,
    pub(in crate::account) details: &'static str,
    pub(in crate::account) address: &'static str,
    pub(in crate::account) unknown_device: &'static str,
    pub(in crate::account) visit: &'static str,
    pub(in crate::account) close: &'static str,
    pub(in crate::account) open: &'static str,
    pub(in crate::account) open_lead: &'static str,
    pub(in crate::account) continue_on: &'static str,
    pub(in crate::account) to_sign_in: &'static str,
    pub(in crate::account) to_sessions: &'static str,
    pub(in crate::account) request: &'static str,
    /// The announcement of a session that disappears from the list.
    pub(in crate::account) gone: &'static str,
    /// A program on a system, such as Firefox on Linux.
    pub(in crate::account) on: fn(&str, &str) -> String,
    /// The advice about sessions that somebody does not know, for an application of that name.
    pub(in crate::account) safety: fn(Option<&str>) -> String,
    /// The time of the opening, from a date.
    pub(in crate::account) since: fn(&str) -> String,
    /// The time of the last use, from the words for how long ago it was.
    pub(in crate::account) last_used: fn(&str) -> String,
    /// A date, from day, month (from 1 on) and year.
    pub(in crate::account) date: fn(u32, u32, i32) -> String,
    /// The words for so many units ago; for 0, those for this very moment.
    pub(in crate::account) ago: fn(Unit, u32) -> String,
    /// The number of active sessions that are not shown.
    pub(in crate::account) more: fn(u32) -> String,
    /// The reason why a session is over, by its word in the API.
    pub(in crate::account) reason: fn(&str) -> &'static str,
    /// The outcome of a form.
    pub(in crate::account) done: fn(Done) -> String,
    /// The heading and the text of a page that says why something was not done.
    pub(in crate::account) problem: fn(Problem) -> (&'static str, &'static str),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::account) enum Unit {
    Minute,
    Hour,
    Day,
}

/// The outcome of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::account) enum Done {
    Ended,
    EndedOthers(u32),
    Renamed,
}

/// The reason why a page is not shown or a form had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::account) enum Problem {
    NotSignedIn,
    JustSignedOut,
    Closed,
    LinkGone,
    OtherSite,
    SignInAgain,
    NotFound,
    IsOver,
    BadName,
    TooMany,
    Unreachable,
    Broken,
}
