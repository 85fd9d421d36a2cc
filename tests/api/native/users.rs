//! `/v1/users`.

use std::collections::BTreeSet;

use serde_json::json;
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn a_user_is_known_from_its_first_session_on(database) {
        let server = Server::start(database).await;
        server.send("GET", "/v1/users/alice", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
        server.open_with(&json!({ "user_id": "alice", "user": { "name": "Alice" } })).await;
        server.open_with(&json!({ "user_id": "alice", "user": { "email": "alice@example.org" } })).await;
        let alice = server.send("GET", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!((&alice["name"], &alice["email"]), (&json!("Alice"), &json!("alice@example.org")), "what is not told stays");
        assert_eq!(alice["banned"], false);
        assert!(alice.get("banned_at").is_none());
    }

    async fn users_are_found_page_by_page(database) {
        let server = Server::start(database).await;
        for (id, name, email) in [("1", "Ann Lee", "ann@example.org"), ("2", "Bob", "ANN@example.org"), ("ann", "Eve", "eve@example.org")] {
            server.open_with(&json!({ "user_id": id, "user": { "name": name, "email": email } })).await;
        }
        server.send("POST", "/v1/users/x/ban", BOOTSTRAP_KEY).await.expect(200);
        let page = async |query: &str| server.send("GET", &format!("/v1/users?{query}"), BOOTSTRAP_KEY).await.expect(200).json();
        let ids = |page: &serde_json::Value| {
            page["users"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let cases: [(&str, &[&str]); 8] = [
            ("", &["1", "2", "ann", "x"]),
            ("search=ann", &["1", "2", "ann"]),
            ("search=ANN", &["1", "2"]),
            ("search=ann%20l", &["1"]),
            ("email=Ann@example.org", &["1", "2"]),
            ("search=b&email=ann@example.org", &["2"]),
            ("banned=true", &["x"]),
            ("banned=false&search=x", &[]),
        ];
        for (query, expected) in cases {
            let found = page(query).await;
            assert_eq!(ids(&found), expected, "{query}");
            assert!(found.get("next_cursor").is_none(), "{query}");
        }
        let first = page("search=ann&limit=2").await;
        assert_eq!((ids(&first), &first["users"][0]["name"]), (vec!["1".to_owned(), "2".to_owned()], &json!("Ann Lee")));
        let next = first["next_cursor"].as_str().unwrap();
        assert_eq!(ids(&page(&format!("search=ann&limit=1&cursor={next}")).await), ["ann"]);
        for query in [format!("search=an&cursor={next}"), "cursor=x".to_owned(), "limit=0".to_owned(), "limit=201".to_owned(), "search=".to_owned(), "email=a%00".to_owned()] {
            server.send("GET", &format!("/v1/users?{query}"), BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request");
        }
        for query in ["banned=maybe", "name=ann"] {
            server.send("GET", &format!("/v1/users?{query}"), BOOTSTRAP_KEY).await.expect_problem(400, "malformed_request");
        }
        let sessions = server.send("GET", "/v1/sessions?limit=1", BOOTSTRAP_KEY).await.expect(200).json();
        let foreign = format!("/v1/users?cursor={}", sessions["next_cursor"].as_str().unwrap());
        server.send("GET", &foreign, BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request");
    }

    async fn a_user_is_created_and_changed(database) {
        let server = Server::start(database).await;
        let put = async |body| server.send_json("PUT", "/v1/users/a%2Fb%20%C3%A9", BOOTSTRAP_KEY, &body).await.expect(200).json();
        assert_eq!(put(json!({ "name": "One" })).await["id"], "a/b é");
        let changed = put(json!({ "email": "x@example.org" })).await;
        assert_eq!((&changed["name"], &changed["email"]), (&json!("One"), &json!("x@example.org")));
        let bad = server.send_json("PUT", "/v1/users/alice", BOOTSTRAP_KEY, &json!({ "name": "a\u{0}" })).await;
        bad.expect_problem(422, "invalid_request");
        let bad = server.send_json("PUT", "/v1/users/a%00b", BOOTSTRAP_KEY, &json!({})).await;
        bad.expect_problem(422, "invalid_request");
    }

    async fn a_ban_ends_all_sessions_and_allows_no_more_until_it_is_lifted(database) {
        let server = Server::start(database).await;
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let banned = server.send("POST", "/v1/users/alice/ban", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!((&banned["ended"], &banned["user"]["banned"]), (&json!(2), &json!(true)));
        for session in [&one, &two] {
            assert!(!server.stands(&session.access).await);
            assert_eq!(server.refresh(&session.refresh).await.expect(400).json()["error"], "invalid_grant");
        }
        let body = json!({ "user_id": "alice", "user": { "name": "New" } });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(403, "user_banned");
        let again = server.send("POST", "/v1/users/alice/ban", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!((&again["ended"], &again["user"]["banned_at"]), (&json!(0), &banned["user"]["banned_at"]));

        let unbanned = server.send("POST", "/v1/users/alice/unban", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(unbanned["banned"], false);
        assert!(!server.stands(&one.access).await, "no session comes back");
        assert!(server.refresh(&one.refresh).await.status == 400);
        let later = server.open("alice").await;
        assert!(server.stands(&later.access).await && server.stands(&bob.access).await);
    }

    async fn a_ban_says_its_reason_wherever_the_user_is_shown(database) {
        let server = Server::start(database).await;
        let ban = async |body| server.send_json("POST", "/v1/users/eve/ban", BOOTSTRAP_KEY, &body).await;
        let reason = "Chargeback — “Müller”";
        let banned = ban(json!({ "reason": reason })).await.expect(200).json();
        assert_eq!(banned["user"]["ban_reason"], reason);
        let found = server.send("GET", "/v1/users?banned=true", BOOTSTRAP_KEY).await.expect(200).json();
        let user = server.send("GET", "/v1/users/eve", BOOTSTRAP_KEY).await.expect(200).json();
        let export = server.send("GET", "/v1/users/eve/export", BOOTSTRAP_KEY).await.expect(200).json();
        for shown in [&found["users"][0], &user, &export["user"]] {
            assert_eq!(shown["ban_reason"], reason);
        }
        server.send("POST", "/v1/users/eve/ban", BOOTSTRAP_KEY).await.expect(200);
        for invalid in ["x".repeat(256), "a\u{0}b".to_owned(), "a\nb".to_owned()] {
            ban(json!({ "reason": invalid })).await.expect_problem(422, "invalid_request");
        }
        ban(json!({ "reason": "é".repeat(255) })).await.expect(200);
        ban(json!({ "why": "x" })).await.expect_problem(400, "malformed_request");
        let free = server.send("POST", "/v1/users/eve/unban", BOOTSTRAP_KEY).await.expect(200).json();
        assert!(free.get("ban_reason").is_none());
        let again = ban(json!({})).await.expect(200).json();
        assert!(again["user"].get("ban_reason").is_none(), "nothing is left of an earlier ban");
    }

    async fn a_ban_may_come_before_the_user(database) {
        let server = Server::start(database).await;
        server.send("POST", "/v1/users/mallory/ban", BOOTSTRAP_KEY).await.expect(200);
        let body = json!({ "user_id": "mallory" });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(403, "user_banned");
        server.send("POST", "/v1/users/nobody/unban", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
    }

    async fn a_deleted_user_s_tokens_are_dead_also_when_the_id_comes_back(database) {
        let server = Server::start(database).await;
        let old = server.open_with(&json!({ "user_id": "alice", "user": { "name": "Alice" } })).await;
        assert_eq!(server.send("DELETE", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(200).json(), json!({ "ended": 1 }));
        server.send("GET", "/v1/users/alice", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
        server.send("DELETE", "/v1/users/alice", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
        let new = server.open("alice").await;
        assert!(server.stands(&new.access).await && !server.stands(&old.access).await);
        assert_eq!(server.refresh(&old.refresh).await.status, 400);
        let gone = server.send("GET", &format!("/v1/sessions/{}", old.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(gone["end_reason"], "user_deleted");
    }

    async fn an_erased_user_is_in_no_answer_any_more(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let two = server.replica().await;
        let secrets = ["Alice", "alice@example.org", "203.0.113.7", "Lisbon", "Firefox", "Linux", "my laptop", "cart"];
        let body = json!({
            "user_id": "1001", "user": { "name": "Alice", "email": "alice@example.org" }, "ip_address": "203.0.113.7",
            "location": "Lisbon", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "device_name": "my laptop", "metadata": { "cart": 1 }, "client_id": "web", "tokens": "session",
        });
        let (one, standing) = (server.open_with(&body).await, server.open_with(&body).await);
        server.end(&one.id).await;
        for replica in [&server, &two] {
            assert!(replica.stands(&standing.access).await);
        }
        let mut bob = body.clone();
        bob["user_id"] = json!("bob");
        let bob = server.open_with(&bob).await;
        let kept = server.send("GET", "/v1/users/1001/export", BOOTSTRAP_KEY).await.expect(200);
        assert!(secrets.iter().all(|secret| kept.text.contains(secret)), "{}", kept.text);

        let erased = server.send("DELETE", "/v1/users/1001?erase=true", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(erased, json!({ "ended": 1, "erased": 2 }));
        two.catch_up().await;
        for replica in [&server, &two] {
            for path in ["/v1/users/1001/export".to_owned(), format!("/v1/sessions/{}", one.id), format!("/v1/sessions/{}", standing.id)] {
                let left = replica.send("GET", &path, BOOTSTRAP_KEY).await.expect(200);
                let found: Vec<&&str> = secrets.iter().filter(|secret| left.text.contains(**secret)).collect();
                assert!(found.is_empty(), "{path}: {found:?}");
                assert!(left.text.contains("\"client_id\":\"web\"") && left.text.contains("\"type\":\"desktop\""), "{}", left.text);
            }
            assert!(!replica.stands(&standing.access).await);
        }
        server.send("DELETE", "/v1/users/1001?erase=true", BOOTSTRAP_KEY).await.expect_problem(404, "user_not_found");
        let other = server.send("GET", &format!("/v1/sessions/{}", bob.id), BOOTSTRAP_KEY).await.expect(200);
        assert!(server.stands(&bob.access).await && other.text.contains("Lisbon"));
        for query in ["?erase=yes", "?purge=true"] {
            server.send("DELETE", &format!("/v1/users/bob{query}"), BOOTSTRAP_KEY).await.expect_problem(400, "malformed_request");
        }
        server.send("DELETE", "/v1/users/bob?erase=", BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request");
    }

    async fn a_deleted_user_can_still_be_erased_and_a_setting_erases_always(database) {
        let server = Server::start(database).await;
        let body = json!({ "user_id": "alice", "location": "Lisbon" });
        let first = server.open_with(&body).await;
        assert_eq!(server.send("DELETE", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(200).json(), json!({ "ended": 1 }));
        let path = format!("/v1/sessions/{}", first.id);
        assert_eq!(server.send("GET", &path, BOOTSTRAP_KEY).await.json()["location"], "Lisbon");
        let erased = server.send("DELETE", "/v1/users/alice?erase=true", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(erased, json!({ "ended": 0, "erased": 1 }));
        assert!(server.send("GET", &path, BOOTSTRAP_KEY).await.json().get("location").is_none());

        let always = server
            .replica_with(|with| with.policy(Policy { erase_deleted_users: true, ..Policy::default() }))
            .await;
        always.open_with(&body).await;
        let erased = always.send("DELETE", "/v1/users/alice", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(erased, json!({ "ended": 1, "erased": 1 }));
    }

    async fn all_that_is_kept_of_a_user_is_one_document_however_long(database) {
        let server = Server::start(database).await;
        let first = server.open_with(&json!({ "user_id": "alice", "user": { "name": "Alice" }, "metadata": { "a": [1, "]}"] } })).await;
        server.end(&first.id).await;
        let last = server.open("alice").await;
        server.open("bob").await;
        let reader = server.key("sessions:read").await;
        let export = async |user: &str| server.send("GET", &format!("/v1/users/{user}/export"), &reader).await;
        let small = export("alice").await.expect(200);
        assert_eq!((small.header("content-type"), small.header("cache-control")), ("application/json", "no-store"));
        let small = small.json();
        assert_eq!((&small["user"]["name"], small["sessions"].as_array().unwrap().len()), (&json!("Alice"), 2));
        assert_eq!((&small["sessions"][0]["id"], &small["sessions"][1]["id"]), (&json!(last.id), &json!(first.id)));
        assert_eq!(small["sessions"][1]["metadata"], json!({ "a": [1, "]}"] }));

        server.copy_session(&last.id, 3000).await;
        let large = export("alice").await.expect(200).json();
        let ids: BTreeSet<&str> = large["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap()).collect();
        assert_eq!((ids.len(), large["sessions"].as_array().unwrap().len()), (3002, 3002), "each once");

        server.send_json("PUT", "/v1/users/carol", BOOTSTRAP_KEY, &json!({ "name": "Carol" })).await.expect(200);
        assert_eq!(export("carol").await.expect(200).json()["sessions"], json!([]));
        export("nobody").await.expect_problem(404, "user_not_found");
    }

    async fn an_administrator_lists_and_ends_a_user_s_sessions(database) {
        let server = Server::start(database).await;
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let bob = server.open("bob").await;
        let list = server.send("GET", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!((&list["total"], &list["sessions"][0]["id"], &list["sessions"][1]["id"]), (&json!(2), &json!(two.id), &json!(one.id)));
        let ended = server.send("DELETE", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(ended, json!({ "ended": 2 }));
        assert!(!server.stands(&one.access).await && server.stands(&bob.access).await);
        let none = server.send("GET", "/v1/users/nobody/sessions", BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(none, json!({ "sessions": [], "total": 0 }));
    }

    async fn users_are_for_callers_with_the_scope(database) {
        let server = Server::start(database).await;
        let alice = server.open("alice").await;
        let (reader, writer) = (server.key("sessions:read").await, server.key("sessions:write").await);
        let rows = [
            ("GET", "/v1/users/alice", [403, 200, 403]),
            ("PUT", "/v1/users/alice", [403, 403, 200]),
            ("GET", "/v1/users/alice/sessions", [403, 200, 403]),
            ("GET", "/v1/users/alice/export", [403, 200, 403]),
            ("DELETE", "/v1/users/alice?erase=true", [403, 403, 403]),
            ("DELETE", "/v1/users/alice/sessions", [403, 403, 403]),
            ("POST", "/v1/users/alice/ban", [403, 403, 403]),
            ("POST", "/v1/users/alice/unban", [403, 403, 403]),
            ("DELETE", "/v1/users/alice", [403, 403, 403]),
        ];
        for (method, path, statuses) in rows {
            for (token, status) in [&alice.access, &reader, &writer].into_iter().zip(statuses) {
                let answer = if method == "PUT" {
                    server.send_json(method, path, token, &json!({})).await
                } else {
                    server.send(method, path, token).await
                };
                assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text);
            }
        }
        assert!(server.stands(&alice.access).await);
    }
}

/// The bytes of the SQLite file and its write-ahead log.
fn files_of(server: &Server) -> Vec<u8> {
    let path = server.database_url().strip_prefix("sqlite:").unwrap();
    ["", "-wal"].iter().flat_map(|suffix| std::fs::read(format!("{path}{suffix}")).unwrap()).collect()
}

#[tokio::test]
async fn an_erased_user_is_in_no_file_of_sqlite() {
    let server = Server::builder().start_on_sqlite().await;
    let texts = [
        "Alice Erasable",
        "alice.erasable@example.org",
        "203.0.113.77",
        "Erasable/5.0",
        "Erasablestad",
        "erasable-cart",
    ];
    let body = json!({
        "user_id": "1001", "user": { "name": texts[0], "email": texts[1] }, "ip_address": texts[2], "user_agent": texts[3],
        "location": texts[4], "device_name": "Alice Erasable's phone", "metadata": { "erasable-cart": "x".repeat(600) },
    });
    // Rows of others between, so that pages are split and merged with the rows in them.
    for number in 0..40 {
        let pad = json!({ "pad": "y".repeat(number * 50) });
        server.open_with(&json!({ "user_id": format!("other{number}"), "metadata": pad })).await;
        let opened = server.open_with(&body).await;
        if number % 2 == 0 {
            server.send("DELETE", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.expect(204);
        }
    }
    let found = |server: &Server| {
        let bytes = files_of(server);
        let is_there = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        texts.into_iter().filter(is_there).collect::<Vec<_>>()
    };
    assert_eq!(found(&server), texts);
    let erased = server.send("DELETE", "/v1/users/1001?erase=true", BOOTSTRAP_KEY).await.expect(200).json();
    assert_eq!(erased, json!({ "ended": 20, "erased": 40 }));
    assert_eq!(found(&server), Vec::<&str>::new());
}
