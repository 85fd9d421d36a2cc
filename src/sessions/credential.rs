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
    /// The kind, which decides the sessions that it may carry.
    pub kind: CookieKind,
}

/// The kind of a cookie, which decides the sessions that it may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieKind {
    /// The server's: any session but those of the console.
    Server,
    /// Of applications that give it this name: their sessions.
    Applications,
    /// The console's: sessions of the console.
    Console,
}

impl Credential {
    /// A credential that came in a header.
    pub fn in_header(text: impl Into<String>) -> Self {
        Self { text: text.into(), cookie: None }
    }
}
