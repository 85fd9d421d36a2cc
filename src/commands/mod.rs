//! The command line. Without a command, it serves.

mod administration;
mod applications;
mod arguments;
mod audit;
mod conditions;
mod console;
mod healthcheck;
mod keys;
mod secrets;
mod serve;
mod users;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use secrecy::ExposeSecret as _;
use uuid::Uuid;

use crate::api::DocumentForm;
use crate::clock::EntropyUnavailable;
use crate::config::{Documented, LogConfig, SETTINGS, SettingError, Source};
use crate::sessions::Error;
use crate::setup::{Setup, StartError};
use crate::store::{self, Announcement};
use crate::{api, error_chain, telemetry};

/// A session server: what comes after login.
#[derive(Debug, Parser)]
#[command(name = "sojourn", version, after_help = settings_help())]
pub struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The heading under which each command lists them, apart from its own options.
const SETTINGS_HEADING: &str = "Settings that have a flag";

/// The settings that have a flag.
#[derive(Debug, Args)]
struct Flags {
    /// The address to listen on (SOJOURN_LISTEN)
    #[arg(long, global = true, value_name = "ADDRESS", help_heading = SETTINGS_HEADING)]
    listen: Option<String>,
    /// sqlite://… or postgres://… (DATABASE_URL)
    #[arg(long, global = true, value_name = "URL", help_heading = SETTINGS_HEADING)]
    database_url: Option<String>,
    /// The folder of the SQLite file and the generated secret (SOJOURN_DATA_DIR)
    #[arg(long, global = true, value_name = "FOLDER", help_heading = SETTINGS_HEADING)]
    data_dir: Option<String>,
    /// A TOML file with settings (SOJOURN_CONFIG)
    #[arg(long, global = true, value_name = "FILE", help_heading = SETTINGS_HEADING)]
    config: Option<String>,
}

impl Flags {
    fn into_settings(self) -> BTreeMap<String, String> {
        let Self { listen, database_url, data_dir, config } = self;
        [
            ("SOJOURN_LISTEN", listen),
            ("DATABASE_URL", database_url),
            ("SOJOURN_DATA_DIR", data_dir),
            ("SOJOURN_CONFIG", config),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default)
    #[command(after_help = settings_help())]
    Serve,
    /// Bring the database's tables up to date, and stop
    Migrate,
    /// Applications: what a client_id stands for
    #[command(subcommand)]
    Application(applications::ApplicationCommand),
    /// Print the audit trail, newest first
    Audit(audit::AuditArguments),
    /// Service keys: the credentials of programs
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// The keys that sign access tokens
    #[command(subcommand)]
    SigningKey(administration::SigningKeyCommand),
    /// Master secrets: their use, and when a former one may go
    #[command(subcommand)]
    Secret(secrets::SecretCommand),
    /// Sessions: open one, list them, end them
    #[command(subcommand)]
    Session(Box<administration::SessionCommand>),
    /// The console: sign in without a key
    #[command(subcommand)]
    Console(console::ConsoleCommand),
    /// Users: find them
    #[command(subcommand)]
    User(users::UserCommand),
    /// Print the OpenAPI document
    Openapi {
        /// Only this family
        #[arg(long, value_parser = PossibleValuesParser::new(api::FAMILIES.iter().map(|family| family.name)))]
        family: Option<String>,
        /// In this form: OpenAPI 3.1 as YAML or JSON, or 3.0 for programs that know no other
        #[arg(long, value_enum, default_value_t = DocumentFormat::Yaml)]
        format: DocumentFormat,
    },
    /// Ask the server on this machine whether it is ready; exit status 0 when it is
    Healthcheck,
}

/// A [`DocumentForm`] by its name.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DocumentFormat {
    Yaml,
    Json,
    #[value(name = "json-3.0")]
    Json30,
}

fn settings_help() -> String {
    let line = |setting: &&dyn Documented| match setting.default() {
        "" => format!("  {}\n          {}\n", setting.name(), setting.help()),
        default => format!("  {}\n          {} [default: {default}]\n", setting.name(), setting.help()),
    };
    let lines: String = SETTINGS.iter().map(line).collect();
    format!("Settings (environment, or a TOML file, where retention is short for SOJOURN_RETENTION):\n{lines}")
}

/// An id in an argument.
fn id(text: &str) -> Result<Uuid, String> {
    text.parse()
        .map_err(|_| "must be an id as `list` prints it, such as 01a218c2-fd05-7603-bb1f-ef42908e80af".to_owned())
}

/// The reason why a command failed: one line for the person who typed it.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("{}", error_chain::chain(.0))]
    Start(#[from] StartError),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Entropy(#[from] EntropyUnavailable),
    #[error("{}", error_chain::chain(.0))]
    Store(#[from] store::Error),
    #[error("{}", error_chain::chain(.0))]
    Core(#[from] Error),
    #[error("{0}")]
    Other(String),
}

/// Runs one command. A failure is reported in one line on standard error.
pub fn run(arguments: Arguments) -> ExitCode {
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed standard error leaves nowhere to report to.
            drop(writeln!(io::stderr(), "sojourn: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn execute(Arguments { flags, command }: Arguments) -> Result<(), CommandError> {
    if let Some(Command::Openapi { family, format }) = &command {
        return openapi(family.as_deref(), *format);
    }
    forbid_core_dumps();
    let source = Source::read(flags.into_settings())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command.unwrap_or(Command::Serve) {
            Command::Serve => serve::serve(source).await,
            Command::Healthcheck => healthcheck::healthcheck(&source).await,
            command => {
                telemetry::start(&LogConfig::read_for_command(&source)?);
                let (setup, console_page) = (Setup::read(&source)?, console::configured_page(&source)?);
                if !matches!(command, Command::Migrate) {
                    warn_of_new_database(&setup)?;
                }
                let assembled = setup.assemble().await?;
                let store = std::sync::Arc::clone(&assembled.store);
                let result = match command {
                    Command::Application(command) => applications::application(command, &assembled).await,
                    Command::Audit(arguments) => audit::audit(arguments, &assembled).await,
                    Command::Key(command) => keys::key(command, &assembled).await,
                    Command::SigningKey(command) => administration::signing_key(command, &assembled).await,
                    Command::Secret(command) => secrets::secret(command, &assembled).await,
                    Command::Session(command) => administration::session(*command, &assembled).await,
                    Command::Console(command) => console::console(&command, console_page, &assembled).await,
                    Command::User(command) => users::user(command, &assembled).await,
                    _ => print("The database is up to date."),
                };
                // Without the announcement, servers would learn of the changes a little later.
                drop(store.announce(Announcement::Changes, None).await);
                store.close().await;
                result
            }
        }
    })
}

/// Warns that a command is about to make a database. Somebody in another folder than the server would wonder why a new key
/// is refused.
fn warn_of_new_database(setup: &Setup) -> Result<(), CommandError> {
    let url = setup.storage.database_url.expose_secret();
    if url.starts_with("sqlite:") && store::is_new(url).map_err(StartError::from)? {
        let database = &setup.storage.database_shown;
        tracing::warn!(
            database,
            "there was no database, so a new one is made: a server uses it only with the same --data-dir or DATABASE_URL"
        );
    }
    Ok(())
}

/// Forbids core dumps, which would hold the master secret and the signing keys.
///
/// The limit is one byte, because Linux ignores any other, zero included, when dumps are piped to a program.
fn forbid_core_dumps() {
    // A failure means that the hard limit is zero already.
    drop(rlimit::Resource::CORE.set(1, 1));
}

fn openapi(family: Option<&str>, format: DocumentFormat) -> Result<(), CommandError> {
    let form = match format {
        DocumentFormat::Yaml => DocumentForm::Yaml,
        DocumentFormat::Json => DocumentForm::Json,
        DocumentFormat::Json30 => DocumentForm::Json30,
    };
    let document = api::document_as(family, form).map_err(|error| CommandError::Other(error.to_string()))?;
    io::stdout().write_all(document.unwrap_or_default().as_bytes())?;
    Ok(())
}

fn print(line: &str) -> Result<(), CommandError> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}
