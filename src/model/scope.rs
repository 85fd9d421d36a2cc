//! The rights of a credential.

use std::fmt;

use super::field_error::FieldError;

/// The rights of a credential: space-separated words (RFC 6749 section 3.3), of which four are ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// Opening sessions and describing their users: the right of a login service.
    pub const WRITE: &'static str = "sessions:write";
    /// Reading anybody's sessions: introspection and search.
    pub const READ: &'static str = "sessions:read";
    /// Everything, on anybody's sessions.
    pub const ADMIN: &'static str = "sessions:admin";
    /// Opening sessions with rights that the service key itself lacks. A right of service keys only.
    pub const GRANT: &'static str = "sessions:grant";
    /// The words with a meaning to this server.
    pub const RESERVED: [&'static str; 4] = [Self::WRITE, Self::READ, Self::ADMIN, Self::GRANT];
    /// The prefix of every word that is ours, now or later.
    pub(crate) const PREFIX: &'static str = "sessions:";
    /// The maximum length of a scope, in bytes.
    pub const MAX_BYTES: usize = 1024;

    /// Parses a scope and collapses repeated spaces. Refuses characters that RFC 6749 does not allow.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        if text.len() > Self::MAX_BYTES {
            return Err(FieldError::new("scope", format!("must have at most {} bytes", Self::MAX_BYTES)));
        }
        let allowed = |byte: u8| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~');
        if !text.bytes().all(allowed) {
            return Err(FieldError::new("scope", "must be words of printable ASCII without quotes or backslashes"));
        }
        Ok(Self(text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")))
    }

    /// Every right, for the bootstrap key and the command line.
    pub fn everything() -> Self {
        Self(Self::RESERVED.join(" "))
    }

    /// The words, separated by single spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Each word.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether `word` is one of the words.
    pub fn contains(&self, word: &str) -> bool {
        self.0.split(' ').any(|own| own == word)
    }

    /// Whether the scope grants `right`. `sessions:admin` implies every right except `sessions:grant`.
    pub fn allows(&self, right: &str) -> bool {
        self.contains(right) || right != Self::GRANT && self.contains(Self::ADMIN)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_its_words_and_admin_is_all_of_ours() {
        let scope = Scope::parse("  profile   sessions:read ").unwrap();
        assert_eq!(scope.as_str(), "profile sessions:read");
        assert!(scope.allows(Scope::READ));
        assert!(!scope.allows(Scope::WRITE));
        assert!(!scope.contains("sessions"), "no prefix counts as the word");
        let admin = Scope::parse("sessions:admin").unwrap();
        assert!(admin.allows(Scope::WRITE) && !admin.allows(Scope::GRANT));
        assert!(Scope::everything().allows(Scope::GRANT));
        assert_eq!(Scope::default().words().count(), 0);
    }

    #[test]
    fn a_scope_with_other_characters_is_refused() {
        for text in ["a\u{0}b", "a\nb", "a\"b", "a\\b", "é", &"a".repeat(1025)] {
            assert!(Scope::parse(text).is_err(), "{text:?}");
        }
    }
}
