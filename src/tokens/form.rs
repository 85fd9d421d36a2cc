//! The forms of bearer credentials.

use super::{opaque, service_key};

/// What form a bearer credential has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `sjs_…`
    SessionToken,
    /// `sjr_…`
    RefreshToken,
    /// `sjk_…`
    ServiceKey,
    /// Anything else: an access token, or nothing of ours.
    AccessToken,
}

impl Form {
    /// The prefixes of opaque tokens.
    pub const PREFIXES: [&'static str; 3] = [opaque::SESSION_PREFIX, opaque::REFRESH_PREFIX, service_key::PREFIX];

    /// The form that `token` has by its beginning; says nothing about whether it is good.
    pub fn of(token: &str) -> Self {
        if token.starts_with(opaque::SESSION_PREFIX) {
            Self::SessionToken
        } else if token.starts_with(opaque::REFRESH_PREFIX) {
            Self::RefreshToken
        } else if token.starts_with(service_key::PREFIX) {
            Self::ServiceKey
        } else {
            Self::AccessToken
        }
    }
}
