//! `/api/user/session*`, the wrapper's methods for the user's own sessions, and the same below `/user`.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::config::HttpConfig;

use super::{iat, shown, twins};
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

const PLACES: [&str; 2] = ["/api/user", "/user"];

/// A request as the wrapper sends it: with the token alone.
async fn send(server: &Server, method: &str, path: &str, by: &Opened) -> Answer {
    answer(server.request(method, path).header("authorization", &by.access)).await
}

async fn send_bulk(server: &Server, path: &str, by: &Opened, sessions: Value) -> Answer {
    let request = server.request("DELETE", path).header("authorization", &by.access);
    answer(request.json(&json!({ "sessions": sessions }))).await
}

on_both_databases! {
    async fn the_session_of_the_token_and_the_users_others_are_shown_at_both_places(database) {
        let server = Server::start(database).await;
        let first = server.open("1001").await;
        server.wait(TimeDelta::seconds(5));
        let second = server.open("1001").await;
        let foreign = server.open("1002").await;
        for place in PLACES {
            let name = "Unknown Device";
            let get = async |path: &str| send(&server, "GET", &format!("{place}{path}"), &first).await.expect(200).json();
            assert_eq!(get("/session").await, shown(&first, name));
            for handle in [second.id.clone(), iat(&second)] {
                assert_eq!(get(&format!("/session/{handle}")).await, shown(&second, name));
            }
            let all = json!({ "count": 2, "items": [shown(&second, name), shown(&first, name)] });
            assert_eq!(get("/sessions").await, all);
            assert_eq!(get("/sessions?limit=50&offset=0").await, all);
            assert_eq!(get("/sessions?limit=1&offset=1").await, json!({ "count": 2, "items": [shown(&first, name)] }));
            for past in ["2", "18446744073709551615", "18446744073709551616", "99999999999999999999999999999999"] {
                assert_eq!(get(&format!("/sessions?offset={past}")).await, json!({ "count": 2, "items": [] }), "{past}");
            }
            for handle in [&foreign.id, "1", "all", "sessions", "undefined"] {
                for method in ["GET", "DELETE"] {
                    let refused = send(&server, method, &format!("{place}/session/{handle}"), &first).await.expect(404);
                    assert_eq!(refused.json(), json!({ "code": "INVALID_SESSION_ERROR", "message": "Invalid Session" }));
                }
            }
        }
        assert!(server.stands(&foreign.access).await);
    }

    async fn own_sessions_are_deleted_one_by_one_and_several_at_once(database) {
        let server = Server::start(database).await;
        let foreign = server.open("1002").await;
        for place in PLACES {
            let mine = server.open("1001").await;
            server.wait(TimeDelta::seconds(5));
            let by_second = server.open("1001").await;
            server.wait(TimeDelta::seconds(5));
            let by_id = server.open("1001").await;
            for (session, handle) in [(&by_second, iat(&by_second)), (&by_id, by_id.id.clone())] {
                let path = format!("{place}/session/{handle}");
                let deleted = send(&server, "DELETE", &path, &mine).await.expect(200).json();
                assert_eq!(deleted, shown(session, "Unknown Device"));
                assert!(!server.stands(&session.access).await);
                send(&server, "DELETE", &path, &mine).await.expect(404);
            }
            server.wait(TimeDelta::seconds(5));
            let [one, two] = [server.open("1001").await, server.open("1001").await];
            let named = json!([one.id, two.id, foreign.id, "1", "nothing"]);
            let ended = send_bulk(&server, &format!("{place}/sessions"), &mine, named).await.expect(200);
            assert_eq!(ended.json(), json!({ "count": 2, "type": "session" }));
            assert!(!server.stands(&one.access).await && !server.stands(&two.access).await);
            send(&server, "DELETE", &format!("{place}/session/{}", mine.id), &mine).await.expect(200);
            assert!(!server.stands(&mine.access).await);
        }
        assert!(server.stands(&foreign.access).await);
    }

    async fn all_but_the_session_of_the_token_are_deleted_or_that_one_too(database) {
        let server = Server::start(database).await;
        let foreign = server.open("1002").await;
        for place in PLACES {
            for (query, count) in [("?allButSelf=false", 2), ("", 2), ("?allButSelf=true", 1)] {
                let [mine, other] = [server.open("1001").await, server.open("1001").await];
                let path = format!("{place}/sessions/all{query}");
                let ended = send(&server, "DELETE", &path, &mine).await.expect(200);
                assert_eq!(ended.json(), json!({ "count": count, "type": "session" }), "{path}");
                assert!(!server.stands(&other.access).await, "{path}");
                assert_eq!(server.stands(&mine.access).await, count == 1, "{path}");
                server.send("DELETE", "/v1/users/1001/sessions", BOOTSTRAP_KEY).await.expect(200);
            }
        }
        assert!(server.stands(&foreign.access).await);
    }

    async fn a_misspelt_wish_to_keep_the_own_session_ends_nothing(database) {
        let server = Server::start(database).await;
        let [mine, other] = [server.open("1001").await, server.open("1001").await];
        for place in PLACES {
            for query in ["allButSelf=True", "allButSelf=1", "allButSelf=", "allButSelf", "allButSelf=true&allButSelf=false"] {
                let refused = send(&server, "DELETE", &format!("{place}/sessions/all?{query}"), &mine).await.expect(400);
                let words = json!({ "code": "MISSING_FIELDS_ERROR", "message": "Missing Fields", "fields": ["allButSelf"] });
                assert_eq!(refused.json(), words, "{query}");
            }
            for query in ["allbutSelf=true", "allButSelf=true&x=1", "all_but_self=true"] {
                let refused = send(&server, "DELETE", &format!("{place}/sessions/all?{query}"), &mine).await.expect(400);
                assert_eq!(refused.json()["code"], "BAD_REQUEST_ERROR", "{query}");
            }
        }
        assert!(server.stands(&mine.access).await && server.stands(&other.access).await);
    }

    async fn of_two_own_sessions_in_one_second_none_is_deleted_by_mistake(database) {
        let server = Server::start(database).await;
        let [first, second] = twins(&server, "1001").await;
        let path = format!("/api/user/session/{}", iat(&first));
        let refused = send(&server, "DELETE", &path, &first).await.expect(409).json();
        assert_eq!(refused["sessions"], json!([second.id, first.id]));
        let ended = send_bulk(&server, "/user/sessions", &first, json!([iat(&first)])).await.expect(200);
        assert_eq!(ended.json()["count"], 0);
        assert!(server.stands(&first.access).await && server.stands(&second.access).await);
    }

    async fn a_service_has_no_own_sessions_and_a_banned_user_is_told_so(database) {
        let server = Server::start(database).await;
        let banned = server.open("1001").await;
        server.send("POST", "/v1/users/1001/ban", BOOTSTRAP_KEY).await.expect(200);
        let operations = [
            ("GET", "/session"), ("GET", "/session/1"), ("DELETE", "/session/1"), ("GET", "/sessions"), ("DELETE", "/sessions"),
            ("DELETE", "/sessions/all"),
        ];
        for place in PLACES {
            for (method, path) in operations {
                let path = format!("{place}{path}");
                let service = server.send(method, &path, BOOTSTRAP_KEY).await.expect(401);
                assert_eq!(service.json(), json!({ "code": "INVALID_SESSION_ERROR", "message": "Invalid Session" }));
                let refused = send(&server, method, &path, &banned).await.expect(403);
                assert_eq!(refused.json(), json!({ "code": "BANNED_ERROR", "message": "Banned" }));
            }
            for (method, path) in [("POST", "/session"), ("DELETE", "/session"), ("PUT", "/session/1"), ("GET", "/sessions/all")] {
                let refused = answer(server.request(method, &format!("{place}{path}"))).await.expect(405).json();
                assert_eq!(refused, json!({ "code": "INVALID_ENDPOINT_ERROR", "message": "Invalid Endpoint" }), "{path}");
            }
        }
    }

    async fn a_user_is_still_managed_whose_id_is_a_word_of_these_paths(database) {
        let server = Server::start(database).await;
        for user in ["session", "sessions", "all"] {
            let opened = server.open(user).await;
            let encoded = if user == "session" { "%73ession" } else { user };
            let list = server.send("GET", &format!("/api/user/{encoded}/sessions"), BOOTSTRAP_KEY).await.expect(200);
            assert_eq!(list.json()["items"][0]["id"], opened.id, "{user}");
            let path = format!("/user/{user}/session/{}", opened.id);
            assert_eq!(server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json()["sub"], user);
            server.send("DELETE", &format!("/user/{user}/sessions/all"), BOOTSTRAP_KEY).await.expect(200);
            assert!(!server.stands(&opened.access).await, "{user}");
        }
    }

    async fn the_session_cookie_is_taken_and_changes_need_our_own_site(database) {
        let http = HttpConfig { cookie: Some("session".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mine = server.open_with(&json!({ "user_id": "1001", "tokens": "session" })).await;
        let cookie = format!("session={}", mine.access);
        answer(server.request("GET", "/user/session").header("cookie", &cookie)).await.expect(200);
        let delete = |site: &'static str| {
            let request = server.request("DELETE", "/user/sessions/all?allButSelf=false");
            answer(request.header("cookie", &cookie).header("sec-fetch-site", site))
        };
        delete("cross-site").await.expect(403);
        assert!(server.stands(&mine.access).await);
        delete("same-origin").await.expect(200);
        assert!(!server.stands(&mine.access).await);
    }
}
