//! Callers by cookie in all families.

use std::collections::BTreeSet;

use serde_json::json;
use sojourn::config::HttpConfig;

use super::access::{Body, TABLE, places};
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

/// The operations by which a caller ends its own session, in the families that take cookies.
const ENDINGS: [&str; 10] = [
    "banUser",
    "cumulonimbus_deleteAllSelfSessions",
    "cumulonimbus_deleteAllSessions",
    "cumulonimbus_deleteSelfSession",
    "cumulonimbus_deleteSession",
    "deleteUser",
    "endMySessions",
    "endSession",
    "endSessionByCookie",
    "endUserSessions",
];

on_both_databases! {
    /// Every operation of the table of access, by the cookie of staff and on the caller's own session.
    async fn whatever_ends_the_caller_s_own_session_clears_its_cookie_and_nothing_else_does(database) {
        let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mut cleared = BTreeSet::new();
        let everywhere = TABLE.iter().flat_map(|row| places(row.2).into_iter().map(move |path| (row, path)));
        for (number, ((operation, method, _, body, _), path)) in everywhere.enumerate() {
            let user = format!("user-{number}");
            let mine = json!({ "user_id": user, "tokens": "session", "scope": "sessions:admin" });
            let mine = server.open_with(&mine).await;
            let path = path.replace("{user}", &user).replace("{session}", &mine.id);
            let request = server.request(method, &path).header("cookie", format!("__Host-session={}", mine.access));
            let request = request.header("sec-fetch-site", "same-origin");
            let answered = answer(match body {
                Body::Json(text) => request.header("content-type", "application/json").body(*text),
                // A token in a form is the credential itself; the cookie is none there.
                Body::Token | Body::RefreshToken => request.form(&[("token", "none"), ("refresh_token", "none")]),
                Body::Nothing => request,
            })
            .await;
            let now = server.send("GET", &format!("/v1/sessions/{}", mine.id), BOOTSTRAP_KEY).await.expect(200).json();
            let is_ended = now["state"] != "active";
            let set = answered.headers.get("set-cookie").map(|value| value.to_str().unwrap());
            let expected = "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
            assert_eq!(set, is_ended.then_some(expected), "{operation}: {} {}", answered.status, answered.text);
            if is_ended {
                cleared.insert(*operation);
            }
        }
        assert_eq!(cleared, ENDINGS.into());
    }

    async fn no_family_lets_another_site_change_anything_by_cookie(database) {
        let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let mine = json!({ "user_id": "1001", "tokens": "session", "scope": "sessions:admin" });
        let mine = server.open_with(&mine).await;
        for (operation, method, path, _, _) in TABLE.iter().filter(|row| row.1 != "GET" && ENDINGS.contains(&row.0)) {
            let path = path.replace("{user}", "1001").replace("{session}", &mine.id);
            for origin in [None, Some(("origin", "https://evil.example")), Some(("sec-fetch-site", "same-site"))] {
                let request = server.request(method, &path).header("cookie", format!("__Host-session={}", mine.access));
                let request = origin.into_iter().fold(request, |request, (name, value)| request.header(name, value));
                let refused = answer(request).await.expect(403);
                assert!(!refused.headers.contains_key("set-cookie"), "{operation}");
            }
        }
        assert!(server.stands(&mine.access).await);
    }
}
