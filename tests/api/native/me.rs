//! `/v1/me` and `/v1/me/sessions`.

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn a_user_learns_who_it_is_and_in_which_session(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "user": { "name": "Alice" } })).await;
        let me = server.send("GET", "/v1/me", &alice.access).await.expect(200).json();
        assert_eq!(me["type"], "user");
        assert_eq!((&me["user"]["id"], &me["user"]["name"], &me["user"]["banned"]), (&json!("alice"), &json!("Alice"), &json!(false)));
        assert_eq!((&me["session"]["id"], &me["session"]["current"]), (&json!(alice.id), &json!(true)));
    }

    async fn a_service_learns_what_it_may_do(database) {
        let server = Server::start(database).await;
        let key = server.key("sessions:read").await;
        let me = server.send("GET", "/v1/me", &key).await.expect(200).json();
        assert_eq!(me, json!({ "type": "service", "name": "test", "scope": "sessions:read" }));
    }

    async fn the_list_has_the_user_s_active_sessions_newest_first(database) {
        let server = Server::start(database).await;
        let (one, two, gone) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        server.end(&gone.id).await;
        let list = server.send("GET", "/v1/me/sessions", &one.access).await.expect(200).json();
        let ids: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|session| session["id"].clone()).collect();
        assert_eq!(ids, [json!(two.id), json!(one.id)]);
        assert_eq!(list["total"], 2);
        assert_eq!(list["sessions"][1]["current"], true);
        assert!(!list.to_string().contains(&bob.id));
    }

    async fn all_or_all_others_are_ended(database) {
        let server = Server::start(database).await;
        let (one, two, three) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let others = server.send("DELETE", "/v1/me/sessions?keep_current=true", &one.access).await.expect(200).json();
        assert_eq!(others, json!({ "ended": 2 }));
        assert!(server.stands(&one.access).await && !server.stands(&two.access).await && !server.stands(&three.access).await);
        let all = server.send("DELETE", "/v1/me/sessions", &one.access).await.expect(200).json();
        assert_eq!(all, json!({ "ended": 1 }));
        assert!(!server.stands(&one.access).await);
        assert!(server.stands(&bob.access).await);
    }

    async fn whether_to_keep_the_current_one_is_said_plainly_or_not_at_all(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        for query in ["keep_current=1", "keep_current=yes", "keep_curent=true", "keep_current=true&keep_current=false"] {
            let answer = server.send("DELETE", &format!("/v1/me/sessions?{query}"), &alice.access).await;
            answer.expect_problem(400, "malformed_request");
        }
        let empty = server.send("DELETE", "/v1/me/sessions?keep_current=", &alice.access).await;
        empty.expect_problem(422, "invalid_request");
        assert!(server.stands(&alice.access).await);
    }

    async fn a_service_has_no_sessions_of_its_own(database) {
        let server = Server::start(database).await;
        server.send("GET", "/v1/me/sessions", BOOTSTRAP_KEY).await.expect_problem(401, "unauthenticated");
        server.send("DELETE", "/v1/me/sessions", BOOTSTRAP_KEY).await.expect_problem(401, "unauthenticated");
    }

    async fn the_owner_of_the_data_comes_from_the_token_alone(database) {
        let server = Server::start(database).await;
        let (alice, bob) = (server.open("alice").await, server.open("bob").await);
        let request = server.request("GET", "/v1/me/sessions").bearer_auth(&bob.access);
        let request = request.header("x-user-id", "alice").header("x-forwarded-user", "alice").header("x-session-id", &alice.id);
        let list = crate::support::server::answer(request).await.expect(200).json();
        assert_eq!(list["total"], 1);
        assert_eq!(list["sessions"][0]["user_id"], "bob");
    }
}
