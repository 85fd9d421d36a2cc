//! PgBouncer between a server and its database.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;

use super::process::{Folder, signal};
use crate::faults::cluster::{free_port, give_to_database_user, unprivileged};

/// A pooler that is killed when it is dropped.
pub struct PgBouncer {
    folder: Folder,
    port: u16,
    child: Child,
}

impl PgBouncer {
    /// Starts a pooler with its default settings, except the mode, in front of the server of this URL.
    pub async fn start(database_url: &str, pool_mode: &str) -> Self {
        let server: PgConnectOptions = database_url.parse().unwrap();
        let (folder, port) = (Folder::new(), free_port());
        let path = |name: &str| folder.path.join(name);
        fs::write(path("users"), format!("\"{}\" \"\"\n", server.get_username())).unwrap();
        let settings = format!(
            "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {pool_mode}\ndefault_pool_size = 50\n",
            server.get_host(),
            server.get_port(),
            path("users").display(),
        );
        fs::write(path("pgbouncer.ini"), settings).unwrap();
        give_to_database_user(&folder.path);
        let log = File::create(path("log")).unwrap();
        let mut command = unprivileged(&binary());
        command.arg(path("pgbouncer.ini")).current_dir(&folder.path).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let pooler = Self { folder, port, child };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "PgBouncer does not start: {}", pooler.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        pooler
    }

    /// The URL of the same database through the pooler, for the same user.
    pub fn url(&self, database_url: &str) -> String {
        let server: PgConnectOptions = database_url.parse().unwrap();
        let database = server.get_database().unwrap();
        format!("postgres://{}@127.0.0.1:{}/{database}", server.get_username(), self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path.join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        signal(self.child.id(), Signal::SIGKILL);
        drop(self.child.wait());
    }
}

/// The program: from `TEST_PGBOUNCER`, else where Debian or `scripts/pgbouncer` put it.
#[expect(clippy::disallowed_methods, reason = "settings of tests are read where they are used")]
fn binary() -> PathBuf {
    let told = std::env::var("TEST_PGBOUNCER").ok().map(PathBuf::from);
    let got = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pgbouncer/pgbouncer");
    told.into_iter()
        .chain([PathBuf::from("/usr/sbin/pgbouncer"), got])
        .find(|path| path.exists())
        .expect("PgBouncer is installed, or scripts/pgbouncer has got it")
}
