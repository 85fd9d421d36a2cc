//! Commits that were not confirmed although they were answered.
//!
//! Whoever cancels a commit that waits for its synchronous standby (`pg_cancel_backend`) makes PostgreSQL answer success, with
//! a warning that the standby may not have it. SQLx hands warnings to the log alone, so a layer of the log tells the task
//! whose statement was warned of.

use std::cell::Cell;

use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::store::contract::{Error, Result};

/// The log target of SQLx for PostgreSQL's notices.
const NOTICES: &str = "sqlx::postgres::notice";

tokio::task_local! {
    static WARNED: Cell<bool>;
}

/// The layer of the log that notes warnings of PostgreSQL. Without it an unconfirmed commit passes for a confirmed one.
#[derive(Debug, Clone, Copy)]
pub struct CommitWarnings;

impl CommitWarnings {
    /// Whether the layer wants to hear of something.
    pub fn concern(metadata: &Metadata<'_>) -> bool {
        metadata.target() == NOTICES && *metadata.level() == Level::WARN
    }
}

impl<S: Subscriber> Layer<S> for CommitWarnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if Self::concern(event.metadata()) {
            // Outside of a statement of ours nobody asks.
            let _ = WARNED.try_with(|warned| warned.set(true));
        }
    }
}

/// A new connection may be warned of for reasons of its own, such as another version of a collation.
pub(super) fn forget() {
    let _ = WARNED.try_with(|warned| warned.set(false));
}

/// The result of statements, unless PostgreSQL warned of them.
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
