//! Freshness of answers: strict, and fresh from a cache entry that the change log invalidates.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use sojourn::sessions::Policy;

use crate::support::builder::Builder;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

/// A timeout far beyond every bound: the tests decide whether something happens, not when.
const EVENTUALLY: Duration = Duration::from_secs(20);

async fn eventually_refused(server: &Server, token: &str) {
    let refused = async {
        while server.stands(token).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(EVENTUALLY, refused).await.expect("it is never refused");
}

async fn stands_strictly(server: &Server, token: &str) -> bool {
    server.send("GET", "/v1/verify?freshness=strict", token).await.status == 200
}

/// Fails unless a server refuses sessions as soon as the other one has ended them.
async fn assert_knows_ends_at_once(server: &Server, other: &Server) {
    for _ in 0..20 {
        let opened = other.open("alice").await;
        assert!(server.stands(&opened.access).await);
        other.end(&opened.id).await;
        assert!(!server.stands(&opened.access).await);
    }
}

on_both_databases! {
    async fn what_another_replica_ended_is_refused_soon_and_for_good(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        for _ in 0..5 {
            let opened = one.open("alice").await;
            assert!(two.stands(&opened.access).await);
            one.end(&opened.id).await;
            assert!(!one.stands(&opened.access).await, "the replica that was asked refuses at once");
            eventually_refused(&two, &opened.access).await;
            for _ in 0..20 {
                assert!(!two.stands(&opened.access).await, "it does not come back");
            }
        }
    }

    /// B-19.
    async fn a_former_administrator_is_refused_soon_although_the_token_has_not_expired(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        two.follows().await;
        let admin = one.open_with(&json!({ "user_id": "root", "scope": "sessions:admin" })).await;
        two.send("GET", "/v1/sessions?limit=1", &admin.access).await.expect(200);
        one.send_json("POST", "/v1/users/root/ban", BOOTSTRAP_KEY, &json!({})).await.expect(200);
        one.send("GET", "/v1/sessions?limit=1", &admin.access).await.expect(401);
        eventually_refused(&two, &admin.access).await;
        for (method, path) in [("GET", "/v1/sessions?limit=1"), ("POST", "/v1/users/ann/ban"), ("DELETE", "/v1/users/ann/sessions")] {
            two.send(method, path, &admin.access).await.expect(401);
        }
        two.refresh(&admin.refresh).await.expect(400);
        let again = one.send_json("POST", "/v1/users/root/unban", BOOTSTRAP_KEY, &json!({})).await;
        assert_eq!(again.status, 200);
        two.send("GET", "/v1/sessions?limit=1", &admin.access).await.expect(401);
    }

    async fn a_strict_answer_is_never_old(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        for _ in 0..20 {
            let opened = one.open("alice").await;
            assert!(two.stands(&opened.access).await, "now the second has a copy");
            one.end(&opened.id).await;
            assert!(!stands_strictly(&two, &opened.access).await);
            let form = [("token", opened.access.as_str()), ("freshness", "strict")];
            let said = two.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &form).await.expect(200).json();
            assert_eq!(said, json!({ "active": false }));
        }
    }

    async fn a_strict_answer_knows_of_every_way_to_end(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        for round in 0..5 {
            for (way, method, path, body) in [
                ("all", "DELETE", "/v1/users/USER/sessions", json!({})),
                ("many", "POST", "/v1/sessions/revoke", json!({ "filter": { "user_id": "USER" } })),
                ("ban", "POST", "/v1/users/USER/ban", json!({})),
                ("gone", "DELETE", "/v1/users/USER", json!({})),
            ] {
                let user = format!("{way}-{round}");
                let opened = one.open(&user).await;
                assert!(two.stands(&opened.access).await, "now the second has a copy");
                let body = serde_json::from_str(&body.to_string().replace("USER", &user)).unwrap();
                let answer = one.send_json(method, &path.replace("USER", &user), BOOTSTRAP_KEY, &body).await;
                assert!(answer.status.is_success(), "{way}: {}", answer.status);
                assert!(!stands_strictly(&two, &opened.access).await, "{way}");
            }
        }
    }

    async fn a_server_that_is_set_to_strict_needs_no_asking(database) {
        let one = Server::start(database).await;
        let policy = Policy { freshness: sojourn::sessions::Freshness::Strict, ..Policy::default() };
        let two = one.replica_with(|with| with.policy(policy)).await;
        assert_knows_ends_at_once(&two, &one).await;
    }

    async fn a_server_that_does_not_read_the_log_trusts_no_cache_entry(database) {
        let one = Server::start(database).await;
        let two = one.replica_with(Builder::without_change_log).await;
        assert_knows_ends_at_once(&two, &one).await;
    }

    async fn a_copy_never_says_no(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open_with(&json!({ "user_id": "alice", "expires_in": 3600, "tokens": "session" })).await;
        assert!(two.stands(&opened.access).await, "its copy ends in an hour");
        let path = format!("/v1/sessions/{}/extend", opened.id);
        one.send_json("POST", &path, BOOTSTRAP_KEY, &json!({ "extend_by": 7200 })).await.expect(200);
        one.wait(TimeDelta::seconds(3601));
        assert!(two.stands(&opened.access).await, "it was prolonged elsewhere");
        one.wait(TimeDelta::seconds(7200));
        assert!(!two.stands(&opened.access).await);
    }

    async fn a_use_elsewhere_keeps_a_session_alive_here(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open_with(&json!({ "user_id": "alice", "idle_timeout": 600, "tokens": "session" })).await;
        assert!(two.stands(&opened.access).await, "its copy is idle in ten minutes");
        for _ in 0..4 {
            one.wait(TimeDelta::seconds(400));
            assert!(one.stands(&opened.access).await);
            one.sessions.write_all_activity().await.unwrap();
        }
        assert!(two.stands(&opened.access).await);
    }

    async fn a_cache_entry_ends_with_its_session(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "expires_in": 3600, "tokens": "session" })).await;
        assert!(server.stands(&opened.access).await);
        server.wait(TimeDelta::seconds(3600));
        assert!(!server.stands(&opened.access).await);
    }

    async fn a_change_of_a_user_invalidates_the_cache_entries_that_show_it(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let opened = one.open_with(&json!({ "user_id": "alice", "user": { "name": "Alice" } })).await;
        let name = async |server: &Server| server.send("GET", "/v1/verify", &opened.access).await.header("x-user-name").to_owned();
        assert_eq!(name(&two).await, "Alice");
        one.send_json("PUT", "/v1/users/alice", BOOTSTRAP_KEY, &json!({ "name": "Al" })).await.expect(200);
        assert_eq!(name(&one).await, "Al");
        two.catch_up().await;
        assert_eq!(name(&two).await, "Al");
    }

    async fn every_dialect_refuses_with_the_same_check(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let paths = ["/auth/sessions", "/api/v1/users/me/sessions", "/api/v0/sessions", "/api/user/alice/sessions", "/v1/me"];
        for path in paths {
            let opened = one.open("alice").await;
            two.send("GET", path, &opened.access).await.expect(200);
            one.end(&opened.id).await;
            two.catch_up().await;
            two.send("GET", path, &opened.access).await.expect(401);
        }
        let opened = one.open_with(&json!({ "user_id": "alice", "scope": "sessions:admin" })).await;
        two.send("GET", "/api/v1/jans-auth-server/session", &opened.access).await.expect(200);
        one.end(&opened.id).await;
        two.catch_up().await;
        two.send("GET", "/api/v1/jans-auth-server/session", &opened.access).await.expect(401);
    }

    async fn batched_checks_are_answered_each_for_itself(database) {
        let server = Server::start(database).await;
        let mut opened = Vec::new();
        for user in 0..30 {
            opened.push(server.open(&format!("user {user}")).await);
        }
        for session in opened.iter().step_by(3) {
            server.end(&session.id).await;
        }
        let asked = opened.iter().cycle().take(300).enumerate().map(async |(number, session)| {
            let answer = server.send("GET", "/v1/verify?freshness=strict", &session.access).await;
            let ended = number % opened.len() % 3 == 0;
            assert_eq!(answer.status.as_u16(), if ended { 401 } else { 200 });
            if !ended {
                assert_eq!(answer.json()["session_id"], session.id);
            }
        });
        futures_util::future::join_all(asked).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_entry_answers_for_a_database_that_is_gone_but_not_for_long_postgres() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    let (known, unknown) = (server.open("alice").await, server.open("bob").await);
    assert!(server.stands(&known.access).await);
    server.catch_up().await;
    proxy.cut();
    server.send("GET", "/v1/verify", &known.access).await.expect(200);
    server.send("GET", "/v1/verify", &unknown.access).await.expect(503);
    server.send("GET", "/v1/verify?freshness=strict", &known.access).await.expect(503);
    let gone = async {
        loop {
            let answer = server.send("GET", "/v1/verify", &known.access).await;
            match answer.status.as_u16() {
                200 => tokio::time::sleep(Duration::from_millis(50)).await,
                status => return status,
            }
        }
    };
    let status = tokio::time::timeout(EVENTUALLY, gone).await.expect("it is answered from memory for ever");
    assert_eq!(status, 503, "it is not known whether it stands: that is no no");
    for _ in 0..5 {
        server.send("GET", "/v1/verify", &known.access).await.expect(503);
    }
    proxy.mend();
    let back = async {
        while server.send("GET", "/v1/verify", &known.access).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(EVENTUALLY, back).await.expect("it does not come back");
}
