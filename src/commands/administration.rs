//! What an operator does at the command line, on the same database as the server.

use std::io::{self, Write as _};

use chrono::TimeDelta;
use clap::Subcommand;
use uuid::Uuid;

use super::{CommandError, print};
use crate::api::native::wire;
use crate::clock;
use crate::config::parse_duration;
use crate::sessions::{Caller, Filter, Scope, Service, SessionDraft, SessionId, Sort, TokenChoice, text};
use crate::setup::Assembled;
use crate::tokens::{ServiceKey, ServiceKeyId};
use crate::users::UserId;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it: it is shown this once
    Create {
        /// What to call it
        #[arg(long)]
        name: String,
        /// What it may do: sessions:write (open sessions, of anybody and with any scope), sessions:read, sessions:admin
        #[arg(long)]
        scope: String,
        /// How long it works, such as 90d; for ever when left out
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires_in: Option<TimeDelta>,
    },
    /// List all keys, without their secrets
    List,
    /// Revoke a key
    Revoke {
        /// Its id, from the list
        id: Uuid,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SigningKeyCommand {
    /// List the keys
    List,
    /// Make a successor: published now, signing in ten minutes
    Rotate {
        /// The present keys are known to somebody else: the successor signs at once, and every access token dies
        #[arg(long)]
        compromised: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// Open a session and print it with its tokens
    Open {
        /// Whose session
        #[arg(long)]
        user: String,
        /// What its tokens may do
        #[arg(long)]
        scope: Option<String>,
        /// The application
        #[arg(long)]
        client: Option<String>,
        /// One session token instead of an access and a refresh token
        #[arg(long)]
        session_token: bool,
    },
    /// Print sessions, newest first
    List {
        /// Of this user only
        #[arg(long)]
        user: Option<String>,
        /// How many, 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Where to go on: the next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// End a session, or all of a user's
    Revoke {
        /// The session's id
        #[arg(required_unless_present = "user")]
        id: Option<Uuid>,
        /// All active sessions of this user
        #[arg(long, conflicts_with = "id")]
        user: Option<String>,
    },
}

fn duration(text: &str) -> Result<TimeDelta, String> {
    let duration = parse_duration(text).filter(|duration| *duration > TimeDelta::zero());
    duration.ok_or_else(|| "must be a duration such as 90d or 12h".to_owned())
}

/// Whoever may run this program on this database may do everything.
fn operator() -> Caller {
    let name = "command-line".to_owned();
    Caller::Service(Service { id: name.clone(), name, scope: Scope::everything() })
}

pub(super) async fn key(command: KeyCommand, assembled: &Assembled) -> Result<(), CommandError> {
    let (store, now) = (&assembled.store, assembled.sessions.now());
    match command {
        KeyCommand::Create { name, scope, expires_in } => {
            let invalid = |error| CommandError::Core(crate::sessions::Error::Invalid(vec![error]));
            let scope = Scope::parse(&scope).map_err(invalid)?;
            if let Some(word) = scope.as_str().split(' ').find(|word| !Scope::RESERVED.contains(word)) {
                let known = Scope::RESERVED.join(", ");
                return Err(CommandError::Other(format!("--scope: \"{word}\" is none of {known}")));
            }
            let name = text::required("name", name, 255).map_err(invalid)?;
            let entropy = assembled.signing_keys.entropy.as_ref();
            let end = expires_in.map(|lifetime| now + lifetime);
            let new = clock::uuid_v7(now, entropy)
                .and_then(|id| ServiceKey::generate(ServiceKeyId(id), name, scope, now, end, entropy))
                .map_err(|error| CommandError::Other(error.to_string()))?;
            store.add_service_key(&new.stored).await?;
            print(new.key.expose())
        }
        KeyCommand::List => {
            for key in store.service_keys().await? {
                let state = match (key.revoked_at, key.expires_at) {
                    (Some(at), _) => format!("revoked {}", at.format("%F")),
                    (None, Some(at)) if at <= now => format!("expired {}", at.format("%F")),
                    (None, Some(at)) => format!("expires {}", at.format("%F")),
                    (None, None) => "active".to_owned(),
                };
                print(&format!(
                    "{}  {}  {state:<18}  {}  [{}]",
                    key.id,
                    key.created_at.format("%F"),
                    key.name,
                    key.scope
                ))?;
            }
            Ok(())
        }
        KeyCommand::Revoke { id } => {
            if !store.revoke_service_key(ServiceKeyId(id), now).await? {
                return Err(CommandError::Other(format!("there is no key {id} (see: sojourn key list)")));
            }
            print(&format!("Key {id} is revoked."))
        }
    }
}

pub(super) async fn signing_key(command: SigningKeyCommand, assembled: &Assembled) -> Result<(), CommandError> {
    match command {
        SigningKeyCommand::List => {
            for key in assembled.store.signing_keys().await? {
                let (kid, algorithm) = (&key.kid, key.algorithm.as_str());
                print(&format!("{kid}  {algorithm}  made {}  signs from {}", key.created_at, key.active_from))?;
            }
            Ok(())
        }
        SigningKeyCommand::Rotate { compromised } => {
            let rotated = assembled.signing_keys.rotate(compromised).await;
            let key = rotated.map_err(|error| CommandError::Start(error.into()))?;
            print(&format!("Key {} signs from {}.", key.kid, key.active_from))
        }
    }
}

pub(super) async fn session(command: SessionCommand, assembled: &Assembled) -> Result<(), CommandError> {
    let (sessions, operator) = (&assembled.sessions, operator());
    let now = sessions.now();
    match command {
        SessionCommand::Open { user, scope, client, session_token } => {
            assembled.signing_keys.note_use_of_secrets().await;
            let tokens = if session_token { TokenChoice::Session } else { TokenChoice::AccessAndRefresh };
            let draft = SessionDraft { user_id: user, scope, client_id: client, tokens, ..SessionDraft::default() };
            let opened = sessions.open(&operator, draft, None).await?;
            print_json(&wire::OpenedSession::new(opened, now))
        }
        SessionCommand::List { user, limit, cursor } => {
            let user_id = user.map(|user| user_id(&user)).transpose()?;
            let filter = Filter { user_id, ..Filter::default() };
            let page = sessions.search(&operator, &filter, Sort::default(), limit, cursor.as_deref()).await?;
            print_json(&wire::SessionPage::new(page, None, now))
        }
        SessionCommand::Revoke { id: Some(id), .. } => {
            sessions.end(&operator, SessionId::from_uuid(id)).await?;
            print(&format!("Session {id} is ended."))
        }
        SessionCommand::Revoke { id: None, user } => {
            let user = user_id(&user.unwrap_or_default())?;
            let ended = sessions.end_all_of(&operator, &user).await?;
            print(&format!("{ended} sessions of {user} are ended."))
        }
    }
}

fn user_id(text: &str) -> Result<UserId, CommandError> {
    UserId::parse(text).map_err(|error| CommandError::Core(error.into()))
}

fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::Other(error.to_string()))?;
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}
