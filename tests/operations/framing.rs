//! Bytes that are no well-framed HTTP/1.1 request (RFC 9112).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::server::{BOOTSTRAP_KEY, Server};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap()
}

/// Sends bytes in parts. Returns the status of the first answer, and everything that is answered until the connection
/// closes.
async fn sent(server: &Server, parts: &[&[u8]]) -> (u16, String) {
    let mut stream = connect(server).await;
    for part in parts {
        // The answer may arrive before everything is sent.
        if stream.write_all(part).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let (mut text, mut buffer) = (String::new(), [0; 1024]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text)
}

async fn server() -> Server {
    Server::start_on_sqlite().await
}

/// D-02.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_too_long_is_refused_whole_or_in_parts_and_in_many_lines() {
    let server = server().await;
    let start = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-long: ".as_slice();
    let (long, half) = (vec![b'a'; 1 << 20], vec![b'a'; 24 * 1024]);
    let lines = "x-line: a\r\n".repeat(200);
    let lines = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    for parts in [[start, &long, b"\r\n\r\n"].as_slice(), &[start, &half, &half, b"\r\n\r\n"], &[lines.as_bytes()]] {
        assert_eq!(sent(&server, parts).await.0, 431);
    }
    let fits = vec![b'a'; 12 * 1024];
    assert_eq!(sent(&server, &[start, &fits[..100], &fits[100..], b"\r\n\r\n"]).await.0, 200);
}

/// D-05.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_http_2() {
    let server = server().await;
    let (_, text) = sent(&server, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"]).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text:?}");
    let upgrade = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\n\
                    http2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let (status, text) = sent(&server, &[upgrade]).await;
    assert_eq!(status, 200, "the upgrade is ignored: {text}");
}

/// D-09.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ambiguous_framing_is_refused_and_closes_the_connection() {
    let server = server().await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: +4",
        "content-length: 4, 5",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "content-length : 4",
        "x-folded: a\r\n b",
    ] {
        let request = format!(
            "POST /v1/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_KEY}\r\n\
             content-type: application/json\r\n{headers}\r\n\r\n0\r\n\r\n{smuggled}"
        );
        let (status, text) = sent(&server, &[request.as_bytes()]).await;
        assert_eq!((status, text.matches("HTTP/1.1 ").count()), (400, 1), "{headers}: {text}");
    }
    let overflow = format!(
        "POST /v1/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_KEY}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{}}\r\n0\r\n\r\n{smuggled}"
    );
    let (status, text) = sent(&server, &[overflow.as_bytes()]).await;
    assert_eq!((status, text.matches("HTTP/1.1 ").count()), (400, 1), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_one_host_in_every_family_s_words() {
    let server = server().await;
    let ask = async |path: &str, hosts: &str, version: &str| {
        let request = format!("GET {path} HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
        sent(&server, &[request.as_bytes()]).await
    };
    for hosts in ["", "host: a\r\nhost: a\r\n", "host: a b\r\n", "host: a@b\r\n", "host: a/b\r\n"] {
        for (path, words) in [
            ("/healthz", "\"code\":\"malformed_request\""),
            ("/v1/me", "\"code\":\"malformed_request\""),
            ("/oauth2/token", "\"error\":\"invalid_request\""),
            ("/auth/sessions", "\"status\":\"400 BAD_REQUEST\""),
            ("/api/v1/users/me/sessions", "\"code\":\"BAD_REQUEST\""),
            ("/api/v0/sessions", "\"success\":false"),
            ("/api/user/x/sessions", "\"code\":\"BAD_REQUEST_ERROR\""),
            ("/api/v1/jans-auth-server/session", "\"code\":\"400\""),
        ] {
            let (status, text) = ask(path, hosts, "1.1").await;
            assert_eq!(status, 400, "{path} {hosts:?}");
            assert!(text.contains(words), "{path} {hosts:?}: {text}");
        }
    }
    for (hosts, version) in [("host: [::1]:8080\r\n", "1.1"), ("host:\r\n", "1.1"), ("", "1.0")] {
        assert_eq!(ask("/healthz", hosts, version).await.0, 200, "{hosts:?}");
    }
    assert_eq!(ask("/healthz", "host: a\r\nhost: b\r\n", "1.0").await.0, 400);
}
