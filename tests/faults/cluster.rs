//! A PostgreSQL cluster of a test's own, which the test may kill.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rand::RngExt as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection};

use crate::support::process::{Folder, signal};

/// A timeout longer than recovery takes after any crash here.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A PostgreSQL server with its own data, killed and deleted when it is dropped.
pub struct Cluster {
    folder: Folder,
    settings: Vec<String>,
    port: u16,
    postmaster: Option<Child>,
}

impl Cluster {
    /// Starts a cluster that writes through to the disk, with additional settings (`name=value`).
    pub async fn start(settings: &[&str]) -> Self {
        let folder = Folder::new();
        copy(&template(), &folder.path);
        Self::start_in(folder, settings.iter().map(|setting| (*setting).to_owned()).collect()).await
    }

    /// Starts a cluster on existing data.
    pub(super) async fn start_in(folder: Folder, settings: Vec<String>) -> Self {
        let mut cluster = Self { folder, settings, port: free_port(), postmaster: None };
        cluster.start_again().await;
        cluster
    }

    /// The settings beyond those that all clusters have.
    pub(super) fn settings(&self) -> &[String] {
        &self.settings
    }

    /// The URL of the cluster's database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port on the loopback addresses.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server after a stop or a crash, waits until it takes connections, and returns how long that took.
    pub async fn start_again(&mut self) -> Duration {
        let started = Instant::now();
        let log = File::options().create(true).append(true).open(self.folder.path.join("log")).unwrap();
        let mut command = as_database_user("postgres");
        command.arg("-D").arg(self.data());
        let own = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=100"];
        for setting in own.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.args(["-p", &self.port.to_string()]);
        // A direct child can be waited for. A server started by `pg_ctl` would remain a zombie when it is killed.
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.postmaster = Some(child);
        let mut connection = loop {
            if let Ok(connection) = self.connect().await {
                break connection;
            }
            let ended = self.postmaster.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && started.elapsed() < START_LIMIT, "it does not start: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let took = started.elapsed();
        // A check before anything is killed: this is the server that was just started.
        let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await.unwrap();
        assert_eq!(Path::new(&data), self.data(), "the port belongs to somebody else");
        took
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> sqlx::Result<PgConnection> {
        let options: PgConnectOptions = self.url().parse().unwrap();
        options.disable_statement_logging().connect().await
    }

    /// Runs SQL statements in one transaction. A statement that cannot run in a transaction must come alone.
    #[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
    pub async fn run(&self, sql: &str) {
        let mut connection = self.connect().await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// The number that a statement answers.
    #[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
    pub async fn number(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }

    /// Kills all processes at once, as a power cut would, except that the disk cache survives.
    pub fn kill(&mut self) {
        let mut postmaster = self.postmaster.take().expect("it runs");
        let backends = children_of(postmaster.id());
        // No process may live to notice the death of another and write.
        for process in std::iter::once(postmaster.id()).chain(backends.iter().copied()) {
            signal(process, Signal::SIGKILL);
        }
        postmaster.wait().unwrap();
        wait_until_gone(&backends);
    }

    /// Stops the server in order; clients are disconnected.
    pub fn stop(&mut self) {
        self.end(Signal::SIGINT);
    }

    /// Stops the server without notice to clients and without a checkpoint.
    pub fn stop_immediately(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    /// Halts all backends with SIGSTOP.
    pub fn freeze(&self) -> Frozen {
        Frozen::halt(self.backends())
    }

    /// The number of client connections.
    pub fn count_backends(&self) -> usize {
        self.backends().len()
    }

    fn backends(&self) -> Vec<u32> {
        // The process title of a backend contains the client's address, and so does that of a WAL sender.
        self.children(|title| title.contains("127.0.0.1(") && !title.contains("walsender"))
    }

    /// The child processes whose title matches.
    pub(super) fn children(&self, meant: impl Fn(&str) -> bool) -> Vec<u32> {
        let postmaster = self.postmaster.as_ref().expect("it runs").id();
        let meant =
            |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|title| meant(&title));
        children_of(postmaster).into_iter().filter(meant).collect()
    }

    fn end(&mut self, how: Signal) {
        let mut postmaster = self.postmaster.take().expect("it runs");
        let backends = children_of(postmaster.id());
        signal(postmaster.id(), how);
        postmaster.wait().unwrap();
        wait_until_gone(&backends);
    }

    fn data(&self) -> PathBuf {
        self.folder.path.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            self.kill();
        }
    }
}

/// Halted processes, which continue when this is dropped.
pub struct Frozen(Vec<u32>);

impl Frozen {
    pub(super) fn halt(processes: Vec<u32>) -> Self {
        assert!(!processes.is_empty());
        for process in &processes {
            signal(*process, Signal::SIGSTOP);
        }
        Self(processes)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for process in &self.0 {
            signal(*process, Signal::SIGCONT);
        }
    }
}

/// A free port outside the kernel's range for outgoing connections. Otherwise a client that keeps retrying a dead
/// server could be given that server's port as its own, and keep it from coming back.
pub fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The data of a new cluster, created once and then copied.
fn template() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(place.join("cluster.lock")).unwrap();
    lock.lock().unwrap();
    let template = place.join("cluster");
    if !template.exists() {
        let folder = Folder::new();
        give_to_database_user(&folder.path);
        let mut initdb = as_database_user("initdb");
        initdb.arg("-D").arg(folder.path.join("data")).current_dir(&folder.path);
        initdb.args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // A draft under another name, so that a run that is cut short leaves no half template behind.
        let draft = place.join("cluster.draft");
        drop(fs::remove_dir_all(&draft));
        fs::create_dir(&draft).unwrap();
        copy(&folder.path, &draft);
        fs::rename(draft, &template).unwrap();
    }
    template
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join("data")).arg(to.join("data")).status().unwrap();
    assert!(copied.success());
}

/// One of PostgreSQL's programs, run by a user that it does not refuse.
pub fn as_database_user(program: &str) -> Command {
    unprivileged(&binaries().join(program))
}

/// A program, run by the database user.
pub fn unprivileged(path: &Path) -> Command {
    let Some((user, group)) = database_user() else { return Command::new(path) };
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).args(["--clear-groups", "--"]).arg(path);
    command
}

pub fn give_to_database_user(folder: &Path) {
    if let Some((user, group)) = database_user() {
        chown(folder, Some(user), Some(group)).unwrap();
    }
}

/// The user and group that PostgreSQL is to run as, because it refuses to run as root; `None` when we are not root.
fn database_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = ["postgres:", "nobody:"].iter().find_map(|name| users.lines().find(|line| line.starts_with(name)));
    let mut fields = user.expect("there is an unprivileged user").split(':').skip(2);
    let mut number = || fields.next().unwrap().parse().unwrap();
    Some((number(), number()))
}

/// The folder of PostgreSQL's programs: from `TEST_POSTGRES_BINARIES`, else from the path, else Debian's.
#[expect(clippy::disallowed_methods, reason = "settings of tests are read where they are used")]
fn binaries() -> PathBuf {
    let told = std::env::var("TEST_POSTGRES_BINARIES").ok().map(PathBuf::from);
    let path = std::env::var("PATH").unwrap_or_default();
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path()).collect();
    versions.sort();
    let of_debian = versions.into_iter().rev().map(|version| version.join("bin"));
    let found = told
        .into_iter()
        .chain(path.split(':').map(PathBuf::from))
        .chain(of_debian)
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    // A link must be resolved, because only the real folder has the other programs too.
    let initdb = found.and_then(|folder| folder.join("initdb").canonicalize().ok());
    initdb
        .and_then(|initdb| Some(initdb.parent()?.to_owned()))
        .expect("PostgreSQL's programs are installed (scripts/with-postgres can do that)")
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|process| parent_of(*process) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which is in parentheses and may contain anything, come the state and the parent.
    state.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn wait_until_gone(processes: &[u32]) {
    let started = Instant::now();
    let there = |process: &u32| {
        // A killed process is a zombie until its parent waits for it.
        fs::read_to_string(format!("/proc/{process}/stat"))
            .is_ok_and(|state| !state.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
    };
    while processes.iter().any(there) {
        assert!(started.elapsed() < Duration::from_secs(10), "they do not end");
        std::thread::yield_now();
    }
}
