//! Claims that an opener adds to access tokens, as far as the session's application allows them.

use serde_json::{Value, json};

use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};
use crate::support::{jwt, on_both_databases};

/// The claims of an access token in an answer.
fn claims(token: &Value) -> Value {
    jwt::claims(token.as_str().unwrap())
}

/// A server with the application `shop`, which allows some claims, and `bank`, which allows none.
async fn with_applications(database: crate::support::database::TestDatabase) -> Server {
    let server = Server::start(database).await;
    let names = json!(["roles", "tenant", "https://example.org/plan", "x"]);
    for body in [json!({ "client_id": "shop", "claims": names }), json!({ "client_id": "bank" })] {
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &body).await.expect(201);
    }
    server
}

async fn open(server: &Server, client: &str, claims: &Value) -> Answer {
    let body = json!({ "user_id": "alice", "client_id": client, "claims": claims });
    server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await
}

/// Opens a session with the text of claims as it is, which a JSON library would not write so.
async fn open_with_text(server: &Server, claims: &str) -> Answer {
    let body = format!(r#"{{"user_id":"alice","client_id":"shop","claims":{claims}}}"#);
    let request = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY);
    answer(request.header("content-type", "application/json").body(body)).await
}

async fn introspect(server: &Server, token: &Value) -> Value {
    let form = [("token", token.as_str().unwrap())];
    server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &form).await.expect(200).json()
}

on_both_databases! {
    async fn claims_are_in_every_access_token_and_in_introspection(database) {
        let server = with_applications(database).await;
        let added = json!({
            "roles": ["editor", "ü"], "tenant": { "id": 18_446_744_073_709_551_615_u64, "__proto__": null },
            "https://example.org/plan": "gold",
        });
        let opened = open(&server, "shop", &added).await.expect(201).json();
        let form = [("grant_type", "refresh_token"), ("refresh_token", opened["refresh_token"].as_str().unwrap())];
        let refreshed = server.send_form("/oauth2/token", None, &form).await.expect(200).json();
        for token in [&opened["access_token"], &refreshed["access_token"]] {
            let found = claims(token);
            for (name, value) in added.as_object().unwrap() {
                assert_eq!(found[name], *value, "{found}");
            }
            assert_eq!((&found["sub"], &found["client_id"]), (&json!("alice"), &json!("shop")));
            assert!(server.stands(token.as_str().unwrap()).await);
        }
        // From the row, and from the cache.
        for token in [&refreshed["refresh_token"], &refreshed["access_token"], &refreshed["access_token"]] {
            let found = introspect(&server, token).await;
            assert_eq!((&found["roles"], &found["tenant"]), (&added["roles"], &added["tenant"]), "{found}");
            assert_eq!((&found["active"], &found["sub"]), (&json!(true), &json!("alice")));
        }
        assert_eq!(opened["session"]["claims"], added);
        let path = format!("/v1/sessions/{}", opened["session"]["id"].as_str().unwrap());
        assert_eq!(server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json()["claims"], added);
        let own = server.send("GET", &path, refreshed["access_token"].as_str().unwrap()).await.expect(200).json();
        assert_eq!(own.get("claims"), None, "services see them");

        let plain = open(&server, "shop", &json!({})).await.expect(201).json();
        assert_eq!(plain["session"].get("claims"), None);
        let session_token = json!({ "user_id": "bob", "client_id": "shop", "tokens": "session", "claims": { "x": 1 } });
        let opened = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &session_token).await.expect(201).json();
        assert_eq!(introspect(&server, &opened["session_token"]).await["x"], 1);
    }

    async fn a_claim_that_the_application_does_not_allow_is_refused_by_its_name(database) {
        let server = with_applications(database).await;
        for (client, name) in [("shop", "plan"), ("shop", "Roles"), ("bank", "roles"), ("nobody", "roles")] {
            let refused = open(&server, client, &json!({ name: 1 })).await.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], format!("claims.{name}"), "{client}: {refused}");
        }
        let without = json!({ "user_id": "alice", "claims": { "roles": 1 } });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &without).await.expect_problem(422, "invalid_request");
        let both = open(&server, "shop", &json!({ "sub": "bob", "plan": 1, "roles": 1 })).await.expect_problem(422, "invalid_request").json();
        let fields: Vec<&Value> = both["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
        assert_eq!(fields, ["claims.plan", "claims.sub"]);
        assert_eq!(server.send("GET", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200).json()["total"], 0);
    }

    async fn a_reserved_name_is_refused_in_every_spelling(database) {
        let server = with_applications(database).await;
        let list = |name: &str| json!({ "client_id": "evil", "claims": [name] });
        for name in [
            "sub", "SUB", "Iss", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "client_id", "auth_time", "acr", "amr",
            "cnf", "act", "may_act", "azp", "events", "nonce", "at_hash", "refresh_count", "active", "username",
            "token_type", "name", "email", "typ", "alg", "__proto__", " sub", "sub\u{0}", "ſub", "", "a b", "a\"b", "ü",
        ] {
            let refused = server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &list(name)).await;
            let refused = refused.expect_problem(422, "invalid_request").json();
            assert_eq!(refused["errors"][0]["field"], "claims", "{name:?}");
            open(&server, "shop", &json!({ name: "x" })).await.expect_problem(422, "invalid_request");
        }
        for text in [r#"{"\u0073ub":"bob"}"#, r#"{"roles":1,"__proto__":{"sub":"bob"}}"#] {
            open_with_text(&server, text).await.expect_problem(422, "invalid_request");
        }
        let many: Vec<String> = (0..33).map(|number| format!("claim{number}")).collect();
        let many = json!({ "client_id": "many", "claims": many });
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &many).await.expect_problem(422, "invalid_request");
    }

    async fn claims_that_readers_would_understand_differently_are_refused(database) {
        let server = with_applications(database).await;
        let nested = |depth: usize| format!("{}1{}", "{\"x\":".repeat(depth), "}".repeat(depth));
        for (text, status) in [
            (r#"{"roles":1,"roles":2}"#.to_owned(), 422),
            (r#"{"roles":1,"r\u006fles":2}"#.to_owned(), 422),
            (r#"{"x":{"a":1,"a":2}}"#.to_owned(), 422),
            (r#"{"x":"\u0000"}"#.to_owned(), 422),
            (nested(9), 422),
            (nested(200), 400),
            (r#"{"x":"\ud800"}"#.to_owned(), 400),
            (r#"{"x":1e999}"#.to_owned(), 400),
            ("[1]".to_owned(), 400),
            ("\"roles\"".to_owned(), 400),
            (nested(8), 201),
            ("null".to_owned(), 201),
        ] {
            open_with_text(&server, &text).await.expect(status);
        }
    }

    async fn claims_may_have_2_kib_and_not_a_byte_more(database) {
        let server = with_applications(database).await;
        let fits = 2048 - r#"{"x":""}"#.len();
        let opened = open_with_text(&server, &format!(" {{ \"x\" : \"{}\" }} ", "y".repeat(fits))).await.expect(201).json();
        assert_eq!(claims(&opened["access_token"])["x"].as_str().unwrap().len(), fits);
        assert!(server.stands(opened["access_token"].as_str().unwrap()).await);
        let refused = open(&server, "shop", &json!({ "x": "y".repeat(fits + 1) })).await.expect_problem(422, "invalid_request").json();
        assert_eq!(refused["errors"][0]["field"], "claims");
        // An access token has to pass in a header, so all that it is given counts together.
        let body = json!({
            "user_id": "u".repeat(255), "client_id": "shop", "scope": vec!["s".repeat(100); 10].join(" "),
            "amr": vec!["m".repeat(60); 16], "claims": { "x": "y".repeat(fits) },
        });
        let refused = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect_problem(422, "invalid_request").json();
        assert_eq!(refused["errors"][0]["field"], "claims");
    }

    async fn a_claim_that_is_no_longer_allowed_is_in_no_new_token(database) {
        let server = with_applications(database).await;
        let opened = open(&server, "shop", &json!({ "roles": ["editor"], "tenant": 7 })).await.expect(201).json();
        let change = async |method: &str, body: &Value| {
            server.send_json(method, "/v1/applications/shop", BOOTSTRAP_KEY, body).await.status
        };
        let refresh = async |token: &Value| server.refresh(token.as_str().unwrap()).await.expect(200).json();
        assert_eq!(change("PATCH", &json!({ "claims": ["tenant"] })).await, 200);
        let refreshed = refresh(&opened["refresh_token"]).await;
        let found = claims(&refreshed["access_token"]);
        assert_eq!((found.get("roles"), &found["tenant"]), (None, &json!(7)));
        assert_eq!(introspect(&server, &refreshed["access_token"]).await.get("roles"), None);
        let path = format!("/v1/sessions/{}", opened["session"]["id"].as_str().unwrap());
        assert_eq!(server.send("GET", &path, BOOTSTRAP_KEY).await.json()["claims"]["roles"], json!(["editor"]), "they are kept");

        server.send("DELETE", "/v1/applications/shop", BOOTSTRAP_KEY).await.expect(204);
        let refreshed = refresh(&refreshed["refresh_token"]).await;
        assert_eq!(claims(&refreshed["access_token"]).get("tenant"), None, "no record allows any");
        let body = json!({ "client_id": "shop", "claims": ["roles", "tenant"] });
        server.send_json("POST", "/v1/applications", BOOTSTRAP_KEY, &body).await.expect(201);
        let refreshed = refresh(&refreshed["refresh_token"]).await;
        assert_eq!(claims(&refreshed["access_token"])["roles"], json!(["editor"]));
    }

    async fn claims_are_replaced_as_they_are_given_and_for_every_replica(database) {
        let server = with_applications(database).await;
        let other = server.replica().await;
        let opened = open(&server, "shop", &json!({ "roles": ["editor"] })).await.expect(201).json();
        let (access, path) = (&opened["access_token"], format!("/v1/sessions/{}", opened["session"]["id"].as_str().unwrap()));
        assert_eq!(introspect(&other, access).await["roles"], json!(["editor"]));
        let change = async |key: &str, body: &Value| server.send_json("PATCH", &path, key, body).await;
        for refused in [json!({ "sub": "bob" }), json!({ "plan": 1 }), json!({ "x": "y".repeat(2048) })] {
            change(BOOTSTRAP_KEY, &json!({ "claims": refused })).await.expect_problem(422, "invalid_request");
        }
        change(access.as_str().unwrap(), &json!({ "claims": { "roles": ["admin"] } })).await.expect_problem(403, "insufficient_scope");
        let changed = change(BOOTSTRAP_KEY, &json!({ "claims": { "tenant": 2 } })).await.expect(200).json();
        assert_eq!(changed["claims"], json!({ "tenant": 2 }));
        other.catch_up().await;
        for replica in [&server, &other] {
            let found = introspect(replica, access).await;
            assert_eq!((found.get("roles"), &found["tenant"]), (None, &json!(2)));
        }
        let refreshed = server.refresh(opened["refresh_token"].as_str().unwrap()).await.expect(200).json();
        assert_eq!(claims(&refreshed["access_token"])["tenant"], 2);
        change(BOOTSTRAP_KEY, &json!({ "device_name": "mine" })).await.expect(200);
        let kept = change(BOOTSTRAP_KEY, &json!({ "claims": null, "metadata": {} })).await.expect(200).json();
        assert_eq!(kept["claims"], json!({ "tenant": 2 }), "null is like leaving it out");
        let removed = change(BOOTSTRAP_KEY, &json!({ "claims": {} })).await.expect(200).json();
        assert_eq!(removed.get("claims"), None);
        server.end(opened["session"]["id"].as_str().unwrap()).await;
        change(BOOTSTRAP_KEY, &json!({ "claims": { "x": 1 } })).await.expect_problem(409, "session_not_active");
    }

    async fn a_bound_key_adds_claims_for_its_application_alone(database) {
        let server = with_applications(database).await;
        let body = json!({ "name": "shop", "scope": "sessions:write sessions:read", "client_id": "shop" });
        let key = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &body).await.expect(201).json()["secret"].clone();
        let key = key.as_str().unwrap();
        let body = json!({ "user_id": "alice", "claims": { "roles": ["editor"] } });
        let opened = server.send_json("POST", "/v1/sessions", key, &body).await.expect(201).json();
        assert_eq!(claims(&opened["access_token"])["roles"], json!(["editor"]));
        let foreign = open(&server, "bank", &json!({})).await.expect(201).json();
        let path = format!("/v1/sessions/{}", foreign["session"]["id"].as_str().unwrap());
        let change = json!({ "claims": { "roles": [] } });
        server.send_json("PATCH", &path, key, &change).await.expect_problem(404, "session_not_found");
    }

    async fn claims_of_a_deleted_person_are_erased(database) {
        let server = with_applications(database).await;
        let opened = open(&server, "shop", &json!({ "tenant": "her own" })).await.expect(201).json();
        let export = async || server.send("GET", "/v1/users/alice/export", BOOTSTRAP_KEY).await.expect(200).text;
        assert!(export().await.contains("her own"));
        server.send("DELETE", "/v1/users/alice?erase=true", BOOTSTRAP_KEY).await.expect(200);
        let path = format!("/v1/sessions/{}", opened["session"]["id"].as_str().unwrap());
        let left = server.send("GET", &path, BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(left.get("claims"), None, "{left}");
    }
}
