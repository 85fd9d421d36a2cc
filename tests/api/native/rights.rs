//! Scopes of a session never exceed its opener's, and the opener is recorded.

use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::clock::{Clock as _, ShiftedClock};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

const JANSSEN: [&str; 5] = [
    "https://jans.io/oauth/jans-auth-server/session.readonly",
    "https://jans.io/oauth/config/read-all",
    "https://jans.io/oauth/jans-auth-server/session.delete",
    "https://jans.io/oauth/config/delete-all",
    "revoke_session",
];

/// Whether a caller with scope `own` may open a session with scope `asked`.
async fn may_open(server: &Server, own: &str, asked: &str) -> bool {
    let answer = server.send_json("POST", "/v1/sessions", own, &json!({ "user_id": "alice", "scope": asked })).await;
    if answer.status == 201 {
        assert_eq!(answer.json()["session"]["scope"], asked);
        return true;
    }
    let refused = answer.expect_problem(403, "insufficient_scope");
    assert_eq!(refused.json()["detail"], "The scope sessions:grant is needed");
    assert!(refused.header("www-authenticate").contains("scope=\"sessions:grant\""), "{refused:?}");
    false
}

fn ids(page: &Value) -> Vec<&str> {
    page["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect()
}

on_both_databases! {
    async fn nobody_opens_a_session_with_more_rights_than_its_own(database) {
        let server = Server::start(database).await;
        let words = ["sessions:write", "sessions:read", "sessions:admin", "sessions:later"].into_iter().chain(JANSSEN);
        let rows: [(&str, &[&str]); 5] = [
            ("sessions:write", &["sessions:write"]),
            ("sessions:write sessions:read", &["sessions:write", "sessions:read"]),
            ("sessions:write revoke_session", &["sessions:write", "revoke_session"]),
            ("sessions:grant sessions:write", &[]),
            ("sessions:admin", &[]),
        ];
        for (own, allowed) in rows {
            let everything = allowed.is_empty();
            let key = server.key(own).await;
            // Only service keys can have the scope to grant.
            let user = own.replace("sessions:grant ", "");
            let user = server.open_with(&json!({ "user_id": "staff", "scope": user })).await.access;
            for word in words.clone() {
                assert_eq!(may_open(&server, &key, word).await, everything || allowed.contains(&word), "{own}: {word}");
                let user_may = own == "sessions:admin" || own.split(' ').any(|own| own == word);
                assert_eq!(may_open(&server, &user, word).await, user_may, "a user with {own}: {word}");
                assert_eq!(may_open(&server, &user, &format!("profile {word} mail")).await, user_may);
            }
            for harmless in ["", "profile", "sessions", "sessions-admin", "SESSIONS:ADMIN", "https://jans.io/oauth/config/other"] {
                assert!(may_open(&server, &key, harmless).await, "{own}: {harmless}");
            }
        }
        assert!(may_open(&server, BOOTSTRAP_KEY, "sessions:admin revoke_session").await);
    }

    async fn what_is_refused_opens_nothing_and_no_session_can_grant(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:write").await;
        assert!(!may_open(&server, &key, "sessions:admin").await);
        server.send("GET", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(404);
        for opener in [BOOTSTRAP_KEY, &key] {
            let body = json!({ "user_id": "alice", "scope": "sessions:grant" });
            server.send_json("POST", "/v1/sessions", opener, &body).await.expect_problem(422, "invalid_request");
        }
        let granting = server.key("sessions:grant").await;
        let body = json!({ "user_id": "alice" });
        server.send_json("POST", "/v1/sessions", &granting, &body).await.expect_problem(403, "insufficient_scope");
        server.send("GET", "/v1/sessions", &granting).await.expect_problem(403, "insufficient_scope");
    }

    async fn the_opener_of_a_session_is_shown_to_the_operator_and_not_to_its_user(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:write").await;
        let key_id = server.store.service_keys().await.unwrap().pop().unwrap().id;
        let open = async |opener: &str, user: &str| {
            let body = json!({ "user_id": user, "scope": "sessions:write" });
            server.send_json("POST", "/v1/sessions", opener, &body).await.expect(201).json()
        };
        let by_key = open(&key, "alice").await;
        let alice = by_key["access_token"].as_str().unwrap();
        let by_alice = open(alice, "bob").await;
        let by_bootstrap = open(BOOTSTRAP_KEY, "carol").await;
        let id = |opened: &Value| opened["session"]["id"].as_str().unwrap().to_owned();
        let by_bob = open(by_alice["access_token"].as_str().unwrap(), "dave").await;
        // A session that opens another hands on its own opener: a leaked key leads to all that came of it.
        let openers = [format!("key:{key_id}"), "bootstrap".to_owned()];
        for (opened, opener) in [
            (vec![&by_bob, &by_alice, &by_key], &openers[0]),
            (vec![&by_bootstrap], &openers[1]),
        ] {
            let found = server.send("GET", &format!("/v1/sessions?opened_by={opener}"), BOOTSTRAP_KEY).await.expect(200).json();
            assert_eq!(ids(&found), opened.iter().map(|opened| id(opened)).collect::<Vec<_>>(), "{opener}");
            assert!(found["sessions"].as_array().unwrap().iter().all(|session| session["opened_by"] == **opener));
        }
        assert_eq!(by_key["session"]["opened_by"], openers[0], "told to the service that opened it");
        assert!(by_alice["session"].get("opened_by").is_none(), "and not to the user that did");
        for path in ["/v1/me".to_owned(), "/v1/me/sessions".to_owned(), format!("/v1/sessions/{}", id(&by_key))] {
            let own = server.send("GET", &path, alice).await.expect(200);
            assert!(!own.text.contains("opened_by"), "{path}: {}", own.text);
        }
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:read" })).await;
        let page = server.send("GET", "/v1/sessions?user_id=alice", &staff.access).await.expect(200).json();
        assert_eq!(page["sessions"][0]["opened_by"], openers[0]);
        for bad in ["", "key:", "nobody", "key:1", &key_id.to_string(), "session:x"] {
            let refused = server.send("GET", &format!("/v1/sessions?opened_by={bad}"), BOOTSTRAP_KEY).await;
            assert_eq!(refused.expect_problem(422, "invalid_request").json()["errors"][0]["field"], "opened_by", "{bad}");
        }
    }

    async fn what_a_key_opened_is_ended_at_once_on_every_replica(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let two = server.replica().await;
        let leaked = server.key("sessions:write").await;
        let leaked_id = server.store.service_keys().await.unwrap().pop().unwrap().id;
        let good = server.key("sessions:write").await;
        let open = async |key: &str| {
            let body = json!({ "user_id": "alice", "tokens": "session" });
            let opened = server.send_json("POST", "/v1/sessions", key, &body).await.expect(201).json();
            opened["session_token"].as_str().unwrap().to_owned()
        };
        let (bad, kept) = (open(&leaked).await, open(&good).await);
        for replica in [&server, &two] {
            assert!(replica.stands(&bad).await && replica.stands(&kept).await);
        }
        let mut body = json!({ "filter": { "opened_by": format!("key:{leaked_id}") }, "dry_run": true });
        let shown = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200).json();
        assert_eq!((&shown["revoked"], shown["sample"].as_array().unwrap().len()), (&json!(1), 1));
        body["dry_run"] = json!(false);
        let ended = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200).json();
        assert_eq!(ended["revoked"], 1);
        two.catch_up().await;
        for carried_out in [false, true] {
            for replica in [&server, &two] {
                assert!(!replica.stands(&bad).await && replica.stands(&kept).await, "{carried_out}");
            }
            let standing = server.send("GET", "/v1/sessions?state=active", BOOTSTRAP_KEY).await.expect(200).json();
            assert_eq!(ids(&standing).len(), 1, "{carried_out}");
            server.sessions.apply_bulk_endings().await.unwrap();
        }
        server.catch_up().await;
        let list = server.send("GET", "/v1/revocations", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(list["bulk"][0]["ask"], true, "who verifies offline cannot tell and has to ask: {list}");
        for filter in [json!({ "opened_by": "" }), json!({ "opened_by": "me" })] {
            let body = json!({ "filter": filter });
            server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request");
        }
        assert!(two.stands(&kept).await);
    }

    async fn the_bootstrap_key_works_until_its_end(database) {
        let clock = Arc::new(ShiftedClock::default());
        let until = clock.now() + TimeDelta::hours(1);
        let server = Server::builder().clock(clock).bootstrap_key_until(until).start(database).await;
        server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.expect(200);
        server.wait(TimeDelta::hours(1));
        server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.expect_problem(401, "unauthenticated");
        server.send("GET", "/v1/events", BOOTSTRAP_KEY).await.expect_problem(401, "unauthenticated");
        assert!(!server.stands(BOOTSTRAP_KEY).await);
    }
}
