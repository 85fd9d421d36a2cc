//! Outcomes of a refresh: the operator reads them in the log, the client is answered `invalid_grant` and nothing more.

use serde_json::{Value, json};

use super::{assert_refused, successor};
use crate::support::on_both_databases;
use crate::support::process::{Folder, Process, SECRET};
use crate::support::server::{BOOTSTRAP_KEY, Server};

const FOREIGN: &str = "sjr_a-token-that-was-made-up";

async fn refresh(server: &Process, token: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    client.post(format!("{}/oauth2/token", server.base)).form(&form).send().await.unwrap().json().await.unwrap()
}

async fn open(server: &Process) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/v1/sessions", server.base)).bearer_auth(BOOTSTRAP_KEY);
    request.json(&json!({ "user_id": "alice" })).send().await.unwrap().json().await.unwrap()
}

fn refresh_token(answer: &Value) -> &str {
    answer["refresh_token"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

on_both_databases! {
    async fn the_log_has_one_line_for_each_refresh_with_its_outcome_and_never_a_token(database) {
        let folder = Folder::new();
        let serve = |grace| folder.serve(&[
            ("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
            ("SOJOURN_LOG_FORMAT", "json"), ("SOJOURN_LOG", "debug"), ("SOJOURN_REFRESH_GRACE", grace),
        ]);
        let mut server = serve("30s");
        let opened = open(&server).await;
        let first = refresh_token(&opened);
        let rotated = refresh(&server, first).await;
        let second = refresh_token(&rotated);
        assert_eq!(refresh_token(&refresh(&server, first).await), second);
        refresh(&server, FOREIGN).await;
        server.terminate();
        assert!(server.wait().success());

        let server = serve("0s");
        assert_eq!(refresh_token(&refresh(&server, first).await), second);
        let rotated_again = refresh(&server, second).await;
        let third = refresh_token(&rotated_again);
        refresh(&server, first).await;
        refresh(&server, third).await;

        let log = server.log();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines: Vec<_> = lines.collect();
        let told: Vec<_> = lines.iter().filter(|line| line["message"] == "answered" && !line["span"]["outcome"].is_null()).collect();
        let (session, alice, nobody) = (&opened["session"]["id"], &json!("alice"), &Value::Null);
        let expected = [
            ("rotated", session, alice), ("concurrent", session, alice), ("invalid_token", nobody, nobody),
            ("not_saved", session, alice), ("rotated", session, alice), ("reuse", session, alice), ("not_active", session, nobody),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (line, (outcome, session, user)) in told.iter().zip(expected) {
            let span = &line["span"];
            assert_eq!((&span["outcome"], &span["session"], &span["user"]), (&json!(outcome), session, user));
        }
        let warnings: Vec<_> = lines.iter().filter(|line| line["level"] == "WARN" && line["span"]["name"] == "request").collect();
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert_eq!((&warnings[0]["message"], &warnings[0]["reason"]), (&json!("session ended"), &json!("reuse_detected")));
        for token in [first, second, third, FOREIGN, BOOTSTRAP_KEY] {
            assert!(!log.contains(token), "a token is in the log");
        }
    }

    async fn every_refusal_is_the_same_to_the_byte(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        let third = successor(&server, &successor(&server, &opened.refresh).await).await;
        let reuse = server.refresh(&opened.refresh).await;
        assert_refused(&reuse);
        for token in [&opened.refresh, &third, FOREIGN, "nonsense"] {
            let refused = server.refresh(token).await;
            assert_eq!((refused.status, &refused.text), (reuse.status, &reuse.text), "{token}");
        }
    }
}
