//! The recipes of `docs/gateways`, each with the real program: an application behind it, and a server that it asks.
//!
//! `tests/recipes/run` gets the programs and runs these tests.

mod application;
mod gateway;
mod http;
mod identity;
mod paths;
mod verdicts;

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::support::process::{Folder, Process};
use crate::support::server::BOOTSTRAP_KEY;
use application::Application;
use gateway::{Gateway, Program};
use http::{Connection, Message, Request};

/// Makes a test for each gateway out of one case.
macro_rules! on_every_gateway {
    ($($(#[doc = $doc:literal])* async fn $name:ident($program:ident) $body:block)+) => {$(
        $(#[doc = $doc])*
        mod $name {
            use super::*;

            async fn case($program: Program) $body

            $crate::recipes::on_every_gateway!(@case nginx Nginx);
            $crate::recipes::on_every_gateway!(@case haproxy Haproxy);
            $crate::recipes::on_every_gateway!(@case apache2 Apache);
            $crate::recipes::on_every_gateway!(@case caddy Caddy);
            $crate::recipes::on_every_gateway!(@case debian_caddy DebianCaddy);
            $crate::recipes::on_every_gateway!(@case traefik Traefik);
            $crate::recipes::on_every_gateway!(@case envoy Envoy);
        }
    )+};
    (@case $name:ident $program:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            case(Program::$program).await;
        }
    };
}
use on_every_gateway;

/// The cookie of the server's settings.
const COOKIE: &str = "session";

/// A gateway between an application and a server.
struct Setup {
    gateway: Gateway,
    application: Application,
    sojourn: Process,
    client: reqwest::Client,
    _folder: Folder,
}

/// A session, opened for a test.
struct Opened {
    id: String,
    token: String,
}

impl Setup {
    async fn start(program: Program) -> Self {
        Self::start_with(program, &[]).await
    }

    /// Starts the server with more settings.
    async fn start_with(program: Program, more: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let own = [
            ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
            ("SOJOURN_COOKIE", COOKIE),
            ("SOJOURN_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let sojourn = folder.serve(&[&own, more].concat());
        let port = sojourn.base.rsplit(':').next().unwrap().parse().unwrap();
        let application = Application::start().await;
        let gateway = Gateway::start(program, port, application.port).await;
        Self { gateway, application, sojourn, client: reqwest::Client::new(), _folder: folder }
    }

    /// Opens a session, as a login service does.
    async fn open(&self, body: &Value) -> Opened {
        let request = self.client.post(format!("{}/v1/sessions", self.sojourn.base)).bearer_auth(BOOTSTRAP_KEY);
        let response = request.json(body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        let token = body.get("session_token").or(body.get("access_token")).unwrap();
        Opened { id: body["session"]["id"].as_str().unwrap().to_owned(), token: token.as_str().unwrap().to_owned() }
    }

    /// Opens a session of a user of whom nothing more is known.
    async fn open_bare(&self) -> Opened {
        self.open(&json!({ "user_id": "bob", "tokens": "session" })).await
    }

    async fn end(&self, session: &Opened) {
        let request = self.client.delete(format!("{}/v1/sessions/{}", self.sojourn.base, session.id));
        assert_eq!(request.bearer_auth(BOOTSTRAP_KEY).send().await.unwrap().status(), 204);
    }

    /// A new connection to the gateway.
    async fn connect(&self) -> Connection {
        Connection::open(Ipv4Addr::LOCALHOST, self.gateway.port).await
    }

    /// Sends a request on a connection of its own.
    async fn ask(&self, request: &Request) -> Message {
        self.connect().await.ask(request).await
    }

    /// The one request that has reached the application.
    #[track_caller]
    fn arrived(&self) -> Message {
        let mut received = self.application.received();
        assert_eq!(received.len(), 1, "{received:?} {}", self.gateway.log());
        received.remove(0)
    }

    /// Fails the test when something has reached the application.
    #[track_caller]
    fn nothing_arrived(&self) {
        let received = self.application.received();
        assert!(received.is_empty(), "{received:?}");
    }
}
