//! The command line's view of the master secrets.

use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::{CommandError, print};
use crate::sessions::SecretStatus;
use crate::setup::Assembled;

const ROTATION: &str = "\
To rotate the master secret:
  1. make a new one: openssl rand -base64 32
  2. with several servers: name it in SOJOURN_PREVIOUS_SECRETS of each, so that each knows it before one uses it
  3. set SOJOURN_SECRET to it and SOJOURN_PREVIOUS_SECRETS to the former one, server by server; nobody is signed out
  4. when this command says of the former one that it may go, leave SOJOURN_PREVIOUS_SECRETS out";

#[derive(Debug, Subcommand)]
pub(super) enum SecretCommand {
    /// Print each secret by its id, with its uses, and whether it may go
    #[command(after_help = ROTATION)]
    Status,
}

pub(super) async fn secret(command: SecretCommand, assembled: &Assembled) -> Result<(), CommandError> {
    let SecretCommand::Status = command;
    let secrets = assembled.signing_keys.secrets().await;
    for secret in secrets.map_err(|error| CommandError::Start(error.into()))? {
        // A secret that is neither set nor needed is history.
        if secret.set || !secret.may_go() {
            print(&line(&secret))?;
        }
    }
    Ok(())
}

fn line(secret: &SecretStatus) -> String {
    let SecretStatus { id, set, current, last_used_at, seals, .. } = secret;
    let role = match (set, current) {
        (_, true) => "current",
        (true, false) => "previous",
        (false, false) => "not set",
    };
    let used = last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", shown(at)));
    format!("{id}  {role:<8}  {used}  seals {seals} signing keys  {}", verdict(secret))
}

/// The first reason for keeping a secret, or that it may go.
fn verdict(secret: &SecretStatus) -> String {
    if secret.current {
        return "stays: new tokens are made with it".to_owned();
    }
    if secret.in_use {
        return "stays: a server has used it within two minutes".to_owned();
    }
    if secret.seals > 0 {
        return "stays: a running server seals the keys anew in a moment".to_owned();
    }
    match secret.sessions {
        None => "stays: more sessions than can be counted may have tokens of it".to_owned(),
        Some(sessions) => match sessions.last_end {
            Some(end) => {
                let count = sessions.count;
                format!("stays until {} at the latest: active sessions that may have tokens of it: {count}", shown(end))
            }
            None => "may go".to_owned(),
        },
    }
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%F %H:%M UTC").to_string()
}
