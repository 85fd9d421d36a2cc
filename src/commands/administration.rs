//! The operator's commands, on the same database as the server.

use std::io::{self, Write as _};

use chrono::TimeDelta;
use clap::Subcommand;
use uuid::Uuid;

use super::{CommandError, print};
use crate::api::native::wire;
use crate::config::parse_duration;
use crate::model::{Caller, Filter, Service, SessionId, Sort, UserId};
use crate::sessions::{Error, SessionDraft, TokenChoice};
use crate::setup::Assembled;

#[derive(Debug, Subcommand)]
pub(super) enum SigningKeyCommand {
    /// List the keys
    List,
    /// Create a successor: published now, signing in ten minutes
    Rotate {
        /// The present keys are compromised: the successor signs at once, and every access token becomes invalid
        #[arg(long)]
        compromised: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// Open a session and print it with its tokens
    Open {
        /// The session's user
        #[arg(long)]
        user: String,
        /// The scope of the session's tokens
        #[arg(long)]
        scope: Option<String>,
        /// The application
        #[arg(long)]
        client: Option<String>,
        /// Time until the session expires, such as 12h
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires_in: Option<TimeDelta>,
        /// Time until the latest expiry that any extension can reach
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        absolute_expires_in: Option<TimeDelta>,
        /// One session token instead of an access and a refresh token
        #[arg(long)]
        session_token: bool,
    },
    /// Print sessions, newest first
    List {
        /// Only sessions of this user
        #[arg(long)]
        user: Option<String>,
        /// The maximum number of sessions, 1 to 200
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// The next_cursor of the previous page
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

pub(super) fn duration(text: &str) -> Result<TimeDelta, String> {
    let duration = parse_duration(text).filter(|duration| *duration > TimeDelta::zero());
    duration.ok_or_else(|| "must be a duration such as 90d or 12h".to_owned())
}

pub(super) fn operator() -> Caller {
    Caller::Service(Service::command_line())
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
        SessionCommand::Open { user, scope, client, expires_in, absolute_expires_in, session_token } => {
            assembled.signing_keys.note_use_of_secrets().await;
            let tokens = if session_token { TokenChoice::Session } else { TokenChoice::AccessAndRefresh };
            let seconds = |lifetime: TimeDelta| lifetime.num_seconds();
            let draft = SessionDraft {
                user_id: user,
                scope,
                client_id: client,
                expires_in: expires_in.map(seconds),
                absolute_expires_in: absolute_expires_in.map(seconds),
                tokens,
                ..SessionDraft::default()
            };
            let opened = sessions.open(&operator, draft, None).await?;
            print_json(&wire::OpenedSession::new(opened, wire::Viewer::SERVICE, now))
        }
        SessionCommand::List { user, limit, cursor } => {
            let user_id = user.map(|user| user_id(&user)).transpose()?;
            let filter = Filter { user_id, ..Filter::default() };
            let page = sessions.search(&operator, &filter, Sort::default(), limit, cursor.as_deref()).await?;
            print_json(&wire::SessionPage::new(page, wire::Viewer::SERVICE, now))
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

/// The errors of invalid fields in one line, by the names of the arguments.
pub(super) fn of_arguments(error: Error) -> CommandError {
    let Error::Invalid(errors) = error else { return error.into() };
    let argument = |field: &str| if field == "client_id" { "application".to_owned() } else { field.replace('_', "-") };
    let lines = errors.iter().map(|error| format!("--{}: {}", argument(&error.field), error.message));
    CommandError::Other(lines.collect::<Vec<_>>().join("; "))
}

fn user_id(text: &str) -> Result<UserId, CommandError> {
    UserId::parse(text).map_err(|error| CommandError::Core(error.into()))
}

pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::Other(error.to_string()))?;
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}
