//! The lifetime of access tokens.

use chrono::TimeDelta;

/// The maximum lifetime of an access token, and so the time for which a retired signing key must be kept.
pub const MAX_ACCESS_TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);
/// The shortest lifetime that an access token can be given.
pub const MIN_ACCESS_TOKEN_LIFETIME: TimeDelta = TimeDelta::seconds(10);
