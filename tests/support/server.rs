//! A real server on a real port, with a clock that can be moved, and a client for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use sojourn::clock::{self, Clock, ShiftedClock, SystemClock, SystemEntropy};
use sojourn::model::Scope;
use sojourn::model::ServiceKeyId;
use sojourn::sessions::SigningKeys;
use sojourn::sessions::{ChangeLogReader, Sessions};
use sojourn::store::Store;
use sojourn::tokens::{MasterSecret, ServiceKey};
use tokio::sync::watch;

use super::builder::Builder;
use super::database::TestDatabase;

/// The bootstrap key of every test server.
pub const BOOTSTRAP_KEY: &str = "a-bootstrap-key-that-only-the-tests-know";

/// A server that stops when it is dropped.
pub struct Server {
    pub base: String,
    pub clock: Arc<ShiftedClock>,
    pub sessions: Arc<Sessions>,
    pub store: Arc<dyn Store>,
    pub(super) signing_keys: Arc<SigningKeys>,
    pub(super) database: Arc<TestDatabase>,
    pub(super) secret: MasterSecret,
    pub(super) client: reqwest::Client,
    pub(super) stop: watch::Sender<bool>,
}

/// A session opened for a test, with its tokens.
#[derive(Debug, Clone)]
pub struct Opened {
    pub id: String,
    pub access: String,
    pub refresh: String,
    pub body: Value,
}

impl Opened {
    /// The session and tokens in the answer to an opening or a new authentication.
    pub fn of(body: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let access = if body["session_token"].is_string() { &body["session_token"] } else { &body["access_token"] };
        Self { id: text(&body["session"]["id"]), access: text(access), refresh: text(&body["refresh_token"]), body }
    }
}

/// An answer of a server.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text))
    }

    /// A header's value, empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fails the test when the status is not this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Fails the test unless this is a native problem of that status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        let body = answer.json();
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], format!("urn:sojourn:problem:{code}"));
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        answer
    }
}

impl Server {
    /// A server with options other than the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts a server with all defaults.
    pub async fn start(database: TestDatabase) -> Self {
        Self::builder().start(database).await
    }

    /// Starts a server with all defaults on a new SQLite file.
    pub async fn start_on_sqlite() -> Self {
        Self::builder().start_on_sqlite().await
    }

    /// Starts a server with all defaults on a new PostgreSQL database.
    pub async fn start_on_postgres() -> Self {
        Self::builder().start_on_postgres().await
    }

    /// Another server on the same database, as the next replica or after a restart.
    pub async fn replica(&self) -> Self {
        self.replica_with(|with| with).await
    }

    /// Another server on the same database, with options of its own.
    pub async fn replica_with(&self, change: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = Self::builder().secret(self.secret.clone()).clock(Arc::clone(&self.clock));
        change(builder).start_on(Arc::clone(&self.database)).await
    }

    /// Inserts copies of a session past the server.
    pub async fn copy_session(&self, id: &str, times: i64) {
        self.database.copy_session(id.parse().unwrap(), times).await;
    }

    /// Reads the change log now, as the server does by itself a moment later.
    pub async fn catch_up(&self) {
        self.sessions.read_changes(&mut ChangeLogReader::default()).await.unwrap();
    }

    /// Moves the server's clock ahead.
    pub fn wait(&self, by: TimeDelta) {
        self.clock.shift(by);
    }

    /// The maintenance of signing keys, which runs only when a test calls it.
    pub fn signing_keys(&self) -> &SigningKeys {
        &self.signing_keys
    }

    /// The master secret of the server.
    pub fn secret(&self) -> &MasterSecret {
        &self.secret
    }

    /// The URL of the database, for changes behind the server's back.
    pub fn database_url(&self) -> &str {
        self.database.url()
    }

    /// Waits until the server has read the recent endings, which it does right after its start.
    pub async fn follows(&self) {
        let started = Instant::now();
        while self.send("GET", "/v1/revocations", BOOTSTRAP_KEY).await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(10), "it does not follow the log");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the server to stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// The server's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A request to the server, without credentials and body.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request with a bearer token and no body.
    pub async fn send(&self, method: &str, path: &str, token: &str) -> Answer {
        answer(self.request(method, path).bearer_auth(token)).await
    }

    /// Sends a request with a bearer token and a JSON body.
    pub async fn send_json(&self, method: &str, path: &str, token: &str, body: &Value) -> Answer {
        answer(self.request(method, path).bearer_auth(token).json(body)).await
    }

    /// Sends a form.
    pub async fn send_form(&self, path: &str, token: Option<&str>, form: &[(&str, &str)]) -> Answer {
        let request = self.request("POST", path).form(form);
        answer(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// Creates a service key with this scope.
    pub async fn key(&self, scope: &str) -> String {
        let id = ServiceKeyId(clock::uuid_v7(SystemClock.now(), &SystemEntropy).unwrap());
        let scope = Scope::parse(scope).unwrap();
        let new = ServiceKey::generate(id, "test".to_owned(), scope, self.now(), None, &SystemEntropy).unwrap();
        self.store.add_service_key(&new.stored, None).await.unwrap();
        new.key.expose().to_owned()
    }

    /// Opens a session of `user`.
    pub async fn open(&self, user: &str) -> Opened {
        self.open_with(&json!({ "user_id": user })).await
    }

    /// Opens a session with this request body.
    pub async fn open_with(&self, body: &Value) -> Opened {
        Opened::of(self.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, body).await.expect(201).json())
    }

    /// Opens two sessions of `user` and moves the clock on, so that one has expired and the other is idle.
    pub async fn open_expired_and_idle(&self, user: &str) -> [Opened; 2] {
        let expired = self.open_with(&json!({ "user_id": user, "expires_in": 60 })).await;
        let idle = self.open_with(&json!({ "user_id": user, "idle_timeout": 60 })).await;
        self.wait(TimeDelta::minutes(2));
        [expired, idle]
    }

    /// Ends a session as an administrator.
    pub async fn end(&self, id: &str) {
        self.send("DELETE", &format!("/v1/sessions/{id}"), BOOTSTRAP_KEY).await.expect(204);
    }

    /// Presents a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.send_form("/oauth2/token", None, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Whether a token is valid, as a gateway would ask.
    pub async fn stands(&self, token: &str) -> bool {
        let answer = self.send("GET", "/v1/verify", token).await;
        assert!(matches!(answer.status.as_u16(), 200 | 401), "{answer:?}");
        answer.status == StatusCode::OK
    }
}

/// Sends a request and reads the whole answer, except that of an event stream.
pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    if response.headers().get("content-type").is_some_and(|value| value == "text/event-stream") {
        // An event stream never ends.
        return Answer { status: response.status(), headers: response.headers().clone(), text: String::new() };
    }
    Answer { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
