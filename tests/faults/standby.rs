//! A standby of a test's own cluster, and writers that use up transaction numbers.
//!
//! A standby is a [`Cluster`] like its primary, so it can be killed, stopped and queried in the same way:
//!
//! * [`Cluster::add_standby`] copies the primary and streams from it; [`Cluster::wait_for_standby`] makes commits wait
//!   for it;
//! * [`Cluster::hold_back_standbys`] halts the WAL senders, [`Cluster::hold_back_disk`] the WAL writer;
//! * [`Cluster::has_replayed`] returns how far a standby has replayed;
//! * [`Cluster::promote`] makes a standby a primary.
//!
//! Replicas that reach their database through a [`Proxy`](crate::support::proxy::Proxy) follow to the new primary by
//! `Proxy::switch_to`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, Frozen, as_database_user, give_to_database_user};
use super::replicas::until;
use crate::support::process::Folder;

impl Cluster {
    /// Starts a standby that streams under this name, with the same settings. It reconnects when the primary is back
    /// after a crash.
    pub async fn add_standby(&self, name: &str) -> Self {
        let folder = Folder::new();
        give_to_database_user(&folder.path);
        let mut copy = as_database_user("pg_basebackup");
        copy.arg("-D").arg(folder.path.join("data")).args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d"]);
        copy.arg(format!("host=127.0.0.1 port={} user=postgres application_name={name}", self.port()));
        let copied = copy.current_dir(&folder.path).output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let mut settings = self.settings().to_vec();
        settings.push("wal_retrieve_retry_interval=100ms".to_owned());
        let standby = Self::start_in(folder, settings).await;
        let follows = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        );
        until("the standby", async || self.number(&follows).await == 1).await;
        standby
    }

    /// Makes commits wait for the standby of this name, or for none. Only for a primary that already has its standby: a
    /// later copy would contain the setting and, once promoted, wait for itself.
    pub async fn wait_for_standby(&self, name: Option<&str>) {
        match name {
            Some(name) => self.run(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'")).await,
            None => self.run("ALTER SYSTEM RESET synchronous_standby_names").await,
        }
        self.run("SELECT pg_reload_conf()").await;
        let waits = i64::from(name.is_some());
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state <> 'async'";
        until("the setting", async || self.number(synchronous).await == waits).await;
    }

    /// Halts the WAL senders until the result is dropped. Commits that wait for a standby hang meanwhile.
    pub fn hold_back_standbys(&self) -> Frozen {
        Frozen::halt(self.children(|title| title.contains("walsender")))
    }

    /// Halts the WAL writer until the result is dropped, so that asynchronous commits do not reach the disk.
    pub fn hold_back_disk(&self) -> Frozen {
        Frozen::halt(self.children(|title| title.contains("walwriter")))
    }

    /// Waits until this standby has replayed everything that its primary has written so far.
    pub async fn catch_up(&self, primary: &Self) {
        let written = primary.written().await;
        until("the standby", async || self.has_replayed().await >= written).await;
    }

    /// The write position of the log, in bytes.
    pub async fn written(&self) -> i64 {
        self.number("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").await
    }

    /// The replay position of a standby, in bytes; after a promotion, the last one.
    pub async fn has_replayed(&self) -> i64 {
        self.number("SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint").await
    }

    /// Makes a standby a primary, and returns how long that took.
    pub async fn promote(&self) -> Duration {
        let started = Instant::now();
        assert_eq!(self.number("SELECT pg_promote(true, 30)::int::bigint").await, 1, "it is not promoted");
        started.elapsed()
    }
}

/// Uses up transaction numbers in asynchronous commits, so that a crash may give the numbers out again.
pub struct Burner(PgConnection);

impl Burner {
    /// Connects to the database of this URL.
    pub async fn connect(url: &str) -> sqlx::Result<Self> {
        let options: PgConnectOptions = url.parse().unwrap();
        let mut connection = options.disable_statement_logging().connect().await?;
        connection.execute("SET synchronous_commit = off").await?;
        connection.execute("CREATE TABLE IF NOT EXISTS burnt (number xid8)").await?;
        Ok(Self(connection))
    }

    /// Uses up `count` numbers.
    #[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
    pub async fn burn(&mut self, count: i64) -> sqlx::Result<()> {
        // Every insert is a transaction of its own.
        let procedure = AssertSqlSafe(format!(
            "DO $$ BEGIN FOR n IN 1..{count} LOOP
                INSERT INTO burnt SELECT pg_current_xact_id(); COMMIT;
             END LOOP; END $$"
        ));
        self.0.execute(sqlx::raw_sql(procedure)).await.map(drop)
    }

    /// Notifies the replicas that the change log has grown, so that they read it at once.
    pub async fn wake_replicas(&mut self) -> sqlx::Result<()> {
        self.0.execute("SELECT pg_notify('sojourn', 'changes')").await.map(drop)
    }
}

/// Asynchronous writers in the background, until this is dropped.
pub struct Burning {
    stop: Arc<AtomicBool>,
    burnt: Arc<AtomicUsize>,
    writers: Vec<JoinHandle<()>>,
}

impl Burning {
    /// Starts `writers` of them on the database of this URL, which may be that of a proxy.
    pub fn start(url: &str, writers: usize) -> Self {
        const AT_ONCE: i64 = 5;
        let (stop, burnt) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let write = |_| {
            let (url, stop, burnt) = (url.to_owned(), Arc::clone(&stop), Arc::clone(&burnt));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(mut burner) = Burner::connect(&url).await {
                        while !stop.load(Ordering::Relaxed) && burner.burn(AT_ONCE).await.is_ok() {
                            burnt.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        let writers = (0..writers).map(write).collect();
        Self { stop, burnt, writers }
    }

    /// The number of batches that were burnt.
    pub fn count(&self) -> usize {
        self.burnt.load(Ordering::Relaxed)
    }
}

impl Drop for Burning {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in &self.writers {
            writer.abort();
        }
    }
}
