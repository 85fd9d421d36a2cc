//! The start: the wait for a primary, the proof that the database is fit, and its migrations.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};

use super::log_identity::identify_server;
use super::migrations;
use super::servers::{Failures, Servers, listed, told};
use super::session::{SessionSettings, Unfit};
use crate::store::open_error::OpenError;

/// The time that a server has to accept a connection when it is the only one, and when there are others.
const CONNECT_TIME: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));
/// The time for a standby to become the primary when it is the only server, and when there are others.
const PROMOTION_TIME: (Duration, Duration) = (Duration::from_secs(10), Duration::from_mins(1));
const ROUND_INTERVAL: Duration = Duration::from_millis(200);
/// The number of times that two connections are compared: a pooler may by chance keep them apart.
const COMPARISONS: u32 = 3;

/// Connects to the primary and migrates the tables.
pub(super) async fn start(servers: &Arc<Servers>) -> Result<(), OpenError> {
    // A connection of its own: one that waits for another replica's migration must not time out, and closing it gives the
    // lock back whatever happens.
    servers.know_newest_timeline().await;
    let mut connection = first_connection(servers).await?;
    refuse_transaction_pooler(servers, &mut connection).await?;
    warn_of_weak_commits(&mut connection).await?;
    migrations::run(&mut connection).await.map_err(of_migration)?;
    servers.proved(identify_server(&mut connection).await.map_err(OpenError::Connect)?);
    connection.close().await.map_err(OpenError::Connect)
}

/// A connection to the primary, which may have to be promoted first.
async fn first_connection(servers: &Arc<Servers>) -> Result<PgConnection, OpenError> {
    let alone = servers.count() == 1;
    let chosen = |(one, several): (Duration, Duration)| if alone { one } else { several };
    let (started, mut warned) = (Instant::now(), false);
    loop {
        let failures = match servers.find(&SessionSettings::migration(), chosen(CONNECT_TIME)).await {
            Ok(connection) => return Ok(connection),
            Err(failures) => failures,
        };
        let passes = failures.iter().any(|(_, error)| may_pass(error));
        if !passes || started.elapsed() >= chosen(PROMOTION_TIME) {
            return Err(of_failures(failures));
        }
        if !std::mem::replace(&mut warned, true) {
            tracing::warn!("waiting for a database that takes writes: {}", listed(&failures));
        }
        tokio::time::sleep(ROUND_INTERVAL).await;
    }
}

fn may_pass(error: &sqlx::Error) -> bool {
    // 57P03: the server is starting up.
    Unfit::of(error).is_some_and(Unfit::may_pass) || code(error).as_deref() == Some("57P03")
}

/// Refuses a pooler in transaction mode: a database session has its own backend process, which no other connection
/// reports.
async fn refuse_transaction_pooler(servers: &Arc<Servers>, first: &mut PgConnection) -> Result<(), OpenError> {
    let mut second = servers.connect(&SessionSettings::general()).await.map_err(OpenError::Connect)?;
    let processes = [process(first).await?, process(&mut second).await?];
    let mut is_session = processes[0] != processes[1];
    for _ in 1..COMPARISONS {
        is_session &= [process(first).await?, process(&mut second).await?] == processes;
    }
    drop(second.close().await);
    if is_session { Ok(()) } else { Err(OpenError::TransactionPooler) }
}

/// The number of the backend process, read without a prepared statement, which such a pooler might lose.
async fn process(connection: &mut PgConnection) -> Result<i32, OpenError> {
    use sqlx::Row as _;
    let row = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await.map_err(OpenError::Connect)?;
    row.try_get(0).map_err(OpenError::Connect)
}

/// Warns of a weak synchronous_commit: an operator with a synchronous standby expects it to have whatever was
/// acknowledged.
async fn warn_of_weak_commits(connection: &mut PgConnection) -> Result<(), OpenError> {
    use sqlx::Row as _;
    const ASKED: &str = "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
    let row = sqlx::raw_sql(ASKED).fetch_one(connection).await.map_err(OpenError::Connect)?;
    let text = |index: usize| row.try_get::<String, _>(index).map_err(OpenError::Connect);
    let (commit, standbys) = (text(0)?, text(1)?);
    let lost = match commit.as_str() {
        "local" => "a fail-over may undo endings that were acknowledged, because no standby is waited for",
        "remote_write" => "endings that were acknowledged may be lost when both servers fail at once",
        _ => return Ok(()),
    };
    if !standbys.is_empty() {
        tracing::warn!("synchronous_commit is {commit} although synchronous_standby_names is set: {lost}");
    }
    Ok(())
}

fn of_failures(mut failures: Failures) -> OpenError {
    if failures.len() > 1 {
        return OpenError::NoServer(listed(&failures));
    }
    let Some((place, error)) = failures.pop() else { return OpenError::Connect(sqlx::Error::PoolClosed) };
    match Unfit::of(&error) {
        Some(Unfit::Standby) => return OpenError::Standby(place),
        Some(Unfit::ReadOnly) => return OpenError::ReadOnly(place),
        Some(Unfit::Encoding(encoding)) => return OpenError::Encoding { place, encoding: encoding.clone() },
        Some(unfit) => return OpenError::Setting(place, unfit.to_string()),
        None => {}
    }
    match &error {
        sqlx::Error::Tls(problem) => OpenError::Tls { place, problem: problem.to_string() },
        // A failed handshake looks like this.
        sqlx::Error::Io(problem) if problem.kind() == io::ErrorKind::InvalidData => {
            OpenError::Tls { place, problem: problem.to_string() }
        }
        sqlx::Error::Database(problem) if problem.message().contains("startup parameter") => {
            OpenError::StartupParameter(problem.message().to_owned())
        }
        _ => of_pooler(&error).unwrap_or(OpenError::Connect(error)),
    }
}

fn of_migration(error: sqlx::migrate::MigrateError) -> OpenError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(told) = error.downcast_ref::<sqlx::Error>().and_then(of_pooler) {
            return told;
        }
        cause = error.source();
    }
    error.into()
}

/// The cause of a prepared statement that is missing, or exists already: a pooler that changed the connection.
fn of_pooler(error: &sqlx::Error) -> Option<OpenError> {
    let lost = matches!(code(error).as_deref(), Some("26000" | "42P05"));
    lost.then(|| OpenError::PreparedStatements(told(error)))
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}
