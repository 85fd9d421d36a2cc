//! Frequent reads go through an index on PostgreSQL, so that their cost does not grow with the table.

use std::time::Duration;

use chrono::TimeDelta;
use sojourn::model::UserDetails;
use sojourn::model::{EndReason, LimitPolicy, Owner, SessionLimit, Slide, Touch};
use sojourn::store::{RefreshAttempt, Refreshing, SessionChange};
use sqlx::PgPool;

use super::fixture::{Fixture, at, attempt, keyed, limited, new, session_at, user};

const SEED: &str = "
    INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout,
        device_type, scope, amr, metadata)
    SELECT md5(n::text)::uuid, 'user ' || n % 2000, at, at, at + interval '1 day', at + interval '30 days', 3600,
        'desktop', '', '[]', '{}'
    FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 second' AS at FROM generate_series(1, 20000) AS n) AS s";

const SEED_USERS: &str = "
    INSERT INTO users (id, created_at, updated_at)
    SELECT DISTINCT user_id, timestamptz '2026-01-01Z', timestamptz '2026-01-01Z' FROM sessions";

/// A key of every session, all of one service.
const SEED_KEYS: &str = "
    INSERT INTO idempotency_keys (service, key, fingerprint, session_id, created_at)
    SELECT 'web', id::text, 'f', id, created_at FROM sessions";

/// Twenty thousand sessions of two thousand users.
async fn seeded() -> (Fixture, PgPool) {
    let fixture = Fixture::postgres().await;
    let pool = PgPool::connect(fixture.database.url()).await.unwrap();
    for sql in [SEED, SEED_USERS, SEED_KEYS, "ANALYZE"] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    (fixture, pool)
}

/// The number of sequential scans and index scans of a table; a backend publishes them when its connection ends.
async fn scans(fixture: &Fixture, table: &str) -> (i64, i64) {
    let count = |kind| format!("SELECT coalesce({kind}, 0) FROM pg_stat_user_tables WHERE relname = '{table}'");
    (fixture.raw.number(&count("seq_scan")).await, fixture.raw.number(&count("idx_scan")).await)
}

#[tokio::test]
async fn no_statement_of_the_store_reads_a_table_from_end_to_end_postgres() {
    let (fixture, pool) = seeded().await;
    pool.close().await;
    while fixture.raw.number("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'sessions'").await < 20_000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sequential = async || {
        let mut counts = Vec::new();
        for table in ["sessions", "users", "idempotency_keys"] {
            counts.push(scans(&fixture, table).await.0);
        }
        counts
    };
    let before = sequential().await;

    let (store, now, anyone) = (&fixture.store, at(20_000), Owner::Anyone);
    // More executions than PostgreSQL plans individually before it chooses a generic plan.
    for round in 0..8 {
        let ann = user(&format!("user {round}"));
        let id = store.active_sessions_of(&ann, now).await.unwrap()[0].id;
        store.sessions_of_tokens(&[id]).await.unwrap().pop().unwrap();
        store.session_statuses(&[id]).await.unwrap().pop().unwrap();
        store.session(id, anyone).await.unwrap().unwrap();
        store.session(id, Owner::User(&ann)).await.unwrap().unwrap();
        store.count_active_sessions_of(&ann, now).await.unwrap();
        store.touch_sessions(&[Touch { id, seen_at: now, counter: 0, seen_from: None }]).await.unwrap();
        store.extend_session(id, anyone, TimeDelta::hours(1), now, None).await.unwrap().unwrap();
        store.change_session(id, anyone, &SessionChange::default(), now, None).await.unwrap().unwrap();
        let attempt = RefreshAttempt { grace: TimeDelta::zero(), ..attempt(id, 0, now) };
        store.refresh_session(attempt).await.unwrap();
        for policy in [LimitPolicy::Reject, LimitPolicy::EvictOldest, LimitPolicy::EvictLeastRecent] {
            let new = limited(&session_at(ann.as_str(), 20_000), SessionLimit { most: 3, policy });
            store.open_session(&new).await.unwrap();
        }
        store.open_session(&keyed(&session_at(ann.as_str(), 20_000), ann.as_str(), b"1")).await.unwrap();
        store.open_session(&new(&session_at(ann.as_str(), 20_000))).await.unwrap();
        store.end_session(id, anyone, EndReason::Logout, now, None).await.unwrap().unwrap();
        store.end_active_session(id, &ann, EndReason::Logout, now, None).await.unwrap();
        store.end_sessions_of(&ann, Some(id), EndReason::Logout, now, None).await.unwrap();
        store.user(&ann).await.unwrap().unwrap();
        store.put_user(&ann, &UserDetails::default(), now, None).await.unwrap();
        store.ban_user(&ann, None, now, None).await.unwrap();
        store.unban_user(&ann, now, None).await.unwrap().unwrap();
        store.delete_user(&ann, now, None).await.unwrap().unwrap();
        while store.erase_user(&ann, &format!("user:{round}"), "erased:x", None).await.unwrap() > 0 {}
    }
    store.close().await;
    while scans(&fixture, "users").await.1 < 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(sequential().await, before);
}

#[tokio::test]
async fn a_refresh_writes_no_index_unless_it_moves_the_end_postgres() {
    let fixture = Fixture::postgres().await;
    let opened = fixture.open(session_at("ann", 0)).await;
    // Below and above the least step of a refresh: half an hour is less than a tenth of a day, three hours are more.
    for (seconds, presented) in [(1800, 0), (3 * 3600, 1)] {
        let (now, slide) = (at(seconds), Slide::by(opened.expires_at - opened.created_at, at(seconds)));
        let (grace, seen_at, slide) = (TimeDelta::zero(), Some(now), Some(slide));
        let attempt = RefreshAttempt { grace, seen_at, slide, ..attempt(opened.id, presented, now) };
        assert!(matches!(fixture.store.refresh_session(attempt).await.unwrap(), Refreshing::Rotated(_)));
    }
    fixture.store.close().await;
    let updates = |kind| format!("SELECT {kind} FROM pg_stat_user_tables WHERE relname = 'sessions'");
    while fixture.raw.number(&updates("n_tup_upd")).await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(fixture.raw.number(&updates("n_tup_hot_upd")).await, 1);
}
