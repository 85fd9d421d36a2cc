//! A session in use is not idle, whichever replica saw the use and however little of it was written.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::Server;

on_both_databases! {
    async fn a_use_shortly_after_the_last_written_one_counts(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session", "idle_timeout": 60 })).await;
        server.wait(TimeDelta::seconds(13));
        assert!(server.stands(&opened.access).await);
        server.wait(TimeDelta::seconds(48));
        assert!(server.stands(&opened.access).await, "unused for 48 seconds of 60");
        server.wait(TimeDelta::seconds(60));
        assert!(!server.stands(&opened.access).await);
    }

    async fn a_use_at_the_last_moment_counts_for_every_replica_and_every_question(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open_with(&json!({ "user_id": "alice", "idle_timeout": 240 })).await;
        one.wait(TimeDelta::seconds(232));
        assert!(one.stands(&opened.access).await);
        one.wait(TimeDelta::seconds(20));
        assert!(two.stands(&opened.access).await);
        let count = one.send("GET", "/auth/sessions/count", &opened.access).await.expect(200).json();
        assert_eq!(count, json!({ "activeSessions": 1 }));
        two.refresh(&opened.refresh).await.expect(200);
        one.send("DELETE", &format!("/auth/sessions/{}", opened.id), &opened.access).await.expect(200);
    }

    async fn a_use_is_written_once_it_is_due_and_all_at_the_end(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let user = sojourn::model::UserId::parse("alice").unwrap();
        let stored = async || server.store.active_sessions_of(&user, server.now()).await.unwrap()[0].last_seen_at;
        let first = stored().await;
        server.wait(TimeDelta::seconds(30));
        assert!(server.stands(&opened.access).await);
        server.sessions.write_due_activity().await.unwrap();
        assert_eq!(stored().await, first, "not due yet");
        server.wait(TimeDelta::seconds(31));
        server.sessions.write_due_activity().await.unwrap();
        let second = stored().await;
        assert!(second > first);
        assert!(server.stands(&opened.access).await);
        server.sessions.write_all_activity().await.unwrap();
        assert!(stored().await > second);
    }
}
