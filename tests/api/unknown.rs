//! Unknown parameters and members are refused, so that no typing error widens a request. The cases are made from the
//! documents.

use serde_json::{Value, json};
use sojourn::api::FAMILIES;

use super::access::{self, Body, ROLES};
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

/// An addition to a request that is right.
#[derive(Debug, PartialEq, Eq)]
enum Extra {
    /// A query parameter that the document does not know.
    UnknownParameter,
    /// A documented query parameter without a value.
    EmptyParameter(String),
    /// A member of the body that the document does not know; without a body, a body with that member alone.
    UnknownMember,
}
use Extra::{EmptyParameter, UnknownMember, UnknownParameter};

/// The operations that ignore some additions, with the reason.
const EXCEPTIONS: &[(&str, &[Extra], &str)] = &[
    ("verify", &[UnknownParameter, UnknownMember], "gateways pass on the guarded request's own"),
    ("require", &[UnknownParameter, UnknownMember], "gateways pass on the guarded request's own"),
    ("refreshToken", &[UnknownParameter, UnknownMember], "RFC 6749 section 3.2: the server MUST ignore them"),
    ("introspectToken", &[UnknownParameter, UnknownMember], "RFC 7662 section 2.1: as at the token endpoint"),
    ("revokeToken", &[UnknownParameter, UnknownMember], "RFC 7009 section 2.1: as at the token endpoint"),
];

/// The documented query parameters that may be empty, with the reason.
const MAY_BE_EMPTY: &[(&str, &[&str], &str)] = &[
    ("verify", &["freshness"], "gateways pass on the guarded request's own"),
    ("require", &["freshness"], "gateways pass on the guarded request's own"),
    ("listRevocations", &["since"], "no cursor, as one from elsewhere: the whole list comes"),
    (
        "janssen_search-session",
        &["pattern", "fieldValuePair", "sortBy", "sortOrder"],
        "the original's defaults are empty texts: a blank pattern matches all",
    ),
    ("cumulonimbus_getSessions", &["limit", "offset"], "the original takes what is no number for its default"),
    ("cumulonimbus_getSelfSessions", &["limit", "offset"], "the original takes what is no number for its default"),
];

fn is_exception(id: &str, extra: &Extra) -> bool {
    match extra {
        EmptyParameter(name) => {
            MAY_BE_EMPTY.iter().any(|(exception, names, _)| *exception == id && names.contains(&name.as_str()))
        }
        _ => EXCEPTIONS.iter().any(|(exception, extras, _)| *exception == id && extras.contains(extra)),
    }
}

/// An operation as documented.
struct Operation {
    /// The id in the merged document.
    id: String,
    query: Vec<String>,
}

fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let prefix = if family.name == "native" { String::new() } else { format!("{}_", family.name) };
        let document = serde_json::to_value((family.document)()).unwrap();
        for operation in
            document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
        {
            let Some(id) = operation["operationId"].as_str() else { continue };
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let query = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
            found.push(Operation { id: format!("{prefix}{id}"), query });
        }
    }
    assert!(found.len() > 40, "{}", found.len());
    found
}

/// A user with two sessions, which no request of this file may change.
struct Subject {
    user: String,
    session: Opened,
    staff: String,
}

impl Subject {
    async fn new(server: &Server, user: String) -> Self {
        let session = server.open(&user).await;
        server.open(&user).await;
        let staff = server.open_with(&json!({ "user_id": "staff", "scope": "sessions:admin" })).await.access;
        Self { user, session, staff }
    }

    /// Everything that the operation could have changed, except the session's last-seen time.
    async fn state(&self, server: &Server) -> Value {
        let mut sessions =
            server.send("GET", &format!("/v1/sessions?user_id={}", self.user), BOOTSTRAP_KEY).await.expect(200).json();
        for session in sessions["sessions"].as_array_mut().unwrap() {
            session.as_object_mut().unwrap().remove("last_seen_at");
        }
        let user = server.send("GET", &format!("/v1/users/{}", self.user), BOOTSTRAP_KEY).await.expect(200).json();
        let new = server.send("GET", "/v1/sessions?user_id=new", BOOTSTRAP_KEY).await.expect(200).json();
        json!([sessions, user, new])
    }

    async fn send(&self, server: &Server, (row, path): (&access::Row, &str), extra: &Extra) -> Answer {
        let query = match extra {
            UnknownParameter => "?sojourn_unknown=1".to_owned(),
            EmptyParameter(name) => format!("?{name}="),
            UnknownMember => String::new(),
        };
        let unknown_member = *extra == UnknownMember;
        let (_, method, _, body, expected) = row;
        let path = path.replace("{user}", &self.user).replace("{session}", &self.session.id);
        let request = server.request(method, &format!("{path}{query}"));
        let member = |text: &str| {
            let mut object: Value = serde_json::from_str(text).unwrap();
            if unknown_member {
                object["sojourn_unknown"] = json!(true);
            }
            object
        };
        let mut form: Vec<(&str, &str)> = if unknown_member { vec![("sojourn_unknown", "x")] } else { Vec::new() };
        let request = match body {
            Body::Nothing if unknown_member => request.json(&member("{}")),
            Body::Nothing => request,
            Body::Json(text) => request.json(&member(text)),
            Body::Token => {
                form.push(("token", &self.session.access));
                request.form(&form)
            }
            Body::RefreshToken => {
                form.extend([("grant_type", "refresh_token"), ("refresh_token", &self.session.refresh)]);
                request.form(&form)
            }
        };
        // The user itself where the table allows it, else staff.
        let own = (200..300).contains(&expected[2]) || !(200..300).contains(&expected[ROLES.len() - 1]);
        answer(request.bearer_auth(if own { &self.session.access } else { &self.staff })).await
    }
}

on_both_databases! {
    async fn what_no_document_knows_is_refused_by_every_operation_and_changes_nothing(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let mut wrong = Vec::new();
        for (number, Operation { id, query }) in operations().into_iter().enumerate() {
            let row = access::TABLE.iter().find(|row| row.0 == id).unwrap();
            let subject = Subject::new(&server, format!("user-{number}")).await;
            let before = subject.state(&server).await;
            let empty = query.into_iter().map(EmptyParameter);
            let extras = [UnknownParameter, UnknownMember].into_iter().chain(empty);
            let extras: Vec<Extra> = extras.filter(|extra| !is_exception(&id, extra)).collect();
            for (path, extra) in access::places(row.2).iter().flat_map(|path| extras.iter().map(move |extra| (path, extra))) {
                let answer = subject.send(&server, (row, path), extra).await;
                let status = answer.status.as_u16();
                if !matches!(status, 400 | 422) {
                    wrong.push(format!("{path} with {extra:?}: {status} {}", answer.text));
                }
                if subject.state(&server).await != before {
                    wrong.push(format!("{path} with {extra:?} changed something"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    async fn where_a_standard_or_an_original_wants_it_ignored_it_is(database) {
        let server = Server::start(database).await;
        let ignored = EXCEPTIONS.iter().flat_map(|(id, extras, reason)| extras.iter().map(move |extra| (id, reason, extra)));
        for (number, (id, reason, extra)) in ignored.enumerate() {
            let row = access::TABLE.iter().find(|row| row.0 == *id).unwrap();
            let answer = Subject::new(&server, format!("user-{number}")).await.send(&server, (row, row.2), extra).await;
            assert_eq!(answer.status, 200, "{id}: {reason}: {}", answer.text);
        }
        for (id, names, reason) in MAY_BE_EMPTY {
            let row = access::TABLE.iter().find(|row| row.0 == *id).unwrap();
            let subject = Subject::new(&server, (*id).to_owned()).await;
            for name in *names {
                for path in access::places(row.2) {
                    let answer = subject.send(&server, (row, &path), &EmptyParameter((*name).to_owned())).await;
                    assert_eq!(answer.status, 200, "{path}: {reason}: {}", answer.text);
                }
            }
        }
    }

    async fn a_body_that_says_nothing_may_come_with_any_operation(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        for body in ["", " ", "{}", " {} "] {
            let request = server.request("GET", "/v1/me").bearer_auth(&opened.access).body(body);
            answer(request).await.expect(200);
        }
        for body in ["[]", "null", "{\"keep_current\":true}", "keep_current=true", "x"] {
            let request = server.request("DELETE", "/v1/me/sessions").bearer_auth(&opened.access).body(body);
            answer(request).await.expect_problem(400, "malformed_request");
        }
        assert!(server.stands(&opened.access).await);
    }

    async fn what_a_parser_says_is_not_shown_to_people(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "sessions:admin" })).await;
        let id = &opened.id;
        let json = |path: String, method: &'static str, body: &'static str| {
            server.request(method, &path).bearer_auth(&opened.access).header("content-type", "application/json").body(body)
        };
        let form = |path: &str, body: &'static str| {
            let kind = "application/x-www-form-urlencoded";
            server.request("POST", path).bearer_auth(&opened.access).header("content-type", kind).body(body)
        };
        let get = |path: &str| server.request("GET", path).bearer_auth(&opened.access);
        let refused = [
            json("/v1/sessions".to_owned(), "POST", "{"),
            json("/v1/sessions".to_owned(), "POST", "{}"),
            json("/v1/sessions".to_owned(), "POST", r#"{"user_id":7}"#),
            json("/v1/sessions".to_owned(), "POST", r#"{"user_id":"a","metadata":[1]}"#),
            json("/v1/sessions".to_owned(), "POST", r#"{"user_id":"a","tokens":"none"}"#),
            json(format!("/v1/sessions/{id}/extend"), "POST", r#"{"extend_by":1e99}"#),
            json("/v1/sessions/revoke".to_owned(), "POST", r#"{"filter":{"created_from":"soon"}}"#),
            json("/v1/sessions/revoke".to_owned(), "POST", r#"{"filter":{"usr_id":"a"}}"#),
            json("/api/v0/sessions/revoke-all".to_owned(), "POST", r#"{"keep_current":"yes"}"#),
            json(format!("/api/v0/sessions/{id}/extend"), "POST", r#"{"extension_hours":1.5}"#),
            json("/api/user/alice/sessions".to_owned(), "DELETE", r#"{"sessions":[],"all":true}"#),
            form("/oauth2/introspect", "token=x&freshness=stale"),
            form("/oauth2/introspect", "x=y"),
            form("/oauth2/token", "grant_type=a&grant_type=b"),
            get("/v1/sessions?created_from=yesterday"),
            get("/v1/sessions?limit=many"),
            get("/v1/sessions?state=dead"),
            get("/v1/stats?by=year"),
            get("/v1/revocations?wait=-1"),
            get("/api/v1/jans-auth-server/session/search?limit=x"),
            get("/openapi/%ff"),
            get("/v1/users/%ff"),
        ];
        let inner_words = [
            "expected", "invalid type", "invalid value", "invalid digit", "variant", "missing field", "unknown field",
            "duplicate field", "premature", "trailing", "EOF", "deserialize", "struct", "usize", "u64", "i64", "u32",
            "input contains", "line 1 column", "URL", "Utf8", "parse", "map",
        ];
        for request in refused {
            let answer = answer(request).await;
            assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.text);
            let shown = inner_words.iter().find(|word| answer.text.contains(*word));
            assert_eq!(shown, None, "{}", answer.text);
        }
        let misspelt = json("/v1/sessions/revoke".to_owned(), "POST", r#"{"filter":{"usr_id":"a"}}"#);
        let problem = answer(misspelt).await.expect_problem(400, "malformed_request").json();
        assert_eq!(problem["detail"], "The body is invalid: usr_id is unknown");
        let unfit = answer(get("/v1/sessions?limit=many")).await.expect_problem(400, "malformed_request").json();
        assert_eq!(unfit["detail"], "The query cannot be read: limit has a value that is not allowed");
    }

    async fn an_empty_or_null_condition_ends_nobody(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "client_id": "web" })).await;
        let since = "2020-01-01T00:00:00Z";
        for (filter, name) in [
            (json!({ "client_id": "", "created_from": since }), "client_id"),
            (json!({ "user_id": "alice", "client_id": "" }), "client_id"),
            (json!({ "user_id": "alice", "client_id": "  " }), "client_id"),
            (json!({ "user_id": null, "created_from": since }), "user_id"),
            (json!({ "device_type": null, "created_from": since }), "device_type"),
            (json!({ "device_type": "", "created_from": since }), "device_type"),
            (json!({ "ip_address": "", "user_id": "alice" }), "ip_address"),
            (json!({ "created_to": null, "user_id": "alice" }), "created_to"),
            (json!({ "created_from": "", "user_id": "alice" }), "created_from"),
            (json!({ "to_come": {}, "user_id": "alice" }), "to_come"),
        ] {
            for dry_run in [false, true] {
                let body = json!({ "filter": filter, "dry_run": dry_run });
                let refused = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await;
                let problem = refused.expect_problem(422, "invalid_request").json();
                assert_eq!(problem["errors"][0]["field"], name);
                assert!(problem["detail"].as_str().unwrap().contains(" must not be "), "{problem}");
            }
        }
        for filter in [json!([]), json!(["alice"]), json!("alice"), json!({ "user_id": "alice", "usr": "x" })] {
            let body = json!({ "filter": filter });
            server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect_problem(400, "malformed_request");
        }
        for body in [
            json!({ "ids": null, "all": true }),
            json!({ "filter": null, "all": true }),
            json!({ "ids": [opened.id], "filter": null }),
            json!({ "filter": { "user_id": "alice" }, "all": null }),
            json!({ "all": true, "dry_run": null }),
        ] {
            let refused = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await;
            assert!(matches!(refused.status.as_u16(), 400 | 422), "{body}: {}", refused.text);
        }
        let twice = r#"{"filter":{"user_id":"bob","user_id":"alice"}}"#;
        let request = server.request("POST", "/v1/sessions/revoke").bearer_auth(BOOTSTRAP_KEY);
        answer(request.header("content-type", "application/json").body(twice)).await.expect_problem(400, "malformed_request");
        for path in ["/oauth2/revoke", "/oauth2/introspect"] {
            let refused = server.send_form(path, Some(BOOTSTRAP_KEY), &[("token", "")]).await.expect(400);
            assert_eq!(refused.json()["error"], "invalid_request", "nothing was revoked, so nobody may think so");
        }
        for path in ["userDn=", "acr=,client_id=web"] {
            let path = format!("/api/v1/jans-auth-server/session/search?fieldValuePair={path}");
            server.send("GET", &path, BOOTSTRAP_KEY).await.expect(400);
        }
        let search = server.send("GET", "/v1/sessions?client_id=", BOOTSTRAP_KEY).await.expect_problem(422, "invalid_request");
        assert_eq!(search.json()["detail"], "client_id must not be empty");
        assert!(server.stands(&opened.access).await);
    }
}
