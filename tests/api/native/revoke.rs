//! `POST /oauth2/revoke`.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

on_both_databases! {
    async fn any_token_given_back_ends_its_session(database) {
        let server = Server::start(database).await;
        let bearer = server.open_with(&json!({ "user_id": "alice", "tokens": "session" })).await;
        let (one, two, spent) = (server.open("alice").await, server.open("alice").await, server.open("alice").await);
        let current = server.refresh(&spent.refresh).await.expect(200).json();
        for (token, access) in [
            (&bearer.access, &bearer.access),
            (&one.access, &one.access),
            (&two.refresh, &two.access),
            (&spent.refresh, &current["access_token"].as_str().unwrap().to_owned()),
        ] {
            assert!(server.stands(access).await);
            let revoked = server.send_form("/oauth2/revoke", None, &[("token", token), ("token_type_hint", "whatever")]).await.expect(200);
            assert_eq!((revoked.text.as_str(), revoked.header("content-type")), ("{}", "application/json"));
            assert!(!server.stands(access).await);
        }
        let session = server.send("GET", &format!("/v1/sessions/{}", one.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(session["end_reason"], "logout");
    }

    async fn logging_out_works_with_an_access_token_that_has_run_out(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        server.wait(TimeDelta::minutes(6));
        server.send_form("/oauth2/revoke", None, &[("token", &opened.access)]).await.expect(200);
        assert_eq!(server.refresh(&opened.refresh).await.status, 400);
    }

    async fn what_is_no_token_gets_the_same_answer_and_ends_nothing(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let forged = format!("{}.{}", &opened.access[..opened.access.rfind('.').unwrap()], "A".repeat(86));
        for token in ["garbage", &opened.id, &forged, BOOTSTRAP_KEY, "a\u{0}b"] {
            assert_eq!(server.send_form("/oauth2/revoke", None, &[("token", token)]).await.expect(200).text, "{}");
        }
        assert!(server.stands(&opened.access).await);
        for without in [&[][..], &[("token", "")]] {
            let refused = server.send_form("/oauth2/revoke", None, without).await.expect(400);
            assert_eq!(refused.json()["error"], "invalid_request");
        }
    }
}
