//! English.

use super::texts::{Done, Problem, Unit, Words};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) static WORDS: Words = Words {
    lang: "en",
    dir: "ltr",
    title: "Where you are signed in",
    lead: "These browsers and apps can use your account. End whatever you no longer need.",
    back: "Back",
    this_device: "This device",
    now: "Active now",
    others: "Other devices",
    devices: "Devices",
    no_others: "You are signed in nowhere else.",
    none: "You are signed in nowhere.",
    over: "Signed out in the last 30 days",
    end: "End",
    sign_out: "Sign out",
    end_others: "Sign out everywhere else",
    end_all: "Sign out everywhere",
    rename: "Rename",
    name_of_device: "Name of the device",
    save: "Save",
    details: "Details",
    address: "IP address",
    unknown_device: "Unknown device",
    visit: "This browser sees the page by a link, for 30 minutes.",
    close: "Close the page",
    open: "Open your sessions",
    open_lead: "This link shows where you are signed in, once and in this browser only.",
    continue_on: "Continue",
    to_sign_in: "Sign in",
    to_sessions: "To your sessions",
    request: "Request",
    gone: "A session was ended elsewhere.",
    on: |program, place| format!("{program} on {place}"),
    safety: |application| {
        let place = application.map(|name| format!(" at {name}")).unwrap_or_default();
        format!("Something you do not know? End it, then change your password{place}.")
    },
    since: |date| format!("signed in since {date}"),
    last_used: |ago| format!("Last used {ago}"),
    date: |day, month, year| format!("{day} {} {year}", MONTHS.get(month as usize - 1).unwrap_or(&"")),
    ago,
    more: |number| match number {
        1 => "1 more is not shown.".to_owned(),
        _ => format!("{number} more are not shown."),
    },
    reason: |reason| match reason {
        "logout" => "Signed out",
        "revoked_by_user" => "Ended by you",
        "revoked_by_admin" => "Ended by an administrator",
        "replaced" => "Replaced by a newer sign-in",
        "reuse_detected" => "Ended for safety: its token was used twice",
        "user_banned" => "Ended because the account was locked",
        "user_deleted" => "Ended with the account",
        "expired" => "Expired",
        "idle_expired" => "Not used for too long",
        _ => "Ended",
    },
    done: |done| match done {
        Done::Ended => "The session was ended.".to_owned(),
        Done::EndedOthers(0) => "There was nothing else to end.".to_owned(),
        Done::EndedOthers(1) => "You were signed out on one other device.".to_owned(),
        Done::EndedOthers(number) => format!("You were signed out on {number} other devices."),
        Done::Renamed => "The name was saved.".to_owned(),
    },
    problem: |problem| match problem {
        Problem::NotSignedIn => ("You are not signed in", "Sign in to see where your account is in use."),
        Problem::JustSignedOut => ("You are signed out", "Your session on this device was ended."),
        Problem::Closed => ("The page is closed", "This browser does not see your sessions any more."),
        Problem::LinkGone => {
            ("This link opens nothing any more", "It was used before, or is too old. Ask for a new one.")
        }
        Problem::OtherSite => ("Nothing was changed", "The request came from another site. Try it from this page."),
        Problem::SignInAgain => ("Sign in once more first", "You signed in too long ago to end other sessions."),
        Problem::NotFound => ("There is no such session", "It is not one of yours, or is stored no more."),
        Problem::IsOver => ("This session is over", "It was ended, or has expired."),
        Problem::BadName => ("This name cannot be saved", "A name has at most 255 characters, in one line."),
        Problem::TooMany => ("Too many requests", "Wait for a moment, then try again."),
        Problem::Unreachable => ("This does not work at the moment", "Nothing was changed. Try again in a moment."),
        Problem::Broken => ("Something went wrong on our side", "Try again in a moment."),
    },
};

fn ago(unit: Unit, number: u32) -> String {
    if number == 0 {
        return "just now".to_owned();
    }
    let unit = match unit {
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        Unit::Day => "day",
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}
