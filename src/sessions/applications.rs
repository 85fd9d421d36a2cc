//! Applications: what a client id stands for. A client id without a record works as well, unless policy is otherwise.

use std::sync::Arc;

use chrono::TimeDelta;

use super::error::Error;
use super::facade::Sessions;
use super::policy::{Lifetime, MIN_LIFETIME};
use crate::model::{Application, ApplicationSettings, Caller, FieldError, Scope, Session, text};
use crate::tokens::MAX_ACCESS_TOKEN_LIFETIME;

/// The most applications, or a few more when several are made at once: all are in the memory of each replica.
const MAX_APPLICATIONS: usize = 1000;
/// The most audiences of one application: every access token names them all.
const MAX_AUDIENCES: usize = 8;
const MAX_NAME_CHARS: usize = 255;
/// The shortest lifetime of an access token.
const MIN_ACCESS: TimeDelta = TimeDelta::seconds(10);
/// The longest lifetime that can be written down: ten years.
const MAX_LIFETIME: TimeDelta = TimeDelta::days(3650);
/// The number of times that a change is tried again after another one that was made at the same moment.
const MAX_ATTEMPTS: usize = 5;

/// Settings of an application, unchecked. What is `None` stays as it is; `Some(None)` takes a limit away.
#[derive(Debug, Clone, Default)]
pub struct ApplicationDraft {
    /// The name for people.
    pub name: Option<String>,
    /// The `aud` of its access tokens; empty: the server's own audience.
    pub audiences: Option<Vec<String>>,
    /// The words that its sessions may have in their scope.
    pub scope: Option<Option<String>>,
    /// The longest lifetime of an access token, in seconds.
    pub access_token_lifetime: Option<Option<i64>>,
    /// The longest time from opening to the latest expiry, in seconds.
    pub absolute_lifetime: Option<Option<i64>>,
    /// The longest time without use, in seconds.
    pub idle_timeout: Option<Option<i64>>,
}

impl ApplicationDraft {
    /// The settings after the draft. Refused: all fields that are invalid.
    fn apply(self, to: &ApplicationSettings) -> Result<ApplicationSettings, Error> {
        let (mut settings, mut errors) = (to.clone(), Vec::new());
        if let Some(name) = self.name {
            match text::required("name", name, MAX_NAME_CHARS) {
                Ok(name) => settings.name = name,
                Err(error) => errors.push(error),
            }
        }
        if let Some(audiences) = self.audiences {
            match checked_audiences(audiences) {
                Ok(audiences) => settings.audiences = audiences,
                Err(error) => errors.push(error),
            }
        }
        if let Some(scope) = self.scope {
            match scope.as_deref().map(Scope::parse).transpose() {
                Ok(scope) => settings.scope = scope,
                Err(error) => errors.push(error),
            }
        }
        for (field, asked, (least, most), setting) in [
            (
                "access_token_lifetime",
                self.access_token_lifetime,
                (MIN_ACCESS, MAX_ACCESS_TOKEN_LIFETIME),
                &mut settings.access_token_lifetime,
            ),
            (
                "absolute_lifetime",
                self.absolute_lifetime,
                (MIN_LIFETIME, MAX_LIFETIME),
                &mut settings.absolute_lifetime,
            ),
            ("idle_timeout", self.idle_timeout, (MIN_LIFETIME, MAX_LIFETIME), &mut settings.idle_timeout),
        ] {
            let Some(asked) = asked else { continue };
            let time = asked.map(|seconds| {
                TimeDelta::try_seconds(seconds).filter(|time| (least..=most).contains(time)).ok_or_else(|| {
                    let (least, most) = (least.num_seconds(), most.num_seconds());
                    FieldError::new(field, format!("must be a number of seconds from {least} to {most}"))
                })
            });
            match time.transpose() {
                Ok(time) => *setting = time,
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(Error::Invalid(errors)) }
    }
}

fn checked_audiences(audiences: Vec<String>) -> Result<Vec<String>, FieldError> {
    if audiences.len() > MAX_AUDIENCES {
        return Err(FieldError::new("audiences", format!("must have at most {MAX_AUDIENCES} entries")));
    }
    let mut checked = Vec::new();
    for audience in audiences {
        let audience = text::required("audiences", audience, MAX_NAME_CHARS)?;
        if audience.contains(char::is_whitespace) {
            return Err(FieldError::new("audiences", "must have no spaces in an entry"));
        }
        if !checked.contains(&audience) {
            checked.push(audience);
        }
    }
    Ok(checked)
}

impl Sessions {
    /// Reads all applications. Failing that, the known ones stay in use.
    pub async fn reload_applications(&self) -> Result<(), Error> {
        let applications = self.store().applications().await?;
        let audiences = applications.iter().flat_map(|application| application.settings.audiences.iter().cloned());
        self.access_tokens().accept_audiences(audiences.collect());
        self.applications.replace(applications);
        Ok(())
    }

    /// All applications in the order of their ids, for a caller with `sessions:read`.
    pub async fn applications(&self, caller: &Caller) -> Result<Vec<Application>, Error> {
        caller.require(Scope::READ)?;
        Ok(self.store().applications().await?)
    }

    /// One application, for a caller with `sessions:read`.
    pub async fn application(&self, caller: &Caller, id: &str) -> Result<Application, Error> {
        caller.require(Scope::READ)?;
        self.stored_application(id).await
    }

    async fn stored_application(&self, id: &str) -> Result<Application, Error> {
        let mut stored = self.store().applications().await?.into_iter();
        stored.find(|application| application.id == id).ok_or(Error::ApplicationNotFound)
    }

    /// Adds an application, for a caller with `sessions:admin`. Refused: [`Error::ApplicationExists`].
    pub async fn create_application(
        &self,
        caller: &Caller,
        id: String,
        draft: ApplicationDraft,
    ) -> Result<Application, Error> {
        caller.require(Scope::ADMIN)?;
        let id = text::required("client_id", id, MAX_NAME_CHARS)?;
        let name = draft.name.clone().unwrap_or_else(|| id.clone());
        let settings = ApplicationDraft { name: Some(name), ..draft }.apply(&ApplicationSettings::default())?;
        let now = self.now();
        let new = Application { id, settings, created_at: now, updated_at: now };
        if self.store().applications().await?.len() >= MAX_APPLICATIONS {
            let message = format!("must be one of at most {MAX_APPLICATIONS} applications");
            return Err(FieldError::new("client_id", message).into());
        }
        if !self.store().add_application(&new).await? {
            return Err(Error::ApplicationExists);
        }
        self.applications_changed(caller, &new.id, "application created").await?;
        Ok(new)
    }

    /// Changes an application, for a caller with `sessions:admin`. Sessions that are open keep their scope and their
    /// expiry; the next access token of each follows the new settings.
    pub async fn change_application(
        &self,
        caller: &Caller,
        id: &str,
        draft: ApplicationDraft,
    ) -> Result<Application, Error> {
        caller.require(Scope::ADMIN)?;
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.stored_application(id).await?;
            let settings = draft.clone().apply(&stored.settings)?;
            let updated_at = self.now().max(stored.updated_at + TimeDelta::microseconds(1));
            let changed = Application { settings, updated_at, ..stored.clone() };
            if self.store().change_application(&changed, stored.updated_at).await? {
                self.applications_changed(caller, id, "application changed").await?;
                return Ok(changed);
            }
        }
        Err(Error::Internal("an application was changed by others each time".into()))
    }

    /// Deletes an application, for a caller with `sessions:admin`. Its sessions go on, under the server's own limits.
    pub async fn delete_application(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        caller.require(Scope::ADMIN)?;
        if !self.store().delete_application(id).await? {
            return Err(Error::ApplicationNotFound);
        }
        self.applications_changed(caller, id, "application deleted").await
    }

    /// This process need not wait for its own line in the change log.
    async fn applications_changed(&self, caller: &Caller, id: &str, change: &str) -> Result<(), Error> {
        self.signals.written();
        tracing::info!(client_id = id, by = %caller.opener(), "{change}");
        self.reload_applications().await
    }

    /// The application that a session is to be opened for. Refused: an unknown one, where policy wants a known one.
    pub(super) async fn application_to_open(&self, client_id: Option<&str>) -> Result<Option<Arc<Application>>, Error> {
        let found = client_id.and_then(|id| self.applications.find(id));
        if found.is_some() || !self.policy().known_applications_only {
            return Ok(found);
        }
        // Another replica may just have made it.
        self.reload_applications().await?;
        let found = client_id.and_then(|id| self.applications.find(id));
        found.map(Some).ok_or_else(|| FieldError::new("client_id", "must be a known application").into())
    }

    pub(super) fn application_of(&self, session: &Session) -> Option<Arc<Application>> {
        session.client_id.as_deref().and_then(|id| self.applications.find(id))
    }

    /// The `aud` of a session's access tokens.
    pub fn audiences_of(&self, session: &Session) -> Vec<String> {
        let application = self.application_of(session);
        let audiences = application.map(|application| application.settings.audiences.clone()).unwrap_or_default();
        if audiences.is_empty() { vec![self.access_tokens().audience().to_owned()] } else { audiences }
    }
}

/// Refuses a scope with words that the application's sessions may not have.
pub(super) fn allow_scope(application: &Application, scope: &Scope) -> Result<(), FieldError> {
    let Some(allowed) = &application.settings.scope else { return Ok(()) };
    match scope.words().find(|word| !allowed.contains(word)) {
        None => Ok(()),
        Some(_) => Err(FieldError::new("scope", format!("must have only words of: {allowed}"))),
    }
}

/// The limits of an application's sessions, which only tighten those of the policy.
pub(super) fn lifetime_of(application: &Application, policy: Lifetime) -> Lifetime {
    let ApplicationSettings { absolute_lifetime, idle_timeout, .. } = application.settings;
    policy.tightest(Lifetime { absolute: absolute_lifetime.unwrap_or(policy.absolute), idle: idle_timeout })
}
