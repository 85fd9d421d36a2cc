//! Retries on PostgreSQL (`src/store/postgres/retry.rs`): after which errors, and how often.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sojourn::model::{EndReason, Owner, Touch};
use sojourn::store::{EndOutcome, EndedAtOnce, Error, RefreshAttempt, Refreshing};

use super::fixture::{CONNECTIONS, Fixture, Raw, at, attempt, details, new, session_of, user};

impl Raw {
    fn pool(&self) -> &sqlx::PgPool {
        match self {
            Self::Postgres(pool) => pool,
            Self::Sqlite(_) => panic!("only PostgreSQL"),
        }
    }
}

/// Opens as many connections as the store may have.
async fn fill(fixture: &Fixture) {
    let reads = |_, store: std::sync::Arc<dyn sojourn::store::Store>| async move { store.user(&user("ann")).await };
    for read in fixture.race(CONNECTIONS as usize * 4, reads).await {
        read.unwrap();
    }
}

async fn cut_all(fixture: &Fixture) {
    let cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'sojourn'";
    assert!(fixture.raw.run(cut).await.unwrap() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_all_connections_were_cut_what_may_be_repeated_does_not_notice() {
    let fixture = Fixture::postgres().await;
    let (store, ann) = (&fixture.store, user("ann"));
    let session = fixture.open(session_of("ann")).await;
    let id = session.id;

    fill(&fixture).await;
    cut_all(&fixture).await;
    assert_eq!(store.session(id, Owner::Anyone).await.unwrap(), Some(session.clone()));
    fill(&fixture).await;
    cut_all(&fixture).await;
    store.touch_sessions(&[Touch { id, seen_at: at(1), counter: 0, seen_from: None }]).await.unwrap();
    fill(&fixture).await;
    cut_all(&fixture).await;
    let attempt = RefreshAttempt { grace: TimeDelta::zero(), ..attempt(id, 0, at(2)) };
    assert!(matches!(store.refresh_session(attempt).await, Ok(Refreshing::Rotated(_))));
    fill(&fixture).await;
    cut_all(&fixture).await;
    let ended = store.end_session(id, Owner::Anyone, EndReason::Logout, at(3), None).await.unwrap();
    assert!(matches!(ended, Some(EndOutcome::Ended(_))));

    let second = fixture.open(session_of("ann")).await;
    fill(&fixture).await;
    cut_all(&fixture).await;
    assert!(store.end_active_session(second.id, &ann, EndReason::Logout, at(4), None).await.unwrap());
    let third = fixture.open(session_of("ann")).await;
    fill(&fixture).await;
    cut_all(&fixture).await;
    assert_eq!(
        store.end_sessions_of(&ann, None, EndReason::Logout, at(5), None).await.unwrap(),
        EndedAtOnce::Ended(vec![third.id])
    );
    fill(&fixture).await;
    cut_all(&fixture).await;
    assert!(store.delete_user(&ann, at(6), None).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_not_idempotent_are_not_repeated_and_no_other_connection_is_tried_in_vain() {
    let fixture = Fixture::postgres().await;
    let session = fixture.open(session_of("ann")).await;
    fill(&fixture).await;
    cut_all(&fixture).await;
    let extended = fixture.store.extend_session(session.id, Owner::Anyone, TimeDelta::minutes(1), at(1), None).await;
    assert!(matches!(extended, Err(Error::Unavailable(_))), "{extended:?}");
    let opened = fixture.store.open_session(&new(&session_of("ann"))).await;
    assert!(opened.is_ok(), "one break is enough to distrust all connections of that time: {opened:?}");
    assert_eq!(fixture.stored(session.id).await.expires_at, session.expires_at);
}

/// Makes the next `times` changes of sessions and users fail with this SQLSTATE. A sequence counts them, because a
/// rollback does not reset it.
async fn fail(fixture: &Fixture, times: u32, code: &str) {
    fixture
        .raw
        .run_all(&format!(
            "DROP SEQUENCE IF EXISTS tries;
             CREATE SEQUENCE tries;
             CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('tries') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '{code}'; END IF;
                RETURN NULL;
             END $$;
             CREATE OR REPLACE TRIGGER fail AFTER INSERT OR UPDATE ON sessions EXECUTE FUNCTION fail();
             CREATE OR REPLACE TRIGGER fail AFTER INSERT OR UPDATE ON users EXECUTE FUNCTION fail();"
        ))
        .await;
}

async fn tries(fixture: &Fixture) -> i64 {
    fixture.raw.number("SELECT last_value FROM tries").await
}

/// FT-22.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_was_undone_is_tried_three_times_in_all() {
    let fixture = Fixture::postgres().await;
    let store = &fixture.store;
    let session = fixture.open(session_of("ann")).await;
    for code in ["40001", "40P01"] {
        fail(&fixture, 2, code).await;
        let extended = store.extend_session(session.id, Owner::Anyone, TimeDelta::minutes(1), at(1), None).await;
        assert!(extended.unwrap().is_some());
        assert_eq!(tries(&fixture).await, 3);
        fail(&fixture, 2, code).await;
        store.open_session(&new(&session_of("ben"))).await.unwrap();
        fail(&fixture, 2, code).await;
        store.put_user(&user("ben"), &details(Some("Ben"), None), at(1), None).await.unwrap();

        fail(&fixture, 3, code).await;
        let banned = store.ban_user(&user("ben"), None, at(1), None).await;
        assert!(matches!(banned, Err(Error::Unavailable(_))), "{banned:?}");
        assert_eq!(tries(&fixture).await, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_has_waited_for_a_lock_does_not_wait_again() {
    let fixture = Fixture::postgres().await;
    let session = fixture.open(session_of("ann")).await;
    for code in ["55P03", "57014", "53100"] {
        fail(&fixture, 1, code).await;
        let ended = fixture.store.end_session(session.id, Owner::Anyone, EndReason::Logout, at(1), None).await;
        assert!(matches!(ended, Err(Error::Unavailable(_))), "{code}: {ended:?}");
        assert_eq!(tries(&fixture).await, 1, "{code}");
    }
}

/// FT-22, with a genuine deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loser_of_a_deadlock_tries_again() {
    let fixture = Fixture::postgres().await;
    let (first, second) = (fixture.open(session_of("ann")).await.id, fixture.open(session_of("ann")).await.id);
    let (first, second) = (first.min(second), first.max(second));
    let lock =
        |id: sojourn::model::SessionId| sqlx::query("SELECT FROM sessions WHERE id = $1 FOR UPDATE").bind(id.as_uuid());
    let mut other = fixture.raw.pool().begin().await.unwrap();
    sqlx::query("SET LOCAL deadlock_timeout = '30s'").execute(&mut *other).await.unwrap();
    lock(second).execute(&mut *other).await.unwrap();
    let store = fixture.store.clone();
    let ending =
        tokio::spawn(async move { store.end_sessions_of(&user("ann"), None, EndReason::Logout, at(1), None).await });
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while fixture.raw.number(waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    lock(first).execute(&mut *other).await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(ending.await.unwrap().unwrap(), EndedAtOnce::Ended(vec![first, second]));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    while fixture.raw.number(deadlocks).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
