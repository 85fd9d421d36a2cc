//! Hostile clients that open more connections than the server accepts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sojourn::config::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::server::{BOOTSTRAP_KEY, Server};

/// A timeout far longer than any answer takes: a client that waits this long is shut out.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 200;

/// Opens a connection from a loopback address and sends some bytes.
async fn connect_from(last: u8, server: &Server, bytes: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    let address: SocketAddr = server.base.trim_start_matches("http://").parse().unwrap();
    let mut stream = tokio::time::timeout(PATIENCE, socket.connect(address)).await.expect("shut out").unwrap();
    // The write may fail already, if the server drops the connection at once.
    drop(stream.write_all(bytes.as_bytes()).await);
    stream
}

/// The status of a request on a connection of its own.
async fn status_of(server: &Server, method: &str, path: &str, token: &str) -> u16 {
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = connect_from(1, server, &head).await;
    let mut text = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("shut out").unwrap();
    text.split(' ').nth(1).unwrap_or_else(|| panic!("{text:?}")).parse().unwrap()
}

async fn server_with_few_places() -> Server {
    Server::builder().serving(ServerConfig::new(Duration::ZERO, CONNECTIONS)).start_on_sqlite().await
}

/// Health, a check and an administrator's ending work, each on a connection of its own.
async fn assert_nobody_is_shut_out(server: &Server, token: &str, ended: &str) {
    for _ in 0..10 {
        assert_eq!(status_of(server, "GET", "/healthz", "").await, 200);
        assert_eq!(status_of(server, "GET", "/v1/verify", token).await, 200);
    }
    assert_eq!(status_of(server, "DELETE", &format!("/v1/sessions/{ended}"), BOOTSTRAP_KEY).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_one_user_s_streams_nor_half_sent_requests_shut_anybody_out() {
    let server = server_with_few_places().await;
    let (opened, mut victims) = (server.open("mallory").await, Vec::new());
    for user in ["alice", "bob", "carol", "dave"] {
        victims.push(server.open(user).await.id);
    }
    let watch = format!(
        "GET /v1/sessions/{}/watch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        opened.id, opened.access
    );
    let mut statuses = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = connect_from(3, &server, &watch).await;
        let mut status = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut status)).await.expect("shut out").unwrap();
        statuses.push(String::from_utf8(status[9..].to_vec()).unwrap());
        streams.push(stream);
    }
    assert_eq!(statuses.iter().filter(|status| *status == "200").count(), 16);
    assert!(statuses.iter().all(|status| status == "200" || status == "503"), "{statuses:?}");
    assert_nobody_is_shut_out(&server, &opened.access, &victims[0]).await;

    let mut halves = Vec::new();
    for _ in 0..CONNECTIONS {
        halves.push(connect_from(2, &server, "GET /healthz HTTP/1.1\r\nhost: ").await);
    }
    assert_nobody_is_shut_out(&server, &opened.access, &victims[1]).await;

    for address in 4..24 {
        for _ in 0..10 {
            halves.push(connect_from(address, &server, "GET /healthz HTTP/1.1\r\nhost: ").await);
        }
    }
    assert_nobody_is_shut_out(&server, &opened.access, &victims[2]).await;

    let body = "POST /oauth2/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                content-length: 100\r\n\r\ngrant_type=";
    for address in 4..24 {
        for _ in 0..10 {
            halves.push(connect_from(address, &server, body).await);
        }
    }
    assert_nobody_is_shut_out(&server, &opened.access, &victims[3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_places_are_being_answered_health_checks_and_endings_still_are() {
    let server = server_with_few_places().await;
    server.follows().await;
    let opened = server.open("alice").await;
    let list = server.send("GET", "/v1/revocations", BOOTSTRAP_KEY).await.expect(200).json();
    let wait = format!(
        "GET /v1/revocations?wait=30&since={} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_KEY}\r\n\r\n",
        list["cursor"].as_str().unwrap()
    );
    let mut waiting = Vec::new();
    while status_of(&server, "GET", "/v1/verify", &opened.access).await == 200 {
        waiting.push(connect_from(2 + u8::try_from(waiting.len() / 50).unwrap(), &server, &wait).await);
        assert!(waiting.len() <= 2 * CONNECTIONS, "the server takes more than it may");
    }
    assert_eq!(status_of(&server, "GET", "/v1/verify", &opened.access).await, 503);
    assert_eq!(status_of(&server, "GET", "/healthz", "").await, 200);
    assert_eq!(status_of(&server, "GET", "/readyz", "").await, 200);
    assert_eq!(status_of(&server, "DELETE", "/auth/sessions/all", &opened.access).await, 200);
}
