//! `POST /api/v0/sessions/cleanup`, `GET /api/v0/sessions/stats`, and the native `POST /v1/cleanup`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Opened, Server, answer};

const PATH: &str = "/api/v0/sessions";

async fn stats(server: &Server, token: &str) -> Value {
    server.send("GET", &format!("{PATH}/stats"), token).await.expect(200).json()
}

async fn clean_up(server: &Server, token: &str) -> Value {
    server.send("POST", &format!("{PATH}/cleanup"), token).await.expect(200).json()
}

/// Leaves three inactive sessions of `user`: one that expired, one that is idle for too long, one that was ended.
async fn leave_behind(server: &Server, user: &str) -> [Opened; 3] {
    let expired = server.open_with(&json!({ "user_id": user, "expires_in": 60 })).await;
    let idle = server.open_with(&json!({ "user_id": user, "idle_timeout": 60 })).await;
    let ended = server.open(user).await;
    server.send("DELETE", &format!("{PATH}/{}", ended.id), &ended.access).await.expect(200);
    [expired, idle, ended]
}

async fn is_kept(server: &Server, session: &Opened) -> bool {
    server.send("GET", &format!("/v1/sessions/{}", session.id), BOOTSTRAP_KEY).await.status.as_u16() == 200
}

on_both_databases! {
    async fn the_numbers_count_active_and_expired_sessions_but_not_ended_ones(database) {
        let server = Server::start(database).await;
        leave_behind(&server, "1001").await;
        leave_behind(&server, "1002").await;
        server.wait(TimeDelta::minutes(3));
        let mine = server.open("1001").await;
        assert_eq!(
            stats(&server, &mine.access).await,
            json!({
                "success": true,
                "data": { "total_sessions": 3, "active_sessions": 1, "expired_sessions": 2 },
            })
        );
    }

    async fn a_user_cleans_up_its_own_expired_sessions_and_nothing_else(database) {
        let server = Server::start(database).await;
        let [.., ended] = leave_behind(&server, "1001").await;
        let foreign = leave_behind(&server, "1002").await;
        server.wait(TimeDelta::minutes(3));
        let mine = server.open("1001").await;
        assert_eq!(
            clean_up(&server, &mine.access).await,
            json!({ "success": true, "data": { "deleted": 2 }, "message": "Cleaned up 2 expired sessions" })
        );
        assert_eq!(stats(&server, &mine.access).await["data"]["expired_sessions"], json!(0));
        assert_eq!(stats(&server, &mine.access).await["data"]["active_sessions"], json!(1));
        assert!(is_kept(&server, &ended).await, "people may still be told that it was ended");
        for session in &foreign {
            assert!(is_kept(&server, session).await);
        }
        assert_eq!(clean_up(&server, &mine.access).await["data"]["deleted"], json!(0));
    }

    async fn an_administrator_cleans_up_everybodys_sessions_past_the_retention(database) {
        let policy = Policy { retention: TimeDelta::days(1), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let [old_expired, old_idle, old_ended] = leave_behind(&server, "1002").await;
        server.wait(TimeDelta::hours(25));
        let [expired, idle, ended] = leave_behind(&server, "1002").await;
        server.wait(TimeDelta::minutes(3));
        let admin = server.open_with(&json!({ "user_id": "1001", "scope": "sessions:admin" })).await;
        assert_eq!(clean_up(&server, &admin.access).await["data"]["deleted"], json!(2));
        assert!(!is_kept(&server, &old_expired).await && !is_kept(&server, &old_ended).await);
        // Cleaning up for everybody goes by expiry and end alone: an idle session is deleted after its expiry.
        for session in [&old_idle, &expired, &idle, &ended] {
            assert!(is_kept(&server, session).await);
        }
    }

    async fn the_native_clean_up_counts_first_and_deletes_the_same(database) {
        let server = Server::start(database).await;
        let [expired, ..] = leave_behind(&server, "1001").await;
        let post = |body: Value| {
            let server = &server;
            async move { server.send_json("POST", "/v1/cleanup", BOOTSTRAP_KEY, &body).await.expect(200).json() }
        };
        server.wait(TimeDelta::minutes(3));
        assert_eq!(post(json!({})).await, json!({ "deleted": 0, "dry_run": false }));
        server.wait(TimeDelta::days(31));
        assert_eq!(post(json!({ "dry_run": true })).await, json!({ "deleted": 2, "dry_run": true }));
        assert!(is_kept(&server, &expired).await);
        let without_body = server.send("POST", "/v1/cleanup", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(without_body, json!({ "deleted": 2, "dry_run": false }));
        assert!(!is_kept(&server, &expired).await);
    }

    async fn the_native_clean_up_needs_the_right_and_a_body_that_can_be_read(database) {
        let server = Server::start(database).await;
        let user = server.open("1001").await;
        server.send("POST", "/v1/cleanup", &user.access).await.expect_problem(403, "insufficient_scope");
        let none = answer(server.request("POST", "/v1/cleanup")).await;
        none.expect_problem(401, "unauthenticated");
        for body in [json!({ "dry_run": "yes" }), json!({ "dryrun": true }), json!([])] {
            let refused = server.send_json("POST", "/v1/cleanup", BOOTSTRAP_KEY, &body).await;
            refused.expect_problem(400, "malformed_request");
        }
        let text = server.request("POST", "/v1/cleanup").bearer_auth(BOOTSTRAP_KEY).body("dry_run=true");
        answer(text).await.expect_problem(415, "unsupported_media_type");
    }

    async fn rows_past_their_retention_are_deleted_unasked_and_active_sessions_stay(database) {
        let policy = Policy { retention: TimeDelta::zero(), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let gone = leave_behind(&server, "1001").await;
        let standing = server.open_with(&json!({ "user_id": "1001", "expires_in": 3600 })).await;
        server.wait(TimeDelta::minutes(3));
        assert_eq!(server.sessions.delete_expired_rows().await.unwrap(), 2);
        assert!(!is_kept(&server, &gone[0]).await && !is_kept(&server, &gone[2]).await);
        assert!(server.stands(&standing.access).await);
        assert_eq!(server.sessions.delete_expired_rows().await.unwrap(), 0);
    }
}
