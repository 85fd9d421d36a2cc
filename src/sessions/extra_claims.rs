//! Extra claims of access tokens: which of them an opener may add to a session.

use super::facade::Sessions;
use crate::model::{Application, ExtraClaims, FieldError, Session};
use crate::tokens::{ClaimMembers, ReadClaims, check_claim_name};

/// The most names of claims of one application.
const MAX_NAMES: usize = 32;
/// The longest name of a claim that a refusal repeats.
const MAX_SHOWN_BYTES: usize = 255;

/// Checks the names of claims that an application is to allow, and keeps each once.
pub(super) fn checked_names(names: Vec<String>) -> Result<Vec<String>, FieldError> {
    if names.len() > MAX_NAMES {
        return Err(FieldError::new("claims", format!("must have at most {MAX_NAMES} entries")));
    }
    let mut checked = Vec::new();
    for name in names {
        if let Some(reason) = check_claim_name(&name) {
            return Err(FieldError::new("claims", reason));
        }
        if !checked.contains(&name) {
            checked.push(name);
        }
    }
    Ok(checked)
}

/// The extra claims of a session of the application, from the text of a JSON object. Refused: each claim that the
/// application does not allow, by its name.
pub(super) fn checked_claims(
    text: &str,
    application: Option<&Application>,
) -> Result<Option<ExtraClaims>, Vec<FieldError>> {
    let read = ReadClaims::parse(text).map_err(|reason| vec![FieldError::new("claims", reason)])?;
    let allowed = application.map_or(&[][..], |application| &application.settings.claims);
    let refused: Vec<FieldError> = read.names.iter().filter_map(|name| refused(name, allowed)).collect();
    if refused.is_empty() { Ok(read.claims) } else { Err(refused) }
}

fn refused(name: &str, allowed: &[String]) -> Option<FieldError> {
    let unlisted = || "must be among the claims of the session's application".to_owned();
    let is_listed = allowed.iter().any(|listed| listed == name);
    let reason = check_claim_name(name).or_else(|| (!is_listed).then(unlisted))?;
    // A name that is too long is not repeated.
    let field = if name.len() <= MAX_SHOWN_BYTES { format!("claims.{name}") } else { "claims".to_owned() };
    Some(FieldError::new(field, reason))
}

impl Sessions {
    /// A session's extra claims as its access tokens have them: those that its application allows at present.
    pub fn claims_of(&self, session: &Session) -> ClaimMembers {
        if session.claims.is_none() {
            return ClaimMembers::default();
        }
        let application = self.application_of(session);
        ClaimMembers::of(session, application.as_deref().map(|application| &application.settings))
    }
}
