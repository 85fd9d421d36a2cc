//! A database that was replaced: its change log is restored from a dump, or it takes no more writes.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::support::server::{Answer, BOOTSTRAP_KEY, Server};
use crate::support::stream::Stream;

const PATIENCE: Duration = Duration::from_secs(20);

async fn run(server: &Server, statements: &'static str) {
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
}

/// Breaks all connections of the server, as a restart would.
async fn disconnect(server: &Server) {
    run(
        server,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
}

/// Puts the rows of the change log into a new table, as restoring a dump does.
async fn restore_log(server: &Server) {
    run(
        server,
        "BEGIN;
         CREATE TABLE restored (LIKE changes INCLUDING ALL);
         INSERT INTO restored OVERRIDING SYSTEM VALUE SELECT * FROM changes;
         SELECT setval(pg_get_serial_sequence('restored', 'sequence'), 1000);
         DROP TABLE changes;
         ALTER TABLE restored RENAME TO changes;
         COMMIT",
    )
    .await;
    disconnect(server).await;
}

async fn revocations(server: &Server, query: &str) -> Answer {
    server.send("GET", &format!("/v1/revocations{query}"), BOOTSTRAP_KEY).await
}

/// Ends a session, repeating the request until it is acknowledged.
async fn end_again(server: &Server, id: &str) {
    let path = format!("/v1/sessions/{id}");
    until(|| server.send("DELETE", &path, BOOTSTRAP_KEY), |ended| ended.status == 204).await;
}

/// Repeats a request until its answer fits.
async fn until(ask: impl AsyncFn() -> Answer, fits: impl Fn(&Answer) -> bool) -> Answer {
    let started = Instant::now();
    loop {
        let answer = ask().await;
        if fits(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{} {}", answer.status, answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_a_restored_log_gets_the_whole_list() {
    let server = Server::start_on_postgres().await;
    let (old, new) = (server.open("alice").await, server.open("alice").await);
    server.end(&old.id).await;
    let list =
        until(|| revocations(&server, ""), |list| list.status == 200 && list.text.contains(&old.id)).await.json();
    let since = format!("?since={}", list["cursor"].as_str().unwrap());
    assert_eq!(revocations(&server, &since).await.json()["complete"], false);
    restore_log(&server).await;
    end_again(&server, &new.id).await;
    let list = until(|| revocations(&server, &since), |list| list.status == 200 && list.text.contains(&new.id)).await;
    assert_eq!(list.json()["complete"], true);
    assert!(list.text.contains(&old.id), "{}", list.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_of_a_restored_log_is_told_that_it_may_have_missed_something() {
    let server = Server::start_on_postgres().await;
    let session = server.open("alice").await;
    server.follows().await;
    let mut live = Stream::open(server.request("GET", "/v1/events").bearer_auth(BOOTSTRAP_KEY)).await;
    let cursor = live.next().await.unwrap().id;
    restore_log(&server).await;
    end_again(&server, &session.id).await;
    assert_eq!(live.next_event("session.ended").await.json()["session_id"], session.id, "whoever stayed hears on");
    let again = server.request("GET", "/v1/events").bearer_auth(BOOTSTRAP_KEY).header("last-event-id", cursor);
    Stream::open(again).await.next_event("missed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_is_not_believed() {
    let server = Server::start_on_postgres().await;
    let session = server.open("alice").await;
    server.follows().await;
    let check = async |query: &str| server.send("GET", &format!("/v1/verify{query}"), &session.access).await;
    for query in ["", "?freshness=strict"] {
        assert_eq!(check(query).await.status, 200);
    }
    run(&server, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$").await;
    disconnect(&server).await;
    let is_unavailable = |answer: &Answer| answer.status == 503;
    for ask in ["/readyz", "/v1/revocations"] {
        until(|| server.send("GET", ask, BOOTSTRAP_KEY), is_unavailable).await;
    }
    for query in ["", "?freshness=strict"] {
        until(|| check(query), is_unavailable).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_from_before_an_authentication_takes_the_tokens_from_after_it() {
    let before = Server::start_on_postgres().await;
    let mut later = Vec::new();
    for tokens in ["access_and_refresh", "session"] {
        let opened = before.open_with(&json!({ "user_id": "alice", "tokens": tokens })).await;
        let path = format!("/v1/sessions/{}/authenticate", opened.id);
        let body = json!({ "acr": "aal2", "tokens": tokens });
        later.push(before.send_json("POST", &path, BOOTSTRAP_KEY, &body).await.expect(200).json());
    }
    run(
        &before,
        "ALTER TABLE sessions DISABLE TRIGGER USER;
         UPDATE sessions SET least_counter = 0, refresh_counter = 0, acr = NULL, authenticated_at = created_at;
         ALTER TABLE sessions ENABLE TRIGGER USER",
    )
    .await;
    let restored = before.replica().await;
    for token in [&later[0]["access_token"], &later[1]["session_token"]] {
        assert!(restored.stands(token.as_str().unwrap()).await, "nobody is signed out");
    }
    let unmet = restored.send("GET", "/v1/require/acr=aal2", later[1]["session_token"].as_str().unwrap()).await;
    unmet.expect_problem(403, "insufficient_user_authentication");
    restored.refresh(later[0]["refresh_token"].as_str().unwrap()).await.expect(200);
}
