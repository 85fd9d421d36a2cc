//! `GET /api/user/:id/sessions`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::config::HttpConfig;

use super::{shown, staff};
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

on_both_databases! {
    async fn staff_and_the_user_itself_see_the_active_sessions_newest_first_at_both_paths(database) {
        let server = Server::start(database).await;
        let gone = server.open_with(&json!({ "user_id": "1001", "idle_timeout": 60 })).await;
        server.wait(TimeDelta::minutes(2));
        let staff = staff(&server).await;
        let first = server.open_with(&json!({ "user_id": "1001", "user_agent": CHROME })).await;
        let second = server.open("1001").await;
        server.open("1002").await;
        let expected = json!({
            "count": 2,
            "items": [shown(&second, "Unknown Device"), shown(&first, "Chrome 142 on Windows")],
        });
        for path in ["/api/user/1001/sessions", "/user/1001/sessions"] {
            for token in [&staff.access, &first.access, BOOTSTRAP_KEY] {
                let raw = answer(server.request("GET", path).header("authorization", token)).await.expect(200);
                assert_eq!(raw.json(), expected);
                assert_eq!(server.send("GET", path, token).await.expect(200).json(), expected);
            }
        }
        server.send("GET", "/api/user/1001/sessions", &gone.access).await.expect(401);
    }

    async fn a_page_is_limited_and_the_count_is_of_all(database) {
        let server = Server::start(database).await;
        for _ in 0..52 {
            server.open("1001").await;
        }
        let page = |query: &'static str| {
            let path = format!("/api/user/1001/sessions?{query}");
            let server = &server;
            async move {
                let list = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json();
                assert_eq!(list["count"], json!(52), "{query}");
                list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<Value>>()
            }
        };
        let all = page("").await;
        assert_eq!(all.len(), 50);
        for query in ["limit=0", "limit=-1", "limit=51", "limit=abc", "limit=", "limit=1e9", "limit=1&limit=2",
            "limit=9223372036854775808", "offset=-1", "offset=x", "offset=1e1"] {
            assert_eq!(page(query).await, all, "{query}");
        }
        assert_eq!(page("limit=2&offset=1").await, all[1..3]);
        assert_eq!(page("offset=50").await.len(), 2);
        for query in ["offset=52", "offset=1000000000000", "offset=18446744073709551616", "offset=99999999999999999999999"] {
            assert!(page(query).await.is_empty(), "{query}");
        }
    }

    async fn the_session_cookie_is_taken_where_one_is_set_and_changes_need_our_own_site(database) {
        let http = HttpConfig { cookie: Some("session".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mine = server.open_with(&json!({ "user_id": "1001", "tokens": "session" })).await;
        let cookie = format!("session={}", mine.access);
        let get = server.request("GET", "/api/user/1001/sessions").header("cookie", &cookie);
        answer(get).await.expect(200);
        let delete = |site: &'static str| {
            let request = server.request("DELETE", "/api/user/1001/sessions/all");
            answer(request.header("cookie", &cookie).header("sec-fetch-site", site))
        };
        let refused = delete("cross-site").await.expect(403);
        assert_eq!(refused.json()["code"], "INSUFFICIENT_PERMISSIONS_ERROR");
        delete("same-origin").await.expect(200);
        assert!(!server.stands(&mine.access).await);
    }
}
