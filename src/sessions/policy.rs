//! The policy: the operator's choices of lifetimes and limits, made once at the start.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::{Ipv4Net, Ipv6Net};

use super::error::Error;
use super::feed::stream_limits::StreamLimits;
use super::freshness::Freshness;
use crate::model::{FieldError, Network, Scope, SessionLimit};

/// The shortest lifetime and idle timeout that can be asked for: shorter ones would be over before the
/// buffered last-seen times are written.
pub const MIN_LIFETIME: TimeDelta = TimeDelta::seconds(60);
/// The longest time that can be set or asked for: ten years.
pub const MAX_LIFETIME: TimeDelta = TimeDelta::days(3650);

/// The limits of a session's two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// From the authentication to the end that nothing moves later.
    pub absolute: TimeDelta,
    /// The longest it may stay unused; `None`: for ever.
    pub idle: Option<TimeDelta>,
}

impl Lifetime {
    /// The limits at an authentication context class: one that names a profile (`aal1`, `aal2`, `aal3`) tightens them.
    pub(super) fn at(self, acr: Option<&str>) -> Self {
        match acr.and_then(Profile::parse).filter(|profile| *profile != Profile::Default) {
            Some(profile) => self.tightest(profile.lifetime()),
            None => self,
        }
    }

    /// The tighter of both, clock by clock.
    pub(super) fn tightest(self, other: Self) -> Self {
        let idle = match (self.idle, other.idle) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self { absolute: self.absolute.min(other.absolute), idle }
    }
}

/// Named limits. The three levels have the numbers of NIST SP 800-63B-4 sections 2.1.3, 2.2.3 and 2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// 30 days, 7 days unused.
    Default,
    /// 30 days, as long unused as wanted.
    Aal1,
    /// 24 hours, 1 hour unused.
    Aal2,
    /// 12 hours, 15 minutes unused.
    Aal3,
}

impl Profile {
    /// The profile of that name: `default`, `aal1`, `aal2` or `aal3`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "aal1" => Some(Self::Aal1),
            "aal2" => Some(Self::Aal2),
            "aal3" => Some(Self::Aal3),
            _ => None,
        }
    }

    /// The limits of the profile.
    pub fn lifetime(self) -> Lifetime {
        match self {
            Self::Default => Lifetime { absolute: TimeDelta::days(30), idle: Some(TimeDelta::days(7)) },
            Self::Aal1 => Lifetime { absolute: TimeDelta::days(30), idle: None },
            Self::Aal2 => Lifetime { absolute: TimeDelta::hours(24), idle: Some(TimeDelta::hours(1)) },
            Self::Aal3 => Lifetime { absolute: TimeDelta::hours(12), idle: Some(TimeDelta::minutes(15)) },
        }
    }
}

/// The part of a client's address that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpStorage {
    /// All of it.
    Full,
    /// The network: the first 24 bits of IPv4, the first 48 of IPv6.
    Truncated,
    /// Nothing.
    Off,
}

impl IpStorage {
    /// The choice of that name: `full`, `truncated` or `off`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "full" => Some(Self::Full),
            "truncated" => Some(Self::Truncated),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// The part of `address` that may be stored. An IPv4-mapped IPv6 address is stored as IPv4.
    pub fn keep(self, address: IpAddr) -> Option<IpAddr> {
        match (self, address.to_canonical()) {
            (Self::Full, address) => Some(address),
            (Self::Truncated, IpAddr::V4(address)) => {
                Ipv4Net::new(address, 24).ok().map(|network| network.trunc().addr().into())
            }
            (Self::Truncated, IpAddr::V6(address)) => {
                Ipv6Net::new(address, 48).ok().map(|network| network.trunc().addr().into())
            }
            (Self::Off, _) => None,
        }
    }

    /// Whether the part of an address that is stored tells that it is in `network`.
    pub fn tells(self, network: Network) -> bool {
        match (self, network.only_address()) {
            (_, Some(address)) => self.keep(address) == Some(address),
            (Self::Full, None) => true,
            (Self::Truncated, None) => network.widened(24, 48) == network,
            (Self::Off, None) => false,
        }
    }

    /// The network to search for to find the sessions from `network`: a wider one where only wider ones are stored.
    pub fn found_by(self, network: Network) -> Network {
        match (self, network.only_address()) {
            (_, Some(address)) => self.keep(address).unwrap_or(address).into(),
            (Self::Truncated, None) => network.widened(24, 48),
            (Self::Full | Self::Off, None) => network,
        }
    }
}

/// The operator's choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The limits of every session.
    pub lifetime: Lifetime,
    /// Longest lifetime of an access token.
    pub access_token_lifetime: TimeDelta,
    /// For how long a spent refresh token still gets the successor that is already in use.
    pub refresh_grace: TimeDelta,
    /// The lead over now that refreshes give `expires_at`, in steps (see [`Slide`](crate::model::Slide)); `None`: it stays.
    pub sliding: Option<TimeDelta>,
    /// The limits of the console's sessions, within those of every session.
    pub console: Lifetime,
    /// The longest time since a user authenticated for operations that a stolen session must not do; `None`: unlimited.
    pub reauth_within: Option<TimeDelta>,
    /// The limit on a user's active sessions; `None`: any number.
    pub session_limit: Option<SessionLimit>,
    /// The most that one request may extend a session by; zero: only administrators may, by as much as a session may
    /// live.
    pub longest_extension: TimeDelta,
    /// The part of a client's address that is stored.
    pub ip_storage: IpStorage,
    /// For how long sessions that are over are kept.
    pub retention: TimeDelta,
    /// For how long entries of the audit trail are kept.
    pub audit_retention: TimeDelta,
    /// Whether who is deleted is erased, asked for or not.
    pub erase_deleted_users: bool,
    /// The most sessions on a page of a list of everybody's.
    pub search_page_limit: u32,
    /// The number up to which such a list is counted.
    pub search_total_limit: u32,
    /// Whether sessions are opened for known applications only.
    pub known_applications_only: bool,
    /// The default freshness of answers.
    pub freshness: Freshness,
    /// Room for copies of sessions, in bytes; 0: none are kept.
    pub cache_bytes: u64,
    /// The most streams that are open at once.
    pub streams: StreamLimits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lifetime: Profile::Default.lifetime(),
            access_token_lifetime: TimeDelta::minutes(5),
            refresh_grace: TimeDelta::seconds(30),
            sliding: None,
            console: Lifetime { absolute: TimeDelta::hours(8), idle: Some(TimeDelta::minutes(30)) },
            reauth_within: None,
            session_limit: None,
            longest_extension: TimeDelta::hours(720),
            ip_storage: IpStorage::Full,
            retention: TimeDelta::days(30),
            audit_retention: TimeDelta::days(400),
            erase_deleted_users: false,
            search_page_limit: 200,
            search_total_limit: 10_001,
            known_applications_only: false,
            freshness: Freshness::Fresh,
            cache_bytes: 64 << 20,
            streams: StreamLimits::default(),
        }
    }
}

/// The lifetimes that an opener asks for, in seconds, unchecked; `None`: the most there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AskedClocks {
    /// To the end that can be moved.
    pub expires_in: Option<i64>,
    /// To the end that nothing moves.
    pub absolute_expires_in: Option<i64>,
    /// Time that the session may stay unused.
    pub idle_timeout: Option<i64>,
}

/// The clocks of one new session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// When it ends by itself, for now.
    pub expires_at: DateTime<Utc>,
    /// The end that nothing moves.
    pub absolute_expires_at: DateTime<Utc>,
    /// Time that the session may stay unused.
    pub idle_timeout: Option<TimeDelta>,
}

impl Policy {
    /// The clocks of a session opened `now`.
    ///
    /// An `acr` that names a profile (`aal1`, `aal2`, `aal3`) tightens the limits to that profile's. What is asked for
    /// is chosen within the limits; what lies outside them is refused, not clamped.
    pub fn clocks(&self, now: DateTime<Utc>, acr: Option<&str>, asked: AskedClocks) -> Result<Clocks, Vec<FieldError>> {
        Self::clocks_within(self.lifetime, now, acr, asked)
    }

    /// The clocks of a session opened `now` (see [`Policy::clocks`]) within other limits than the policy's own.
    pub(super) fn clocks_within(
        limits: Lifetime,
        now: DateTime<Utc>,
        acr: Option<&str>,
        asked: AskedClocks,
    ) -> Result<Clocks, Vec<FieldError>> {
        let limits = limits.at(acr);
        let mut errors = Vec::new();
        let mut within = |field, asked: Option<i64>, most: Option<TimeDelta>| match asked {
            None => most,
            Some(seconds) => {
                let asked = TimeDelta::try_seconds(seconds);
                let fits = asked.is_some_and(|asked| asked >= MIN_LIFETIME && most.is_none_or(|most| asked <= most));
                if !fits || most.is_none() && seconds > i64::from(i32::MAX) {
                    let least = MIN_LIFETIME.num_seconds();
                    let most = most.map_or(i64::from(i32::MAX), |most| most.num_seconds());
                    errors.push(FieldError::new(field, format!("must be a number of seconds from {least} to {most}")));
                }
                asked
            }
        };
        let absolute = within("absolute_expires_in", asked.absolute_expires_in, Some(limits.absolute));
        let absolute = absolute.map_or(limits.absolute, |asked| asked.clamp(MIN_LIFETIME, limits.absolute));
        let expires_in = within("expires_in", asked.expires_in, Some(absolute));
        let idle_timeout = within("idle_timeout", asked.idle_timeout, limits.idle);
        if !errors.is_empty() {
            return Err(errors);
        }
        let absolute_expires_at = now + absolute;
        let expires_at = expires_in.map_or(absolute_expires_at, |lifetime| now + lifetime);
        Ok(Clocks { expires_at, absolute_expires_at, idle_timeout })
    }

    /// The most that one request may extend a session by, for a caller of that scope; `None`: it may not at all.
    pub fn longest_extension_for(&self, scope: &Scope) -> Option<TimeDelta> {
        if self.longest_extension.is_zero() {
            scope.allows(Scope::ADMIN).then_some(self.lifetime.absolute)
        } else {
            Some(self.longest_extension)
        }
    }

    /// By how much a session is to be extended, from what a caller of that scope asked for in seconds.
    pub fn extension(&self, scope: &Scope, seconds: i64) -> Result<TimeDelta, Error> {
        let most = self.longest_extension_for(scope).ok_or(Error::needs(Scope::ADMIN))?;
        TimeDelta::try_seconds(seconds).filter(|by| *by >= TimeDelta::seconds(1) && *by <= most).ok_or_else(|| {
            let message = format!("must be a number of seconds from 1 to {}", most.num_seconds());
            FieldError::new("extend_by", message).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lives_as_long_as_its_profile_allows_and_not_longer() {
        let now = DateTime::UNIX_EPOCH;
        let policy = Policy::default();
        let plain = policy.clocks(now, None, AskedClocks::default()).unwrap();
        assert_eq!(plain.absolute_expires_at, now + TimeDelta::days(30));
        assert_eq!(plain.expires_at, plain.absolute_expires_at);
        assert_eq!(plain.idle_timeout, Some(TimeDelta::days(7)));

        let high = policy.clocks(now, Some("aal3"), AskedClocks::default()).unwrap();
        assert_eq!(high.absolute_expires_at, now + TimeDelta::hours(12));
        assert_eq!(high.idle_timeout, Some(TimeDelta::minutes(15)));

        let asked = AskedClocks { expires_in: Some(3600), idle_timeout: Some(600), ..AskedClocks::default() };
        let chosen = policy.clocks(now, Some("urn:other"), asked).unwrap();
        assert_eq!(chosen.expires_at, now + TimeDelta::hours(1));
        assert_eq!(chosen.absolute_expires_at, now + TimeDelta::days(30));
        assert_eq!(chosen.idle_timeout, Some(TimeDelta::minutes(10)));

        let short = AskedClocks { absolute_expires_in: Some(3600), ..AskedClocks::default() };
        let short = policy.clocks(now, None, short).unwrap();
        assert_eq!(
            (short.expires_at, short.absolute_expires_at),
            (now + TimeDelta::hours(1), now + TimeDelta::hours(1))
        );
    }

    #[test]
    fn times_outside_the_profile_are_refused_without_a_panic() {
        let policy = Policy::default();
        for seconds in [i64::MIN, -1, 0, 59, 43_201, i64::MAX] {
            let asked = Some(seconds);
            let asked = AskedClocks { expires_in: asked, absolute_expires_in: asked, idle_timeout: asked };
            let errors = policy.clocks(DateTime::UNIX_EPOCH, Some("aal3"), asked).unwrap_err();
            assert_eq!(errors.len(), 3, "{seconds}");
        }
        let past_it = AskedClocks { expires_in: Some(601), absolute_expires_in: Some(600), idle_timeout: None };
        let errors = policy.clocks(DateTime::UNIX_EPOCH, None, past_it).unwrap_err();
        assert_eq!(errors, [FieldError::new("expires_in", "must be a number of seconds from 60 to 600")]);
        let unlimited = Policy { lifetime: Profile::Aal1.lifetime(), ..Policy::default() };
        let idle = |seconds| AskedClocks { idle_timeout: Some(seconds), ..AskedClocks::default() };
        assert!(unlimited.clocks(DateTime::UNIX_EPOCH, None, idle(i64::MAX)).is_err());
        assert!(unlimited.clocks(DateTime::UNIX_EPOCH, None, idle(864_000)).is_ok());
        for seconds in [i64::MIN, 0, 720 * 3600 + 1, i64::MAX] {
            assert!(policy.extension(&Scope::everything(), seconds).is_err(), "{seconds}");
        }
    }

    #[test]
    fn addresses_are_kept_as_policy_says() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(IpStorage::Full.keep(address("::ffff:203.0.113.7")), Some(address("203.0.113.7")));
        assert_eq!(IpStorage::Truncated.keep(address("203.0.113.7")), Some(address("203.0.113.0")));
        assert_eq!(IpStorage::Truncated.keep(address("2001:db8:1:2:3::4")), Some(address("2001:db8:1::")));
        assert_eq!(IpStorage::Off.keep(address("203.0.113.7")), None);
    }
}
