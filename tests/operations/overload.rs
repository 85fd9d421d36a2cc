//! All connections to the database are in use.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::database::TestDatabase;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

/// FT-13: a session is locked, and statements that wait for it hold every shared connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_connection_is_free_sessions_can_still_be_ended_and_others_are_refused_soon() {
    let database = TestDatabase::postgres().await;
    let raw = sqlx::PgPool::connect_lazy(database.url()).unwrap();
    let server = Server::start(database).await;
    let (locked, other) = (server.open("alice").await, server.open("bob").await);
    let admin = server.key("sessions:admin").await;
    let mut lock = raw.begin().await.unwrap();
    sqlx::query("SELECT FROM sessions WHERE user_id = 'alice' FOR UPDATE").execute(&mut *lock).await.unwrap();

    let (path, other_path) = (format!("/v1/sessions/{}", locked.id), format!("/v1/sessions/{}", other.id));
    let changes = (0..20).map(|_| {
        let change = server.request("PATCH", &path).bearer_auth(BOOTSTRAP_KEY).json(&json!({ "device_name": "x" }));
        tokio::spawn(answer(change))
    });
    let changes: Vec<_> = changes.collect();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&raw).await.unwrap() < 4 {
        tokio::task::yield_now().await;
    }

    let asked = Instant::now();
    let (ended, healthy, read) = tokio::join!(
        async { (server.send("DELETE", &other_path, &admin).await.expect(204), asked.elapsed()).1 },
        async { (answer(server.request("GET", "/healthz")).await.expect(200), asked.elapsed()).1 },
        async { (server.send("GET", "/v1/users/alice", BOOTSTRAP_KEY).await, asked.elapsed()) },
    );
    assert!(ended < Duration::from_secs(1), "{ended:?}");
    assert!(healthy < Duration::from_millis(500), "{healthy:?}");
    let (read, took) = read;
    assert!(read.status == 200 || read.status == 503 && read.header("retry-after") == "1", "{read:?}");
    assert!(took < Duration::from_millis(1500), "{took:?}");
    for change in changes {
        let refused = change.await.unwrap().expect_problem(503, "unavailable");
        assert_eq!(refused.header("retry-after"), "1");
    }

    lock.rollback().await.unwrap();
    let freed = Instant::now();
    server.send_json("PATCH", &path, BOOTSTRAP_KEY, &json!({ "device_name": "x" })).await.expect(200);
    assert!(freed.elapsed() < Duration::from_secs(2), "{:?}", freed.elapsed());
    assert!(!server.stands(&other.access).await);
    raw.close().await;
}
