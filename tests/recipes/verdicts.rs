//! Requests that pass, requests that are refused, and requests without a verdict.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::sys::signal::Signal;

use super::application::WEBSOCKET_KEY;
use super::gateway::Program;
use super::http::{Connection, Message, Request};
use super::{COOKIE, Setup, on_every_gateway};
use crate::support::database::TestDatabase;
use crate::support::process::{SECRET, signal};
use crate::support::proxy::Proxy;
use crate::support::server::BOOTSTRAP_KEY;

fn handshake() -> Request {
    ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        .into_iter()
        .fold(Request::get("/live"), Request::header)
        .header(format!("Sec-WebSocket-Key: {WEBSOCKET_KEY}"))
}

/// Fails the test unless this is an answer for want of a verdict.
#[track_caller]
fn expect_no_verdict(answer: &Message) {
    assert!((500..=504).contains(&answer.status()), "{answer:?}");
}

on_every_gateway! {
    async fn without_an_active_session_nothing_passes(program) {
        let setup = Setup::start(program).await;
        let expect_refused = async |request: Request| {
            let refused = setup.ask(&request).await.expect(401);
            assert!(refused.header("www-authenticate").starts_with("Bearer realm=\"sojourn\""), "{refused:?}");
            setup.nothing_arrived();
        };
        for request in [
            Request::get("/"),
            Request::get("/").bearer("nonsense"),
            Request::get("/").bearer(BOOTSTRAP_KEY),
            Request::get("/").header(format!("Cookie: {COOKIE}=nonsense")),
            Request::get("/").header("X-User-Id: alice"),
            Request::get("/?freshness=fresh"),
            Request::new("POST", "/").body(b"a body"),
            Request::new("POST", "/").chunked(b"a body"),
            Request::new("OPTIONS", "/")
                .header("Origin: https://app.example")
                .header("Access-Control-Request-Method: GET"),
            handshake(),
        ] {
            expect_refused(request).await;
        }
        // A session that has ended is refused at once, also on a connection that it has used before.
        let session = setup.open_bare().await;
        let mut connection = setup.connect().await;
        let request = Request::get("/").bearer(&session.token);
        connection.ask(&request).await.expect(200);
        setup.arrived();
        setup.end(&session).await;
        connection.ask(&request).await.expect(401);
        setup.nothing_arrived();
    }

    async fn a_body_arrives_whole_and_once(program) {
        let setup = Setup::start(program).await;
        let session = setup.open_bare().await;
        let bytes = (0..1_000_000_u32).map(u32::to_le_bytes).map(|number| number[0] ^ number[1]);
        let body: Vec<u8> = bytes.collect();
        let mut connection = setup.connect().await;
        for method in ["POST", "PUT"] {
            let request = Request::new(method, "/orders").bearer(&session.token);
            for request in [request.clone().body(&body), request.clone().chunked(&body)] {
                for request in [request.clone(), request.header("Content-Encoding: gzip")] {
                    connection.ask(&request).await.expect(200);
                    let arrived = setup.arrived();
                    assert!(arrived.body == body, "{} bytes arrived", arrived.body.len());
                    assert_eq!(arrived.method(), method);
                }
            }
        }
    }

    async fn a_websocket_is_opened_after_the_check(program) {
        let setup = Setup::start(program).await;
        let session = setup.open_bare().await;
        let mut connection = setup.connect().await;
        let request = handshake().header(format!("Cookie: {COOKIE}={}", session.token));
        connection.ask(&request).await.expect(101);
        assert_eq!(setup.arrived().header("x-user-id"), "bob");
        tokio::io::AsyncWriteExt::write_all(&mut connection.stream, b"hello").await.unwrap();
        assert_eq!(connection.exactly(5).await.unwrap(), b"hello");
    }

    async fn the_client_s_address_is_the_one_that_counts(program) {
        let setup = Setup::start_with(program, &[("SOJOURN_RATE_LIMIT", "3")]).await;
        let [client, other] = [7, 8].map(|last| Ipv4Addr::new(127, 0, 0, last));
        let ask = async |from: Ipv4Addr, number: usize, token: &str| {
            let claimed = format!("203.0.113.{number}");
            let request = Request::get("/").bearer(token).header(format!("X-Forwarded-For: {claimed}"));
            let request = request.header(format!("X-Forwarded-For: {claimed}, 127.0.0.1"));
            let request = request.header(format!("Forwarded: for={claimed}")).header(format!("X-Real-IP: {claimed}"));
            Connection::open(from, setup.gateway.port).await.ask(&request).await
        };
        let session = setup.open_bare().await;
        ask(client, 1, &session.token).await.expect(200);
        assert_eq!(setup.arrived().header("x-forwarded-for"), client.to_string());
        for number in 1..=3 {
            ask(client, number, "nonsense").await.expect(401);
        }
        // The server counts the client's own address, whatever the client claims.
        let refused = ask(client, 4, "nonsense").await.expect(429);
        assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused:?}");
        ask(other, 4, "nonsense").await.expect(401);
        setup.nothing_arrived();
    }

    async fn without_the_server_nothing_passes(program) {
        let mut setup = Setup::start(program).await;
        let session = setup.open_bare().await;
        let requests = [Request::get("/").bearer(&session.token), Request::get("/reports"), Request::get("/")];
        setup.ask(&requests[0]).await.expect(200);
        setup.arrived();
        // Traefik waits for half a minute, and no setting of it changes that.
        if program != Program::Traefik {
            signal(setup.sojourn.id(), Signal::SIGSTOP);
            expect_no_verdict(&setup.ask(&requests[0]).await);
            setup.nothing_arrived();
        }
        setup.sojourn.kill();
        for answer in join_all(requests.iter().map(|request| setup.ask(request))).await {
            expect_no_verdict(&answer);
        }
        setup.nothing_arrived();
    }

    async fn when_the_server_cannot_say_the_answer_is_503(program) {
        let database = TestDatabase::postgres().await;
        let (proxy, url) = Proxy::start(database.url()).await;
        let settings = [("DATABASE_URL", &*url), ("SOJOURN_SECRET", SECRET), ("SOJOURN_FRESHNESS", "strict")];
        let setup = Setup::start_with(program, &settings).await;
        let session = setup.open_bare().await;
        let request = Request::get("/").bearer(&session.token);
        setup.ask(&request).await.expect(200);
        setup.arrived();
        let until = async |status: u16| {
            let started = Instant::now();
            loop {
                let answer = setup.ask(&request).await;
                let passed = setup.application.received().len();
                assert_eq!(passed, usize::from(answer.status() == 200), "{answer:?}");
                if answer.status() == status {
                    return;
                }
                assert!(matches!(answer.status(), 200 | 503), "{answer:?}");
                assert!(started.elapsed() < Duration::from_secs(30), "{answer:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        proxy.cut();
        until(503).await;
        setup.ask(&Request::get("/reports").bearer(&session.token)).await.expect(503);
        setup.nothing_arrived();
        proxy.mend();
        until(200).await;
        drop(setup);
        drop(database);
    }
}
