//! The forms of bearer credentials.

use super::{one_time_link, opaque, service_key};

/// The form of a bearer credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `sjs_…`
    SessionToken,
    /// `sjr_…`
    RefreshToken,
    /// `sjk_…`
    ServiceKey,
    /// Every other text: an access token, or no credential of this server.
    AccessToken,
}

impl Form {
    /// The prefixes of what nobody may see: opaque tokens and one-time links.
    pub const PREFIXES: [&'static str; 4] =
        [opaque::SESSION_PREFIX, opaque::REFRESH_PREFIX, service_key::PREFIX, one_time_link::PREFIX];

    /// The form of `token` by its prefix, which says nothing about its validity.
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
