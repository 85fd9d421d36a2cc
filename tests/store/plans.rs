//! PostgreSQL reads by index what is read often: no cost that grows with the table.

use std::time::Duration;

use chrono::TimeDelta;
use sojourn::sessions::{EndReason, LimitPolicy, Owner, SessionLimit, Touch};
use sojourn::store::{RefreshAttempt, SessionChange};
use sojourn::users::UserDetails;
use sqlx::{AssertSqlSafe, PgPool};

use super::fixture::{Fixture, at, keyed, limited, new, session_at, user};

/// The statements as the store sends them, as far as the choice of an index goes, and the index that serves each.
const STATEMENTS: [(&str, &str); 19] = [
    ("SELECT * FROM sessions WHERE id = 'ID' AND (NULL::text IS NULL OR user_id = NULL)", "sessions_pkey"),
    (
        "SELECT * FROM sessions LEFT JOIN (SELECT id AS user_row FROM users) AS users ON user_row = user_id \
         WHERE id = 'ID'",
        "sessions_pkey",
    ),
    (
        "SELECT * FROM sessions WHERE user_id = 'user 7' AND ACTIVE ORDER BY created_at DESC, id DESC LIMIT 10000",
        "sessions_by_user",
    ),
    (
        "SELECT count(*) FROM (SELECT FROM sessions WHERE user_id = 'user 7' AND ACTIVE LIMIT 10000) AS l",
        "sessions_by_user",
    ),
    (
        "SELECT * FROM sessions WHERE 'NOW'::timestamptz IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 51",
        "sessions_by_creation",
    ),
    (
        "SELECT * FROM sessions WHERE (created_at, id) < ('NOW', 'ID') ORDER BY created_at DESC, id DESC LIMIT 51",
        "sessions_by_creation",
    ),
    (
        "SELECT * FROM sessions WHERE user_id = 'user 7' ORDER BY last_seen_at DESC, id DESC LIMIT 51",
        "sessions_by_user",
    ),
    ("SELECT * FROM sessions WHERE TRUE ORDER BY expires_at DESC, id DESC LIMIT 51", "sessions_by_end"),
    ("SELECT * FROM sessions WHERE (ended_at IS NULL AND (1 = 1 AND 1 = 1)) ORDER BY id LIMIT 50", "sessions_pkey"),
    ("SELECT * FROM sessions WHERE (ended_at IS NULL AND user_id = 'user 7') ORDER BY id LIMIT 50", "sessions_by_user"),
    (
        "SELECT * FROM sessions WHERE user_id = 'user 7' AND created_at >= 'NOW' AND created_at < 'NOW' AND ACTIVE",
        // Either index of the time will do: which is the shorter way depends on the user.
        "sessions_by_",
    ),
    (
        "SELECT count(*) FILTER (WHERE ACTIVE) FROM sessions WHERE user_id = 'user 7' AND ended_at IS NULL",
        "sessions_by_user",
    ),
    (
        "SELECT ctid FROM sessions WHERE expires_at <= 'NOW' ORDER BY expires_at LIMIT 5000 FOR UPDATE SKIP LOCKED",
        "sessions_by_end",
    ),
    (
        "SELECT ctid FROM sessions WHERE ended_at <= 'NOW' ORDER BY ended_at LIMIT 5000 FOR UPDATE SKIP LOCKED",
        "sessions_by_ending",
    ),
    (
        "SELECT created_at FROM sessions WHERE created_at >= 'NOW' AND created_at < 'LATER' \
         ORDER BY created_at LIMIT 1 OFFSET 5000",
        "sessions_by_creation",
    ),
    ("SELECT client_id FROM sessions WHERE created_at >= 'NOW' AND created_at < 'LATER'", "sessions_by_creation"),
    (
        "SELECT client_id FROM sessions WHERE ended_at >= 'NOW' AND ended_at < 'LATER' AND ended_at < expires_at",
        "sessions_by_ending",
    ),
    (
        "SELECT client_id FROM sessions WHERE expires_at >= 'NOW' AND expires_at < 'LATER' \
         AND (ended_at IS NULL OR ended_at >= expires_at)",
        "sessions_by_end",
    ),
    (
        "WITH span AS MATERIALIZED (SELECT ended_at FROM sessions WHERE created_at > 'NOW' AND created_at <= 'LATER') \
         SELECT FROM span WHERE ended_at = 'NOW'",
        "sessions_by_creation",
    ),
];

const ACTIVE: &str = "(ended_at IS NULL AND expires_at > 'NOW' AND (idle_timeout IS NULL OR \
                      last_seen_at + idle_timeout * interval '1 second' > 'NOW'))";

const SEED: &str = "
    INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout,
        device_type, scope, amr, metadata)
    SELECT md5(n::text)::uuid, 'user ' || n % 2000, at, at, at + interval '1 day', at + interval '30 days', 3600,
        'desktop', '', '{}', '{}'
    FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 second' AS at FROM generate_series(1, 20000) AS n) AS s";

const SEED_USERS: &str = "
    INSERT INTO users (id, created_at, updated_at)
    SELECT DISTINCT user_id, timestamptz '2026-01-01Z', timestamptz '2026-01-01Z' FROM sessions";

/// Twenty thousand sessions of two thousand users.
async fn seeded() -> (Fixture, PgPool) {
    let fixture = Fixture::postgres().await;
    let pool = PgPool::connect(fixture.database.url()).await.unwrap();
    for sql in [SEED, SEED_USERS, "ANALYZE"] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    (fixture, pool)
}

#[tokio::test]
async fn what_is_read_often_is_read_by_index_postgres() {
    let (_fixture, pool) = seeded().await;
    for (statement, index) in STATEMENTS {
        let plan = plan(&pool, statement).await;
        assert!(plan.contains(index), "{statement}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}

/// How often a table was read from end to end, and how often by index: counted when a connection ends.
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
    let before = [scans(&fixture, "sessions").await.0, scans(&fixture, "users").await.0];

    let (store, now, anyone) = (&fixture.store, at(20_000), Owner::Anyone);
    // More often than PostgreSQL tries before it settles for one plan for all values.
    for round in 0..8 {
        let ann = user(&format!("user {round}"));
        let id = store.active_sessions_of(&ann, now).await.unwrap()[0].id;
        store.sessions_of_tokens(&[id]).await.unwrap().pop().unwrap();
        store.session(id, anyone).await.unwrap().unwrap();
        store.session(id, Owner::User(&ann)).await.unwrap().unwrap();
        store.count_active_sessions_of(&ann, now).await.unwrap();
        store.touch_sessions(&[Touch { id, seen_at: now, counter: 0 }]).await.unwrap();
        store.extend_session(id, anyone, TimeDelta::hours(1), now).await.unwrap().unwrap();
        store.change_session(id, anyone, &SessionChange::default(), now).await.unwrap().unwrap();
        let attempt = RefreshAttempt {
            id,
            presented: 0,
            seen_counter: 0,
            seen_at: None,
            now,
            grace: TimeDelta::zero(),
            slide_to: None,
        };
        store.refresh_session(attempt).await.unwrap();
        for policy in [LimitPolicy::Reject, LimitPolicy::EvictOldest, LimitPolicy::EvictLeastRecent] {
            let new = limited(&session_at(ann.as_str(), 20_000), SessionLimit { most: 3, policy });
            store.open_session(&new).await.unwrap();
        }
        store.open_session(&keyed(&session_at(ann.as_str(), 20_000), ann.as_str(), b"1")).await.unwrap();
        store.open_session(&new(&session_at(ann.as_str(), 20_000))).await.unwrap();
        store.end_session(id, anyone, EndReason::Logout, now).await.unwrap().unwrap();
        store.end_active_session(id, &ann, EndReason::Logout, now).await.unwrap();
        store.end_sessions_of(&ann, Some(id), EndReason::Logout, now).await.unwrap();
        store.user(&ann).await.unwrap().unwrap();
        store.put_user(&ann, &UserDetails::default(), now).await.unwrap();
        store.ban_user(&ann, now).await.unwrap();
        store.unban_user(&ann, now).await.unwrap().unwrap();
        store.delete_user(&ann, now).await.unwrap().unwrap();
    }
    store.close().await;
    while scans(&fixture, "users").await.1 < 50 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!([scans(&fixture, "sessions").await.0, scans(&fixture, "users").await.0], before);
}

#[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
async fn plan(pool: &PgPool, statement: &str) -> String {
    let statement = statement
        .replace("ACTIVE", ACTIVE)
        .replace("'NOW'", "'2026-01-01T03:00:00Z'")
        .replace("'LATER'", "'2026-01-01T03:15:00Z'")
        .replace("'ID'", "'00000000-0000-7000-8000-000000000001'");
    let lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {statement}"))).fetch_all(pool).await.unwrap();
    lines.join("\n")
}
