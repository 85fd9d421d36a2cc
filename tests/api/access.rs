//! The access table: every operation of every family for every kind of caller. An operation without a row fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

/// Columns of the table. The session asked for is the owner's.
pub(super) const ROLES: [&str; 8] =
    ["nobody", "an ended session", "the owner", "another user", "reader", "writer", "admin", "staff"];

/// The body of a request.
pub(super) enum Body {
    Nothing,
    Json(&'static str),
    /// A form with the token of the session asked for.
    Token,
    RefreshToken,
}
use Body::{Json, Nothing, RefreshToken, Token};

/// Answers that several operations share: for the caller's own things, for staff, for everybody.
const OWN: [u16; 8] = [401, 401, 200, 200, 401, 401, 401, 200];
const OWN_SESSION: [u16; 8] = [401, 401, 200, 404, 401, 401, 401, 404];
const READ: [u16; 8] = [401, 401, 403, 403, 200, 403, 200, 200];
const ADMINISTER: [u16; 8] = [401, 401, 403, 403, 403, 403, 200, 200];
const MANAGE: [u16; 8] = [401, 401, 200, 403, 403, 403, 200, 200];
const JANSSEN: [u16; 8] = [401, 401, 401, 401, 401, 401, 200, 200];
const JANSSEN_DELETE: [u16; 8] = [401, 401, 401, 401, 401, 401, 204, 204];
const EVERYBODY: [u16; 8] = [200; 8];

pub(super) type Row = (&'static str, &'static str, &'static str, Body, [u16; 8]);

/// Operation id in the merged document, method, path (`{session}` and `{user}` are filled in), body, answers by role.
pub(super) const TABLE: &[Row] = &[
    ("openSession", "POST", "/v1/sessions", Json(r#"{"user_id":"new"}"#), [401, 401, 403, 403, 403, 201, 201, 201]),
    ("searchSessions", "GET", "/v1/sessions", Nothing, READ),
    ("getSession", "GET", "/v1/sessions/{session}", Nothing, [401, 401, 200, 404, 200, 403, 200, 200]),
    (
        "changeSession",
        "PATCH",
        "/v1/sessions/{session}",
        Json(r#"{"device_name":"x"}"#),
        [401, 401, 200, 404, 403, 403, 200, 200],
    ),
    ("endSession", "DELETE", "/v1/sessions/{session}", Nothing, [401, 401, 204, 404, 403, 403, 204, 204]),
    (
        "extendSession",
        "POST",
        "/v1/sessions/{session}/extend",
        Json(r#"{"extend_by":60}"#),
        [401, 401, 200, 404, 403, 403, 200, 200],
    ),
    (
        "authenticateSession",
        "POST",
        "/v1/sessions/{session}/authenticate",
        Json("{}"),
        [401, 401, 403, 403, 403, 200, 200, 200],
    ),
    ("revokeSessions", "POST", "/v1/sessions/revoke", Json(r#"{"all":true,"dry_run":true}"#), ADMINISTER),
    ("getMe", "GET", "/v1/me", Nothing, [401, 401, 200, 200, 200, 200, 200, 200]),
    ("listMySessions", "GET", "/v1/me/sessions", Nothing, OWN),
    ("endMySessions", "DELETE", "/v1/me/sessions", Nothing, OWN),
    ("setSessionCookie", "POST", "/v1/session/cookie", Nothing, [401, 401, 422, 422, 401, 401, 401, 422]),
    ("endSessionByCookie", "DELETE", "/v1/session/cookie", Nothing, [401; 8]),
    ("searchUsers", "GET", "/v1/users", Nothing, READ),
    ("getUser", "GET", "/v1/users/{user}", Nothing, READ),
    ("putUser", "PUT", "/v1/users/{user}", Json("{}"), [401, 401, 403, 403, 403, 200, 200, 200]),
    ("deleteUser", "DELETE", "/v1/users/{user}", Nothing, ADMINISTER),
    ("exportUser", "GET", "/v1/users/{user}/export", Nothing, READ),
    ("banUser", "POST", "/v1/users/{user}/ban", Nothing, ADMINISTER),
    ("unbanUser", "POST", "/v1/users/{user}/unban", Nothing, ADMINISTER),
    ("listUserSessions", "GET", "/v1/users/{user}/sessions", Nothing, READ),
    ("endUserSessions", "DELETE", "/v1/users/{user}/sessions", Nothing, ADMINISTER),
    ("verify", "GET", "/v1/verify", Nothing, OWN),
    ("require", "GET", "/v1/require/max_age=600", Nothing, OWN),
    ("getStatistics", "GET", "/v1/stats", Nothing, READ),
    ("readAudit", "GET", "/v1/audit", Nothing, ADMINISTER),
    ("getTimeline", "GET", "/v1/sessions/{session}/timeline", Nothing, READ),
    ("getStatus", "GET", "/v1/status", Nothing, READ),
    ("listSettings", "GET", "/v1/settings", Nothing, ADMINISTER),
    ("cleanUp", "POST", "/v1/cleanup", Json(r#"{"dry_run":true}"#), ADMINISTER),
    (
        "createApplication",
        "POST",
        "/v1/applications",
        Json(r#"{"client_id":""}"#),
        [401, 401, 403, 403, 403, 403, 422, 422],
    ),
    ("listApplications", "GET", "/v1/applications", Nothing, READ),
    ("getApplication", "GET", "/v1/applications/none", Nothing, [401, 401, 403, 403, 404, 403, 404, 404]),
    ("changeApplication", "PATCH", "/v1/applications/none", Json("{}"), [401, 401, 403, 403, 403, 403, 404, 404]),
    ("deleteApplication", "DELETE", "/v1/applications/none", Nothing, [401, 401, 403, 403, 403, 403, 404, 404]),
    (
        "createKey",
        "POST",
        "/v1/keys",
        Json(r#"{"name":"new","scope":"sessions:read"}"#),
        [401, 401, 403, 403, 403, 403, 201, 201],
    ),
    ("listKeys", "GET", "/v1/keys", Nothing, ADMINISTER),
    (
        "getKey",
        "GET",
        "/v1/keys/01a20114-3d06-7355-88c5-d5965a7f8762",
        Nothing,
        [401, 401, 403, 403, 403, 403, 404, 404],
    ),
    (
        "revokeKey",
        "DELETE",
        "/v1/keys/01a20114-3d06-7355-88c5-d5965a7f8762",
        Nothing,
        [401, 401, 403, 403, 403, 403, 404, 404],
    ),
    ("listSigningKeys", "GET", "/v1/signing-keys", Nothing, ADMINISTER),
    ("rotateSigningKeys", "POST", "/v1/signing-keys/rotate", Nothing, [401, 401, 403, 403, 403, 403, 201, 201]),
    ("watchSession", "GET", "/v1/sessions/{session}/watch", Nothing, [401, 401, 200, 404, 200, 403, 200, 200]),
    ("listen", "GET", "/v1/events", Nothing, READ),
    ("listRevocations", "GET", "/v1/revocations", Nothing, READ),
    ("introspectToken", "POST", "/oauth2/introspect", Token, READ),
    ("revokeToken", "POST", "/oauth2/revoke", Token, EVERYBODY),
    ("refreshToken", "POST", "/oauth2/token", RefreshToken, EVERYBODY),
    ("getKeySet", "GET", "/.well-known/jwks.json", Nothing, EVERYBODY),
    ("getMetadata", "GET", "/.well-known/oauth-authorization-server", Nothing, EVERYBODY),
    ("getOpenIdConfiguration", "GET", "/.well-known/openid-configuration", Nothing, EVERYBODY),
    ("quiika_getUserSessions", "GET", "/auth/sessions", Nothing, OWN),
    ("quiika_getActiveSessions", "GET", "/auth/sessions/active", Nothing, OWN),
    ("quiika_getSessionCount", "GET", "/auth/sessions/count", Nothing, OWN),
    ("quiika_revokeOtherSessions", "DELETE", "/auth/sessions", Nothing, OWN),
    ("quiika_revokeAllSessions", "DELETE", "/auth/sessions/all", Nothing, OWN),
    ("quiika_revokeSession", "DELETE", "/auth/sessions/{session}", Nothing, OWN_SESSION),
    ("vault_listSessions", "GET", "/api/v1/users/me/sessions", Nothing, OWN),
    ("vault_logoutAllSessions", "DELETE", "/api/v1/users/me/sessions", Nothing, OWN),
    ("vault_revokeSession", "DELETE", "/api/v1/users/me/sessions/{session}", Nothing, OWN_SESSION),
    ("blackbox_list_sessions", "GET", "/api/v0/sessions", Nothing, OWN),
    ("blackbox_cleanup_expired_sessions", "POST", "/api/v0/sessions/cleanup", Nothing, OWN),
    ("blackbox_revoke_all_sessions", "POST", "/api/v0/sessions/revoke-all", Json(r#"{"keep_current":true}"#), OWN),
    ("blackbox_get_session_stats", "GET", "/api/v0/sessions/stats", Nothing, OWN),
    ("blackbox_get_session", "GET", "/api/v0/sessions/{session}", Nothing, OWN_SESSION),
    ("blackbox_revoke_session", "DELETE", "/api/v0/sessions/{session}", Nothing, OWN_SESSION),
    (
        "blackbox_extend_session",
        "POST",
        "/api/v0/sessions/{session}/extend",
        Json(r#"{"extension_hours":1}"#),
        OWN_SESSION,
    ),
    ("cumulonimbus_getSessions", "GET", "/api/user/{user}/sessions", Nothing, MANAGE),
    ("cumulonimbus_getSession", "GET", "/api/user/{user}/session/{session}", Nothing, MANAGE),
    ("cumulonimbus_deleteSession", "DELETE", "/user/{user}/session/{session}", Nothing, MANAGE),
    ("cumulonimbus_deleteSessions", "DELETE", "/api/user/{user}/sessions", Json(r#"{"sessions":[]}"#), MANAGE),
    ("cumulonimbus_deleteAllSessions", "DELETE", "/api/user/{user}/sessions/all", Nothing, MANAGE),
    ("cumulonimbus_getCurrentSession", "GET", "/api/user/session", Nothing, OWN),
    ("cumulonimbus_getSelfSession", "GET", "/api/user/session/{session}", Nothing, OWN_SESSION),
    ("cumulonimbus_deleteSelfSession", "DELETE", "/user/session/{session}", Nothing, OWN_SESSION),
    ("cumulonimbus_getSelfSessions", "GET", "/api/user/sessions", Nothing, OWN),
    ("cumulonimbus_deleteSelfSessions", "DELETE", "/api/user/sessions", Json(r#"{"sessions":[]}"#), OWN),
    ("cumulonimbus_deleteAllSelfSessions", "DELETE", "/api/user/sessions/all", Nothing, OWN),
    ("janssen_get-sessions", "GET", "/api/v1/jans-auth-server/session", Nothing, JANSSEN),
    ("janssen_search-session", "GET", "/api/v1/jans-auth-server/session/search", Nothing, JANSSEN),
    ("janssen_get-session-by-id", "GET", "/api/v1/jans-auth-server/session/sid/{session}", Nothing, JANSSEN),
    ("janssen_delete-session", "DELETE", "/api/v1/jans-auth-server/session/sid/{session}", Nothing, JANSSEN_DELETE),
    ("janssen_revoke-user-session", "DELETE", "/api/v1/jans-auth-server/session/user/{user}", Nothing, JANSSEN_DELETE),
];

/// The paths of an operation that is served at several places, with and without what stands before its family's paths.
pub(super) fn places(path: &str) -> Vec<String> {
    let families = [("/api", "/user/"), ("/jans-config-api", "/api/v1/jans-auth-server/")];
    let Some((before, rest)) = families.into_iter().find_map(|(before, prefix)| {
        let rest = path.strip_prefix(before).unwrap_or(path);
        rest.starts_with(prefix).then_some((before, rest))
    }) else {
        return vec![path.to_owned()];
    };
    vec![rest.to_owned(), format!("{before}{rest}")]
}

const UNKNOWN: &str = "01a20114-3d06-7355-88c5-d5965a7f8762";

/// The request of a row at one of its paths.
async fn send(
    server: &Server,
    (row, path): (&Row, &str),
    user: &str,
    session: &str,
    tokens: (&str, &str),
    credential: Option<&str>,
) -> Answer {
    let request = server.request(row.1, &path.replace("{user}", user).replace("{session}", session));
    let request = match row.3 {
        Nothing => request,
        Json(text) => request.header("content-type", "application/json").body(text),
        Token => request.form(&[("token", tokens.0)]),
        RefreshToken => request.form(&[("grant_type", "refresh_token"), ("refresh_token", tokens.1)]),
    };
    answer(match credential {
        Some(credential) => request.bearer_auth(credential),
        None => request,
    })
    .await
}

on_both_databases! {
    async fn every_operation_answers_every_kind_of_caller_as_the_table_says(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let keys = [server.key("sessions:read").await, server.key("sessions:write").await, server.key("sessions:admin").await];
        let mut wrong = Vec::new();
        let everywhere = TABLE.iter().flat_map(|row| places(row.2).into_iter().map(move |path| (row, path)));
        for (number, (row, path)) in everywhere.enumerate() {
            let place = (row, path.as_str());
            for (role, (name, expected)) in ROLES.iter().zip(row.4).enumerate() {
                let user = format!("user-{number}-{role}");
                let target = server.open(&user).await;
                let staff = json!({ "user_id": format!("staff-{number}"), "scope": "sessions:admin" });
                let credential = match role {
                    0 => None,
                    1 => {
                        let ended = server.open(&user).await;
                        server.end(&ended.id).await;
                        Some(ended.access)
                    }
                    2 => Some(server.open(&user).await.access),
                    3 => Some(server.open(&format!("other-{number}")).await.access),
                    7 => Some(server.open_with(&staff).await.access),
                    key => Some(keys[key - 4].clone()),
                };
                let tokens = (target.access.as_str(), target.refresh.as_str());
                let answer = send(&server, place, &user, &target.id, tokens, credential.as_deref()).await;
                let status = answer.status.as_u16();
                if status != expected {
                    wrong.push(format!("{path} for {name}: {status}, not {expected}: {}", answer.text));
                }
                if status >= 400 {
                    assert!(server.stands(&target.access).await, "{} for {name} ended what it refused to", row.0);
                }
                if status == 401 {
                    assert!(answer.header("www-authenticate").starts_with("Bearer"), "{} for {name}", row.0);
                }
                if status == 404 && row.2.contains("{session}") {
                    let unknown = send(&server, place, &user, UNKNOWN, tokens, credential.as_deref()).await;
                    assert_eq!((unknown.status, unknown.text), (answer.status, answer.text), "{} for {name}", row.0);
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[test]
fn every_operation_has_a_row() {
    let document = sojourn::api::document().unwrap();
    let documented: BTreeSet<&str> =
        document.lines().filter_map(|line| line.trim().strip_prefix("operationId: ")).collect();
    let rows: BTreeSet<&str> = TABLE.iter().map(|row| row.0).collect();
    assert_eq!(rows, documented);
    assert_eq!(rows.len(), TABLE.len(), "no operation has two");
}

on_both_databases! {
    /// Malformed input is answered 4xx in a body of the family's type, or with a plain answer, and never 5xx.
    async fn nonsense_in_paths_and_bodies_is_refused_everywhere(database) {
        let server = Server::start(database).await;
        let alice = server.open_with(&json!({ "user_id": "alice", "scope": "sessions:admin" })).await;
        let ids = [
            "%27%20OR%20%271%27%3D%271", "1;select%20pg_sleep(5)", "..%2f..", "%00", "%C0%AF", "%25", "*", "1e9", "-0", "01",
            "NaN", "%D9%A3", "9999999999999999999999999999999999999999", "null", "%F0%9F%99%82",
        ];
        let bodies = [
            "", "{", "[]", "null", "true", "\"x\"", "{}", "{\"sessions\":\"5\"}", "{\"sessions\":[null]}", "{\"sessions\":[\"*\"]}",
            "{\"keep_current\":\"true\"}", "{\"keep_current\":null}", "{\"extension_hours\":-1}", "{\"extension_hours\":2147483648}",
            "{\"extension_hours\":1e2}", "{\"extend_by\":9223372036854775807}", "{\"user_id\":\"\\ud800\"}", "{\"user_id\":\"a\\u0000\"}",
            "{\"a\":1}garbage", "{\"dry_run\":1}",
        ];
        for row in TABLE {
            let (id, method, path, body, _) = row;
            for text in ids.iter().filter(|_| path.contains('{')) {
                let path = path.replace("{user}", text).replace("{session}", text);
                let status = server.send(method, &path, &alice.access).await.status.as_u16();
                assert!(status < 500, "{id} {path}: {status}");
            }
            for text in bodies.iter().filter(|_| matches!(body, Json(_))) {
                let path = path.replace("{user}", "nobody").replace("{session}", UNKNOWN);
                let request = server.request(method, &path).bearer_auth(&alice.access).header("content-type", "application/json");
                let refused = answer(request.body(*text)).await;
                assert!(refused.status.as_u16() < 500, "{id} {text}: {}", refused.text);
            }
        }
        assert!(server.stands(&alice.access).await, "and none of it meant everything");
        let kept: Value = server.send("GET", "/v1/sessions", BOOTSTRAP_KEY).await.json();
        assert_eq!(kept["sessions"][0]["id"], alice.id);
    }
}
