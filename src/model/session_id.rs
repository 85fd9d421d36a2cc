//! The id of a session.

use std::fmt;

use aws_lc_rs::digest;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::user::UserId;
use crate::clock::{self, Entropy, EntropyUnavailable};

/// Upper bound on the gap between the timestamp in a session's UUIDv7 and its `created_at`: far above the clock skew of
/// replicas.
const ID_MARGIN: TimeDelta = TimeDelta::hours(1);
/// The latest timestamp that fits into an id.
const LAST_MILLISECOND: u64 = (1 << 48) - 1;

/// The bits of an id that hold a hash of its user.
const USER_BITS: u128 = (1 << 10) - 1;

/// A session's id: a UUID version 7. A handle, never a credential.
///
/// The last ten bits are the first ten of the SHA-256 of the user's id. Once users are spread over several databases, a
/// token alone will lead to its user's database. Nothing reads these bits yet, and in older ids they are random. 64
/// random bits remain besides the timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// A new id for a session of `user`, opened at `time`.
    pub fn new(user: &UserId, time: DateTime<Utc>, entropy: &dyn Entropy) -> Result<Self, EntropyUnavailable> {
        let random = clock::uuid_v7(time, entropy)?.as_u128();
        Ok(Self(Uuid::from_u128(random & !USER_BITS | Self::user_bits(user))))
    }

    fn user_bits(user: &UserId) -> u128 {
        let hash = digest::digest(&digest::SHA256, user.as_str().as_bytes());
        let first = hash.as_ref().iter().take(2).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        first >> 6
    }

    /// Wraps a UUID.
    pub fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID inside.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The bounds of the ids of all sessions opened at `time`. The timestamp in an id comes from the clock of the
    /// replica that made it, hence the margin.
    pub fn around(time: DateTime<Utc>) -> (Self, Self) {
        let at = |time: Option<DateTime<Utc>>, otherwise| {
            let milliseconds = time.map_or(otherwise, |time| u64::try_from(time.timestamp_millis()).unwrap_or(0));
            Self(Uuid::from_u128(u128::from(milliseconds.min(LAST_MILLISECOND)) << 80))
        };
        (at(time.checked_sub_signed(ID_MARGIN), 0), at(time.checked_add_signed(ID_MARGIN), LAST_MILLISECOND))
    }

    /// Parses the hyphenated form (36 characters). `None` for anything else: no session has such an id.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 36).then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use uuid::{Variant, Version};

    use super::*;
    use crate::clock::SystemEntropy;

    #[test]
    fn a_new_id_is_a_uuid_version_7_whose_last_ten_bits_are_of_its_user() {
        let time = DateTime::from_timestamp_millis(1_767_225_600_123).unwrap();
        // `printf ann | sha256sum` begins with 4991, `printf bob | sha256sum` with 81b6.
        for (user, bits) in [("ann", 0x4991 >> 6), ("bob", 0x81b6 >> 6)] {
            let user = UserId::parse(user).unwrap();
            let new = || SessionId::new(&user, time, &SystemEntropy).unwrap().as_uuid();
            let (first, second) = (new(), new());
            for id in [first, second] {
                assert_eq!((id.get_version(), id.get_variant()), (Some(Version::SortRand), Variant::RFC4122));
                assert_eq!(id.as_u128() >> 80, 1_767_225_600_123);
                assert_eq!(id.as_u128() & 0x3ff, bits);
            }
            assert_ne!(first, second, "the rest is random");
        }
    }
}
