//! The credential that got the tokens of a session.

use std::fmt;

use uuid::Uuid;

use super::service_key::ServiceKeyId;
use super::session_id::SessionId;

/// The credential that got the tokens of a session: at its opening, or at the last authentication in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opener {
    /// A service key.
    Key(ServiceKeyId),
    /// The bootstrap key.
    BootstrapKey,
    /// The command line.
    CommandLine,
    /// A user's session.
    Session(SessionId),
}

impl Opener {
    pub(super) const BOOTSTRAP: &'static str = "bootstrap";
    pub(super) const COMMAND_LINE: &'static str = "command-line";
    const KEY: &'static str = "key:";
    const SESSION: &'static str = "session:";

    /// Parses the form that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        // Only the canonical form is accepted, because filters compare text.
        let id = |id: &str| id.parse::<Uuid>().ok().filter(|uuid| uuid.to_string() == id);
        match text {
            Self::BOOTSTRAP => Some(Self::BootstrapKey),
            Self::COMMAND_LINE => Some(Self::CommandLine),
            _ => match text.strip_prefix(Self::KEY) {
                Some(key) => id(key).map(ServiceKeyId).map(Self::Key),
                None => id(text.strip_prefix(Self::SESSION)?).map(SessionId::from_uuid).map(Self::Session),
            },
        }
    }
}

/// `key:` or `session:` and an id, `bootstrap`, or `command-line`.
impl fmt::Display for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(formatter, "{}{id}", Self::KEY),
            Self::BootstrapKey => formatter.write_str(Self::BOOTSTRAP),
            Self::CommandLine => formatter.write_str(Self::COMMAND_LINE),
            Self::Session(id) => write!(formatter, "{}{id}", Self::SESSION),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opener_is_read_as_it_was_written_and_in_no_other_way() {
        let id = Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0001);
        let openers = [
            Opener::Key(ServiceKeyId(id)),
            Opener::Session(SessionId::from_uuid(id)),
            Opener::BootstrapKey,
            Opener::CommandLine,
        ];
        for opener in openers {
            assert_eq!(Opener::parse(&opener.to_string()), Some(opener));
        }
        let upper = format!("key:{}", id.to_string().to_uppercase());
        for text in ["", "key:", "key", &id.to_string(), &upper, &format!("key:{}", id.simple()), "Bootstrap"] {
            assert_eq!(Opener::parse(text), None, "{text}");
        }
    }
}
