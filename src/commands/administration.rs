//! The operator's commands, on the same database as the server.

use std::io::{self, Write as _};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{ArgGroup, Subcommand};
use uuid::Uuid;

use super::arguments::{duration, limit, of_arguments, of_session_arguments};
use super::conditions::{CONDITIONS, Conditions, Listing};
use super::{CommandError, id, print};
use crate::api::native::wire;
use crate::model::{Actor, Caller, Service, SessionId, UserId};
use crate::sessions::{COUNTED_TO, Error, Selection, SessionDraft, TokenChoice};
use crate::setup::Assembled;

#[derive(Debug, Subcommand)]
pub(super) enum SigningKeyCommand {
    /// List the keys
    List,
    /// Create successors: published now, signing in ten minutes
    Rotate {
        /// The present keys are compromised: the successors sign at once, and every access token becomes invalid
        #[arg(long)]
        compromised: bool,
        /// Only the keys of this algorithm, such as ES256; by default those of all in use
        #[arg(long)]
        algorithm: Option<String>,
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
        #[command(flatten)]
        conditions: Conditions,
        #[command(flatten)]
        listing: Listing,
        /// The maximum number of sessions, from 1 to 200
        #[arg(long, default_value_t = 50, value_parser = limit)]
        limit: u32,
        /// The next_cursor of the previous page
        #[arg(long)]
        cursor: Option<String>,
    },
    /// End a session, or all active ones that meet every condition
    #[command(visible_alias = "end", group = ArgGroup::new("sessions").args(["id"]).args(CONDITIONS).required(true).multiple(true))]
    Revoke {
        /// The session's id, as `sojourn session list` prints it
        #[arg(value_parser = id, conflicts_with = "conditions")]
        id: Option<Uuid>,
        #[command(flatten)]
        conditions: Conditions,
        /// Only count the sessions
        #[arg(long, requires = "conditions")]
        dry_run: bool,
    },
}

pub(super) fn operator() -> Actor {
    Caller::Service(Service::command_line()).into()
}

pub(super) async fn signing_key(command: SigningKeyCommand, assembled: &Assembled) -> Result<(), CommandError> {
    match command {
        SigningKeyCommand::List => {
            for key in assembled.store.signing_keys().await? {
                let (kid, algorithm) = (&key.kid, key.algorithm.as_str());
                let (made, from) = (shown(key.created_at), shown(key.active_from));
                print(&format!("{kid}  {algorithm}  made {made}  signs from {from}"))?;
            }
            Ok(())
        }
        SigningKeyCommand::Rotate { compromised, algorithm } => {
            let rotated = assembled.sessions.rotate_signing_keys(&operator(), algorithm.as_deref(), compromised).await;
            for key in rotated.map_err(of_arguments)? {
                let (kid, algorithm, from) = (&key.kid, key.algorithm.as_str(), shown(key.active_from));
                print(&format!("Key {kid} of {algorithm} signs from {from}."))?;
            }
            Ok(())
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
            let opened = sessions.open(&operator, draft, None).await.map_err(of_session_arguments)?;
            print_json(&wire::OpenedSession::new(opened, wire::Viewer::SERVICE, now))
        }
        SessionCommand::List { conditions, listing, limit, cursor } => {
            let (criteria, sort) = conditions.listed(&listing)?;
            let page = sessions.search(&operator, &criteria, sort, limit, cursor.as_deref()).await;
            let page = page.map_err(of_session_arguments)?;
            print_json(&wire::SessionPage::new(page, wire::Viewer::SERVICE, now))
        }
        SessionCommand::Revoke { id: Some(id), .. } => {
            sessions.end(&operator, SessionId::from_uuid(id)).await.map_err(|error| match error {
                Error::SessionNotFound => {
                    CommandError::Other(format!("there is no session {id} (see: sojourn session list)"))
                }
                error => error.into(),
            })?;
            print(&format!("Session {id} is ended."))
        }
        SessionCommand::Revoke { id: None, conditions, dry_run } => match conditions.only_user() {
            Some(user) if !dry_run => {
                let user = user_id(user)?;
                let ended = sessions.end_all_of(&operator, &user).await?;
                match ended {
                    1 => print(&format!("1 session of {user} is ended.")),
                    _ => print(&format!("{ended} sessions of {user} are ended.")),
                }
            }
            _ => {
                let selection = Selection::Matching(Box::new(conditions.criteria()?));
                let found = sessions.revoke(&operator, selection, dry_run).await.map_err(of_session_arguments)?;
                print(&of_found(found.sessions, dry_run))
            }
        },
    }
}

/// A sentence about the sessions that met the conditions.
fn of_found(sessions: Option<u32>, dry_run: bool) -> String {
    let number = match sessions {
        None => "All sessions that meet the conditions".to_owned(),
        Some(1) => "1 session".to_owned(),
        Some(COUNTED_TO..) => format!("{COUNTED_TO} sessions or more"),
        Some(sessions) => format!("{sessions} sessions"),
    };
    let verb = match sessions {
        _ if dry_run => "would be",
        Some(1) => "is",
        _ => "are",
    };
    format!("{number} {verb} ended.")
}

fn user_id(text: &str) -> Result<UserId, CommandError> {
    UserId::parse(text).map_err(|error| of_session_arguments(error.into()))
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%F %T UTC").to_string()
}

pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CommandError::Other(error.to_string()))?;
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}
