//! Errors that the store reports when its database fails.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sojourn::model::{EndReason, Filter, Owner, Session, Touch};
use sojourn::store::{Error, RefreshAttempt, Result, SessionChange};

use super::fixture::{Fixture, Raw, at, attempt, details, new, search_for, session_of, user};
use super::reauthentication::authentication;

on_both_stores!(
    a_row_that_cannot_be_read_is_a_defect,
    a_search_that_reads_for_too_long_is_stopped_and_holds_up_nothing,
    a_database_that_somebody_else_has_locked_is_not_available,
    a_table_that_is_missing_is_a_defect,
    what_cannot_be_committed_is_not_acknowledged,
);

async fn a_row_that_cannot_be_read_is_a_defect(fixture: &Fixture) {
    let id = fixture.open(session_of("ann")).await.id;
    for change in ["scope = '\"'", "ip_address = 'here'", "refresh_counter = -1"] {
        let id_text = fixture.raw.id(id);
        fixture.raw.run(&format!("UPDATE sessions SET {change} WHERE id = {id_text}")).await.unwrap();
        assert!(matches!(fixture.store.session(id, Owner::Anyone).await, Err(Error::Internal(_))), "{change}");
        assert!(matches!(fixture.store.active_sessions_of(&user("ann"), at(0)).await, Err(Error::Internal(_))));
        let repair = "scope = '', ip_address = NULL, refresh_counter = 0";
        fixture.raw.run(&format!("UPDATE sessions SET {repair} WHERE id = {id_text}")).await.unwrap();
    }
    fixture.stored(id).await;
}

async fn search(fixture: &Fixture) -> Result<Vec<Session>> {
    let filter = Filter::default();
    fixture.store.search_sessions(search_for(&filter, 9, at(0))).await
}

async fn a_search_that_reads_for_too_long_is_stopped_and_holds_up_nothing(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    fixture.raw.run("ALTER TABLE sessions RENAME TO kept").await.unwrap();
    let slow = match fixture.raw {
        Raw::Postgres(_) => "SELECT kept.* FROM kept, pg_sleep(60)",
        Raw::Sqlite(_) => {
            "WITH RECURSIVE forever (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM forever)
             SELECT * FROM kept WHERE (SELECT max(i) FROM forever) > 0"
        }
    };
    fixture.raw.run(&format!("CREATE VIEW sessions AS {slow}")).await.unwrap();
    let start = Instant::now();
    // More searches than the pool for searches has connections.
    let searches = tokio::join!(search(fixture), search(fixture), search(fixture), search(fixture), async {
        for _ in 0..20 {
            fixture.store.user(&session.user_id).await.unwrap().unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(1), "others were held up for {:?}", start.elapsed());
    });
    for answer in [searches.0, searches.1, searches.2, searches.3] {
        assert!(matches!(answer, Err(Error::TooSlow | Error::Unavailable(_))), "{answer:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());

    fixture.raw.run("DROP VIEW sessions").await.unwrap();
    fixture.raw.run("ALTER TABLE kept RENAME TO sessions").await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(search(fixture).await.unwrap(), [session]);
}

async fn a_database_that_somebody_else_has_locked_is_not_available(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let ending = async || {
        let start = Instant::now();
        let ending = fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(1), None).await;
        assert!(start.elapsed() < Duration::from_secs(7));
        ending
    };
    match &fixture.raw {
        Raw::Postgres(pool) => {
            let mut other = pool.begin().await.unwrap();
            sqlx::query("SELECT FROM sessions FOR UPDATE").execute(&mut *other).await.unwrap();
            assert!(matches!(ending().await, Err(Error::Unavailable(_))));
            other.rollback().await.unwrap();
        }
        Raw::Sqlite(pool) => {
            let other = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
            assert!(matches!(ending().await, Err(Error::Unavailable(_))));
            other.rollback().await.unwrap();
        }
    }
    assert_eq!(fixture.stored(session.id).await.ended, None);
    ending().await.unwrap();
}

async fn a_table_that_is_missing_is_a_defect(fixture: &Fixture) {
    fixture.raw.run("DROP TABLE service_keys").await.unwrap();
    assert!(matches!(fixture.store.service_keys().await, Err(Error::Internal(_))));
}

/// A deferred constraint fails only at the commit.
async fn what_cannot_be_committed_is_not_acknowledged(fixture: &Fixture) {
    let session = fixture.open(session_of("ann")).await;
    let told = fixture.store.put_user(&session.user_id, &details(Some("Ann"), None), at(0), None).await.unwrap();
    let tables = "CREATE TABLE absent (id integer PRIMARY KEY);
        CREATE TABLE faults (id integer REFERENCES absent (id) DEFERRABLE INITIALLY DEFERRED);";
    let triggers = match fixture.raw {
        Raw::Postgres(_) => {
            "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO faults VALUES (1); RETURN NULL; END $$;
             CREATE TRIGGER fault AFTER INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION fault();
             CREATE TRIGGER fault AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION fault();"
        }
        Raw::Sqlite(_) => {
            "CREATE TRIGGER fault1 AFTER INSERT ON sessions BEGIN INSERT INTO faults VALUES (1); END;
             CREATE TRIGGER fault2 AFTER UPDATE ON sessions BEGIN INSERT INTO faults VALUES (1); END;
             CREATE TRIGGER fault3 AFTER INSERT ON users BEGIN INSERT INTO faults VALUES (1); END;
             CREATE TRIGGER fault4 AFTER UPDATE ON users BEGIN INSERT INTO faults VALUES (1); END;
             CREATE TRIGGER fault5 AFTER DELETE ON users BEGIN INSERT INTO faults VALUES (1); END;"
        }
    };
    fixture.raw.run_all(&format!("{tables}{triggers}")).await;

    let (store, id, ann, now, anyone) = (&fixture.store, session.id, &session.user_id, at(1), Owner::Anyone);
    let attempt = |presented| RefreshAttempt { grace: TimeDelta::zero(), ..attempt(id, presented, now) };
    let change = SessionChange { device_name: Some(None), ..SessionChange::default() };
    let outcomes = [
        ("open_session", store.open_session(&new(&session_of("ann"))).await.err()),
        (
            "touch_sessions",
            store.touch_sessions(&[Touch { id, seen_at: now, counter: 0, seen_from: None }]).await.err(),
        ),
        ("extend_session", store.extend_session(id, anyone, TimeDelta::hours(1), now, None).await.err()),
        ("change_session", store.change_session(id, anyone, &change, now, None).await.err()),
        ("end_session", store.end_session(id, anyone, EndReason::Logout, now, None).await.err()),
        ("end_active_session", store.end_active_session(id, ann, EndReason::Logout, now, None).await.err()),
        ("end_sessions_of", store.end_sessions_of(ann, None, EndReason::Logout, now, None).await.err()),
        ("reauthenticate_session", store.reauthenticate_session(&authentication(&session, now)).await.err()),
        ("refresh_session", store.refresh_session(attempt(0)).await.err()),
        ("put_user", store.put_user(ann, &details(Some("B"), None), now, None).await.err()),
        ("ban_user", store.ban_user(ann, None, now, None).await.err()),
        ("unban_user", store.unban_user(ann, now, None).await.err()),
        ("delete_user", store.delete_user(ann, now, None).await.err()),
    ];
    for (method, error) in outcomes {
        assert!(matches!(error, Some(Error::Internal(_))), "{method}: {error:?}");
    }
    assert_eq!(fixture.stored(id).await, session);
    assert_eq!(store.user(ann).await.unwrap(), Some(told));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_the_start() {
    let opened = sojourn::store::open("postgres://nobody@127.0.0.1:1/nothing", 2).await;
    assert!(matches!(opened, Err(sojourn::store::OpenError::Connect(_))));
}
