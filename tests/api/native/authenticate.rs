//! `POST /v1/sessions/{id}/authenticate`: a step-up of a running session.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::builder::Builder;
use crate::support::jwt::claims;
use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Opened, Server, answer};

async fn authenticate(server: &Server, id: &str, key: &str, body: &Value) -> Answer {
    server.send_json("POST", &format!("/v1/sessions/{id}/authenticate"), key, body).await
}

/// The new tokens of a step-up that succeeds.
async fn step_up(server: &Server, id: &str, body: &Value) -> Opened {
    Opened::of(authenticate(server, id, BOOTSTRAP_KEY, body).await.expect(200).json())
}

async fn introspect(server: &Server, token: &str) -> Value {
    server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", token)]).await.expect(200).json()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// A use of a token in each family that takes users' tokens.
async fn uses(server: &Server, token: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for path in [
        "/v1/verify",
        "/v1/verify?freshness=strict",
        "/v1/me",
        "/v1/me/sessions",
        "/auth/sessions",
        "/api/v1/users/me/sessions",
        "/api/v0/sessions",
        "/api/user/alice/sessions",
    ] {
        statuses.push(server.send("GET", path, token).await.status.as_u16());
    }
    statuses
}

async fn state(server: &Server, id: &str) -> Value {
    server.send("GET", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(200).json()
}

on_both_databases! {
    async fn an_earlier_token_still_signs_out(database) {
        let server = Server::start(database).await;
        for token_of in [|opened: &Opened| opened.access.clone(), |opened: &Opened| opened.refresh.clone()] {
            let before = server.open("alice").await;
            let after = step_up(&server, &before.id, &json!({})).await;
            assert!(!server.stands(&before.access).await && server.stands(&after.access).await);
            server.send_form("/oauth2/revoke", None, &[("token", &token_of(&before))]).await.expect(200);
            assert!(!server.stands(&after.access).await);
            assert_eq!(state(&server, &before.id).await["end_reason"], "logout");
        }
    }

    async fn a_step_up_shows_everywhere(database) {
        let server = Server::start(database).await;
        let before = server.open_with(&json!({ "user_id": "alice", "acr": "aal1", "amr": ["pwd"] })).await;
        server.wait(TimeDelta::minutes(10));
        let refreshed = server.refresh(&before.refresh).await.expect(200).json();
        let refreshed = refreshed["access_token"].as_str().unwrap();
        assert_eq!(claims(refreshed)["auth_time"], claims(&before.access)["auth_time"]);
        let unmet = server.send("GET", "/v1/require/acr=aal2;max_age=300", refreshed).await;
        unmet.expect_problem(403, "insufficient_user_authentication");

        let after = step_up(&server, &before.id, &json!({ "acr": "aal2", "amr": ["pwd", "otp"] })).await;
        assert_eq!(after.id, before.id);
        let session = &after.body["session"];
        assert_eq!((&session["acr"], &session["amr"]), (&json!("aal2"), &json!(["pwd", "otp"])));
        assert_eq!(session["created_at"], before.body["session"]["created_at"]);
        let auth_time = time(&session["auth_time"]);
        assert!((server.now() - auth_time).abs() < TimeDelta::seconds(10));
        assert!(auth_time - time(&session["created_at"]) >= TimeDelta::minutes(10));
        let said = claims(&after.access);
        assert_eq!((&said["acr"], &said["amr"], &said["auth_time"]), (&session["acr"], &session["amr"], &json!(auth_time.timestamp())));
        for token in [&after.access, &after.refresh] {
            let found = introspect(&server, token).await;
            assert_eq!((&found["acr"], &found["auth_time"]), (&said["acr"], &said["auth_time"]), "{found}");
        }
        let verified = server.send("GET", "/v1/require/acr=aal2;max_age=300", &after.access).await.expect(200);
        assert_eq!(verified.header("x-session-auth-time"), auth_time.timestamp().to_string());
        assert_eq!((verified.header("x-session-acr"), verified.header("x-session-amr")), ("aal2", "pwd otp"));
        let janssen = "/jans-config-api/api/v1/jans-auth-server/session/sid";
        let shown = server.send("GET", &format!("{janssen}/{}", before.id), BOOTSTRAP_KEY).await.expect(200).json();
        assert_eq!(time(&shown["authenticationTime"]).timestamp(), auth_time.timestamp());
        assert_eq!(time(&shown["creationDate"]).timestamp(), time(&session["created_at"]).timestamp());

        let refreshed = server.refresh(&after.refresh).await.expect(200).json();
        assert_eq!(claims(refreshed["access_token"].as_str().unwrap())["auth_time"], said["auth_time"]);
    }

    async fn all_earlier_tokens_are_refused_in_every_family_and_the_session_goes_on(database) {
        let server = Server::start(database).await;
        let pair = server.open("alice").await;
        let later: Value = server.refresh(&pair.refresh).await.expect(200).json();
        let (access, refresh) = (later["access_token"].as_str().unwrap(), later["refresh_token"].as_str().unwrap());
        let token = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        for old in [&*pair.access, access, &*token.access] {
            assert_eq!(uses(&server, old).await, [200; 8]);
        }
        let pair_after = step_up(&server, &pair.id, &json!({})).await;
        let token_after = step_up(&server, &token.id, &json!({ "tokens": "session" })).await;
        assert!(token_after.access.starts_with("sjs_") && token_after.refresh.is_empty());
        for old in [&*pair.access, access, &*token.access] {
            assert_eq!(uses(&server, old).await, [401; 8]);
            assert_eq!(introspect(&server, old).await, json!({ "active": false }));
        }
        for old in [&*pair.refresh, refresh] {
            let refused = server.refresh(old).await.expect(400).json();
            assert_eq!(refused["error"], "invalid_grant");
            assert_eq!(introspect(&server, old).await, json!({ "active": false }));
        }
        server.wait(TimeDelta::minutes(2));
        server.refresh(refresh).await.expect(400);
        for new in [&pair_after.access, &token_after.access] {
            assert_eq!(uses(&server, new).await, [200; 8]);
        }
        assert_eq!(state(&server, &pair.id).await["state"], "active", "no theft was seen");
        let second = server.refresh(&pair_after.refresh).await.expect(200).json();
        assert_eq!(server.refresh(&pair_after.refresh).await.expect(200).json()["refresh_token"], second["refresh_token"]);

        let third = step_up(&server, &token.id, &json!({ "tokens": "session" })).await;
        assert!(!server.stands(&token_after.access).await && server.stands(&third.access).await);
    }

    async fn another_replica_refuses_the_old_tokens_and_believes_the_new_ones(database) {
        let one = Server::start(database).await;
        let two = one.replica_with(Builder::without_change_log).await;
        for tokens in ["access_and_refresh", "session"] {
            let body = json!({ "user_id": "alice", "acr": "aal1", "tokens": tokens });
            let before = one.open_with(&body).await;
            two.catch_up().await;
            assert!(two.stands(&before.access).await && two.stands(&before.access).await);
            one.wait(TimeDelta::seconds(2));
            let after = step_up(&one, &before.id, &json!({ "acr": "aal2", "tokens": tokens })).await;
            assert!(!one.stands(&before.access).await, "the replica that was asked refuses at once");
            let at_once = two.send("GET", "/v1/require/acr=aal2", &after.access).await;
            assert_eq!(at_once.expect(200).header("x-session-acr"), "aal2", "although its copy is older");
            let strict = two.send("GET", "/v1/verify?freshness=strict", &after.access).await.expect(200);
            assert_eq!(strict.header("x-session-acr"), "aal2");
            two.send("GET", "/v1/verify?freshness=strict", &before.access).await.expect(401);
            two.catch_up().await;
            assert!(!two.stands(&before.access).await && two.stands(&after.access).await);
        }
    }

    async fn what_cannot_be_authenticated_is_refused(database) {
        let server = Server::start(database).await;
        let reader = server.key("sessions:read").await;
        let writer = server.key("sessions:write").await;
        let active = server.open_with(&json!({ "user_id": "alice", "acr": "aal2" })).await;
        let ended = server.open("alice").await;
        server.end(&ended.id).await;
        let aal2 = json!({ "acr": "aal2" });
        authenticate(&server, &ended.id, &writer, &aal2).await.expect_problem(409, "session_not_active");
        for id in ["01a20114-3d06-7355-88c5-d5965a7f8762", "x"] {
            authenticate(&server, id, &writer, &aal2).await.expect_problem(404, "session_not_found");
        }
        authenticate(&server, &active.id, &reader, &aal2).await.expect_problem(403, "insufficient_scope");
        authenticate(&server, &active.id, &active.access, &aal2).await.expect_problem(403, "insufficient_scope");
        for (body, field) in [
            (json!({ "acr": "aal1" }), "acr"),
            (json!({}), "acr"),
            (json!({ "acr": "aal2", "auth_time": server.now() + TimeDelta::minutes(2) }), "auth_time"),
            (json!({ "acr": "aal2", "auth_time": server.now() - TimeDelta::hours(24) }), "auth_time"),
            (json!({ "acr": "aal2", "auth_time": "0001-01-01T00:00:00Z" }), "auth_time"),
            (json!({ "acr": "aal2", "amr": [""] }), "amr"),
            (json!({ "acr": "x".repeat(256) }), "acr"),
        ] {
            let refused = authenticate(&server, &active.id, &writer, &body).await.expect_problem(422, "invalid_request");
            assert_eq!(refused.json()["errors"][0]["field"], field, "{body}");
        }
        authenticate(&server, &active.id, &writer, &json!({ "arc": "aal2" })).await.expect_problem(400, "malformed_request");
        assert!(server.stands(&active.access).await, "nothing was changed");
        let [expired, idle] = server.open_expired_and_idle("alice").await;
        for id in [&expired.id, &idle.id] {
            authenticate(&server, id, &writer, &json!({})).await.expect_problem(409, "session_not_active");
        }
    }

    async fn nobody_gets_tokens_with_more_rights_or_of_another_application(database) {
        let server = Server::start(database).await;
        let writer = server.key("sessions:write").await;
        let root = server.open_with(&json!({ "user_id": "root", "scope": "sessions:admin" })).await;
        authenticate(&server, &root.id, &writer, &json!({})).await.expect_problem(403, "insufficient_scope");
        let grants = server.key("sessions:write sessions:grant").await;
        authenticate(&server, &root.id, &grants, &json!({})).await.expect(200);

        let asked = json!({ "name": "shop", "scope": "sessions:write", "client_id": "shop" });
        let made = server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &asked).await.expect(201).json();
        let bound = made["secret"].as_str().unwrap();
        let shop = server.open_with(&json!({ "user_id": "alice", "client_id": "shop" })).await;
        let web = server.open_with(&json!({ "user_id": "alice", "client_id": "web" })).await;
        let plain = server.open("alice").await;
        authenticate(&server, &shop.id, bound, &json!({})).await.expect(200);
        for other in [&web, &plain] {
            let refused = authenticate(&server, &other.id, bound, &json!({})).await;
            let unknown = authenticate(&server, "01a20114-3d06-7355-88c5-d5965a7f8762", bound, &json!({})).await;
            assert_eq!(refused.expect_problem(404, "session_not_found").json(), unknown.json());
            assert!(server.stands(&other.access).await);
        }
    }

    async fn a_session_is_found_by_the_key_that_authenticated_it_last(database) {
        let server = Server::start(database).await;
        let session = server.open("alice").await;
        let leaked = server.key("sessions:write").await;
        let taken = Opened::of(authenticate(&server, &session.id, &leaked, &json!({})).await.expect(200).json());
        let opener = taken.body["session"]["opened_by"].as_str().unwrap();
        assert!(opener.starts_with("key:") && session.body["session"]["opened_by"] != *opener, "{opener}");
        let filter = json!({ "filter": { "opened_by": opener } });
        let ended = server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &filter).await.expect(200).json();
        assert_eq!(ended["revoked"], 1);
        assert!(!server.stands(&taken.access).await);
    }

    async fn the_time_never_goes_back_and_the_limits_of_a_level_count_from_it(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let before = opened.body["session"].clone();
        let early = json!({ "auth_time": server.now() - TimeDelta::minutes(2) });
        let refused = authenticate(&server, &opened.id, BOOTSTRAP_KEY, &early).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.json()["errors"][0]["field"], "auth_time");
        let early = json!({ "auth_time": server.now() - TimeDelta::seconds(30) });
        let after = step_up(&server, &opened.id, &early).await;
        for unmoved in ["auth_time", "expires_at", "absolute_expires_at", "idle_timeout"] {
            assert_eq!(after.body["session"][unmoved], before[unmoved], "{unmoved}");
        }
        server.wait(TimeDelta::hours(2));
        let auth_time = server.now() - TimeDelta::hours(1);
        let after = step_up(&server, &opened.id, &json!({ "acr": "aal3", "auth_time": auth_time })).await;
        let session = &after.body["session"];
        assert_eq!(time(&session["auth_time"]).timestamp_micros(), auth_time.timestamp_micros());
        assert_eq!(session["idle_timeout"], 900);
        assert_eq!(time(&session["absolute_expires_at"]).timestamp(), (auth_time + TimeDelta::hours(12)).timestamp());
        assert_eq!(session["expires_at"], session["absolute_expires_at"]);
        let ahead = server.now() + TimeDelta::seconds(30);
        let after = step_up(&server, &opened.id, &json!({ "acr": "aal3", "auth_time": ahead })).await;
        let shown = time(&after.body["session"]["auth_time"]);
        assert!(shown < ahead, "a clock that is a little ahead is forgiven, and counts as now");
        assert_eq!(after.body["session"]["absolute_expires_at"], session["absolute_expires_at"], "no end moves later");
    }

    async fn a_repeat_with_its_idempotency_key_is_the_same_authentication(database) {
        let server = Server::start(database).await;
        let session = server.open("alice").await;
        let send = async |id: &str, body: &Value| {
            let request = server.request("POST", &format!("/v1/sessions/{id}/authenticate")).bearer_auth(BOOTSTRAP_KEY);
            answer(request.header("idempotency-key", "once").json(body)).await
        };
        let body = json!({ "acr": "aal2" });
        let first = Opened::of(send(&session.id, &body).await.expect(200).json());
        server.wait(TimeDelta::seconds(5));
        let again = Opened::of(send(&session.id, &body).await.expect(200).json());
        assert_eq!(again.refresh, first.refresh);
        assert_eq!(again.body["session"]["auth_time"], first.body["session"]["auth_time"]);
        assert!(server.stands(&first.access).await && server.stands(&again.access).await);
        send(&session.id, &json!({ "acr": "aal3" })).await.expect_problem(422, "idempotency_key_reused");
        let other = server.open("alice").await;
        send(&other.id, &body).await.expect_problem(422, "idempotency_key_reused");
        let opening = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY).header("idempotency-key", "once");
        answer(opening.json(&json!({ "user_id": "alice" }))).await.expect_problem(422, "idempotency_key_reused");
        server.end(&session.id).await;
        send(&session.id, &body).await.expect_problem(409, "session_not_active");
    }

    async fn of_two_step_ups_at_once_both_succeed_and_the_later_one_s_tokens_are_good(database) {
        let server = Server::start(database).await;
        let other = server.replica().await;
        for _ in 0..10 {
            let session = server.open("alice").await;
            let body = json!({ "acr": "aal2" });
            let (one, two) = tokio::join!(step_up(&server, &session.id, &body), step_up(&other, &session.id, &body));
            assert_ne!(one.refresh, two.refresh);
            let mut good = 0;
            for refresh in [&one.refresh, &two.refresh] {
                good += usize::from(server.refresh(refresh).await.status == 200);
            }
            assert_eq!(good, 1);
            assert_eq!(state(&server, &session.id).await["state"], "active");
        }
    }

    async fn refreshes_that_cross_a_step_up_log_nobody_out(database) {
        let server = Server::start(database).await;
        let other = server.replica().await;
        for _ in 0..20 {
            let session = server.open("alice").await;
            let refreshes = async {
                let mut newest = session.refresh.clone();
                for _ in 0..5 {
                    let answer = other.refresh(&newest).await;
                    assert!(matches!(answer.status.as_u16(), 200 | 400), "{answer:?}");
                    if answer.status == 200 {
                        answer.json()["refresh_token"].as_str().unwrap().clone_into(&mut newest);
                    }
                }
                newest
            };
            let body = json!({});
            let (newest, after) = tokio::join!(refreshes, step_up(&server, &session.id, &body));
            for old in [&session.refresh, &newest] {
                server.refresh(old).await.expect(400);
            }
            assert_eq!(state(&server, &session.id).await["state"], "active");
            let next = server.refresh(&after.refresh).await.expect(200).json();
            assert!(server.stands(next["access_token"].as_str().unwrap()).await);
        }
    }
}
