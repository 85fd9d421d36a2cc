//! A backup that is put back, and the steps that `docs/backup-and-restore.md` tells after it.

use serde_json::json;
use sqlx::SqlitePool;
use uuid::Uuid;

use crate::support::database::TestDatabase;
use crate::support::server::{BOOTSTRAP_KEY, Options, Server};

/// L-05.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_restore_brings_back_is_ended_by_the_steps_of_the_runbook_sqlite() {
    let server = Server::start(TestDatabase::sqlite().await).await;
    let ended = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
    let signed = server.open("alice").await;
    let key = server.key("sessions:read").await;
    let key_id = server.store.service_keys().await.unwrap().pop().unwrap().id;
    let copy = format!("{}.{}.backup", server.database_url().trim_start_matches("sqlite:"), Uuid::nil());
    let pool = SqlitePool::connect(server.database_url()).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(&copy).execute(&pool).await.unwrap();
    for session in [&ended, &signed] {
        server.send("DELETE", &format!("/v1/sessions/{}", session.id), BOOTSTRAP_KEY).await.expect(204);
    }
    assert!(server.store.revoke_service_key(key_id, server.now()).await.unwrap());

    let url = Some(format!("sqlite:{copy}"));
    let restored = server.replica_with(|options| Options { database_url: url, ..options }).await;
    assert!(restored.stands(&ended.access).await && restored.stands(&signed.access).await, "they are good again");
    restored.send("GET", "/v1/sessions", &key).await.expect(200);

    restored.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &json!({ "all": true })).await.expect(200);
    assert!(restored.store.revoke_service_key(key_id, restored.now()).await.unwrap());
    restored.signing_keys().rotate(true).await.unwrap();
    restored.sessions.access_tokens().replace_keys(restored.signing_keys().load().await.unwrap());
    restored.catch_up().await;
    assert!(!restored.stands(&ended.access).await && !restored.stands(&signed.access).await);
    restored.refresh(&signed.refresh).await.expect(400);
    restored.send("GET", "/v1/sessions", &key).await.expect_problem(401, "unauthenticated");
    let published = restored.send("GET", "/.well-known/jwks.json", "").await.expect(200).json();
    assert_eq!(published["keys"].as_array().unwrap().len(), 1, "and not the keys of the backup");
    assert!(restored.stands(&restored.open("alice").await.access).await);
}
