//! The log: what happened, for the operator. Never a token, never a body.

use std::any::Any;
use std::io::IsTerminal as _;

use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{LogConfig, LogFormat};
use crate::store::postgres::CommitWarnings;

/// Starts the log, on standard error. A second call changes nothing.
pub fn start(config: &LogConfig) {
    // While a database is down, the pool logs each attempt; the store logs the outage once, with its cause. axum's line
    // about a rejected request quotes the request.
    let filter = EnvFilter::new(format!("{},sqlx_core::pool::inner=off,axum::rejection=off", config.filter));
    let in_colour = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(in_colour);
    let lines = match config.format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
    };
    let warnings = filter_fn(CommitWarnings::concern).with_max_level_hint(LevelFilter::WARN);
    let result = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(CommitWarnings.with_filter(warnings))
        .try_init();
    if result.is_err() {
        tracing::debug!("the log was started before");
    }
    // The standard hook prints the whole message, which may quote a request.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, cause = panic_cause(panic.payload()), "a panic");
    }));
}

/// The message of a panic, if it is a literal: a formatted one may quote a client's request.
pub fn panic_cause(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("not shown, because it may quote a request")
}
