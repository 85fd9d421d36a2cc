//! Commits that were answered but not confirmed by the standby.
//!
//! A commit that waits for its synchronous standby can be cancelled (`pg_cancel_backend`). PostgreSQL then answers
//! success, with a warning that the standby may not have it. SQLx hands warnings to the log alone, so a layer of the
//! log marks the task whose statement caused the warning.

use std::cell::Cell;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::store::contract::{Error, Result};

/// Log target of SQLx for the notices of PostgreSQL.
const NOTICES: &str = "sqlx::postgres::notice";

tokio::task_local! {
    static WARNED: Cell<bool>;
}

/// The layer of the log that notes warnings of PostgreSQL. Without it an unconfirmed commit passes for a confirmed one.
#[derive(Debug, Clone, Copy)]
pub struct CommitWarnings;

impl CommitWarnings {
    /// Whether the layer handles events with this metadata.
    pub fn concern(metadata: &Metadata<'_>) -> bool {
        metadata.target() == NOTICES && *metadata.level() == Level::WARN
    }
}

impl<S: Subscriber> Layer<S> for CommitWarnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if Self::concern(event.metadata()) {
            // Outside of [`unless_warned`] nothing reads the mark.
            let _ = WARNED.try_with(|warned| warned.set(true));
        }
    }
}

/// Clears the mark: a new connection may cause a warning of another kind, such as a new version of a collation.
pub(super) fn forget() {
    let _ = WARNED.try_with(|warned| warned.set(false));
}

/// The result of statements, unless PostgreSQL warned about one of them.
pub(super) async fn unless_warned<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    WARNED
        .scope(Cell::new(false), async {
            let done = work.await?;
            if WARNED.with(Cell::get) {
                return Err(Error::unavailable("the wait for the synchronous standby was cancelled"));
            }
            Ok(done)
        })
        .await
}
