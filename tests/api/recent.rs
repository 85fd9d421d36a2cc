//! `SOJOURN_REAUTH_WITHIN`: what a session whose user authenticated long ago may not do, in every family.

use chrono::TimeDelta;
use serde_json::json;
use sojourn::sessions::Policy;

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

const CHALLENGE: &str = "Bearer realm=\"sojourn\", error=\"insufficient_user_authentication\", max_age=\"300\"";

async fn start(database: TestDatabase) -> Server {
    let reauth_within = Some(TimeDelta::minutes(5));
    Server::builder().policy(Policy { reauth_within, ..Policy::default() }).start(database).await
}

/// A request: method, path, JSON body if any, and the status where it is not refused. `{user}` and `{other}` are filled in.
type Row = (&'static str, &'static str, &'static str, u16);

/// Endings of a user's other sessions by the user.
const OWN: &[Row] = &[
    ("DELETE", "/v1/sessions/{other}", "", 204),
    ("DELETE", "/v1/me/sessions?keep_current=true", "", 200),
    ("DELETE", "/auth/sessions/{other}", "", 200),
    ("DELETE", "/auth/sessions", "", 200),
    ("DELETE", "/api/v1/users/me/sessions/{other}", "", 200),
    ("DELETE", "/api/v0/sessions/{other}", "", 200),
    ("POST", "/api/v0/sessions/revoke-all", r#"{"keep_current":true}"#, 200),
    ("POST", "/api/v0/sessions/revoke-all", r#"{"keep_current":false}"#, 200),
    ("DELETE", "/user/{user}/session/{other}", "", 200),
    ("DELETE", "/user/{user}/sessions", r#"{"sessions":["{other}"]}"#, 200),
    ("DELETE", "/api/user/session/{other}", "", 200),
    ("DELETE", "/api/user/sessions", r#"{"sessions":["{other}"]}"#, 200),
    ("DELETE", "/api/user/sessions/all?allButSelf=true", "", 200),
    ("DELETE", "/v1/me/sessions", "", 200),
    ("DELETE", "/auth/sessions/all", "", 200),
    ("DELETE", "/api/v1/users/me/sessions", "", 200),
    ("DELETE", "/user/{user}/sessions/all", "", 200),
];

/// Operations of staff.
const OF_STAFF: &[Row] = &[
    ("DELETE", "/v1/sessions/{other}", "", 204),
    ("DELETE", "/v1/users/{user}/sessions", "", 200),
    ("POST", "/v1/sessions/revoke", r#"{"filter": {"user_id": "nobody"}}"#, 200),
    ("POST", "/v1/sessions", r#"{"user_id": "else"}"#, 201),
    ("POST", "/v1/sessions/{other}/authenticate", "{}", 200),
    ("PUT", "/v1/users/new", r#"{"name": "New"}"#, 200),
    ("POST", "/v1/users/{user}/account-link", "", 201),
    ("POST", "/v1/users/new/ban", "", 200),
    ("POST", "/v1/users/new/unban", "", 200),
    ("DELETE", "/v1/users/new", "", 200),
    ("POST", "/v1/keys", r#"{"name": "new", "scope": "sessions:read"}"#, 201),
    ("DELETE", "/v1/keys/01a20114-3d06-7355-88c5-d5965a7f8762", "", 404),
    ("POST", "/v1/signing-keys/rotate", "", 201),
    ("POST", "/v1/applications", r#"{"client_id": "new"}"#, 201),
    ("PATCH", "/v1/applications/new", r#"{"name": "New"}"#, 200),
    ("DELETE", "/v1/applications/new", "", 204),
    ("DELETE", "/user/{user}/session/{other}", "", 200),
    ("DELETE", "/api/v1/jans-auth-server/session/sid/{other}", "", 204),
    ("DELETE", "/api/v1/jans-auth-server/session/user/inum={user},ou=people,o=jans", "", 204),
];

async fn send(server: &Server, by: &str, other: &Opened, row: &Row) -> Answer {
    let (method, path, body, _) = row;
    let [path, body] = [path, body].map(|text| text.replace("{other}", &other.id).replace("{user}", "alice"));
    let request = server.request(method, &path).bearer_auth(by);
    let request = if body.is_empty() { request } else { request.header("content-type", "application/json").body(body) };
    answer(request).await
}

fn assert_refused(answer: &Answer, row: &Row) {
    // Janssen's dialect has no 403.
    let expected = if row.1.starts_with("/api/v1/jans-auth-server") { 401 } else { 403 };
    assert_eq!(answer.status.as_u16(), expected, "{} {}: {}", row.0, row.1, answer.text);
    assert_eq!(answer.header("www-authenticate"), CHALLENGE, "{} {}", row.0, row.1);
}

on_both_databases! {
    async fn a_session_authenticated_long_ago_ends_no_other_and_a_step_up_lifts_that(database) {
        let server = start(database).await;
        let mine = server.open("alice").await;
        server.wait(TimeDelta::minutes(6));
        let other = server.open("alice").await;
        let stale = server.refresh(&mine.refresh).await.expect(200).json();
        let stale = stale["access_token"].as_str().unwrap();
        for row in OWN {
            assert_refused(&send(&server, stale, &other, row).await, row);
        }
        assert!(server.stands(&other.access).await && server.stands(stale).await);
        let problem = server.send("DELETE", "/v1/me/sessions", stale).await;
        problem.expect_problem(403, "insufficient_user_authentication");
        for row in OWN {
            let other = server.open("alice").await;
            let mine = server.open("alice").await;
            server.wait(TimeDelta::minutes(6));
            let path = format!("/v1/sessions/{}/authenticate", mine.id);
            let fresh = server.send_json("POST", &path, BOOTSTRAP_KEY, &json!({})).await.expect(200).json();
            let done = send(&server, fresh["access_token"].as_str().unwrap(), &other, row).await;
            assert_eq!(done.status.as_u16(), row.3, "{} {}: {}", row.0, row.1, done.text);
            assert!(!server.stands(&other.access).await, "{} {}", row.0, row.1);
        }
    }

    async fn staff_in_sessions_must_be_recent_and_services_need_not(database) {
        let server = start(database).await;
        let scope = "sessions:admin sessions:write revoke_session https://jans.io/oauth/jans-auth-server/session.delete";
        let root = server.open_with(&json!({ "user_id": "root", "scope": scope })).await;
        server.wait(TimeDelta::minutes(6));
        let stale = server.refresh(&root.refresh).await.expect(200).json();
        let stale = stale["access_token"].as_str().unwrap();
        let other = server.open("alice").await;
        for row in OF_STAFF {
            assert_refused(&send(&server, stale, &other, row).await, row);
        }
        assert!(server.stands(&other.access).await);
        let dry = json!({ "filter": { "user_id": "nobody" }, "dry_run": true });
        server.send_json("POST", "/v1/sessions/revoke", stale, &dry).await.expect(200);
        server.send("GET", "/v1/keys", stale).await.expect(200);
        for row in OF_STAFF {
            let other = server.open("alice").await;
            let done = send(&server, BOOTSTRAP_KEY, &other, row).await;
            assert_eq!(done.status.as_u16(), row.3, "{} {}: {}", row.0, row.1, done.text);
        }
        let recent = server.open_with(&json!({ "user_id": "root", "scope": scope })).await;
        for row in OF_STAFF {
            let other = server.open("alice").await;
            let done = send(&server, &recent.access, &other, row).await;
            assert_eq!(done.status.as_u16(), row.3, "{} {}: {}", row.0, row.1, done.text);
        }
    }

    async fn signing_out_is_never_refused(database) {
        let server = start(database).await;
        for path in [
            "/v1/sessions/{own}",
            "/auth/sessions/{own}",
            "/api/v1/users/me/sessions/{own}",
            "/api/v0/sessions/{own}",
            "/user/alice/session/{own}",
            "/api/user/session/{own}",
        ] {
            let mine = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
            server.wait(TimeDelta::minutes(6));
            let done = server.send("DELETE", &path.replace("{own}", &mine.id), &mine.access).await;
            assert!(done.status.is_success(), "{path}: {}", done.text);
            assert!(!server.stands(&mine.access).await, "{path}");
        }
        let mine = server.open("alice").await;
        server.wait(TimeDelta::minutes(6));
        server.send_form("/oauth2/revoke", None, &[("token", &mine.access)]).await.expect(200);
        server.refresh(&mine.refresh).await.expect(400);
    }

    async fn without_the_setting_no_user_is_asked(database) {
        let server = Server::start(database).await;
        let mine = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let other = server.open("alice").await;
        server.wait(TimeDelta::days(6));
        server.send("DELETE", "/v1/me/sessions?keep_current=true", &mine.access).await.expect(200);
        assert!(!server.stands(&other.access).await);
    }
}
