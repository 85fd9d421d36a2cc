//! The lifetime of access tokens.

use chrono::TimeDelta;

/// The longest that any access token may live. Also how long a retired key must be kept.
pub const MAX_ACCESS_TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);
