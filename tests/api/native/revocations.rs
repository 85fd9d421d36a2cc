//! `GET /v1/revocations`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::on_both_databases;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

const PATIENCE: Duration = Duration::from_secs(20);

async fn ask(server: &Server, query: &str) -> Answer {
    server.send("GET", &format!("/v1/revocations{query}"), BOOTSTRAP_KEY).await
}

fn sessions(list: &Value) -> BTreeSet<String> {
    let entries = list["revoked"].as_array().unwrap().iter();
    entries.map(|entry| entry["session_id"].as_str().unwrap().to_owned()).collect()
}

fn cursor(list: &Value) -> &str {
    list["cursor"].as_str().unwrap()
}

/// The whole list, once that session is in it.
async fn list_with(server: &Server, id: &str) -> Value {
    let started = Instant::now();
    loop {
        let list = ask(server, "").await;
        if list.status == 200 && sessions(&list.json()).contains(id) {
            return list.json();
        }
        assert!(started.elapsed() < PATIENCE, "{}", list.text);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Reads the feed from `list` on until that session is in it, as a client would.
async fn follow_until(server: &Server, list: &Value, id: &str) -> Value {
    let (started, mut cursor) = (Instant::now(), cursor(list).to_owned());
    loop {
        let next = ask(server, &format!("?wait=5&since={cursor}")).await.expect(200).json();
        if sessions(&next).contains(id) {
            return next;
        }
        assert!(started.elapsed() < PATIENCE, "{next}");
        next["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
}

on_both_databases! {
    async fn the_list_has_what_was_ended_and_a_cursor_brings_what_is_new_from_any_replica(database) {
        let one = Server::start(database).await;
        let two = one.replica().await;
        let (a, b, stays) = (one.open("alice").await, one.open("alice").await, one.open("alice").await);
        one.end(&a.id).await;
        let first = list_with(&one, &a.id).await;
        assert_eq!((sessions(&first).len(), &first["complete"]), (1, &Value::Bool(true)));
        let shown = one.send("GET", &format!("/v1/sessions/{}", a.id), BOOTSTRAP_KEY).await.json();
        assert_eq!(first["revoked"][0]["ended_at"], shown["ended_at"]);
        let as_of: DateTime<Utc> = first["as_of"].as_str().unwrap().parse().unwrap();
        assert!(as_of <= one.now() && one.now() - as_of < TimeDelta::seconds(10));

        one.end(&b.id).await;
        for server in [&one, &two] {
            let new = follow_until(server, &first, &b.id).await;
            assert_eq!(new["complete"], false);
            let rest = ask(server, &format!("?since={}", cursor(&new))).await.expect(200).json();
            assert_eq!(rest["complete"], false, "{rest}");
        }
        let all = list_with(&two, &b.id).await;
        assert_eq!(sessions(&all), BTreeSet::from([a.id, b.id]), "{} stands", stays.id);
    }

    async fn a_cursor_from_elsewhere_gets_the_whole_list(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        server.end(&opened.id).await;
        list_with(&server, &opened.id).await;
        let other = Server::start_on_sqlite().await;
        other.follows().await;
        let foreign = ask(&other, "").await.json();
        for since in [cursor(&foreign), "", "17", "%F0%9F%99%82"] {
            let list = ask(&server, &format!("?wait=30&since={since}")).await.expect(200).json();
            assert_eq!(list["complete"], true, "{since}");
            assert!(sessions(&list).contains(&opened.id), "{since}");
        }
    }

    async fn a_server_that_has_just_started_knows_what_was_ended_before(database) {
        let before = Server::start(database).await;
        let opened = before.open("alice").await;
        before.end(&opened.id).await;
        let list = list_with(&before, &opened.id).await;
        let after = before.replica().await;
        drop(before);
        after.follows().await;
        assert!(sessions(&ask(&after, "").await.json()).contains(&opened.id));
        assert_eq!(ask(&after, &format!("?since={}", cursor(&list))).await.expect(200).json()["complete"], false);
    }

    async fn a_waiting_listener_hears_at_once_and_any_other_in_time(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let opened = server.open("alice").await;
        let list = ask(&server, "").await.json();
        let nothing = ask(&server, &format!("?wait=1&since={}", cursor(&list))).await.expect(200).json();
        assert_eq!((sessions(&nothing).len(), &nothing["complete"]), (0, &Value::Bool(false)));
        let path = format!("?wait=30&since={}", cursor(&nothing));
        let started = Instant::now();
        let (waited, ()) = tokio::join!(ask(&server, &path), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.end(&opened.id).await;
        });
        assert!(sessions(&waited.expect(200).json()).contains(&opened.id));
        assert!(started.elapsed() < Duration::from_secs(15), "it waited for the end of the time");
        ask(&server, "?wait=31").await.expect_problem(422, "invalid_request");
        ask(&server, "?wait=-1").await.expect_problem(400, "malformed_request");
    }

    async fn a_request_that_waits_longer_than_the_timeout_gets_an_answer(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let list = ask(&server, "").await.json();
        ask(&server, &format!("?wait=12&since={}", cursor(&list))).await.expect(200);
        let path = format!("?wait=30&since={}", cursor(&list));
        let started = Instant::now();
        let (waited, ()) = tokio::join!(ask(&server, &path), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.stop();
        });
        waited.expect(200);
        assert!(started.elapsed() < Duration::from_secs(10), "it held up the stop");
    }

    async fn a_session_falls_out_when_its_last_token_has_died(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        server.end(&opened.id).await;
        list_with(&server, &opened.id).await;
        server.wait(TimeDelta::minutes(5));
        assert_eq!(sessions(&ask(&server, "").await.expect(200).json()).len(), 1, "verifiers allow for clocks that differ");
        server.wait(TimeDelta::minutes(1));
        assert!(sessions(&ask(&server, "").await.expect(200).json()).is_empty());
    }

    async fn the_list_is_signed_on_request(database) {
        let server = Server::start(database).await;
        let opened = server.open("alice").await;
        server.end(&opened.id).await;
        let list = list_with(&server, &opened.id).await;
        let request = server.request("GET", "/v1/revocations").bearer_auth(BOOTSTRAP_KEY);
        let signed = answer(request.header("accept", "application/jwt")).await.expect(200);
        assert_eq!((signed.header("content-type"), signed.header("vary")), ("application/jwt", "accept"));
        let header = jsonwebtoken::decode_header(&signed.text).unwrap();
        assert_eq!(header.typ.as_deref(), Some("revocations+jwt"));
        let keys: JwkSet = serde_json::from_str(&answer(server.request("GET", "/.well-known/jwks.json")).await.text).unwrap();
        let key = DecodingKey::from_jwk(keys.find(header.kid.as_deref().unwrap()).unwrap()).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&["http://localhost:8080"]);
        let claims = jsonwebtoken::decode::<Value>(&signed.text, &key, &validation).unwrap().claims;
        assert_eq!((sessions(&claims), &claims["complete"]), (sessions(&list), &list["complete"]));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
        assert!(!server.stands(&signed.text).await, "it is no access token");
    }

    async fn an_unchanged_list_is_not_sent_again(database) {
        let server = Server::start(database).await;
        let (a, b) = (server.open("alice").await, server.open("alice").await);
        server.end(&a.id).await;
        list_with(&server, &a.id).await;
        let tag = ask(&server, "").await.header("etag").to_owned();
        let conditional = async |tag: &str| {
            answer(server.request("GET", "/v1/revocations").bearer_auth(BOOTSTRAP_KEY).header("if-none-match", tag)).await
        };
        let same = conditional(&format!("\"other\", {tag}")).await.expect(304);
        assert_eq!((same.text.as_str(), same.header("etag")), ("", tag.as_str()));
        server.end(&b.id).await;
        list_with(&server, &b.id).await;
        assert_ne!(conditional(&tag).await.expect(200).header("etag"), tag);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_commit_is_sent_to_a_listener_that_has_received_later_ones() {
    let server = Server::start_on_postgres().await;
    let (slow, quick) = (server.open("alice").await, server.open("alice").await);
    let mut connection = PgConnection::connect(server.database_url()).await.unwrap();
    sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
    sqlx::query("UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'logout' WHERE id = $1")
        .bind(Uuid::parse_str(&slow.id).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    server.end(&quick.id).await;
    let list = list_with(&server, &quick.id).await;
    assert!(!sessions(&list).contains(&slow.id));
    sqlx::query("COMMIT").execute(&mut connection).await.unwrap();
    follow_until(&server, &list, &slow.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_know_says_so() {
    let (server, proxy) = Server::builder().start_behind_proxy().await;
    server.follows().await;
    let opened = server.open("alice").await;
    let key = server.key("sessions:read").await;
    server.send("GET", "/v1/revocations", &key).await.expect(200);
    proxy.cut();
    let started = Instant::now();
    loop {
        let answer = ask(&server, "").await;
        if answer.status == 503 {
            answer.expect_problem(503, "unavailable");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "it takes its ignorance for the truth");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.mend();
    server.replica().await.end(&opened.id).await;
    list_with(&server, &opened.id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_follow_the_log_has_no_list() {
    let server = Server::builder().without_change_log().start_on_sqlite().await;
    for path in ["/v1/revocations", "/v1/events"] {
        server.send("GET", path, BOOTSTRAP_KEY).await.expect_problem(503, "unavailable");
    }
}
