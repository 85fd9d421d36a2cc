//! New pairs: contents, lifetime and owner.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::config::HttpConfig;
use sojourn::sessions::Policy;

use super::{assert_refused, successor, text};
use crate::support::jwt::claims;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

/// Deletes rows past their retention, after moving the clock beyond that of every row.
async fn purge(server: &Server) {
    server.wait(TimeDelta::days(31));
    server.send_json("POST", "/v1/cleanup", BOOTSTRAP_KEY, &json!({})).await.expect(200);
}

on_both_databases! {
    async fn a_refresh_token_gives_a_new_pair_that_works(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "scope": "profile" })).await;
        let refreshed = server.refresh(&opened.refresh).await.expect(200);
        let body = refreshed.json();
        assert_eq!((&body["token_type"], &body["expires_in"], &body["scope"]), (&json!("Bearer"), &json!(300), &json!("profile")));
        assert_eq!(body.as_object().unwrap().len(), 5);
        assert_eq!(refreshed.header("cache-control"), "no-store");
        assert_ne!(text(&refreshed, "refresh_token"), opened.refresh);
        assert!(server.stands(&text(&refreshed, "access_token")).await);
        server.wait(TimeDelta::minutes(6));
        assert!(!server.stands(&opened.access).await, "the first access token has run out");
        let again = server.refresh(&text(&refreshed, "refresh_token")).await.expect(200);
        assert!(server.stands(&text(&again, "access_token")).await);
    }

    /// T-31.
    async fn refreshing_never_passes_the_end_of_the_session(database) {
        let policy = Policy { sliding: Some(TimeDelta::hours(2)), ..Policy::default() };
        let server = Server::builder().policy(policy).start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "acr": "aal3", "expires_in": 3600 })).await;
        let absolute = opened.body["session"]["absolute_expires_at"].clone();
        let mut token = opened.refresh;
        let mut refreshed = 0;
        let path = format!("/v1/sessions/{}", opened.id);
        let last: Value = loop {
            server.wait(TimeDelta::minutes(14));
            let answer = server.refresh(&token).await;
            if answer.status == 400 {
                assert_refused(&answer);
                break server.send("GET", &path, BOOTSTRAP_KEY).await.json();
            }
            token = text(&answer, "refresh_token");
            refreshed += 1;
        };
        assert_eq!((&last["absolute_expires_at"], &last["expires_at"], &last["state"]), (&absolute, &absolute, &json!("expired")));
        assert_eq!(refreshed, 12 * 60 / 14, "it slid up to the absolute end and not further");
        purge(&server).await;
        assert_refused(&server.refresh(&token).await);
        server.send("GET", &path, BOOTSTRAP_KEY).await.expect(404);
    }

    /// T-32.
    async fn of_sessions_extended_expired_revoked_and_purged_only_the_first_is_refreshed(database) {
        let server = Server::start(database).await;
        let purged = server.open("alice").await;
        server.end(&purged.id).await;
        purge(&server).await;
        server.send("GET", &format!("/v1/sessions/{}", purged.id), BOOTSTRAP_KEY).await.expect(404);
        let short = json!({ "user_id": "alice", "expires_in": 60 });
        let (extended, expired, revoked) = (server.open_with(&short).await, server.open_with(&short).await, server.open("alice").await);
        let extend = format!("/v1/sessions/{}/extend", extended.id);
        server.send_json("POST", &extend, BOOTSTRAP_KEY, &json!({ "extend_by": 3600 })).await.expect(200);
        server.end(&revoked.id).await;
        server.wait(TimeDelta::seconds(120));
        for session in [&expired, &revoked, &purged] {
            assert_refused(&server.refresh(&session.refresh).await);
        }
        server.refresh(&extended.refresh).await.expect(200);
    }

    /// T-29, and RFC 6749 section 6.
    async fn another_client_and_a_wider_scope_are_refused_and_spend_nothing(database) {
        let server = Server::start(database).await;
        let two = server.replica().await;
        let opened = server.open_with(&json!({ "user_id": "alice", "client_id": "web", "scope": "profile mail" })).await;
        let send = async |server: &Server, more: &[(&str, &str)]| {
            let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", opened.refresh.as_str())];
            form.extend(more);
            server.send_form("/oauth2/token", None, &form).await
        };
        let rows: [(&[(&str, &str)], &str); 7] = [
            (&[("client_id", "other")], "invalid_grant"),
            (&[("client_id", "WEB")], "invalid_grant"),
            (&[("client_id", "other"), ("scope", "sessions:admin")], "invalid_grant"),
            (&[("scope", "sessions:admin")], "invalid_scope"),
            (&[("scope", "profile sessions:read"), ("client_id", "web")], "invalid_scope"),
            (&[("scope", "prof")], "invalid_scope"),
            (&[("scope", "a\"b")], "invalid_scope"),
        ];
        assert!(server.stands(&opened.access).await, "this one has a copy, the other has none");
        for replica in [&server, &two] {
            for (more, error) in rows {
                let refused = send(replica, more).await.expect(400).json();
                assert_eq!(refused["error"], error, "{more:?}");
            }
        }
        let first = send(&two, &[("client_id", "web"), ("scope", "mail")]).await.expect(200).json();
        assert_eq!(first["scope"], "profile mail", "a narrower scope is not given, and the answer tells so");
        let unnamed = server.open("bob").await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", &unnamed.refresh), ("client_id", "any"), ("scope", "")];
        server.send_form("/oauth2/token", None, &form).await.expect(200);
        server.end(&opened.id).await;
        assert_refused(&send(&server, &[("client_id", "web")]).await);
    }

    /// A refresh token is bound to its session: no client and no DPoP key owns it. A client's claims about itself do not
    /// change the owner of the pair.
    async fn claims_of_a_client_about_itself_do_not_change_the_owner_of_the_pair(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "client_id": "web", "scope": "profile" })).await;
        let form = [("grant_type", "refresh_token"), ("refresh_token", &opened.refresh), ("user_id", "bob")];
        let request = server.request("POST", "/oauth2/token").header("dpop", "e30.e30.e30").basic_auth("other", Some(BOOTSTRAP_KEY));
        let refreshed = answer(request.form(&form)).await.expect(200);
        assert_eq!(refreshed.json()["token_type"], "Bearer");
        for name in ["access_token", "refresh_token"] {
            let token = text(&refreshed, name);
            let told = server.send_form("/oauth2/introspect", Some(BOOTSTRAP_KEY), &[("token", &token)]).await.expect(200).json();
            let whose = ["sub", "sid", "client_id", "scope"].map(|claim| told[claim].as_str().unwrap().to_owned());
            assert_eq!(whose, ["alice", &opened.id, "web", "profile"]);
        }
        let elsewhere = Server::start_on_sqlite().await;
        assert_refused(&elsewhere.refresh(&opened.refresh).await);
    }

    /// T-30: a refresh answer has no `Set-Cookie`, so a request that lost a race cannot clear the winner's cookie.
    async fn no_refresh_sets_or_clears_a_cookie(database) {
        let http = HttpConfig { cookie: Some("__Host-session".to_owned()), ..HttpConfig::default() };
        let server = Server::builder().http(http).start(database).await;
        let browser = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cookie = format!("__Host-session={}", browser.access);
        let opened = server.open("alice").await;
        let second = successor(&server, &opened.refresh).await;
        let outcomes = [(&opened.refresh, 200), (&second, 200), (&opened.refresh, 400), (&second, 400), (&browser.access, 400)];
        for (token, status) in outcomes {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
            let request = server.request("POST", "/oauth2/token").header("cookie", &cookie).form(&form);
            let answer = answer(request).await.expect(status);
            assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        }
        answer(server.request("GET", "/v1/me").header("cookie", &cookie)).await.expect(200);
    }

    /// T-33.
    async fn an_access_token_never_outlives_the_session(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await;
        assert_eq!(opened.body["expires_in"], 60);
        server.wait(TimeDelta::seconds(20));
        let refreshed = server.refresh(&opened.refresh).await.expect(200).json();
        let lifetime = refreshed["expires_in"].as_i64().unwrap();
        assert!((35..=41).contains(&lifetime), "{lifetime}");
        assert!(server.stands(refreshed["access_token"].as_str().unwrap()).await);
        server.wait(TimeDelta::seconds(lifetime + 1));
        assert!(!server.stands(refreshed["access_token"].as_str().unwrap()).await);
    }

    async fn when_the_user_authenticated_never_changes(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "amr": ["pwd"], "acr": "aal1" })).await;
        let first = claims(&opened.access);
        server.wait(TimeDelta::hours(1));
        let body = json!({ "extend_by": 60 });
        server.send_json("POST", &format!("/v1/sessions/{}/extend", opened.id), BOOTSTRAP_KEY, &body).await.expect(200);
        let second = claims(&text(&server.refresh(&opened.refresh).await.expect(200), "access_token"));
        for claim in ["auth_time", "acr", "amr", "sid", "sub", "iss", "aud", "client_id"] {
            assert_eq!(first[claim], second[claim], "{claim}");
        }
        assert_ne!(first["jti"], second["jti"]);
        assert_eq!(second["exp"].as_i64().unwrap() - second["iat"].as_i64().unwrap(), 300);
    }

    async fn what_is_no_refresh_token_is_refused_without_a_reason(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let bearer = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let cut = &opened.refresh[..opened.refresh.len() - 1];
        for token in ["nonsense", "sjr_", cut, &opened.access, &bearer.access, &opened.id, BOOTSTRAP_KEY, "a\u{0}b"] {
            assert_refused(&server.refresh(token).await);
        }
        server.refresh(&opened.refresh).await.expect(200);
    }

    async fn a_malformed_request_is_refused_in_the_standard_s_words(database) {
        let server = Server::start(database).await;
        let send = async |form: &[(&str, &str)]| server.send_form("/oauth2/token", None, form).await.expect(400).json()["error"].clone();
        assert_eq!(send(&[]).await, "invalid_request");
        assert_eq!(send(&[("grant_type", "refresh_token")]).await, "invalid_request");
        assert_eq!(send(&[("grant_type", "refresh_token"), ("refresh_token", "")]).await, "invalid_request");
        assert_eq!(send(&[("grant_type", "password"), ("username", "a")]).await, "unsupported_grant_type");
        let twice = [("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")];
        assert_eq!(send(&twice).await, "invalid_request");
        let not_utf8 = server.request("POST", "/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
        let not_utf8 = answer(not_utf8.body("grant_type=refresh_token&refresh_token=%C0%AF")).await.expect(400);
        assert_eq!(not_utf8.json()["error"], "invalid_request");
        let json = server.request("POST", "/oauth2/token").json(&json!({ "grant_type": "refresh_token" }));
        assert_eq!(answer(json).await.expect(415).json()["error"], "invalid_request");
        assert_eq!(answer(server.request("GET", "/oauth2/token")).await.expect(405).header("allow"), "POST");
        assert_eq!(answer(server.request("GET", "/oauth2/nothing")).await.expect(404).json()["error"], "invalid_request");
    }
}
