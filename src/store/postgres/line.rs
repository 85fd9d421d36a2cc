//! Connections for one purpose each, which other work cannot keep busy.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::failure::failure;
use super::servers::Servers;
use super::session::SessionSettings;
use crate::model::LogId;
use crate::store::contract::{Error, Result};

/// Deadline of one use of such a connection.
pub(super) const LINE_DEADLINE: Duration = Duration::from_secs(1);

/// Makes connections with the settings of one purpose.
pub(super) struct Connector {
    servers: Arc<Servers>,
    settings: SessionSettings,
}

/// A connection, and the epoch of the servers that it was made in.
pub(super) struct Connected {
    pub(super) connection: PgConnection,
    epoch: u64,
}

impl Connected {
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl Connector {
    pub(super) fn new(servers: &Arc<Servers>, settings: SessionSettings) -> Self {
        Self { servers: Arc::clone(servers), settings }
    }

    pub(super) async fn connect(&self) -> sqlx::Result<Connected> {
        let epoch = self.servers.epoch();
        Ok(Connected { connection: self.servers.connect(&self.settings).await?, epoch })
    }

    /// The connection, unless it leads to a server that was replaced.
    pub(super) fn keep(&self, connected: Option<Connected>) -> Option<Connected> {
        connected.filter(|connected| self.is_current(connected))
    }

    /// Whether the connection leads to the server that is used now.
    pub(super) fn is_current(&self, connected: &Connected) -> bool {
        connected.epoch == self.servers.epoch()
    }

    /// Notes that the server of this log has proved to be the primary.
    pub(super) fn proved(&self, log: LogId) {
        self.servers.proved(log);
    }

    /// Notes that the address leads to another server than before.
    pub(super) fn replaced(&self) {
        self.servers.replaced();
    }

    /// Notes that the server of that epoch does not confirm commits.
    pub(super) fn unconfirmed(&self, epoch: u64) {
        self.servers.unconfirmed(epoch);
    }

    /// The number that changes with the server.
    pub(super) fn epoch(&self) -> u64 {
        self.servers.epoch()
    }

    /// Runs one use within its deadline. A failure starts the search for another server.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let done = match tokio::time::timeout(LINE_DEADLINE, work).await {
            Ok(done) => done.map_err(failure),
            Err(_) => Err(Error::unavailable("no answer in time")),
        };
        done.inspect_err(|_| self.servers.look())
    }
}

/// One connection, opened on demand, and dropped when a use fails or is cancelled.
pub(super) struct Line {
    connector: Connector,
    place: Mutex<Option<Connected>>,
}

impl Line {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, place: Mutex::new(None) }
    }

    pub(super) async fn run<T>(&self, work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>) -> Result<T> {
        self.connector
            .in_time(async {
                // Moved out while in use, so that a cancelled use drops the connection.
                let mut place = self.place.lock().await;
                let mut connected = match self.connector.keep(place.take()) {
                    Some(connected) => connected,
                    None => self.connector.connect().await?,
                };
                let done = work(&mut connected.connection).await?;
                *place = Some(connected);
                Ok(done)
            })
            .await
    }

    pub(super) async fn close(&self) {
        drop(self.place.lock().await.take());
    }
}
