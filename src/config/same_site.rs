//! The `SameSite` attribute of cookies (RFC 6265bis section 5.6.7).

/// The requests of other sites that browsers add our cookies to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SameSite {
    /// Links that people follow, and nothing else.
    #[default]
    Lax,
    /// None.
    Strict,
    /// All: our check of the origin is then the only one.
    None,
}

impl SameSite {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "lax" => Some(Self::Lax),
            "strict" => Some(Self::Strict),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lax => "Lax",
            Self::Strict => "Strict",
            Self::None => "None",
        }
    }
}
