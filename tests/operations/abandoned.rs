//! Clients that hang up before they are answered.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

const CLIENTS: usize = 2000;
const AT_ONCE: usize = 50;

/// Sends a whole request, and hangs up at once.
async fn hang_up(base: &str, method: &str, path: &str, body: &str) {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Sends openings, listings and endings from fifty clients at a time, each of which hangs up at once.
async fn hang_up_often(server: &Server) {
    let clients: Vec<_> = (0..AT_ONCE)
        .map(|first| {
            let base = server.base.clone();
            tokio::spawn(async move {
                for number in (first..CLIENTS).step_by(AT_ONCE) {
                    match number % 4 {
                        0 => hang_up(&base, "DELETE", &format!("/v1/users/u{}/sessions", number / 2), "").await,
                        1 => hang_up(&base, "GET", "/v1/sessions?limit=100", "").await,
                        _ => hang_up(&base, "POST", "/v1/sessions", &format!(r#"{{"user_id":"u{number}"}}"#)).await,
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Every session of the list, page by page.
async fn all_sessions(server: &Server) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            server.send("GET", &format!("/v1/sessions?limit=100{cursor}"), BOOTSTRAP_KEY).await.expect(200).json();
        found.extend(page["sessions"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

on_both_databases! {
    /// D-07, FT-27.
    async fn two_thousand_clients_that_hang_up_leave_nothing_half_done_and_no_connection_taken(database) {
        let server = Server::start(database).await;
        server.open("first").await;
        hang_up_often(&server).await;

        // Three times as many requests at once as there are database connections.
        let asked = Instant::now();
        let opens = (0..24).map(|number| {
            let open = server.request("POST", "/v1/sessions").bearer_auth(BOOTSTRAP_KEY);
            tokio::spawn(answer(open.json(&json!({ "user_id": format!("after {number}") }))))
        });
        for open in opens.collect::<Vec<_>>() {
            open.await.unwrap().expect(201);
        }
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());

        let sessions = all_sessions(&server).await;
        assert!(sessions.len() > 25, "no request of those who hung up was begun");
        for session in sessions.iter().step_by(sessions.len() / 20 + 1) {
            let user = session["user_id"].as_str().unwrap();
            server.send("GET", &format!("/v1/users/{user}"), BOOTSTRAP_KEY).await.expect(200);
        }
        let id = sessions.last().unwrap()["id"].as_str().unwrap();
        server.end(id).await;
    }
}

/// FT-27: a cancelled request's transaction is rolled back, not left open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transaction_stays_open_when_clients_hang_up() {
    let database = TestDatabase::postgres().await;
    let raw = sqlx::PgPool::connect_lazy(database.url()).unwrap();
    let server = Server::start(database).await;
    hang_up_often(&server).await;
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND state IN ('active', 'idle in transaction', 'idle in transaction (aborted)')
                AND now() - state_change > interval '1 second'";
    let quiet = Instant::now();
    while sqlx::query_scalar::<_, i64>(busy).fetch_one(&raw).await.unwrap() != 0 {
        assert!(quiet.elapsed() < Duration::from_secs(5), "statements or transactions are stuck");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    raw.close().await;
}
