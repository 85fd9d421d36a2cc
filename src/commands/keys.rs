//! Service keys at the command line.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;
use uuid::Uuid;

use super::administration::operator;
use super::arguments::{duration, of_arguments};
use super::{CommandError, id, print};
use crate::model::ServiceKeyId;
use crate::sessions::{Error, Selection, ServiceKeyDraft};
use crate::setup::Assembled;
use crate::store::Announcement;
use crate::tokens::StoredServiceKey;

const EXAMPLES: &str = "\
Examples:
  a login service     sojourn key create --name my-login --scope sessions:write
  an application      sojourn key create --name my-app --scope sessions:read
  an administrator    sojourn key create --name my-admin --scope \"sessions:read sessions:admin\" --expires-in 8h";

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key and print it: it is never shown again
    #[command(after_help = EXAMPLES)]
    Create {
        /// The key's name
        #[arg(long)]
        name: String,
        /// The key's rights: sessions:write (open sessions of anybody), sessions:read, sessions:admin; sessions:grant
        /// allows sessions with more rights than the key itself
        #[arg(long)]
        scope: String,
        /// The application that the key is bound to: it reaches this client_id's sessions only
        #[arg(long, value_name = "CLIENT_ID")]
        application: Option<String>,
        /// The key's lifetime, such as 90d, or never for a key that does not expire
        #[arg(long, value_name = "DURATION", value_parser = lifetime, default_value = "365d")]
        expires_in: Lifetime,
    },
    /// List all keys, without their secrets
    List,
    /// Revoke a key
    Revoke {
        /// The key's id, as `sojourn key list` prints it
        #[arg(value_parser = id)]
        id: Uuid,
        /// End the sessions that the key opened, too
        #[arg(long)]
        end_sessions: bool,
    },
}

/// The lifetime of a new key; `None`: it does not expire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime(Option<TimeDelta>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" { Ok(Lifetime(None)) } else { duration(text).map(Some).map(Lifetime) }
}

pub(super) async fn key(command: KeyCommand, assembled: &Assembled) -> Result<(), CommandError> {
    match command {
        KeyCommand::Create { name, scope, application, expires_in: Lifetime(lifetime) } => {
            create(ServiceKeyDraft { name, scope, application, lifetime }, assembled).await
        }
        KeyCommand::List => {
            let now = assembled.sessions.now();
            for key in assembled.sessions.service_keys(&operator()).await? {
                print(&line(&key, now))?;
            }
            Ok(())
        }
        KeyCommand::Revoke { id, end_sessions } => revoke(ServiceKeyId(id), end_sessions, assembled).await,
    }
}

async fn create(draft: ServiceKeyDraft, assembled: &Assembled) -> Result<(), CommandError> {
    let new = assembled.sessions.create_service_key(&operator(), draft).await.map_err(of_arguments)?;
    print(new.key.expose())
}

fn line(key: &StoredServiceKey, now: DateTime<Utc>) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", at.format("%F")),
        (None, Some(at)) if at <= now => format!("expired {}", at.format("%F")),
        (None, Some(at)) if key.ends_soon(now) => format!("expires {} (soon)", at.format("%F")),
        (None, Some(at)) => format!("expires {}", at.format("%F")),
        (None, None) => "never expires".to_owned(),
    };
    let bound = key.application.as_ref().map(|id| format!("  only {id}")).unwrap_or_default();
    format!("{}  {}  {state:<25}  {}  [{}]{bound}", key.id, key.created_at.format("%F"), key.name, key.scope)
}

async fn revoke(id: ServiceKeyId, end_sessions: bool, assembled: &Assembled) -> Result<(), CommandError> {
    let sessions = &assembled.sessions;
    match sessions.revoke_service_key(&operator(), id).await {
        Err(Error::ServiceKeyNotFound) => {
            return Err(CommandError::Other(format!("there is no key {id} (see: sojourn key list)")));
        }
        revoked => revoked?,
    }
    // Nothing else in this process announces its changes.
    drop(assembled.store.announce(Announcement::Changes, None).await);
    if end_sessions {
        let ended = sessions.end_sessions_of_key(&operator(), id).await?;
        let ended = ended.map_or("all".to_owned(), |ended| ended.to_string());
        return print(&format!("Key {id} is revoked, and {ended} sessions that it opened are ended."));
    }
    print(&format!("Key {id} is revoked."))?;
    let opened = match sessions.revoke(&operator(), Selection::opened_with(id), true).await {
        Ok(counted) => counted.sessions,
        Err(Error::SearchTooBroad) => None,
        Err(error) => return Err(error.into()),
    };
    match opened {
        Some(0) => Ok(()),
        opened => {
            let opened = opened.map_or("An unknown number of".to_owned(), |opened| opened.to_string());
            print(&format!(
                "{opened} active sessions were opened with it; to end them: sojourn key revoke {id} --end-sessions"
            ))
        }
    }
}
