//! `GET /v1/sessions`.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

async fn ids(server: &Server, query: &str) -> Vec<String> {
    let page = server.send("GET", &format!("/v1/sessions{query}"), BOOTSTRAP_KEY).await.expect(200).json();
    ids_of(&page)
}

fn ids_of(page: &Value) -> Vec<String> {
    let sessions = page["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

on_both_databases! {
    async fn every_filter_finds_what_it_says(database) {
        let server = Server::start(database).await;
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
        let one = server.open_with(&json!({ "user_id": "alice", "client_id": "web", "ip_address": "203.0.113.7" })).await;
        server.wait(TimeDelta::seconds(100));
        let between = server.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        let two = server.open_with(&json!({ "user_id": "alice", "client_id": "app", "user_agent": phone })).await;
        let three = server.open_with(&json!({ "user_id": "bob", "client_id": "web", "ip_address": "2001:db8::1" })).await;
        server.end(&three.id).await;
        let rows = [
            (String::new(), vec![&three.id, &two.id, &one.id]),
            ("?user_id=alice".to_owned(), vec![&two.id, &one.id]),
            ("?user_id=Alice".to_owned(), vec![]),
            ("?user_id=al%25".to_owned(), vec![]),
            ("?user_id=%27%20or%201=1--".to_owned(), vec![]),
            ("?client_id=web".to_owned(), vec![&three.id, &one.id]),
            ("?client_id=web&user_id=alice".to_owned(), vec![&one.id]),
            ("?device_type=mobile".to_owned(), vec![&two.id]),
            ("?device_type=unknown".to_owned(), vec![&three.id, &one.id]),
            ("?ip_address=203.0.113.7".to_owned(), vec![&one.id]),
            ("?ip_address=2001:DB8:0::1".to_owned(), vec![&three.id]),
            ("?state=active".to_owned(), vec![&two.id, &one.id]),
            ("?state=ended".to_owned(), vec![&three.id]),
            ("?state=expired".to_owned(), vec![]),
            ("?state=idle_expired".to_owned(), vec![]),
            (format!("?created_from={between}"), vec![&three.id, &two.id]),
            (format!("?created_to={between}"), vec![&one.id]),
            (format!("?last_seen_to={between}"), vec![&one.id]),
            (format!("?last_seen_from={between}&user_id=alice"), vec![&two.id]),
            ("?sort=created_at".to_owned(), vec![&one.id, &two.id, &three.id]),
            ("?sort=-expires_at".to_owned(), vec![&three.id, &two.id, &one.id]),
            ("?sort=last_seen_at&user_id=alice".to_owned(), vec![&one.id, &two.id]),
        ];
        for (query, expected) in rows {
            assert_eq!(ids(&server, &query).await, expected.into_iter().cloned().collect::<Vec<_>>(), "{query}");
        }
    }

    async fn sessions_are_found_by_network_device_and_the_details_of_their_users(database) {
        let server = Server::start(database).await;
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
        let open = async |user: &str, name: &str, email: &str, address: &str, agent: &str| {
            let details = json!({ "name": name, "email": email });
            let body = json!({ "user_id": user, "user": details, "ip_address": address, "user_agent": agent });
            server.open_with(&body).await.id
        };
        let one = open("1", "Ann Lee", "ann@example.org", "198.51.100.7", firefox).await;
        let two = open("2", "ANNETTE", "Ann@Example.org", "::ffff:198.51.101.7", "curl/8").await;
        let three = open("3", "Bob", "bob@example.org", "2001:db8:1::7", firefox).await;
        let rows: [(&str, &[&String]); 17] = [
            ("ip_address=198.51.100.0/24", &[&one]),
            ("ip_address=198.51.100.0/23", &[&two, &one]),
            ("ip_address=%3A%3Affff%3A198.51.100.0/119", &[&two, &one]),
            ("ip_address=2001:db8::/32", &[&three]),
            ("ip_address=::/0", &[&three]),
            ("ip_address=2001:db8::/48", &[]),
            ("browser=Firefox", &[&three, &one]),
            ("browser=firefox", &[]),
            ("os=Linux&ip_address=0.0.0.0/0", &[&one]),
            ("opened_by=bootstrap&os=Linux", &[&three, &one]),
            ("user_name=ann", &[&two, &one]),
            ("user_name=Ann%20", &[&one]),
            ("user_name=ann&user_id=2", &[&two]),
            ("user_name=ann&user_id=3", &[]),
            ("user_name=nobody", &[]),
            ("email=ANN@example.org", &[&two, &one]),
            ("email=ann@example.org&user_name=ANNE&sort=expires_at", &[&two]),
        ];
        for (query, expected) in rows {
            assert_eq!(ids(&server, &format!("?{query}")).await, expected.iter().copied().cloned().collect::<Vec<_>>(), "{query}");
        }
        let first = server.send("GET", "/v1/sessions?email=ann@example.org&limit=1", BOOTSTRAP_KEY).await.expect(200).json();
        let next = first["next_cursor"].as_str().unwrap();
        assert_eq!(ids(&server, &format!("?email=ann@example.org&limit=1&cursor={next}")).await, [one]);
        let other = server.send("GET", &format!("/v1/sessions?email=bob@example.org&cursor={next}"), BOOTSTRAP_KEY).await;
        other.expect_problem(422, "invalid_request");
    }

    async fn a_name_that_too_many_users_have_is_refused_in_search_and_ending(database) {
        let server = Server::start(database).await;
        let mut last = String::new();
        for number in 0..101 {
            last = server.open_with(&json!({ "user_id": format!("{number}"), "user": { "name": "Ann" } })).await.id;
        }
        let answer = server.send("GET", "/v1/sessions?user_name=ann", BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request");
        assert_eq!(answer.json()["errors"][0]["field"], "user_name");
        let body = json!({ "filter": { "user_name": "ann" } });
        let answer = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await;
        assert_eq!(answer.expect_problem(422, "invalid_request").json()["errors"][0]["field"], "user_name");
        assert_eq!(ids(&server, "?state=active&limit=200").await.len(), 101);
        assert_eq!(ids(&server, "?user_name=ann&user_id=100").await, [last]);
        server.send("DELETE", "/v1/users/100", BOOTSTRAP_KEY).await.expect(200);
        assert_eq!(ids(&server, "?user_name=ann&state=active&limit=200").await.len(), 100);
    }

    async fn ended_sessions_are_found_by_the_reason(database) {
        let server = Server::start(database).await;
        let mut opened = Vec::new();
        for user in ["alice", "bob", "carol", "dave"] {
            opened.push(server.open(user).await);
        }
        server.send("DELETE", "/v1/me/sessions", &opened[0].access).await.expect(200);
        server.end(&opened[1].id).await;
        server.send("DELETE", &format!("/v1/sessions/{}", opened[2].id), &opened[2].access).await.expect(204);
        for (query, found) in [
            ("?ended_reason=revoked_by_user", vec![&opened[0].id]),
            ("?ended_reason=revoked_by_admin", vec![&opened[1].id]),
            ("?ended_reason=logout&state=ended", vec![&opened[2].id]),
            ("?ended_reason=logout&user_id=bob", vec![]),
            ("?ended_reason=logout&state=active", vec![]),
            ("?ended_reason=reuse_detected", vec![]),
        ] {
            assert_eq!(ids(&server, query).await.iter().collect::<Vec<_>>(), found, "{query}");
        }
        for reason in ["tired", "Logout", "expired"] {
            let path = format!("/v1/sessions?ended_reason={reason}");
            let refused = server.send("GET", &path, BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request").text;
            assert!(refused.contains("ended_reason") && refused.contains("reuse_detected"), "{refused}");
        }
        let filter = json!({ "filter": { "ended_reason": "logout" } });
        server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &filter).await.expect(400);
    }

    async fn states_are_those_of_the_moment(database) {
        let server = Server::start(database).await;
        let idle = server.open_with(&json!({ "user_id": "a", "idle_timeout": 60 })).await;
        let short = server.open_with(&json!({ "user_id": "b", "expires_in": 60 })).await;
        assert_eq!(sorted(ids(&server, "?state=active").await), sorted(vec![idle.id.clone(), short.id.clone()]));
        server.wait(TimeDelta::seconds(60));
        assert_eq!(ids(&server, "?state=idle_expired").await, [idle.id]);
        assert_eq!(ids(&server, "?state=expired").await, [short.id]);
        assert!(ids(&server, "?state=active").await.is_empty());
    }

    async fn pages_follow_each_other_without_gap_or_repetition(database) {
        let server = Server::start(database).await;
        let mut opened = Vec::new();
        for number in 0..23 {
            opened.push(server.open(&format!("user-{}", number % 3)).await.id);
        }
        for (query, total) in [("", 23), ("&user_id=user-1", 8), ("&sort=created_at", 23), ("&sort=-expires_at", 23), ("&state=active", 23)] {
            let whole = ids(&server, &format!("?limit=200{query}")).await;
            assert_eq!(whole.len(), total);
            let mut paged = Vec::new();
            let mut cursor = String::new();
            loop {
                let path = format!("/v1/sessions?limit=5{query}{cursor}");
                let page = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json();
                paged.extend(ids_of(&page));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(paged, whole, "{query}");
        }
    }

    async fn a_cursor_is_good_for_its_own_search_only(database) {
        let server = Server::start(database).await;
        for _ in 0..3 {
            server.open("alice").await;
        }
        let page = server.send("GET", "/v1/sessions?limit=1", BOOTSTRAP_KEY).await.json();
        let cursor = page["next_cursor"].as_str().unwrap().to_owned();
        server.send("GET", &format!("/v1/sessions?limit=2&cursor={cursor}"), BOOTSTRAP_KEY).await.expect(200);
        let mut edited = cursor.clone().into_bytes();
        edited[3] = if edited[3] == b'A' { b'B' } else { b'A' };
        let edited = String::from_utf8(edited).unwrap();
        let cut = &cursor[..cursor.len() - 2];
        for query in [
            format!("user_id=alice&cursor={cursor}"),
            format!("sort=created_at&cursor={cursor}"),
            format!("state=active&cursor={cursor}"),
            format!("cursor={edited}"),
            format!("cursor={cut}"),
            "cursor=".to_owned(),
            "cursor=%00".to_owned(),
        ] {
            let answer = server.send("GET", &format!("/v1/sessions?{query}"), BOOTSTRAP_KEY).await;
            let answer = answer.expect_problem(422, "invalid_request");
            assert_eq!(answer.json()["errors"][0]["field"], "cursor", "{query}");
        }
        let other = Server::start_on_sqlite().await;
        let answer = other.send("GET", &format!("/v1/sessions?cursor={cursor}"), BOOTSTRAP_KEY).await;
        answer.expect_problem(422, "invalid_request");
    }

    async fn conditions_that_make_no_sense_are_refused(database) {
        let server = Server::start(database).await;
        for query in [
            "limit=0", "limit=201", "limit=1000000000", "user_id=", "user_id=a%00b", "client_id=a%00b", "ip_address=x",
            "ip_address=198.51.100.7/24", "ip_address=198.51.100.0/33", "browser=", "os=a%00b", "user_name=", "email=%0A",
            "created_from=-4800-01-01T00:00:00Z", "created_to=-100000-01-01T00:00:00Z", "sort=jansId", "sort=created_at%3Bdrop%20table%20sessions", "sort=(select%201)", "sort=", "sort=last_seen_at",
        ] {
            let answer = server.send("GET", &format!("/v1/sessions?{query}"), BOOTSTRAP_KEY).await;
            answer.expect_problem(422, "invalid_request");
        }
        for query in [
            "limit=-1", "limit=abc", "limit=9223372036854775808", "limit=1&limit=50", "state=alive", "device_type=toaster",
            "created_from=yesterday", "created_from=2025-02-30T00:00:00Z", "created_to=2025-01-01", "usr_id=alice",
            "limit[]=1", "user_id=%C0%AF", "created_from=%2B275760-09-13T00:00:00Z",
        ] {
            let answer = server.send("GET", &format!("/v1/sessions?{query}"), BOOTSTRAP_KEY).await;
            answer.expect_problem(400, "malformed_request");
        }
        for query in ["created_from=0001-01-01T00:00:00Z", "created_to=9999-12-31T23:59:59Z", "created_to=2016-12-31T23:59:60Z"] {
            server.send("GET", &format!("/v1/sessions?{query}"), BOOTSTRAP_KEY).await.expect(200);
        }
    }

    async fn searching_needs_the_scope_for_it(database) {
        let server = Server::start(database).await;
        let user = server.open("alice").await;
        server.send("GET", "/v1/sessions", &user.access).await.expect_problem(403, "insufficient_scope");
        let writer = server.key("sessions:write").await;
        server.send("GET", "/v1/sessions", &writer).await.expect_problem(403, "insufficient_scope");
        let reader = server.key("sessions:read").await;
        server.send("GET", "/v1/sessions", &reader).await.expect(200);
    }

    async fn no_answer_shows_a_token(database) {
        let server = Server::start(database).await;
        let pair = server.open("alice").await;
        let bearer = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        for path in ["/v1/sessions", "/v1/me", "/v1/me/sessions", "/v1/users/alice/sessions", "/auth/sessions", "/v1/verify"] {
            let token = if path == "/v1/sessions" || path.contains("users") { BOOTSTRAP_KEY } else { &bearer.access };
            let answer = server.send("GET", path, token).await.expect(200);
            for secret in [&pair.access, &pair.refresh, &bearer.access] {
                assert!(!answer.text.contains(secret.as_str()), "{path}");
            }
        }
    }
}
