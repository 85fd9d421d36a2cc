//! Reasons why a token is refused.

/// The reason why a token is not ours or not valid: for the log, never for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// None of our forms.
    #[error("malformed")]
    Malformed,
    /// The right form with a wrong checksum: mistyped or cut off.
    #[error("wrong checksum")]
    Checksum,
    /// An authentication code that was not made with any of our secrets.
    #[error("wrong authentication code")]
    Forged,
    /// A key id that names no current signing key.
    #[error("unknown signing key")]
    UnknownKey,
    /// A wrong signature, or one of another algorithm than the key's.
    #[error("wrong signature")]
    Signature,
    /// Another type of token.
    #[error("wrong type of token")]
    WrongType,
    /// A critical header extension that is not supported.
    #[error("unknown critical header")]
    Critical,
    /// Another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// Another audience.
    #[error("wrong audience")]
    Audience,
    /// Claims that are missing, of the wrong type, or absurd.
    #[error("wrong claims")]
    Claims,
    /// The token has expired.
    #[error("expired")]
    Expired,
    /// The token is from before the last authentication in its session.
    #[error("from before the last authentication")]
    Superseded,
    /// The token is from the future.
    #[error("not valid yet")]
    Premature,
}
