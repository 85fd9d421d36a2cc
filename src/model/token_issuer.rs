//! The issuer of access tokens.

/// What the access tokens of a process say of where they come from and whom they are for. Neither text has spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenIssuer {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim.
    pub audience: String,
}
