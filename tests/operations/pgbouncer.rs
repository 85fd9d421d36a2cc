//! PgBouncer between the server and its database.

use serde_json::json;

use crate::support::database::TestDatabase;
use crate::support::pgbouncer::PgBouncer;
use crate::support::process::{Folder, SECRET};
use crate::support::server::Server;

/// Records the settings of each connection that opens or ends a session.
const NOTE_SETTINGS: &str = "
    CREATE TABLE noted (settings TEXT NOT NULL);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO noted SELECT string_agg(name || '=' || current_setting(name), ' ' ORDER BY name)
        FROM unnest(ARRAY['lock_timeout', 'plan_cache_mode', 'statement_timeout', 'synchronous_commit']) AS name;
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION note()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_session_mode_pgbouncer_keeps_every_setting() {
    let database = TestDatabase::postgres().await;
    let raw = sqlx::PgPool::connect_lazy(database.url()).unwrap();
    sqlx::raw_sql(NOTE_SETTINGS).execute(&raw).await.unwrap();
    let pooler = PgBouncer::start(database.url(), "session").await;
    let database_url = pooler.url(database.url());
    let server = Server::builder().database_url(database_url).start(database).await;
    server.follows().await;

    let opened = server.open("alice").await;
    assert!(server.stands(&opened.access).await);
    let admin = server.key("sessions:admin").await;
    server.send("DELETE", &format!("/v1/sessions/{}", opened.id), &admin).await.expect(204);
    assert!(!server.stands(&opened.access).await);
    let limited = json!({ "filter": { "user_id": "alice" }, "dry_run": true });
    server.send_json("POST", "/v1/sessions/revoke", &admin, &limited).await.expect(200);

    let noted: Vec<String> = sqlx::query_scalar("SELECT DISTINCT settings FROM noted").fetch_all(&raw).await.unwrap();
    let expected = "lock_timeout=2s plan_cache_mode=force_generic_plan statement_timeout=4s synchronous_commit=on";
    assert_eq!(noted, [expected]);
    raw.close().await;
    drop(server);
    drop(pooler);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbouncer_in_transaction_or_statement_mode_is_refused_in_one_line() {
    let database = TestDatabase::empty_postgres().await;
    for mode in ["transaction", "statement"] {
        let pooler = PgBouncer::start(database.url(), mode).await;
        let folder = Folder::new();
        let mut program = folder.program();
        let started =
            program.args(["migrate", "--database-url", &pooler.url(database.url())]).env("SOJOURN_SECRET", SECRET);
        let output = started.output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.lines().count() == 1, "{mode}: {told}");
        assert!(told.starts_with("sojourn: ") && told.contains("pooler in transaction or statement mode"), "{told}");
    }
    let raw = sqlx::PgPool::connect_lazy(database.url()).unwrap();
    let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('sessions', '_sqlx_migrations')";
    assert_eq!(sqlx::query_scalar::<_, i64>(tables).fetch_one(&raw).await.unwrap(), 0, "something was migrated");
    raw.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_pgbouncer_refuses_is_named() {
    let database = TestDatabase::empty_postgres().await;
    let pooler = PgBouncer::start(database.url(), "session").await;
    let url = format!("{}?options=-c%20geqo%3Doff", pooler.url(database.url()));
    let error = sojourn::store::open(&url, 2).await.err().unwrap().to_string();
    assert!(error.contains("unsupported startup parameter: options"), "{error}");
    assert!(error.contains("ignore_startup_parameters"), "{error}");
}
