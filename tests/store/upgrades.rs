//! A database of any earlier version is migrated to the current schema, and its rows stay readable.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest;
use sojourn::model::User;
use sojourn::model::{EndReason, Ended, Owner, Session};
use sojourn::store::{self, BatchProgress, EndOutcome, Opening, Store};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use super::fixture::{Raw, at, new, session_of, user};
use crate::support::database::TestDatabase;

/// Migration 8 as first released, which did not yet drop the functions that PostgreSQL 15.20 objects to.
const FIRST_TEXT_OF_8: &str = include_str!("fixtures/0008_lighter_sessions_as_first_released.sql");
const REVISED_VERSION: i64 = 8;
/// The last version before the table of sessions was altered.
const BEFORE_OPENERS: i64 = 9;
/// Timeout for operations that take seconds at most.
const PATIENCE: Duration = Duration::from_mins(1);
/// The first migration with bulk endings.
const BULK_ENDINGS: i64 = 4;

mod a_database_of_any_earlier_version_becomes_what_a_new_one_is {
    use super::*;

    #[tokio::test]
    async fn postgres() {
        let migrator = migrator("postgres").await;
        let expected = schema(&opened(TestDatabase::empty_postgres().await).await.raw).await;
        for version in versions(&migrator) {
            let database = TestDatabase::empty_postgres().await;
            let pool = PgPool::connect(database.url()).await.unwrap();
            migrator.run_to(version, &pool).await.unwrap();
            is_upgraded(database, Raw::Postgres(pool), version, &expected).await;
        }
    }

    #[tokio::test]
    async fn sqlite() {
        let migrator = migrator("sqlite").await;
        let expected = schema(&opened(TestDatabase::sqlite().await).await.raw).await;
        for version in versions(&migrator) {
            let database = TestDatabase::sqlite().await;
            let options: SqliteConnectOptions = database.url().parse().unwrap();
            let pool = SqlitePool::connect_with(options.create_if_missing(true)).await.unwrap();
            migrator.run_to(version, &pool).await.unwrap();
            is_upgraded(database, Raw::Sqlite(pool), version, &expected).await;
        }
    }
}

#[tokio::test]
async fn a_database_that_applied_the_first_text_of_migration_8_is_accepted_postgres() {
    let migrator = migrator("postgres").await;
    let expected = schema(&opened(TestDatabase::empty_postgres().await).await.raw).await;
    let database = TestDatabase::empty_postgres().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    migrator.run_to(REVISED_VERSION - 1, &pool).await.unwrap();
    apply_first_text_of_8(&pool).await;
    is_upgraded(database, Raw::Postgres(pool), REVISED_VERSION, &expected).await;
}

#[tokio::test]
async fn a_database_that_applied_an_earlier_text_of_migration_9_is_accepted_postgres() {
    for checksum in [
        "519ef5f7d7180ebdb523b89c43036478eb9d72c8f997b93b4479602b40f4493c20d1ae68a6ab65bf09b48c150317d675",
        "d5adcfc0123cc3db23dea677d1f803d2951b3f4e93dcb95d6fb56697ce921768f85ec3a0f34e633cd9a55d21645c8c71",
    ] {
        let database = opened(TestDatabase::empty_postgres().await).await;
        let applied = format!("UPDATE _sqlx_migrations SET checksum = decode('{checksum}', 'hex') WHERE version = 9");
        database.raw.run(&applied).await.unwrap();
        store::open(database.database.url(), 2).await.unwrap().close().await;
    }
}

/// The fixture is made by `sha384sum migrations/*/*.sql`; a new migration adds its lines.
#[test]
fn no_released_migration_is_edited() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let released = include_str!("fixtures/migrations.sha384");
    for folder in ["migrations/postgres", "migrations/sqlite"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let digest = digest::digest(&digest::SHA384, &std::fs::read(&path).unwrap());
            let digest = digest.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            let line = format!("{digest}  {folder}/{}", path.file_name().unwrap().to_str().unwrap());
            assert!(released.lines().any(|released| released == line), "add, or take the edit back: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_dump_lets_endings_pass_postgres() {
    let migrator = migrator("postgres").await;
    let database = TestDatabase::empty_postgres().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    migrator.run_to(REVISED_VERSION, &pool).await.unwrap();
    let mut dump = pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE statistics_progress, changes IN ACCESS SHARE MODE").execute(&mut *dump).await.unwrap();
    let url = database.url().to_owned();
    let opening = tokio::spawn(async move { store::open(&url, 2).await.map(drop) });

    let is_tried =
        "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'statistics_progress'::regclass)";
    let mut tries = 0;
    while tries < 3 {
        tries += u32::from(sqlx::query_scalar::<_, bool>(is_tried).fetch_one(&pool).await.unwrap());
        let log = "SET lock_timeout = '1s'; INSERT INTO changes (kind) VALUES ('signing_keys_changed')";
        sqlx::raw_sql(log).execute(&pool).await.expect("an ending waits for the migration");
    }
    assert!(!opening.is_finished());
    dump.rollback().await.unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_migration_that_somebody_else_changed_is_refused_postgres() {
    let database = opened(TestDatabase::empty_postgres().await).await;
    database.raw.run("UPDATE _sqlx_migrations SET checksum = 'another' WHERE version = 8").await.unwrap();
    let refused = store::open(database.database.url(), 2).await.err().unwrap();
    assert!(matches!(refused, store::OpenError::Migrate(_)), "{refused:?}");
}

/// O-05: plain reads would queue up behind an `ALTER TABLE` that waits itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_waits_for_a_long_transaction_holds_nobody_up_postgres() {
    const COUNT: &str = "SELECT count(*) FROM sessions";
    const WAITING: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let migrator = migrator("postgres").await;
    let database = TestDatabase::empty_postgres().await;
    let pool = PgPool::connect(database.url()).await.unwrap();
    migrator.run_to(BEFORE_OPENERS, &pool).await.unwrap();
    let mut long = pool.begin().await.unwrap();
    sqlx::query(COUNT).execute(&mut *long).await.unwrap();
    let url = database.url().to_owned();
    let opening = tokio::spawn(async move { store::open(&url, 2).await });
    while sqlx::query_scalar::<_, i64>(WAITING).fetch_one(&pool).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    // The long transaction is still open, so the read succeeds only if it does not queue.
    let read = tokio::time::timeout(PATIENCE, sqlx::query(COUNT).execute(&pool)).await;
    assert!(read.is_ok_and(|read| read.is_ok()), "the read waits behind the migration");
    long.commit().await.unwrap();
    let store = tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap().unwrap();
    assert!(store.ping().await.unwrap());
    store.close().await;
}

/// Leaves a database as that text left it on every minor version: with the functions that it did not drop.
#[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
async fn apply_first_text_of_8(pool: &PgPool) {
    const FUNCTIONS: &str = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname IN ('covers', 'bulk_ending_of') ORDER BY proname DESC";
    const DROP: &str = "DROP FUNCTION bulk_ending_of(sessions); DROP FUNCTION covers(bulk_endings, sessions)";
    const RECORD: &str = "
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES ($1, 'lighter sessions', TRUE, $2, 1)";
    let functions: Vec<String> = sqlx::query_scalar(FUNCTIONS).fetch_all(pool).await.unwrap();
    assert_eq!(functions.len(), 2);
    sqlx::raw_sql(DROP).execute(pool).await.unwrap();
    sqlx::raw_sql(FIRST_TEXT_OF_8).execute(pool).await.unwrap();
    for function in functions {
        sqlx::raw_sql(AssertSqlSafe(function)).execute(pool).await.unwrap();
    }
    let checksum = digest::digest(&digest::SHA384, FIRST_TEXT_OF_8.as_bytes());
    sqlx::query(RECORD).bind(REVISED_VERSION).bind(checksum.as_ref()).execute(pool).await.unwrap();
}

struct Opened {
    store: std::sync::Arc<dyn Store>,
    raw: Raw,
    database: TestDatabase,
}

async fn opened(database: TestDatabase) -> Opened {
    let store = store::open(database.url(), 4).await.unwrap();
    let raw = if database.url().starts_with("sqlite:") {
        Raw::Sqlite(SqlitePool::connect_lazy(database.url()).unwrap())
    } else {
        Raw::Postgres(PgPool::connect_lazy(database.url()).unwrap())
    };
    Opened { store, raw, database }
}

async fn migrator(backend: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend);
    Migrator::new(folder).await.unwrap()
}

fn versions(migrator: &Migrator) -> impl Iterator<Item = i64> {
    let mut versions: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
    let newest = versions.pop().unwrap();
    assert!(newest >= 9 && versions.iter().all(|version| *version < newest));
    versions.into_iter()
}

/// Puts rows into a database of that version, opens the store on it, and compares the result.
async fn is_upgraded(database: TestDatabase, raw: Raw, version: i64, expected: &[String]) {
    let rows = Rows::new(version);
    raw.run_all(&rows.inserts(&raw, version)).await;
    drop(raw);

    let Opened { store, raw, database: _database } = opened(database).await;
    let schema = schema(&raw).await;
    for (is, shall_be) in schema.iter().zip(expected) {
        assert_eq!(is, shall_be, "from version {version}");
    }
    assert_eq!(schema.len(), expected.len(), "from version {version}");
    rows.are_read(store.as_ref(), &raw, version).await;
}

struct Rows {
    standing: Session,
    ended: Session,
    /// A session that a bulk ending ends, from the version on that has any.
    covered: Session,
}

impl Rows {
    fn new(version: i64) -> Self {
        let amr = vec!["pwd".to_owned(), "o\"t,p\\".to_owned(), String::new()];
        let standing = Session { amr, idle_timeout: None, ..session_of("ann") };
        let ended = Some(Ended { at: at(5), reason: EndReason::Logout });
        let covered = (version >= BULK_ENDINGS).then_some(Ended { at: at(7), reason: EndReason::RevokedByAdmin });
        Self {
            standing,
            ended: Session { ended, ..session_of("ann") },
            covered: Session { ended: covered, ..session_of("bob") },
        }
    }

    fn inserts(&self, raw: &Raw, version: i64) -> String {
        let (t0, t5, ended) = (raw.time(at(0)), raw.time(at(5)), raw.id(self.ended.id));
        let bytes = if matches!(raw, Raw::Sqlite(_)) {
            |hex: &str| format!("x'{hex}'")
        } else {
            |hex: &str| format!("'\\x{hex}'")
        };
        let (fingerprint, hash) = (bytes("01"), bytes(&"02".repeat(32)));
        let mut statements = vec![
            format!("INSERT INTO users (id, name, created_at, updated_at) VALUES ('ann', 'Ann', {t0}, {t0})"),
            insert(raw, &self.standing, version),
            insert(raw, &self.ended, version),
            insert(raw, &self.covered, version),
            format!("UPDATE sessions SET ended_at = {t5}, end_reason = 'logout' WHERE id = {ended}"),
            format!(
                "INSERT INTO idempotency_keys (service, key, fingerprint, session_id, created_at)
                 VALUES ('web', 'k', {fingerprint}, {ended}, {t0})"
            ),
            format!(
                "INSERT INTO service_keys (id, name, scope, secret_hash, created_at)
                 VALUES ({ended}, 'web', 'sessions:read', {hash}, {t0})"
            ),
            format!(
                "INSERT INTO signing_keys (sequence, kid, algorithm, sealed, created_at, active_from)
                 VALUES (1, 'first', 'EdDSA', {hash}, {t0}, {t5})"
            ),
        ];
        if version >= BULK_ENDINGS {
            statements.push(format!(
                "INSERT INTO bulk_endings (sequence, at, reason, opened_until, user_id)
                 VALUES (1, {}, 'revoked_by_admin', {t5}, 'bob')",
                raw.time(at(7))
            ));
        }
        statements.join(";")
    }

    async fn are_read(&self, store: &dyn Store, raw: &Raw, version: i64) {
        for session in [&self.standing, &self.ended, &self.covered] {
            let stored = store.session(session.id, Owner::Anyone).await.unwrap();
            assert_eq!(stored.as_ref(), Some(session), "from version {version}");
        }
        let listed = store.active_sessions_of(&user("ann"), at(8)).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&self.standing));
        let name = store.user(&user("ann")).await.unwrap().and_then(|User { name, .. }| name);
        assert_eq!(name.as_deref(), Some("Ann"));
        assert_eq!(raw.number("SELECT count(*) FROM idempotency_keys").await, 1);
        let key = store.service_keys().await.unwrap().pop().unwrap();
        assert_eq!((key.name.as_str(), key.secret_hash, key.created_at), ("web", [2; 32], at(0)));
        let key = store.signing_keys().await.unwrap().pop().unwrap();
        assert_eq!((key.kid.as_str(), key.sealed, key.active_from), ("first", vec![2; 32], at(5)));

        let ending = store.end_session(self.standing.id, Owner::Anyone, EndReason::Logout, at(9), None).await.unwrap();
        assert!(matches!(ending, Some(EndOutcome::Ended(_))), "{ending:?}");
        let logged = format!(
            "SELECT count(*) FROM changes WHERE kind = 'session_ended' AND subject_id = {}",
            raw.id(self.standing.id)
        );
        assert_eq!(raw.number(&logged).await, 1);
        let opening = store.open_session(&new(&Session { created_at: at(10), ..session_of("ann") })).await.unwrap();
        assert!(matches!(opening, Opening::Opened { .. }), "{opening:?}");
        while store.apply_bulk_ending(at(11)).await.unwrap() == BatchProgress::More {}
        while store.roll_up(at(11)).await.unwrap() == BatchProgress::More {}
        let counted = "SELECT CAST(sum(count) AS bigint) FROM statistics WHERE step = 'ever' AND kind = 'opened'";
        assert_eq!(raw.number(counted).await, 4);
    }
}

fn insert(raw: &Raw, session: &Session, version: i64) -> String {
    let times = [session.created_at, session.last_seen_at, session.expires_at, session.absolute_expires_at];
    let json = serde_json::to_string(&session.amr).unwrap();
    let amr = if matches!(raw, Raw::Postgres(_)) && version < REVISED_VERSION {
        format!("ARRAY(SELECT json_array_elements_text('{json}'))")
    } else {
        format!("'{json}'")
    };
    format!(
        "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout,
            device_type, scope, amr, metadata)
         VALUES ({}, '{}', {}, {}, '{}', '', {amr}, '{{}}')",
        raw.id(session.id),
        session.user_id,
        times.map(|time| raw.time(time)).join(", "),
        session.idle_timeout.map_or("NULL".to_owned(), |timeout| timeout.num_seconds().to_string()),
        session.device.kind.as_str(),
    )
}

/// The schema as text, a line an object, with the migrations that made it.
async fn schema(raw: &Raw) -> Vec<String> {
    const POSTGRES: &str = "
        SELECT line FROM (
            SELECT concat_ws(' ', 'column', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod),
                collname, attnotnull, attidentity, pg_get_expr(adbin, adrelid)) AS line
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
                LEFT JOIN pg_collation ON pg_collation.oid = attcollation
                LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 AND NOT attisdropped
            UNION ALL
            SELECT concat_ws(' ', 'relation', oid::regclass, relkind, reloptions, relreplident) FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace
            UNION ALL
            SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
            WHERE relnamespace = current_schema()::regnamespace
            UNION ALL
            SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = current_schema()::regnamespace
            UNION ALL
            SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
            WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
            UNION ALL
            SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
            UNION ALL
            SELECT concat_ws(' ', 'migration', version, success, checksum) FROM _sqlx_migrations
        ) AS lines ORDER BY line";
    const SQLITE: &str = "
        SELECT line FROM (
            SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') AS line FROM sqlite_schema
            UNION ALL
            SELECT 'migration ' || version || ' ' || success || ' ' || hex(checksum) FROM _sqlx_migrations
        ) AS lines ORDER BY line";
    let lines: Vec<String> = match raw {
        Raw::Postgres(pool) => sqlx::query_scalar(POSTGRES).fetch_all(pool).await.unwrap(),
        Raw::Sqlite(pool) => sqlx::query_scalar(SQLITE).fetch_all(pool).await.unwrap(),
    };
    assert!(lines.len() > 20, "{lines:?}");
    lines
}
