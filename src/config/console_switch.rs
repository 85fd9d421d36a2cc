//! Whether the server has pages for people.

/// Whether the server has pages for people, below `/admin` and `/account`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConsoleSwitch {
    /// It has them.
    #[default]
    On,
    /// It has none: their paths are unknown.
    Off,
}

impl ConsoleSwitch {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}
