//! `sojourn serve`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::CommandError;
use crate::account;
use crate::api::{self, App};
use crate::config::{self, HttpConfig, LogConfig, ServerConfig, Source, listen_address};
use crate::geoip::GeoIp;
use crate::sessions::FindPlace;
use crate::setup::{Assembled, Setup};
use crate::{metrics, server, tasks, telemetry};

/// The time limit for the last writes. Together with the time for running requests it stays below 15 seconds.
const ENDING_TIMEOUT: Duration = Duration::from_secs(3);
/// Time between two removals of callers with a full budget from the rate limits.
const IDLE_CALLERS_INTERVAL: Duration = Duration::from_mins(1);
/// The time for which the start waits for the first read of the change log.
const FIRST_LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until a signal comes.
pub(super) async fn serve(source: Source) -> Result<(), CommandError> {
    telemetry::start(&LogConfig::read(&source)?);
    metrics::start();
    let (address, http) = (listen_address(&source)?, HttpConfig::read(&source)?);
    let config = ServerConfig::read(&source)?.trusting(http.trusted_proxies.clone());
    let mut setup = Setup::read(&source)?;
    setup.policy.streams = config.room_for(setup.policy.streams);
    warn_of_endless_bootstrap_key(&setup);
    let geoip = open_geoip(&source)?;
    setup.places = geoip.clone().map(|geoip| geoip as Arc<dyn FindPlace>);
    let has_issuer = config::has_issuer(&source);
    // The source holds copies of the secrets.
    drop(source);
    let (database, entropy) = (setup.storage.database_shown.clone(), Arc::clone(&setup.entropy));
    let Assembled { sessions, store, signing_keys } = setup.assemble().await?;
    signing_keys.note_use_of_secrets().await;
    let listener = listen("SOJOURN_LISTEN", &address).await?;
    let metrics_listener = match &http.metrics_listen {
        Some(address) => Some(listen("SOJOURN_METRICS_LISTEN", address).await?),
        None => None,
    };
    if !has_issuer {
        warn_of_default_issuer(sessions.access_tokens().issuer(), listener.local_addr()?);
    }
    let stop = server::stop_signal()?;
    // The tasks run as long as requests are served.
    let (end, ended) = watch::channel(false);
    let tasks = tasks::start(&sessions, signing_keys, &ended);
    let app = Arc::new(App::new(Arc::clone(&sessions), http, entropy.as_ref(), stop.clone())?);
    forget_idle_callers(&app, &ended);
    if let Some(geoip) = geoip {
        tasks::reload_places(geoip, &ended);
    }
    // Requests before the first read of the change log would all be answered from the database.
    if tokio::time::timeout(FIRST_LOOK_TIMEOUT, sessions.log_known()).await.is_err() {
        tracing::warn!("the change log could not be read yet: answers are read from the database until it is");
    }
    welcome(&listener, &database)?;

    if let Some(listener) = metrics_listener {
        tokio::spawn(server::serve(listener, api::metrics_router(Arc::clone(&app)), config.clone(), ended));
    }
    server::serve(listener, api::router(Arc::clone(&app), account::routes(&app)), config, stop).await;
    end.send_replace(true);

    // A database that hangs must not keep the process alive: writes that do not finish in time are lost, as in a crash.
    let ending = async {
        for task in tasks {
            drop(task.await);
        }
        tasks::flush_all(&sessions).await;
        store.close().await;
    };
    if tokio::time::timeout(ENDING_TIMEOUT, ending).await.is_err() {
        tracing::warn!("the database did not answer at the end");
    }
    tracing::info!("stopped");
    Ok(())
}

/// The source of places, if files are set.
fn open_geoip(source: &Source) -> Result<Option<Arc<GeoIp>>, CommandError> {
    let files = config::geoip_files(source)?;
    if files.is_empty() {
        return Ok(None);
    }
    GeoIp::open(&files).map(|geoip| Some(Arc::new(geoip))).map_err(|error| CommandError::Other(error.to_string()))
}

/// Removes idle callers from the table of rate limits, which would otherwise grow with every caller ever seen.
fn forget_idle_callers(app: &Arc<App>, stop: &watch::Receiver<bool>) {
    let app = Arc::clone(app);
    drop(tasks::every(IDLE_CALLERS_INTERVAL, stop, move || {
        app.limits.forget_idle();
        std::future::ready(())
    }));
}

/// Warns of a bootstrap key without expiry. PostgreSQL suggests more than a trial, and a key with every right should
/// not stay in a container's environment for ever.
fn warn_of_endless_bootstrap_key(setup: &Setup) {
    let is_postgres = setup.storage.database_url.expose_secret().starts_with("postgres");
    if is_postgres && setup.bootstrap_key.as_ref().is_some_and(|key| key.until.is_none()) {
        tracing::warn!(
            "SOJOURN_BOOTSTRAP_KEY has every right and no end: set SOJOURN_BOOTSTRAP_KEY_UNTIL, or leave it out"
        );
    }
}

/// Warns of a default issuer that does not lead to the server.
fn warn_of_default_issuer(issuer: &str, address: SocketAddr) {
    let leads_here = address.ip().is_loopback() && issuer == format!("http://localhost:{}", address.port());
    if !leads_here {
        tracing::warn!(
            issuer,
            %address,
            "SOJOURN_ISSUER is not set: programs that verify access tokens by themselves see this default, and do not find \
             the keys there; set it to the URL by which they reach this server"
        );
    }
}

async fn listen(setting: &str, address: &str) -> Result<TcpListener, CommandError> {
    let failed = |error| CommandError::Other(format!("{setting}: cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(failed)
}

/// The lines for the person who has just started the server.
fn welcome(listener: &TcpListener, database: &str) -> Result<(), CommandError> {
    let address = listener.local_addr()?;
    let program = std::env::args().next().unwrap_or_else(|| "sojourn".to_owned());
    writeln!(
        io::stdout(),
        "Sojourn {version} listens on http://{address}\n\
         \x20 sessions are kept in   {database}\n\
         \x20 the reference is at    http://{address}/docs, the guides at http://{address}/docs/guide\n\
         \x20 make a key to try it   {program} key create --name my-login --scope \"sessions:write sessions:read\"",
        version = env!("CARGO_PKG_VERSION"),
    )?;
    Ok(())
}
