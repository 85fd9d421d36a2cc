//! A hot standby of a test's cluster.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use super::process::{Folder, signal};
use crate::faults::cluster::{Cluster, as_database_user, free_port, give_to_database_user};

/// Longer than a copy and a promotion take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that replays what its primary writes, killed and deleted when it is dropped.
pub struct Standby {
    folder: Folder,
    port: u16,
    postmaster: Child,
}

impl Standby {
    /// Copies the primary, and waits until the copy answers.
    pub async fn of(primary: &Cluster) -> Self {
        let folder = Folder::new();
        give_to_database_user(&folder.path);
        let data = folder.path.join("data");
        let mut copy = as_database_user("pg_basebackup");
        copy.arg("-D").arg(&data).args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-d"]);
        copy.arg(format!("host=127.0.0.1 port={} user=postgres", primary.port()));
        let copied = copy.current_dir(&folder.path).output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));

        let port = free_port();
        let log = File::create(folder.path.join("log")).unwrap();
        let mut command = as_database_user("postgres");
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let standby = Self { folder, port, postmaster: command.spawn().unwrap() };
        let started = Instant::now();
        while standby.try_connect().await.is_err() {
            assert!(started.elapsed() < PATIENCE, "the standby does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let own = standby.text("SHOW data_directory").await;
        assert_eq!(own, data.to_str().unwrap(), "the port belongs to somebody else");
        standby
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes it a primary, and waits until it is one.
    pub async fn promote(&self) {
        assert_eq!(self.text("SELECT pg_promote(true)::text").await, "true");
    }

    /// The answer to a statement, as text.
    #[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
    pub async fn text(&self, sql: &str) -> String {
        let mut connection = self.try_connect().await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// Waits until it has replayed what the primary has written so far.
    pub async fn catch_up(&self, primary: &Cluster) {
        let mut connection = primary.connect().await.unwrap();
        let written: String =
            sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text").fetch_one(&mut connection).await.unwrap();
        let started = Instant::now();
        while self.text(&format!("SELECT (pg_last_wal_replay_lsn() >= '{written}')::text")).await != "true" {
            assert!(started.elapsed() < PATIENCE, "the standby does not catch up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_connect(&self) -> sqlx::Result<PgConnection> {
        self.url().parse::<PgConnectOptions>().unwrap().disable_statement_logging().connect().await
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // At once, but in order: the folder is deleted next.
        signal(self.postmaster.id(), Signal::SIGQUIT);
        drop(self.postmaster.wait());
        assert!(self.folder.path.exists() || std::thread::panicking());
    }
}
