//! Applications at the command line.

use chrono::TimeDelta;
use clap::{Args, Subcommand};

use super::administration::{operator, print_json};
use super::arguments::{duration, of_arguments};
use super::{CommandError, print};
use crate::api::native::wire;
use crate::sessions::{ApplicationDraft, Error};
use crate::setup::Assembled;

#[derive(Debug, Subcommand)]
pub(super) enum ApplicationCommand {
    /// Create an application and print it
    Create {
        /// The client_id of its sessions
        client_id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print all applications
    List,
    /// Change what is given, and print the application
    Update {
        /// The application's client_id
        client_id: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Delete an application's record; its sessions go on
    Delete {
        /// The application's client_id
        client_id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// A name for people
    #[arg(long)]
    name: Option<String>,
    /// An aud of its access tokens, once or several times; none for the server's
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// The words that its sessions may have in their scope, or any
    #[arg(long)]
    scope: Option<String>,
    /// The longest lifetime of an access token, such as 2m, or none for the server's
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    access_token_lifetime: Option<Limit>,
    /// The longest time from opening a session to its latest expiry, such as 8h, or none for the server's
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    absolute_lifetime: Option<Limit>,
    /// The longest time that a session may stay unused, such as 15m, or none for the server's
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    idle_timeout: Option<Limit>,
    /// The name of a claim that openers may add to its access tokens, once or several times; none for no claims
    #[arg(long = "claim", value_name = "NAME")]
    claims: Vec<String>,
    /// The algorithm that signs its access tokens: EdDSA, ES256 or RS256, or none for the server's
    #[arg(long, value_name = "ALGORITHM")]
    signing_algorithm: Option<String>,
    /// The name of the cookie that carries its session tokens, such as __Host-shop, or none for the server's
    #[arg(long, value_name = "NAME")]
    cookie_name: Option<String>,
}

/// A limit; `None`: the server's own.
#[derive(Debug, Clone, Copy)]
struct Limit(Option<TimeDelta>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit(None)) } else { duration(text).map(Some).map(Limit) }
}

impl From<Settings> for ApplicationDraft {
    fn from(settings: Settings) -> Self {
        let Settings {
            name,
            audiences,
            scope,
            access_token_lifetime,
            absolute_lifetime,
            idle_timeout,
            claims,
            signing_algorithm,
            cookie_name,
        } = settings;
        let seconds = |limit: Option<Limit>| limit.map(|Limit(limit)| limit.map(|limit| limit.num_seconds()));
        Self {
            name,
            audiences: list(audiences),
            scope: scope.map(|scope| (scope != "any").then_some(scope)),
            access_token_lifetime: seconds(access_token_lifetime),
            absolute_lifetime: seconds(absolute_lifetime),
            idle_timeout: seconds(idle_timeout),
            claims: list(claims),
            signing_algorithm: signing_algorithm.map(|name| (name != "none").then_some(name)),
            cookie_name: cookie_name.map(|name| (name != "none").then_some(name)),
        }
    }
}

/// The entries of a flag: `None` when it is not given, an empty list for `none`.
fn list(given: Vec<String>) -> Option<Vec<String>> {
    match given.as_slice() {
        [] => None,
        [none] if none == "none" => Some(Vec::new()),
        _ => Some(given),
    }
}

/// The error of a command on an application that should exist.
fn of_application(error: Error, client_id: &str) -> CommandError {
    match error {
        Error::ApplicationNotFound => {
            CommandError::Other(format!("there is no application {client_id} (see: sojourn application list)"))
        }
        error => of_arguments(error),
    }
}

pub(super) async fn application(command: ApplicationCommand, assembled: &Assembled) -> Result<(), CommandError> {
    let (sessions, operator) = (&assembled.sessions, operator());
    match command {
        ApplicationCommand::Create { client_id, settings } => {
            let created = sessions.create_application(&operator, client_id, settings.into()).await;
            print_json(&wire::Application::from(created.map_err(of_arguments)?))
        }
        ApplicationCommand::List => {
            let applications = sessions.applications(&operator).await?.into_iter();
            print_json(&applications.map(wire::Application::from).collect::<Vec<_>>())
        }
        ApplicationCommand::Update { client_id, settings } => {
            let changed = sessions.change_application(&operator, &client_id, settings.into()).await;
            print_json(&wire::Application::from(changed.map_err(|error| of_application(error, &client_id))?))
        }
        ApplicationCommand::Delete { client_id } => {
            let deleted = sessions.delete_application(&operator, &client_id).await;
            deleted.map_err(|error| of_application(error, &client_id))?;
            print(&format!("Application {client_id} is deleted."))
        }
    }
}
