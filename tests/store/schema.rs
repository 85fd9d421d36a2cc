//! PostgreSQL's catalogue: tables and functions must work behind poolers, under logical replication, and in any schema.

use sojourn::model::{BulkEnding, EndReason, Ended, Filter, Owner, Stale};
use sojourn::model::{LogPosition, LogSnapshot};
use sojourn::store;
use sojourn::store::BatchProgress;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};

use super::fixture::{CONNECTIONS, Fixture, Raw, at, attempt, session_of};
use crate::support::database::TestDatabase;

async fn names(fixture: &Fixture, sql: &'static str) -> Vec<String> {
    let pool = PgPool::connect(fixture.database.url()).await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap()
}

#[tokio::test]
async fn no_function_has_a_tables_row_as_argument_result_or_variable_postgres() {
    let fixture = Fixture::postgres().await;
    let found = names(
        &fixture,
        "SELECT proname::text FROM pg_proc
         WHERE pronamespace = current_schema()::regnamespace AND (
            EXISTS (SELECT FROM pg_type WHERE oid = ANY(array_append(coalesce(proallargtypes, proargtypes::oid[]), prorettype))
                AND typrelid <> 0)
            OR EXISTS (SELECT FROM pg_class WHERE relnamespace = pronamespace AND relkind = 'r'
                AND prosrc ~ ('DECLARE.*\\m' || relname || '(%ROWTYPE)?;.*BEGIN')))",
    )
    .await;
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn every_function_keeps_a_search_path_of_its_own_postgres() {
    let fixture = Fixture::postgres().await;
    let without = names(
        &fixture,
        "SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            AND 'search_path=public, pg_temp' <> ALL(coalesce(proconfig, '{}'))",
    )
    .await;
    assert_eq!(without, Vec::<String>::new());
    assert!(fixture.raw.number("SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace").await >= 10);
}

#[tokio::test]
async fn every_table_has_a_key_and_can_be_replicated_postgres() {
    let fixture = Fixture::postgres().await;
    let without_key = names(
        &fixture,
        "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
            AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)",
    )
    .await;
    assert_eq!(without_key, Vec::<String>::new());
    // With a publication PostgreSQL refuses to update a row without a replica identity.
    fixture.raw.run("CREATE PUBLICATION everything FOR ALL TABLES").await.unwrap();
    fixture.open(session_of("ann")).await;
    assert_eq!(fixture.store.roll_up(at(1)).await.unwrap(), BatchProgress::Done);
    assert_eq!(fixture.raw.number("SELECT count(*) FROM statistics_progress").await, 1);
    let second = fixture.raw.run("INSERT INTO statistics_progress (counted_until) VALUES ('2026-01-01Z')").await;
    assert!(matches!(second, Err(sqlx::Error::Database(_))), "{second:?}");
}

/// Statements that write to the change log, on tables that [`prepare`] filled.
const HEARD_OF: [&str; 8] = [
    "UPDATE public.sessions SET ended_at = last_seen_at, end_reason = 'logout'",
    "UPDATE public.sessions SET device_name = 'my phone'",
    "UPDATE public.users SET banned_at = created_at",
    "DELETE FROM public.users",
    "UPDATE public.service_keys SET revoked_at = created_at",
    "DELETE FROM public.signing_keys",
    "INSERT INTO public.signing_keys SELECT 2, 'second', algorithm, sealed, created_at, active_from FROM public.signing_keys",
    "INSERT INTO public.bulk_endings (sequence, at, reason, opened_until) VALUES (1, '2026-01-01Z', 'logout', '2026-01-01Z')",
];

async fn prepare(fixture: &Fixture) {
    fixture.open(session_of("ann")).await;
    let statements = [
        "INSERT INTO service_keys (id, name, scope, secret_hash, created_at)
         VALUES ('00000000-0000-0000-0000-000000000001', 'k', '', '', '2026-01-01Z')",
        "INSERT INTO signing_keys (sequence, kid, algorithm, sealed, created_at, active_from)
         VALUES (1, 'first', 'EdDSA', '', '2026-01-01Z', '2026-01-01Z')",
    ];
    for statement in statements {
        fixture.raw.run(statement).await.unwrap();
    }
}

async fn connect(fixture: &Fixture, settings: &[(&str, &str)]) -> PgConnection {
    let options: PgConnectOptions = fixture.database.url().parse().unwrap();
    options.options(settings.iter().copied()).disable_statement_logging().connect().await.unwrap()
}

/// The value of `synchronous_commit` that the commit would use, after `sql` in a transaction.
#[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
async fn commit_after(connection: &mut PgConnection, sql: &str) -> String {
    let mut transaction = connection.begin().await.unwrap();
    let changed = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
    assert!(changed.rows_affected() > 0, "{sql}");
    let commit = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    commit
}

#[tokio::test]
async fn what_replicas_must_hear_of_is_durable_whatever_the_connection_says_postgres() {
    let fixture = Fixture::postgres().await;
    prepare(&fixture).await;
    // The triggers find their tables although the connection's search path does not contain them.
    let mut relaxed = connect(&fixture, &[("synchronous_commit", "off"), ("search_path", "pg_catalog")]).await;
    for sql in HEARD_OF {
        assert_eq!(commit_after(&mut relaxed, sql).await, "on", "{sql}");
    }
    // Other changes do not wait for the disk, and the triggers' setting does not leak into the next transaction.
    assert_eq!(commit_after(&mut relaxed, "UPDATE public.sessions SET confirmed_counter = 1").await, "off");

    let mut stronger = connect(&fixture, &[("synchronous_commit", "remote_apply")]).await;
    for sql in HEARD_OF {
        assert_eq!(commit_after(&mut stronger, sql).await, "remote_apply", "{sql}");
    }
    let mut catching_up = connect(&fixture, &[("synchronous_commit", "off"), ("sojourn.carrying_out", "on")]).await;
    assert_eq!(commit_after(&mut catching_up, HEARD_OF[0]).await, "off");
}

#[tokio::test]
async fn a_store_works_in_a_schema_of_any_name_postgres() {
    let database = TestDatabase::empty_postgres().await;
    let mut owner = PgConnection::connect(database.url()).await.unwrap();
    for sql in ["CREATE SCHEMA other", "DROP SCHEMA public"] {
        sqlx::query(sql).execute(&mut owner).await.unwrap();
    }
    let separator = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options[search_path]=other", database.url());
    let raw = Raw::Postgres(PgPool::connect_lazy(&url).unwrap());
    let store = store::open(&url, CONNECTIONS).await.unwrap();
    let fixture = Fixture { store, raw, database };

    let (first, second) = (fixture.open(session_of("ann")).await, fixture.open(session_of("bob")).await);
    fixture.store.refresh_session(attempt(first.id, 0, at(1))).await.unwrap();
    fixture.store.end_session(first.id, Owner::Anyone, EndReason::Logout, at(2), None).await.unwrap().unwrap();
    let ended = Ended { at: at(3), reason: EndReason::RevokedByAdmin };
    fixture.store.end_in_bulk(&BulkEnding { filter: Filter::default(), except: None, ended }, None).await.unwrap();
    assert_eq!(fixture.stored(second.id).await.ended, Some(ended));
    assert_eq!(fixture.store.apply_bulk_ending(at(4)).await.unwrap(), BatchProgress::Done);
    assert_eq!(fixture.stored(second.id).await.ended, Some(ended));
    while fixture.store.roll_up(at(5)).await.unwrap() == BatchProgress::More {}
    assert_eq!(fixture.store.delete_stale(Stale::Ended(at(6)), false, None).await.unwrap(), Some(2));
    let kinds = fixture.store.changes(&LogSnapshot::default(), LogPosition::default()).await.unwrap().changes.len();
    assert_eq!(kinds, 2, "the ending and the bulk ending");
    // The triggers also work on a new connection that does not know the schema.
    let add = sqlx::query("INSERT INTO other.signing_keys VALUES (1, 'a', 'EdDSA', '', '2026-01-01Z', '2026-01-01Z')");
    add.execute(&mut owner).await.unwrap();
    assert_eq!(fixture.raw.number("SELECT count(*) FROM changes").await, 3);
}
