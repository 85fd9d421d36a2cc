//! The orderly stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::process::{Folder, SECRET};

const KEY: &str = "a-bootstrap-key-that-only-the-tests-know";

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

on_both_databases! {
    /// O-03, FT-25.
    async fn no_request_fails_while_the_server_stops_and_it_says_at_once_that_it_does(database) {
        let folder = Folder::new();
        let mut server = folder.serve(&[
            ("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", KEY),
            ("SOJOURN_DRAIN_DELAY", "3s"),
        ]);
        let opened = client().post(format!("{}/v1/sessions", server.base)).bearer_auth(KEY).json(&json!({ "user_id": "1" }));
        let opened: serde_json::Value = opened.send().await.unwrap().json().await.unwrap();
        let token = opened["access_token"].as_str().unwrap().to_owned();

        let (gone_elsewhere, open, closing) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let load: Vec<_> = (0..6).map(|number| {
            let (url, token) = (format!("{}/v1/me", server.base), token.clone());
            let (gone_elsewhere, open, closing) = (Arc::clone(&gone_elsewhere), Arc::clone(&open), Arc::clone(&closing));
            tokio::spawn(async move {
                let mut kept = client();
                while !gone_elsewhere.load(Ordering::Relaxed) {
                    // Half of the clients keep their connections.
                    if number % 2 == 0 {
                        kept = client();
                    }
                    let answer = kept.get(&url).bearer_auth(&token).send().await.expect("a request failed");
                    assert_eq!(answer.status(), 200);
                    let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
                    assert!(answer.text().await.unwrap().contains("user_id"));
                    if closes { &closing } else { &open }.fetch_add(1, Ordering::Relaxed);
                }
            })
        }).collect();
        while open.load(Ordering::Relaxed) < 30 {
            tokio::task::yield_now().await;
        }
        server.terminate();
        let ready = loop {
            let ready = client().get(format!("{}/readyz", server.base)).send().await.unwrap();
            if ready.status() == 503 {
                break ready;
            }
        };
        assert_eq!((&ready.headers()["connection"], &ready.headers()["retry-after"]), (&"close".parse().unwrap(), &"1".parse().unwrap()));
        assert_eq!(ready.json::<serde_json::Value>().await.unwrap()["code"], "stopping");
        while closing.load(Ordering::Relaxed) < 30 {
            assert!(load.iter().all(|client| !client.is_finished()), "a request failed");
            tokio::task::yield_now().await;
        }
        gone_elsewhere.store(true, Ordering::Relaxed);
        for client in load {
            client.await.unwrap();
        }
        assert!(server.wait().success());
        assert!(client().get(format!("{}/healthz", server.base)).send().await.is_err());
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let folder = Folder::new();
    let mut server = folder.serve(&[("SOJOURN_DRAIN_DELAY", "5m")]);
    server.terminate();
    while client().get(format!("{}/readyz", server.base)).send().await.unwrap().status() != 503 {}
    server.terminate();
    assert_eq!(server.wait().code(), Some(130));
}

/// O-04.
#[test]
fn a_client_that_never_finishes_its_request_does_not_keep_the_server() {
    use std::io::Write as _;
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let address = server.base.trim_start_matches("http://").to_owned();
    let mut slow = std::net::TcpStream::connect(&address).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").unwrap();
    server.terminate();
    assert!(server.wait().success());
}

/// I-23.
#[tokio::test]
async fn nothing_that_a_client_sends_begins_a_line_in_the_log() {
    let folder = Folder::new();
    let server =
        folder.serve(&[("SOJOURN_BOOTSTRAP_KEY", KEY), ("SOJOURN_LOG", "debug"), ("SOJOURN_LOG_FORMAT", "json")]);
    let url = |path: &str| format!("{}{path}", server.base);
    let body = json!({ "user_id": "eve", "user_agent": "a\r\nforged", "location": "b\nforged" });
    let send = async |request: reqwest::RequestBuilder| {
        let request = request.bearer_auth(KEY).header("user-agent", "a\tforged").header("referer", "\u{85}forged");
        request.send().await.unwrap().status()
    };
    send(client().post(url("/v1/sessions")).json(&body)).await;
    let body = json!({ "user_id": "eve", "user_agent": "a\r\nforged" });
    assert_eq!(send(client().post(url("/v1/sessions")).json(&body)).await, 201);
    assert_eq!(send(client().get(url("/v1/x%0d%0aforged"))).await, 404);
    assert_eq!(send(client().get(url("/v1/sessions/x%0d%0aforged"))).await, 404);
    assert_eq!(send(client().get(url("/v1/me?x=%0d%0aforged"))).await, 400);
    let log = server.log();
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(log.contains("answered"));
}
