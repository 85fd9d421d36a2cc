//! The tables: their creation, and what their constraints and triggers refuse.

use std::fs;
use std::path::Path;

use sojourn::model::{EndReason, Owner};
use sojourn::store::{self, Error, OpenError};

use super::fixture::{Fixture, Raw, at, session_of, user};
use crate::support::database::TestDatabase;

on_both_stores!(
    the_database_refuses_to_bring_an_ended_session_back,
    the_database_refuses_to_move_what_is_fixed,
    a_store_opened_again_finds_what_was_stored,
    ping_tells_whether_the_tables_are_of_this_version,
    a_newer_version_s_tables_are_refused_at_the_start_and_served_from_until_then,
    a_closed_store_is_not_available,
);

async fn the_database_refuses_to_bring_an_ended_session_back(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(1), None).await.unwrap();
    let ended = fixture.stored(session.id).await;
    let later = fixture.raw.time(at(2));
    for change in [
        "ended_at = NULL, end_reason = NULL".to_owned(),
        "end_reason = 'revoked_by_admin'".to_owned(),
        format!("ended_at = {later}"),
        format!("expires_at = {later}"),
        "refresh_counter = refresh_counter + 1".to_owned(),
        format!("absolute_expires_at = {}", fixture.raw.time(session.expires_at)),
    ] {
        refuses(fixture, &session, &change).await;
    }
    assert_eq!(fixture.stored(session.id).await, ended);
}

async fn the_database_refuses_to_move_what_is_fixed(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let later = fixture.raw.time(at(2));
    let past_it = session.absolute_expires_at + chrono::TimeDelta::days(1);
    for change in [
        format!("absolute_expires_at = {}", fixture.raw.time(past_it)),
        format!("expires_at = {}", fixture.raw.time(past_it)),
        "user_id = 'bob'".to_owned(),
        "least_counter = -1".to_owned(),
        format!("created_at = {later}"),
        format!("ended_at = {later}"),
        "end_reason = 'logout'".to_owned(),
    ] {
        refuses(fixture, &session, &change).await;
    }
    assert_eq!(fixture.stored(session.id).await, session);
}

async fn refuses(fixture: &Fixture, session: &sojourn::model::Session, change: &str) {
    let update = format!("UPDATE sessions SET {change} WHERE id = {}", fixture.raw.id(session.id));
    let refused = fixture.raw.run(&update).await;
    assert!(matches!(refused, Err(sqlx::Error::Database(_))), "{change}: {refused:?}");
}

async fn a_store_opened_again_finds_what_was_stored(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.store.close().await;
    let again = store::open(fixture.database.url(), 2).await.unwrap();
    assert_eq!(again.session(session.id, Owner::Anyone).await.unwrap(), Some(session));
    again.close().await;
}

async fn ping_tells_whether_the_tables_are_of_this_version(fixture: &Fixture) {
    assert!(fixture.store.ping().await.unwrap());
    fixture.raw.run("DELETE FROM _sqlx_migrations").await.unwrap();
    assert!(!fixture.store.ping().await.unwrap());
}

/// O-06. The other way round, an older version's tables are brought up to date at the start (see `upgrades.rs`).
async fn a_newer_version_s_tables_are_refused_at_the_start_and_served_from_until_then(fixture: &Fixture) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, 'newer', TRUE, checksum, 1 FROM _sqlx_migrations WHERE version = 1";
    assert_eq!(fixture.raw.run(newer).await.unwrap(), 1);
    fixture.raw.run("ALTER TABLE sessions ADD COLUMN something_new text").await.unwrap();
    let refused = store::open(fixture.database.url(), 2).await.err().unwrap();
    assert!(matches!(refused, OpenError::Migrate(_)), "{refused:?}");
    assert!(fixture.store.ping().await.unwrap());
    let session = fixture.open(session_of("ann")).await;
    assert_eq!(fixture.stored(session.id).await, session);
}

async fn a_closed_store_is_not_available(fixture: &Fixture) {
    fixture.store.close().await;
    assert!(matches!(fixture.store.ping().await, Err(Error::Unavailable(_))));
    assert!(matches!(fixture.store.user(&user("ann")).await, Err(Error::Unavailable(_))));
    let banned = fixture.store.ban_user(&user("ann"), None, at(0), None).await;
    assert!(matches!(banned, Err(Error::Unavailable(_))));
}

mod four_stores_that_open_an_empty_database_at_once_migrate_it_once {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        let database = TestDatabase::empty_postgres().await;
        let raw = Raw::Postgres(sqlx::PgPool::connect_lazy(database.url()).unwrap());
        open_four(&database, &raw).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        let database = TestDatabase::sqlite().await;
        let raw = Raw::Sqlite(sqlx::SqlitePool::connect_lazy(database.url()).unwrap());
        open_four(&database, &raw).await;
    }

    async fn open_four(database: &TestDatabase, raw: &Raw) {
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let url = database.url().to_owned();
                tokio::spawn(async move { store::open(&url, 2).await })
            })
            .collect();
        for opening in opening {
            opening.await.unwrap().unwrap().ping().await.unwrap();
        }
        let files = i64::try_from(names("sqlite").len()).unwrap();
        assert_eq!(raw.number("SELECT count(*) FROM _sqlx_migrations").await, files);
    }
}

fn names(backend: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(backend);
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    assert!(!names("postgres").is_empty());
    assert_eq!(names("postgres"), names("sqlite"));
}

#[tokio::test]
async fn a_url_of_no_known_database_is_refused() {
    for url in ["", "mysql://localhost/x", "sojourn.db", "/var/lib/sojourn.db"] {
        assert!(matches!(store::open(url, 2).await, Err(OpenError::UnknownScheme)), "{url}");
    }
    assert!(matches!(store::open("postgres://[", 2).await, Err(OpenError::Url(_))));
    assert!(matches!(store::open("sqlite:x?mode=none", 2).await, Err(OpenError::Url(_))));
    assert!(matches!(store::open("sqlite:/nowhere/at/all.db", 2).await, Err(OpenError::Connect(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_sqlite_file_and_its_log_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let fixture = Fixture::sqlite().await;
    fixture.open(session_of("ann")).await;
    let path = fixture.database.url().strip_prefix("sqlite:").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(format!("{path}{suffix}")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}
