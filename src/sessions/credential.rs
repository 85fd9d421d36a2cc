//! Credentials of requests.

/// A credential as it was presented.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The text.
    pub text: String,
    /// The cookie that carried it; `None`: it came in a header.
    pub cookie: Option<Cookie>,
}

/// The cookie that carries a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// The name.
    pub name: String,
    /// Whether only applications give it this name.
    pub of_applications: bool,
}

impl Credential {
    /// A credential that came in a header.
    pub fn in_header(text: impl Into<String>) -> Self {
        Self { text: text.into(), cookie: None }
    }
}
