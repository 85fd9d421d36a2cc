//! Changes of an active session: its end, its device's name, its metadata.

use super::error::Error;
use super::extra_claims::checked_claims;
use super::facade::Sessions;
use super::open::fits_a_token;
use crate::model::{
    Actor, AuditAction, AuditDetail, AuditEntry, DetailValue, ExtraClaims, FieldError, Metadata, Opener, Owner, Scope,
    Session, SessionId, SignedIn, text,
};
use crate::store::SessionChange;

/// The longest name of a device, in characters.
const MAX_NAME_CHARS: usize = 255;

impl Sessions {
    /// Moves a session's end later by `seconds`, but never past its absolute end: a user's own session, or anybody's
    /// with `sessions:admin`. Refused: [`Error::Forbidden`] where policy lets users extend nothing, [`Error::Invalid`]
    /// for less than a second or more than policy allows, and [`Error::SessionNotActive`].
    pub async fn extend(&self, actor: &Actor, id: SessionId, seconds: i64) -> Result<Session, Error> {
        let owner = self.reach_session(actor, Scope::ADMIN, id).await?;
        let asked = u64::try_from(seconds).ok().map(DetailValue::Number);
        let detail = AuditDetail::default().with("seconds", asked);
        let entry = self.entry_of_change(actor, self.now(), AuditAction::SessionExtended, id, detail)?;
        match self.extend_of(owner, actor.scope(), id, seconds, actor.credential(), entry.as_ref()).await? {
            Some(session) => Ok(session),
            None => Err(self.why_not(owner, id).await?),
        }
    }

    /// As [`Sessions::extend`], for one of the user's own active sessions; one that is not active is not found.
    pub async fn extend_own(&self, user: &SignedIn, id: SessionId, seconds: i64) -> Result<Session, Error> {
        let owner = Owner::User(&user.session.user_id);
        let extended = self.extend_of(owner, &user.session.scope, id, seconds, user.credential(), None).await?;
        extended.ok_or(Error::SessionNotFound)
    }

    async fn extend_of(
        &self,
        owner: Owner<'_>,
        scope: &Scope,
        id: SessionId,
        seconds: i64,
        by: Opener,
        entry: Option<&AuditEntry>,
    ) -> Result<Option<Session>, Error> {
        let extension = self.policy().extension(scope, seconds)?;
        let extended = self.store().extend_session(id, owner, extension, self.now(), entry).await?;
        if let Some(session) = &extended {
            self.changed(&session.user_id);
            tracing::info!(session = %id, expires_at = %session.expires_at, %by, "session extended");
        }
        Ok(extended)
    }

    /// Changes the device's name (the user's own session, or any with `sessions:admin`), or the metadata and claims (with
    /// `sessions:write` too). `Some(None)` removes the name. Access tokens have the new claims from the next one on.
    /// Refused: [`Error::SessionNotActive`], and claims as when a session is opened.
    pub async fn change(
        &self,
        actor: &Actor,
        id: SessionId,
        device_name: Option<Option<String>>,
        metadata: Option<Metadata>,
        claims: Option<&str>,
    ) -> Result<Session, Error> {
        if device_name.is_none() && metadata.is_none() && claims.is_none() {
            return Err(FieldError::new("device_name", "must be given, or metadata, or claims").into());
        }
        if metadata.is_some() || claims.is_some() {
            actor.require_of_bound(Scope::WRITE)?;
        }
        let right = if device_name.is_none() { Scope::WRITE } else { Scope::ADMIN };
        let owner = self.reach_session(actor, right, id).await?;
        let device_name = device_name.map(|name| text::optional("device_name", name, MAX_NAME_CHARS)).transpose()?;
        let claims = match claims {
            Some(claims) => Some(self.claims_for(id, owner, claims).await?),
            None => None,
        };
        let change = SessionChange { device_name, metadata, claims };
        let (now, detail) = (self.now(), AuditDetail::default().with("fields", Some(fields(&change))));
        let entry = self.entry_of_change(actor, now, AuditAction::SessionChanged, id, detail)?;
        match self.store().change_session(id, owner, &change, now, entry.as_ref()).await? {
            Some(session) => {
                self.changed(&session.user_id);
                Ok(session)
            }
            None => Err(self.why_not(owner, id).await?),
        }
    }

    /// Names the device of one of the owner's sessions; `None` or an empty name takes the name away. Refused:
    /// [`Error::SessionNotFound`], [`Error::SessionNotActive`], and [`Error::Invalid`].
    pub(super) async fn rename_of(&self, owner: Owner<'_>, id: SessionId, name: Option<String>) -> Result<(), Error> {
        let device_name = Some(text::optional("device_name", name, MAX_NAME_CHARS)?);
        let change = SessionChange { device_name, metadata: None, claims: None };
        match self.store().change_session(id, owner, &change, self.now(), None).await? {
            Some(session) => {
                self.changed(&session.user_id);
                Ok(())
            }
            None => Err(self.why_not(owner, id).await?),
        }
    }

    /// New claims of a session, checked. Neither its application nor what else a token holds of it ever changes.
    async fn claims_for(&self, id: SessionId, owner: Owner<'_>, text: &str) -> Result<Option<ExtraClaims>, Error> {
        let session = self.store().session(id, owner).await?.ok_or(Error::SessionNotFound)?;
        let application = self.application_to_open(session.client_id.as_deref(), true).await?;
        let claims = checked_claims(text, application.as_deref()).map_err(Error::Invalid)?;
        let changed = Session { claims, ..session };
        fits_a_token(&changed)?;
        Ok(changed.claims)
    }

    /// The reason why a session could not be changed: not active, or not found for this caller.
    async fn why_not(&self, owner: Owner<'_>, id: SessionId) -> Result<Error, Error> {
        Ok(match self.store().session(id, owner).await? {
            Some(_) => Error::SessionNotActive,
            None => Error::SessionNotFound,
        })
    }
}

/// The names of what a change changes.
fn fields(change: &SessionChange) -> DetailValue {
    let SessionChange { device_name, metadata, claims } = change;
    let given =
        [("device_name", device_name.is_some()), ("metadata", metadata.is_some()), ("claims", claims.is_some())];
    DetailValue::Texts(given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name.to_owned()).collect())
}
