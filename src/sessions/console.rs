//! Sessions of the console: staff exchange a service key, or a session that may read everybody's, for a session of its own kind.
//! It is listed, ended and expires like any other, but only the console's cookie carries it, and it does not outlive the
//! credential that it was exchanged for.

use chrono::{DateTime, TimeDelta, Utc};

use super::credential::Credential;
use super::error::{Error, Refusal};
use super::facade::Sessions;
use super::one_time_links::LinkDraft;
use super::open::SessionDraft;
use super::policy::{Lifetime, MIN_LIFETIME};
use crate::model::{
    Actor, Application, ApplicationSettings, AuditAction, CONSOLE_CLIENT, CONSOLE_USERS, Caller, FieldError,
    LinkPurpose, Opener, Origin, Scope, Service, ServiceKeyId, Session, SignedIn, UserId,
};
use crate::store::{NewSession, Opening};
use crate::tokens::{BootstrapKey, LinkText, Secret, SessionToken};

/// The longest time since the sign-in for what cannot be undone: making keys, rotating signing keys, ending very many sessions.
const RECENT: TimeDelta = TimeDelta::minutes(15);
/// The time for which a one-time link opens the console.
const LINK_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// The most sessions that a bulk ending may end without a recent sign-in.
const MAX_WITHOUT_RECENT: u32 = 1000;

/// The rights of a person at the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleRole {
    /// See everything but the settings.
    Viewer,
    /// Do everything.
    Admin,
}

/// A session at the console.
#[derive(Debug, Clone)]
pub struct ConsoleSession {
    /// The session with its user.
    pub signed_in: SignedIn,
    /// Its rights.
    pub role: ConsoleRole,
}

/// The browser that signs in to the console.
#[derive(Debug, Clone, Default)]
pub struct ConsoleBrowser {
    /// Its `User-Agent` header.
    pub user_agent: Option<String>,
    /// The request that it signs in by.
    pub origin: Origin,
}

impl Sessions {
    /// Opens a console session for whoever has this credential: a service key, or an access or session token, with
    /// `sessions:read` or `sessions:admin` and for every application. Answers the token for the console's cookie.
    ///
    /// Every refusal is [`Error::Unauthenticated`], so that a stranger learns nothing of a key.
    pub async fn sign_in_to_console(&self, credential: &str, browser: ConsoleBrowser) -> Result<Secret, Error> {
        let credential = Credential::in_header(credential);
        let caller = self.authenticate_watcher(&[credential]).await?;
        self.signed_in_to_console(caller, browser).await
    }

    /// Opens a console session for the holder of a one-time link.
    pub async fn sign_in_to_console_by_link(&self, link: &str, browser: ConsoleBrowser) -> Result<Secret, Error> {
        self.take_link(link, LinkPurpose::Console).await?;
        self.signed_in_to_console(Caller::Service(Service::command_line()), browser).await
    }

    /// The token of a console session for a caller, and an entry in the audit trail. Failures are recorded by
    /// [`Sessions::record_failed_sign_in`], as far as their number is limited.
    async fn signed_in_to_console(&self, caller: Caller, browser: ConsoleBrowser) -> Result<Secret, Error> {
        let origin = browser.origin.clone();
        let token = self.open_console(&caller, browser).await?;
        self.record(&Actor { caller, origin }, AuditAction::ConsoleSignedIn, None).await?;
        Ok(token)
    }

    /// Ends the console session of a cookie, active or not.
    pub async fn sign_out_of_console(&self, cookie: &Credential, origin: Origin) -> Result<(), Error> {
        let console = self.console_session(cookie).await;
        self.revoke_token(&cookie.text).await?;
        match console {
            Ok(console) => {
                let caller = Caller::User(Box::new(console.signed_in));
                self.record(&Actor { caller, origin }, AuditAction::ConsoleSignedOut, None).await
            }
            Err(Error::Unauthenticated(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A one-time link into the console, for whoever runs a command on the server's database.
    pub async fn make_console_link(&self) -> Result<LinkText, Error> {
        let draft = LinkDraft {
            purpose: LinkPurpose::Console,
            user: None,
            application: None,
            made_by: Opener::CommandLine,
            lifetime: LINK_LIFETIME,
        };
        let (link, _) = self.make_link(draft).await?;
        let command_line = Caller::Service(Service::command_line()).into();
        self.record(&command_line, AuditAction::ConsoleLinkMade, None).await?;
        Ok(link)
    }

    /// Whether nobody has a credential yet, so that a first person needs another way in.
    pub async fn has_no_credential(&self) -> Result<bool, Error> {
        Ok(self.parts.bootstrap_key.is_none() && self.store().service_keys().await?.is_empty())
    }

    async fn open_console(&self, caller: &Caller, browser: ConsoleBrowser) -> Result<Secret, Error> {
        if caller.application().is_some() || !caller.scope().allows(Scope::READ) {
            return Err(Refusal::Powerless.into());
        }
        let now = self.now();
        let (user_id, user_name, opened_by, ends_at) = match caller {
            Caller::User(signed_in) => {
                let Session { id, user_id, absolute_expires_at, .. } = &signed_in.session;
                (user_id.as_str().to_owned(), None, Opener::Session(*id), Some(*absolute_expires_at))
            }
            Caller::Service(service) => {
                let ends_at = self.expiry_of(service).await?;
                let user_id = match caller.credential() {
                    Opener::BootstrapKey => self.bootstrap_user(),
                    _ => format!("{CONSOLE_USERS}{}", service.id),
                };
                (user_id, Some(service.name.clone()), caller.credential(), ends_at)
            }
        };
        let console = console_until(self.policy().console, ends_at, now)?;
        let draft = SessionDraft {
            user_id,
            user_name,
            client_id: Some(CONSOLE_CLIENT.to_owned()),
            ip_address: browser.origin.address.map(|address| address.to_string()),
            user_agent: browser.user_agent,
            scope: Some(rights_of(caller)),
            ..SessionDraft::default()
        };
        let (session, user) = self.draft_session(caller, draft, Some(&console), now)?;
        let new = NewSession {
            session: Session { opened_by: Some(opened_by), ..session },
            user,
            // A limit is for the devices of people.
            limit: None,
            limit_by_application: false,
            idempotency: None,
            replaces: None,
        };
        let (new, opening) = self.open_drafted(new).await?;
        match opening {
            Opening::Opened { .. } => {}
            Opening::UserBanned => return Err(Refusal::Banned(new.session.user_id).into()),
            _ => return Err(Error::Internal("a console session was not opened".into())),
        }
        let session = new.session;
        tracing::info!(session = %session.id, by = %caller.credential(), "signed in to the console");
        Ok(SessionToken::mint(&self.parts.keyring, session.id, session.least_counter))
    }

    /// The instant at which a service's credential stops working; `None`: never.
    async fn expiry_of(&self, service: &Service) -> Result<Option<DateTime<Utc>>, Error> {
        match service.key_id() {
            Some(id) => Ok(self.store().service_key(id).await?.and_then(|key| key.expires_at)),
            None if *service == Service::bootstrap() => Ok(self.parts.bootstrap_key.as_ref().and_then(|key| key.until)),
            None => Ok(None),
        }
    }

    /// The console session behind the token of the console's cookie.
    pub async fn console_session(&self, cookie: &Credential) -> Result<ConsoleSession, Error> {
        match self.authenticate(std::slice::from_ref(cookie), None, None).await? {
            Caller::User(signed_in) if signed_in.session.is_of_console() => {
                let is_admin = signed_in.session.scope.allows(Scope::ADMIN);
                let role = if is_admin { ConsoleRole::Admin } else { ConsoleRole::Viewer };
                Ok(ConsoleSession { signed_in: *signed_in, role })
            }
            _ => Err(Refusal::OtherApplication.into()),
        }
    }

    /// Refuses a console session whose credential has lost its force, also by another bootstrap key.
    pub(super) async fn admit_console(&self, session: &Session) -> Result<(), Error> {
        let Some(credential) = session.opened_by.filter(|_| session.is_of_console()) else { return Ok(()) };
        let has_force = match credential {
            Opener::Session(_) => self.parent_of_console(session).await?.is_some(),
            Opener::BootstrapKey if session.user_id.as_str() != self.bootstrap_user() => false,
            Opener::BootstrapKey | Opener::Key(_) | Opener::CommandLine => self.may_still_act(credential).await?,
        };
        if has_force { Ok(()) } else { Err(Refusal::ServiceKey.into()) }
    }

    /// The active session that a session of the console came from. `None`: it came from none, or that one is over, or its user
    /// has authenticated anew, after which earlier tokens are refused.
    pub(super) async fn parent_of_console(&self, session: &Session) -> Result<Option<Session>, Error> {
        let Some(Opener::Session(parent)) = session.opened_by.filter(|_| session.is_of_console()) else {
            return Ok(None);
        };
        let parent = self.session_that_may_act(parent).await?;
        Ok(parent.filter(|parent| parent.authenticated_at <= session.created_at))
    }

    /// The user of the bootstrap key's console sessions, whose name tells one key from the next.
    fn bootstrap_user(&self) -> String {
        let key = self.parts.bootstrap_key.as_ref().map(BootstrapKey::fingerprint).unwrap_or_default();
        format!("{CONSOLE_USERS}bootstrap-{key}")
    }

    /// Refuses a console session that did not sign in within the last 15 minutes, for what cannot be undone.
    pub(super) fn require_recent_at_console(&self, caller: &Caller) -> Result<(), Error> {
        match caller.session().filter(|session| session.is_of_console()) {
            Some(session) => self.require_within(session, RECENT),
            None => Ok(()),
        }
    }

    /// As [`Sessions::require_recent_at_console`], for an ending of that many sessions, if they are very many or not counted.
    pub(super) fn require_recent_to_end_many(&self, caller: &Caller, sessions: Option<u32>) -> Result<(), Error> {
        match sessions {
            Some(sessions) if sessions <= MAX_WITHOUT_RECENT => Ok(()),
            _ => self.require_recent_at_console(caller),
        }
    }
}

/// The user that the console sessions of a service key belong to.
pub(super) fn console_user(key: ServiceKeyId) -> Result<UserId, FieldError> {
    UserId::parse(format!("{CONSOLE_USERS}{key}"))
}

/// The rights of a caller at the console, as a scope.
fn rights_of(caller: &Caller) -> String {
    let rights = [Scope::READ, Scope::ADMIN].into_iter().filter(|right| caller.scope().allows(right));
    rights.collect::<Vec<_>>().join(" ")
}

/// The console as an application, whose sessions are over by `ends_at`.
fn console_until(
    lifetime: Lifetime,
    ends_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Application, Refusal> {
    let absolute = ends_at.map_or(lifetime.absolute, |ends_at| lifetime.absolute.min(ends_at - now));
    // A session has at least a minute, and would outlive the credential.
    if absolute < MIN_LIFETIME {
        return Err(Refusal::ServiceKey);
    }
    let settings = ApplicationSettings {
        absolute_lifetime: Some(absolute),
        idle_timeout: lifetime.idle,
        ..ApplicationSettings::default()
    };
    Ok(Application { id: CONSOLE_CLIENT.to_owned(), settings, created_at: now, updated_at: now })
}
