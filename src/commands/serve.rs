//! `sojourn serve`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::CommandError;
use super::console;
use crate::api::{self, App};
use crate::config::{self, ConsoleAddress, HttpConfig, LogConfig, ServerConfig, Source, listen_address};
use crate::geoip::GeoIp;
use crate::sessions::{FindPlace, Problem, Sessions};
use crate::setup::{Assembled, Setup};
use crate::{metrics, pages, server, tasks, telemetry};

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
    let geoip = open_geoip(&source)?;
    setup.places = geoip.clone().map(|geoip| geoip as Arc<dyn FindPlace>);
    let has_issuer = config::has_issuer(&source);
    let settings = config::shown_settings(&source, &address, &config, &setup.policy);
    // The source holds copies of the secrets.
    drop(source);
    let (database, entropy) = (setup.storage.database_shown.clone(), Arc::clone(&setup.entropy));
    let Assembled { sessions, store, signing_keys } = setup.assemble().await?;
    signing_keys.note_use_of_secrets().await;
    if sessions.has_endless_bootstrap_key() {
        tracing::warn!("{}", Problem::BootstrapKeyWithoutEnd.message());
    }
    let listener = listen("SOJOURN_LISTEN", &address).await?;
    let metrics_listener = listen_if_set("SOJOURN_METRICS_LISTEN", http.metrics_listen.as_deref()).await?;
    let console_listener = listen_if_set("SOJOURN_CONSOLE_LISTEN", http.console.own()).await?;
    let has_default_issuer = !has_issuer && leads_elsewhere(sessions.access_tokens().issuer(), listener.local_addr()?);
    let stop = server::stop_signal()?;
    // The tasks run as long as requests are served.
    let (end, ended) = watch::channel(false);
    let tasks = tasks::start(&sessions, signing_keys, &ended);
    let app = App::new(Arc::clone(&sessions), http, entropy.as_ref(), stop.clone())?;
    let app = Arc::new(App { has_default_issuer, settings, ..app });
    forget_idle_callers(&app, &ended);
    if let Some(geoip) = geoip {
        tasks::reload_places(geoip, &ended);
    }
    // Requests before the first read of the change log would all be answered from the database.
    if tokio::time::timeout(FIRST_LOOK_TIMEOUT, sessions.log_known()).await.is_err() {
        tracing::warn!("the change log could not be read yet: answers are read from the database until it is");
    }
    let console = match (&app.http.console, &console_listener) {
        (ConsoleAddress::None, _) => None,
        (ConsoleAddress::Own(_), Some(listener)) => Some(console_at(None, listener, &sessions).await?),
        _ => Some(console_at(has_issuer.then(|| sessions.access_tokens().issuer()), &listener, &sessions).await?),
    };
    welcome(&listener, &database, console.as_deref())?;

    if let Some(listener) = console_listener {
        let router = api::console_router(Arc::clone(&app), pages::at_console_address(&app));
        tokio::spawn(server::serve(listener, router, config.clone(), stop.clone()));
    }
    if let Some(listener) = metrics_listener {
        tokio::spawn(server::serve(listener, api::metrics_router(Arc::clone(&app)), config.clone(), ended));
    }
    server::serve(listener, api::router(Arc::clone(&app), pages::at_main_address(&app)), config, stop).await;
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

/// Whether a default issuer does not lead to the server, of which this warns.
fn leads_elsewhere(issuer: &str, address: SocketAddr) -> bool {
    let leads_here = address.ip().is_loopback() && issuer == format!("http://localhost:{}", address.port());
    if !leads_here {
        tracing::warn!(
            issuer,
            %address,
            "SOJOURN_ISSUER is not set: programs that verify access tokens by themselves see this default, and do not find \
             the keys there; set it to the URL by which they reach this server"
        );
    }
    !leads_here
}

async fn listen(setting: &str, address: &str) -> Result<TcpListener, CommandError> {
    let failed = |error| CommandError::Other(format!("{setting}: cannot listen on {address}: {error}"));
    TcpListener::bind(address).await.map_err(failed)
}

/// The URL of the console, with a one-time link as long as nobody has a credential to sign in with.
async fn console_at(issuer: Option<&str>, listener: &TcpListener, sessions: &Sessions) -> Result<String, CommandError> {
    let page = console::page(issuer, &listener.local_addr()?.to_string());
    if sessions.has_no_credential().await? { console::link(&page, sessions).await } else { Ok(page) }
}

async fn listen_if_set(setting: &str, address: Option<&str>) -> Result<Option<TcpListener>, CommandError> {
    match address {
        Some(address) => listen(setting, address).await.map(Some),
        None => Ok(None),
    }
}

/// The lines for the person who has just started the server.
fn welcome(listener: &TcpListener, database: &str, console: Option<&str>) -> Result<(), CommandError> {
    let address = listener.local_addr()?;
    let program = std::env::args().next().unwrap_or_else(|| "sojourn".to_owned());
    let version = env!("CARGO_PKG_VERSION");
    let console = match console {
        Some(link) if link.contains('#') => format!("\x20 the console is at      {link} (once, within 15 minutes)\n"),
        Some(page) => format!("\x20 the console is at      {page}\n"),
        None => String::new(),
    };
    let lines = format!(
        "Sojourn {version} listens on http://{address}\n\
         \x20 sessions are kept in   {database}\n\
         \x20 the reference is at    http://{address}/docs, the guides at http://{address}/docs/guide\n\
         {console}\
         \x20 make a key to try it   {program} key create --name my-login --scope \"sessions:write sessions:read\"\n",
    );
    // In one piece, because whoever reads them may stop after the first.
    io::stdout().write_all(lines.as_bytes())?;
    Ok(())
}
