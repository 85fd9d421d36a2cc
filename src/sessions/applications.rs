//! Applications: what a client id stands for. A client id without a record works as well, unless policy is otherwise.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::TimeDelta;

use super::error::Error;
use super::extra_claims::checked_names;
use super::facade::Sessions;
use super::field_errors::FieldErrors;
use super::policy::{Lifetime, MAX_LIFETIME, MIN_LIFETIME};
use crate::model::{
    Actor, Algorithm, Application, ApplicationSettings, AuditAction, AuditDetail, AuditEntry, AuditTarget,
    CONSOLE_USERS, Caller, DetailValue, FieldError, RESERVED_CLIENTS, RESERVED_COOKIES, Scope, Session, TargetKind,
    text,
};
use crate::tokens::{MAX_ACCESS_TOKEN_LIFETIME, MIN_ACCESS_TOKEN_LIFETIME};

/// The most applications, or a few more when several are made at once: all are in the memory of each replica.
const MAX_APPLICATIONS: usize = 1000;
/// The most audiences of one application: every access token names them all.
const MAX_AUDIENCES: usize = 8;
const MAX_NAME_CHARS: usize = 255;
/// The number of times that a change is tried again after another one that was made at the same moment.
const MAX_ATTEMPTS: usize = 5;

/// Settings of an application, unchecked. A field of `None` stays as it is, and `Some(None)` takes a limit away.
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
    /// The names of claims that openers may add to its access tokens.
    pub claims: Option<Vec<String>>,
    /// The JWA name of the algorithm that signs its access tokens.
    pub signing_algorithm: Option<Option<String>>,
    /// The name of the cookie that carries its session tokens.
    pub cookie_name: Option<Option<String>>,
}

impl ApplicationDraft {
    /// The names of the settings that it changes.
    fn fields(&self) -> Vec<String> {
        let Self {
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        } = self;
        let given = [
            ("name", name.is_some()),
            ("audiences", audiences.is_some()),
            ("scope", scope.is_some()),
            ("access_token_lifetime", access_token_lifetime.is_some()),
            ("absolute_lifetime", absolute_lifetime.is_some()),
            ("idle_timeout", idle_timeout.is_some()),
            ("claims", claims.is_some()),
            ("signing_algorithm", signing_algorithm.is_some()),
            ("cookie_name", cookie_name.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name.to_owned()).collect()
    }

    /// The settings after the draft. Refused: all fields that are invalid.
    fn apply(self, to: &ApplicationSettings) -> Result<ApplicationSettings, Error> {
        let Self { name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout, .. } = self;
        let (mut settings, mut errors) = (to.clone(), FieldErrors::default());
        let name = name.and_then(|name| errors.keep(text::required("name", name, MAX_NAME_CHARS)));
        settings.name = name.unwrap_or(settings.name);
        let audiences = audiences.and_then(|audiences| errors.keep(checked_audiences(audiences)));
        settings.audiences = audiences.unwrap_or(settings.audiences);
        let scope = scope.and_then(|scope| errors.keep(scope.as_deref().map(Scope::parse).transpose()));
        settings.scope = scope.unwrap_or(settings.scope);
        let cookie_name = self.cookie_name.and_then(|name| errors.keep(name.map(checked_cookie_name).transpose()));
        settings.cookie_name = cookie_name.unwrap_or(settings.cookie_name);
        let of_access = MIN_ACCESS_TOKEN_LIFETIME..=MAX_ACCESS_TOKEN_LIFETIME;
        for (field, asked, bounds, setting) in [
            ("access_token_lifetime", access_token_lifetime, of_access, &mut settings.access_token_lifetime),
            ("absolute_lifetime", absolute_lifetime, MIN_LIFETIME..=MAX_LIFETIME, &mut settings.absolute_lifetime),
            ("idle_timeout", idle_timeout, MIN_LIFETIME..=MAX_LIFETIME, &mut settings.idle_timeout),
        ] {
            let limit = asked.map(|asked| asked.map(|seconds| limit_within(field, seconds, &bounds)).transpose());
            if let Some(limit) = limit.and_then(|limit| errors.keep(limit)) {
                *setting = limit;
            }
        }
        let claims = self.claims.and_then(|names| errors.keep(checked_names(names)));
        settings.claims = claims.unwrap_or(settings.claims);
        let algorithm = self
            .signing_algorithm
            .map(|name| name.as_deref().map(|name| algorithm_named("signing_algorithm", name)).transpose());
        let algorithm = algorithm.and_then(|algorithm| errors.keep(algorithm));
        settings.signing_algorithm = algorithm.unwrap_or(settings.signing_algorithm);
        errors.refuse()?;
        Ok(settings)
    }
}

/// The signature algorithm of a JWA name.
pub(super) fn algorithm_named(field: &'static str, name: &str) -> Result<Algorithm, FieldError> {
    Algorithm::parse(name).ok_or_else(|| {
        let names = Algorithm::ALL.map(Algorithm::as_str).join(", ");
        FieldError::new(field, format!("must be one of {names}"))
    })
}

fn limit_within(
    field: &'static str,
    seconds: i64,
    bounds: &RangeInclusive<TimeDelta>,
) -> Result<TimeDelta, FieldError> {
    TimeDelta::try_seconds(seconds).filter(|limit| bounds.contains(limit)).ok_or_else(|| {
        let (least, most) = (bounds.start().num_seconds(), bounds.end().num_seconds());
        FieldError::new(field, format!("must be a number of seconds from {least} to {most}"))
    })
}

/// Refuses the user ids that stand for services at the console.
pub(super) fn check_no_console_user(id: &str) -> Result<(), FieldError> {
    if id.starts_with(CONSOLE_USERS) {
        return Err(FieldError::new(
            "user_id",
            format!("must not begin with {CONSOLE_USERS}, which is the server's own"),
        ));
    }
    Ok(())
}

/// Refuses the client ids of the server's own pages.
pub(super) fn check_not_reserved(client: Option<&str>) -> Result<(), FieldError> {
    match client.filter(|client| RESERVED_CLIENTS.contains(client)) {
        Some(client) => Err(FieldError::new("client_id", format!("must not be {client}, which is the server's own"))),
        None => Ok(()),
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

/// Every name that is a token will do: what browsers want of a cookie with a prefix such as `__Host-` (RFC 6265bis section
/// 4.1.3), in whatever case it is written, all our cookies have.
fn checked_cookie_name(name: String) -> Result<String, FieldError> {
    let name = text::required("cookie_name", name, MAX_NAME_CHARS)?;
    if RESERVED_COOKIES.contains(&name.as_str()) {
        Err(FieldError::new("cookie_name", format!("must not be {name}, which is the server's own")))
    } else if text::is_token(&name) {
        Ok(name)
    } else {
        Err(FieldError::new("cookie_name", "must have only letters, digits and !#$%&'*+-.^_`|~"))
    }
}

impl Sessions {
    /// Reads all applications. After a failure the known ones stay in use.
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
        actor: &Actor,
        id: String,
        draft: ApplicationDraft,
    ) -> Result<Application, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let id = text::required("client_id", id, MAX_NAME_CHARS)?;
        check_not_reserved(Some(&id))?;
        let name = draft.name.clone().unwrap_or_else(|| id.clone());
        let settings = ApplicationDraft { name: Some(name), ..draft }.apply(&ApplicationSettings::default())?;
        let now = self.now();
        let new = Application { id, settings, created_at: now, updated_at: now };
        if self.store().applications().await?.len() >= MAX_APPLICATIONS {
            let message = format!("must be one of at most {MAX_APPLICATIONS} applications");
            return Err(FieldError::new("client_id", message).into());
        }
        let detail = AuditDetail::default().with_text("name", Some(&new.settings.name));
        let entry = self.entry_of_application(actor, AuditAction::ApplicationCreated, &new.id, detail)?;
        if !self.store().add_application(&new, Some(&entry)).await? {
            return Err(Error::ApplicationExists);
        }
        self.applications_changed(actor, &new.id, "application created").await?;
        Ok(new)
    }

    /// Changes an application, for a caller with `sessions:admin`. Sessions that are open keep their scope and their
    /// expiry; the next access token of each follows the new settings.
    pub async fn change_application(
        &self,
        actor: &Actor,
        id: &str,
        draft: ApplicationDraft,
    ) -> Result<Application, Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let detail = AuditDetail::default().with("fields", Some(DetailValue::Texts(draft.fields())));
        let entry = self.entry_of_application(actor, AuditAction::ApplicationChanged, id, detail)?;
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.stored_application(id).await?;
            let settings = draft.clone().apply(&stored.settings)?;
            let updated_at = self.now().max(stored.updated_at + TimeDelta::microseconds(1));
            let changed = Application { settings, updated_at, ..stored.clone() };
            if self.store().change_application(&changed, stored.updated_at, Some(&entry)).await? {
                self.applications_changed(actor, id, "application changed").await?;
                return Ok(changed);
            }
        }
        Err(Error::Internal("an application was changed by others each time".into()))
    }

    /// Deletes an application, for a caller with `sessions:admin`. Its sessions go on, under the server's own limits.
    pub async fn delete_application(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        actor.require(Scope::ADMIN)?;
        self.require_recent(actor.session())?;
        let entry = self.entry_of_application(actor, AuditAction::ApplicationDeleted, id, AuditDetail::default())?;
        if !self.store().delete_application(id, Some(&entry)).await? {
            return Err(Error::ApplicationNotFound);
        }
        self.applications_changed(actor, id, "application deleted").await
    }

    fn entry_of_application(
        &self,
        actor: &Actor,
        action: AuditAction,
        id: &str,
        detail: AuditDetail,
    ) -> Result<AuditEntry, Error> {
        self.entry(actor, self.now(), action, Some(AuditTarget::new(TargetKind::Application, id)), detail)
    }

    /// Applies a change of applications in this process, which need not wait for the line in the change log.
    async fn applications_changed(&self, actor: &Actor, id: &str, change: &str) -> Result<(), Error> {
        self.signals.written();
        tracing::info!(client_id = id, by = %actor.credential(), "{change}");
        self.reload_applications().await?;
        // A key for an algorithm that the application is the first to want.
        self.access_tokens().replace_keys(self.parts.signing_keys.complete().await?);
        Ok(())
    }

    /// The application that a session is to be opened for, with extra claims or without, which a known one alone allows.
    /// Refused: an unknown one, where policy wants a known one.
    pub(super) async fn application_to_open(
        &self,
        client_id: Option<&str>,
        with_claims: bool,
    ) -> Result<Option<Arc<Application>>, Error> {
        let known_only = self.policy().known_applications_only;
        let mut found = client_id.and_then(|id| self.applications.find(id));
        if found.is_none() && (known_only || with_claims) {
            // Another replica may just have made it.
            self.reload_applications().await?;
            found = client_id.and_then(|id| self.applications.find(id));
        }
        if found.is_some() || !known_only {
            return Ok(found);
        }
        Err(FieldError::new("client_id", "must be a known application").into())
    }

    pub(super) fn application_of(&self, session: &Session) -> Option<Arc<Application>> {
        session.client_id.as_deref().and_then(|id| self.applications.find(id))
    }

    /// The `aud` of a session's access tokens.
    pub fn audiences_of(&self, session: &Session) -> Vec<String> {
        let application = self.application_of(session);
        let audiences = application.as_deref().map_or(&[][..], |application| &application.settings.audiences);
        self.access_tokens().audiences(audiences).to_vec()
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
