//! A database for one test: empty tables, deleted afterwards, also when the test fails.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use sojourn::clock::{self, Clock, SystemClock, SystemEntropy};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection};
use uuid::Uuid;

/// Advisory lock key: "sojourn" in ASCII, unique within the test server.
const TEMPLATE_LOCK: i64 = 0x0073_6f6a_6f75_726e;

/// A database of a test's own.
pub struct TestDatabase {
    url: String,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Server { maintenance: Box<PgConnectOptions>, name: String },
}

impl TestDatabase {
    /// A SQLite file in a folder of its own, not yet created.
    #[expect(clippy::unused_async, reason = "called like its sibling")]
    pub async fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(unique_name());
        fs::create_dir(&folder).unwrap();
        Self { url: format!("sqlite:{}", folder.join("test.db").display()), place: Place::Folder(folder) }
    }

    /// A migrated PostgreSQL database on the server of `TEST_DATABASE_URL`.
    pub async fn postgres() -> Self {
        Self::on_server(true).await
    }

    /// A PostgreSQL database without any table.
    pub async fn empty_postgres() -> Self {
        Self::on_server(false).await
    }

    /// The URL of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Inserts copies of a session, each opened a microsecond after the one before.
    #[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
    pub async fn copy_session(&self, id: Uuid, times: i64) {
        const REST: &str = "absolute_expires_at, idle_timeout, device_type, scope, amr, metadata";
        match &self.place {
            Place::Server { .. } => {
                let sql = format!(
                    "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, {REST})
                     SELECT gen_random_uuid(), user_id, created_at + n * interval '1 microsecond', last_seen_at,
                        expires_at, {REST}
                     FROM sessions, generate_series(1, $2) AS n WHERE id = $1"
                );
                let mut connection = PgConnection::connect(&self.url).await.unwrap();
                let copy = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(times);
                copy.execute(&mut connection).await.unwrap();
            }
            Place::Folder(_) => {
                let sql = format!(
                    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $2)
                     INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, {REST})
                     SELECT randomblob(16), user_id, created_at + n, last_seen_at, expires_at, {REST}
                     FROM sessions, numbers WHERE id = $1"
                );
                let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
                let copy = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(times);
                copy.execute(&mut connection).await.unwrap();
            }
        }
    }

    async fn on_server(migrated: bool) -> Self {
        let url = server_url();
        let maintenance: PgConnectOptions = url.parse().expect("TEST_DATABASE_URL must be the URL of a database");
        let maintenance = maintenance.disable_statement_logging();
        let mut server = maintenance.connect().await.expect("the server of TEST_DATABASE_URL must answer");
        let name = unique_name();
        let template = if migrated { template(&mut server, &url).await } else { "template0".to_owned() };
        run(&mut server, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        server.close().await.unwrap();
        Self { url: url_of(&url, &name), place: Place::Server { maintenance: Box::new(maintenance), name } }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        match &self.place {
            Place::Folder(folder) => drop(fs::remove_dir_all(folder)),
            Place::Server { maintenance, name } => {
                let (maintenance, name) = (maintenance.clone(), name.clone());
                // A thread of its own, because a destructor cannot wait on the test's runtime.
                let dropping = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let mut server = maintenance.connect().await.unwrap();
                        run(&mut server, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
                    });
                });
                let dropped = dropping.join().is_ok();
                assert!(dropped || std::thread::panicking(), "the test's database could not be dropped");
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "settings of tests are read where they are used")]
fn server_url() -> String {
    std::env::var("TEST_DATABASE_URL").expect(
        "TEST_DATABASE_URL is not set: run the tests with scripts/with-postgres, or only those on SQLite with \
         `cargo nextest run -E 'not test(postgres)'`",
    )
}

/// The name of a migrated database, created once for each state of the migrations, to be copied.
async fn template(server: &mut PgConnection, url: &str) -> String {
    let name = format!("sojourn_template_{:016x}", hash_of_migrations());
    run(server, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut *server)
        .await
        .unwrap();
    if !known {
        // A draft under another name, so that a run that is cut short leaves no half template behind.
        let draft = format!("{name}_draft");
        run(server, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        run(server, &format!("CREATE DATABASE {draft} TEMPLATE template0")).await;
        sojourn::store::open(&url_of(url, &draft), 2).await.unwrap().close().await;
        run(server, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    run(server, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    name
}

fn hash_of_migrations() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hasher);
        fs::read(&file).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "names of test databases are made here")]
async fn run(server: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(server).await.unwrap();
}

fn unique_name() -> String {
    let id = clock::uuid_v7(SystemClock.now(), &SystemEntropy).unwrap();
    format!("sojourn_test_{}", id.simple())
}

/// The URL of another database on the same server.
fn url_of(url: &str, database: &str) -> String {
    let (before, parameters) =
        url.split_once('?').map_or((url, String::new()), |(url, rest)| (url, format!("?{rest}")));
    let slash = before.rfind('/').filter(|slash| *slash > "postgresql://".len()).unwrap_or(before.len());
    format!("{}/{database}{parameters}", &before[..slash])
}
