//! A user's authentication, as a login service tells of it: when, how, and how strongly.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::field_errors::FieldErrors;
use super::policy::{Lifetime, MIN_LIFETIME};
use crate::model::{FieldError, text};

const MAX_CLASS_CHARS: usize = 255;
const MAX_METHODS: usize = 16;
const MAX_METHOD_CHARS: usize = 64;
/// The clock difference to a login service that is tolerated.
pub(super) const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(1);

/// An authentication, unchecked.
#[derive(Debug, Clone, Default)]
pub struct AuthenticationDraft {
    /// The authentication context class.
    pub acr: Option<String>,
    /// The authentication methods.
    pub amr: Vec<String>,
    /// The time; `None`: now.
    pub at: Option<DateTime<Utc>>,
}

/// An authentication that was checked.
#[derive(Debug, Clone)]
pub(super) struct Authentication {
    pub(super) acr: Option<String>,
    pub(super) amr: Vec<String>,
    pub(super) at: DateTime<Utc>,
    /// The limits of a session after it: those of its class, counted from its time.
    pub(super) limits: Lifetime,
}

impl AuthenticationDraft {
    /// The authentication for a session within these limits; `None` after its errors were kept.
    pub(super) fn check(
        self,
        limits: Lifetime,
        now: DateTime<Utc>,
        errors: &mut FieldErrors,
    ) -> Option<Authentication> {
        let acr = errors.keep(text::optional("acr", self.acr, MAX_CLASS_CHARS));
        let amr = errors.keep(checked_methods(self.amr));
        let limits = limits.at(acr.as_ref().and_then(Option::as_deref));
        let at = errors.keep(checked_time(self.at, limits, now));
        let (acr, amr, at) = (acr?, amr?, at?);
        let limits = Lifetime { absolute: limits.absolute - (now - at), ..limits };
        Some(Authentication { acr, amr, at, limits })
    }
}

fn checked_methods(amr: Vec<String>) -> Result<Vec<String>, FieldError> {
    if amr.len() > MAX_METHODS {
        return Err(FieldError::new("amr", format!("must have at most {MAX_METHODS} entries")));
    }
    amr.into_iter().map(|method| text::required("amr", method, MAX_METHOD_CHARS)).collect()
}

/// The time that was told, or now; one in the future within the clock skew counts as now. Refused: the further future, and
/// a time so long ago that the session's absolute end would follow within [`MIN_LIFETIME`].
fn checked_time(
    told: Option<DateTime<Utc>>,
    limits: Lifetime,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, FieldError> {
    let Some(told) = told else { return Ok(now) };
    if told > now + CLOCK_SKEW {
        return Err(FieldError::new("auth_time", "must not be in the future"));
    }
    let longest = limits.absolute - MIN_LIFETIME;
    if told < now - longest {
        let message = format!("must not be more than {} seconds ago", longest.num_seconds());
        return Err(FieldError::new("auth_time", message));
    }
    Ok(told.trunc_subsecs(6).min(now))
}
