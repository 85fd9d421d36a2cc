//! The requirements that a route behind a gateway has of an active session.

use chrono::{DateTime, TimeDelta, Utc};

use super::freshness::Freshness;
use crate::model::{FieldError, Scope, Session};

/// The authentication context classes of ours, the weakest first: each is worth those before it too. Other classes are
/// worth only themselves, because nobody but the operator knows their order.
const LEVELS: [&str; 3] = ["aal1", "aal2", "aal3"];

/// Requirements of a route; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Each of these words must be in the session's scope.
    scope: Option<Scope>,
    /// The session's `acr` must be one of these, or a higher level of ours.
    acr: Vec<String>,
    /// The longest time since the user authenticated.
    max_age: Option<TimeDelta>,
    /// The session must have been opened for one of these applications.
    clients: Vec<String>,
    freshness: Option<Freshness>,
}

/// A requirement that a session does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmet {
    /// The scope lacks a word of this one.
    Scope(Scope),
    /// The session was opened for another application.
    Client,
    /// The user signed in too weakly or too long ago: signing in anew would help.
    SignIn {
        /// The classes that would do, separated by spaces; empty for any.
        acr: String,
        /// The seconds that may have passed.
        max_age: Option<i64>,
    },
}

impl Requirements {
    /// Adds the requirement `name`, which is `scope`, `acr`, `max_age`, `client` or `freshness`. `scope`, `acr` and
    /// `client` are words separated by spaces; of a scope each is needed, of the others one suffices. Refuses an
    /// unknown name, one that was added before, and a value that no session could meet or that is empty.
    pub fn require(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        let twice = |field: &'static str, given: bool| {
            if given { Err(FieldError::new(field, "must not be required twice")) } else { Ok(field) }
        };
        match name {
            "scope" => self.scope = Some(words(twice("scope", self.scope.is_some())?, value)?),
            "acr" => self.acr = list(&words(twice("acr", !self.acr.is_empty())?, value)?),
            "client" => self.clients = list(&words(twice("client", !self.clients.is_empty())?, value)?),
            "max_age" => self.max_age = Some(seconds(twice("max_age", self.max_age.is_some())?, value)?),
            "freshness" => {
                let field = twice("freshness", self.freshness.is_some())?;
                let strict = Freshness::parse(value).filter(|freshness| *freshness == Freshness::Strict);
                self.freshness = Some(strict.ok_or(FieldError::new(field, "must be strict"))?);
            }
            _ => return Err(FieldError::new("requirement", "must be scope, acr, max_age, client or freshness")),
        }
        Ok(())
    }

    /// The freshness that the answer must have; `None`: the server's setting.
    pub fn freshness(&self) -> Option<Freshness> {
        self.freshness
    }

    /// Checks a session at `now`. Where several requirements are not met, one that signing in anew would not help comes
    /// first.
    pub fn check(&self, session: &Session, now: DateTime<Utc>) -> Result<(), Unmet> {
        if let Some(scope) = &self.scope
            && !scope.as_str().split(' ').all(|word| grants(&session.scope, word))
        {
            return Err(Unmet::Scope(scope.clone()));
        }
        if !self.clients.is_empty() && !session.client_id.as_ref().is_some_and(|client| self.clients.contains(client)) {
            return Err(Unmet::Client);
        }
        let strong = self.acr.is_empty() || self.acr.iter().any(|acr| is_worth(session.acr.as_deref(), acr));
        let recent = self.max_age.is_none_or(|most| now - session.authenticated_at <= most);
        if strong && recent {
            return Ok(());
        }
        Err(Unmet::SignIn { acr: self.acr.join(" "), max_age: self.max_age.map(|most| most.num_seconds()) })
    }
}

/// Of our own words `sessions:admin` grants all, of anybody else's none.
fn grants(scope: &Scope, word: &str) -> bool {
    if Scope::RESERVED.contains(&word) { scope.allows(word) } else { scope.contains(word) }
}

fn level(acr: &str) -> Option<usize> {
    LEVELS.iter().position(|level| *level == acr)
}

fn is_worth(acr: Option<&str>, required: &str) -> bool {
    let Some(acr) = acr else { return false };
    acr == required || level(required).is_some_and(|required| level(acr).is_some_and(|own| own > required))
}

/// Whether an authentication of the class `new` would weaken a session of the class `than`. Only the order of our own levels
/// is known.
pub(super) fn is_weaker(new: Option<&str>, than: Option<&str>) -> bool {
    match (new, than) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(new), Some(than)) => level(new).zip(level(than)).is_some_and(|(new, than)| new < than),
    }
}

/// Words that can stand in a challenge as they are (RFC 6750 section 3).
fn words(field: &'static str, value: &str) -> Result<Scope, FieldError> {
    let words = Scope::parse(value).map_err(|error| FieldError::new(field, error.message))?;
    if words.as_str().is_empty() { Err(FieldError::new(field, "must not be empty")) } else { Ok(words) }
}

fn list(words: &Scope) -> Vec<String> {
    words.as_str().split(' ').map(ToOwned::to_owned).collect()
}

/// Plain digits, from one second to the longest that a session can live.
fn seconds(field: &'static str, value: &str) -> Result<TimeDelta, FieldError> {
    let plain = !value.starts_with(['0', '+']);
    let seconds = value.parse::<u32>().ok().filter(|_| plain);
    seconds
        .map(|seconds| TimeDelta::seconds(seconds.into()))
        .ok_or(FieldError::new(field, "must be a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_worth_itself_and_a_level_of_ours_those_below_it() {
        let rows = [
            (Some("aal2"), "aal2", true),
            (Some("aal3"), "aal2", true),
            (Some("aal1"), "aal2", false),
            (Some("aal4"), "aal2", false),
            (Some("AAL2"), "aal2", false),
            (Some("phr"), "phr", true),
            (Some("phrh"), "phr", false),
            (Some("aal3"), "phr", false),
            (None, "aal1", false),
        ];
        for (acr, required, expected) in rows {
            assert_eq!(is_worth(acr, required), expected, "{acr:?} for {required}");
        }
    }

    #[test]
    fn a_weaker_class_is_none_at_all_or_a_lower_level_of_ours() {
        let rows = [
            (None, None, false),
            (Some("aal1"), None, false),
            (None, Some("aal1"), true),
            (Some("aal1"), Some("aal2"), true),
            (Some("aal2"), Some("aal2"), false),
            (Some("aal3"), Some("aal2"), false),
            (Some("phr"), Some("aal2"), false),
            (Some("aal1"), Some("phr"), false),
        ];
        for (new, than, expected) in rows {
            assert_eq!(is_weaker(new, than), expected, "{new:?} for {than:?}");
        }
    }

    #[test]
    fn an_administrator_has_our_words_and_not_those_of_applications() {
        let admin = Scope::parse("sessions:admin").unwrap();
        assert!(grants(&admin, "sessions:read") && !grants(&admin, "reports:read"));
    }

    #[test]
    fn a_requirement_that_no_session_can_meet_is_refused() {
        for (name, value) in [
            ("scope", ""),
            ("scope", "  "),
            ("scope", "a\"b"),
            ("scope", "é"),
            ("acr", ""),
            ("acr", "a\nb"),
            ("client", ""),
            ("max_age", "0"),
            ("max_age", "0600"),
            ("max_age", "+600"),
            ("max_age", "-1"),
            ("max_age", "1e3"),
            ("max_age", "10m"),
            ("max_age", ""),
            ("max_age", "99999999999"),
            ("freshness", "fresh"),
            ("freshness", ""),
            ("Scope", "a"),
            ("scopes", "a"),
            ("", "a"),
        ] {
            assert!(Requirements::default().require(name, value).is_err(), "{name}={value}");
        }
        let mut requirements = Requirements::default();
        for (name, value) in
            [("scope", "a b"), ("acr", "aal2"), ("max_age", "600"), ("client", "w"), ("freshness", "strict")]
        {
            assert_eq!(requirements.require(name, value), Ok(()));
            assert!(requirements.require(name, value).is_err(), "{name} twice");
        }
    }
}
