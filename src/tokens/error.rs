//! Reasons why a token is refused.

/// Why something is not a token of ours, or not good any more: for the log, never for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has none of our forms.
    #[error("malformed")]
    Malformed,
    /// It has the right form, and its checksum is wrong: mistyped or cut off.
    #[error("wrong checksum")]
    Checksum,
    /// It was not made with our secret.
    #[error("wrong authentication code")]
    Forged,
    /// It names no key that counts now.
    #[error("unknown signing key")]
    UnknownKey,
    /// Its signature is wrong, or of another algorithm than its key's.
    #[error("wrong signature")]
    Signature,
    /// It is another type of token.
    #[error("wrong type of token")]
    WrongType,
    /// It asks for a header extension that we do not have.
    #[error("unknown critical header")]
    Critical,
    /// It is from another issuer.
    #[error("wrong issuer")]
    Issuer,
    /// It is for another audience.
    #[error("wrong audience")]
    Audience,
    /// Its claims are missing, of the wrong type, or absurd.
    #[error("wrong claims")]
    Claims,
    /// It has expired.
    #[error("expired")]
    Expired,
    /// It is from the future.
    #[error("not valid yet")]
    Premature,
}
