//! `POST /oauth2/token`.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::sessions::Policy;

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Options, Server, answer};

fn text(answer: &Answer, name: &str) -> String {
    answer.json()[name].as_str().unwrap().to_owned()
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["error"], "invalid_grant");
    assert_eq!(body.as_object().unwrap().len(), 2, "nothing but the error and its description: {body}");
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

    async fn the_answer_lost_the_same_token_gets_the_same_successor_however_late(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let lost = server.refresh(&opened.refresh).await.expect(200);
        for wait in [2, 60, 86_400] {
            server.wait(TimeDelta::seconds(wait));
            let again = server.refresh(&opened.refresh).await.expect(200);
            assert_eq!(text(&again, "refresh_token"), text(&lost, "refresh_token"));
        }
        let next = server.refresh(&text(&lost, "refresh_token")).await.expect(200);
        assert!(server.stands(&text(&next, "access_token")).await);
    }

    async fn a_token_spent_by_somebody_who_used_the_new_one_is_theft_after_the_grace(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let refreshed = server.refresh(&opened.refresh).await.expect(200);
        assert!(server.stands(&text(&refreshed, "access_token")).await, "the answer arrived: its token is in use");
        server.wait(TimeDelta::seconds(15));
        let second_tab = server.refresh(&opened.refresh).await.expect(200);
        assert_eq!(text(&second_tab, "refresh_token"), text(&refreshed, "refresh_token"), "within the grace: a second tab");
        server.wait(TimeDelta::seconds(16));
        assert_refused(&server.refresh(&opened.refresh).await);
        assert_refused(&server.refresh(&text(&refreshed, "refresh_token")).await);
        assert!(!server.stands(&text(&refreshed, "access_token")).await, "the session is ended although the answer was an error");
        let session = server.send("GET", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(session["end_reason"], "reuse_detected");
    }

    async fn that_the_new_token_is_in_use_is_known_after_it_was_written_too(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let refreshed = server.refresh(&opened.refresh).await.expect(200);
        assert!(server.stands(&text(&refreshed, "access_token")).await);
        server.sessions.write_all_activity().await.unwrap();
        server.wait(TimeDelta::seconds(31));
        assert_refused(&server.refresh(&opened.refresh).await);
    }

    async fn a_token_older_than_the_predecessor_is_theft_at_any_time(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let second = server.refresh(&opened.refresh).await.expect(200);
        let third = server.refresh(&text(&second, "refresh_token")).await.expect(200);
        assert_refused(&server.refresh(&opened.refresh).await);
        assert_refused(&server.refresh(&text(&third, "refresh_token")).await);
        assert!(!server.stands(&text(&third, "access_token")).await);
    }

    async fn fifty_at_once_get_one_successor_and_nobody_is_logged_out(database) {
        let server = Arc::new(Server::start(database).await);
        let mut current = server.open("alice").await.refresh;
        for _ in 0..3 {
            let requests: Vec<_> = (0..50).map(|_| {
                let (server, token) = (Arc::clone(&server), current.clone());
                tokio::spawn(async move { text(&server.refresh(&token).await.expect(200), "refresh_token") })
            }).collect();
            let mut successors = HashSet::new();
            for request in requests {
                successors.insert(request.await.unwrap());
            }
            assert_eq!(successors.len(), 1);
            current = successors.into_iter().next().unwrap();
        }
        server.refresh(&current).await.expect(200);
    }

    async fn no_token_of_a_session_works_after_its_end_was_answered(database) {
        let server = Arc::new(Server::start(database).await);
        for _ in 0..20 {
            let opened = server.open("alice").await;
            let (refreshing, token) = (Arc::clone(&server), opened.refresh.clone());
            let refresh = tokio::spawn(async move { refreshing.refresh(&token).await });
            server.send("DELETE", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.expect(204);
            let refreshed = refresh.await.unwrap();
            if refreshed.status == 200 {
                assert!(!server.stands(&text(&refreshed, "access_token")).await);
                assert_refused(&server.refresh(&text(&refreshed, "refresh_token")).await);
            } else {
                assert_refused(&refreshed);
            }
            assert_refused(&server.refresh(&opened.refresh).await);
        }
    }

    async fn refreshing_never_passes_the_end_of_the_session(database) {
        let policy = Policy { sliding: Some(TimeDelta::hours(2)), ..Policy::default() };
        let server = Server::start_with(database, Options { policy, ..Options::default() }).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "acr": "aal3", "expires_in": 3600 })).await;
        let absolute = opened.body["session"]["absolute_expires_at"].clone();
        let mut token = opened.refresh;
        let mut refreshed = 0;
        let last: Value = loop {
            server.wait(TimeDelta::minutes(14));
            let answer = server.refresh(&token).await;
            if answer.status == 400 {
                assert_refused(&answer);
                break server.send("GET", &format!("/v1/sessions/{}", opened.id), BOOTSTRAP_KEY).await.json();
            }
            token = text(&answer, "refresh_token");
            refreshed += 1;
        };
        assert_eq!((&last["absolute_expires_at"], &last["expires_at"], &last["state"]), (&absolute, &absolute, &json!("expired")));
        assert_eq!(refreshed, 12 * 60 / 14, "it slid up to the absolute end and not further");
    }

    async fn an_access_token_never_outlives_the_session(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "expires_in": 60 })).await;
        assert_eq!(opened.body["expires_in"], 60);
        server.wait(TimeDelta::seconds(20));
        let refreshed = server.refresh(&opened.refresh).await.expect(200).json();
        let lifetime = refreshed["expires_in"].as_i64().unwrap();
        assert!((35..=41).contains(&lifetime), "{lifetime}");
    }

    async fn when_the_user_authenticated_never_changes(database) {
        let server = Server::start(database).await;
        let opened = server.open_with(&json!({ "user_id": "alice", "amr": ["pwd"], "acr": "aal1" })).await;
        let claims = |token: &str| -> Value {
            use base64::Engine as _;
            let payload = token.split('.').nth(1).unwrap();
            serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
        };
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

    async fn a_request_that_is_none_is_told_so_in_the_standard_s_words(database) {
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
