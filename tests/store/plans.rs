//! PostgreSQL reads by index what is read often: no cost that grows with the table.

use sqlx::{AssertSqlSafe, PgPool};

use crate::fixture::{Fixture, Raw};

/// The statements as the store sends them, as far as the choice of an index goes, and the index that serves each.
const STATEMENTS: [(&str, &str); 8] = [
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
];

const ACTIVE: &str = "(ended_at IS NULL AND expires_at > 'NOW' AND (idle_timeout IS NULL OR \
                      last_seen_at + idle_timeout * interval '1 second' > 'NOW'))";

const SEED: &str = "
    INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, absolute_expires_at, idle_timeout,
        device_type, scope, amr, metadata)
    SELECT md5(n::text)::uuid, 'user ' || n % 2000, at, at, at + interval '1 day', at + interval '30 days', 3600,
        'desktop', '', '{}', '{}'
    FROM (SELECT n, timestamptz '2026-01-01Z' + n * interval '1 second' AS at FROM generate_series(1, 20000) AS n) AS s";

#[tokio::test]
async fn what_is_read_often_is_read_by_index_postgres() {
    let fixture = Fixture::postgres().await;
    let Raw::Postgres(pool) = &fixture.raw else { panic!("not PostgreSQL") };
    for sql in [
        SEED,
        "INSERT INTO users SELECT DISTINCT user_id, '', '', NULL::timestamptz, timestamptz '2026-01-01Z', timestamptz '2026-01-01Z' FROM sessions",
        "ANALYZE",
    ] {
        fixture.raw.run(sql).await.unwrap();
    }
    for (statement, index) in STATEMENTS {
        let plan = plan(pool, statement).await;
        assert!(plan.contains(index), "{statement}\n{plan}");
        assert!(!plan.contains("Seq Scan"), "{statement}\n{plan}");
    }
}

async fn plan(pool: &PgPool, statement: &str) -> String {
    let statement = statement
        .replace("ACTIVE", ACTIVE)
        .replace("'NOW'", "'2026-01-01T03:00:00Z'")
        .replace("'ID'", "'00000000-0000-7000-8000-000000000001'");
    let lines: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {statement}"))).fetch_all(pool).await.unwrap();
    lines.join("\n")
}
