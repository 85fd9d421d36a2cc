//! Real server processes on one database, and a client for them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::flaw::Flaw;
use super::history::{Event, History, Outcome, Seen};
use crate::support::process::{Folder, Process, SECRET};
use crate::support::server::BOOTSTRAP_KEY;
use crate::support::stream::Stream;

/// A timeout longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longest wait for any condition before the test fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// An open session.
#[derive(Debug)]
pub struct Subject {
    /// The number in histories.
    pub number: usize,
    pub id: String,
    /// The session token, or the access token.
    pub token: String,
    /// The refresh token; empty with a session token.
    pub refresh: String,
}

/// A server's answer and its duration. Without a status there was no answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: Option<u16>,
    pub body: Value,
    pub took: Duration,
    pub retry_after: Option<String>,
    /// Whether no connection could be made, so that nothing can have happened.
    pub unsent: bool,
}

impl Reply {
    /// Whether this is a success, or 503 with `Retry-After`.
    pub fn is_success_or_outage(&self) -> bool {
        match self.status {
            Some(status) => (200..300).contains(&status) || (status == 503 && self.retry_after.is_some()),
            None => false,
        }
    }
}

/// A sequence of server processes with one set of settings.
pub struct Replica {
    number: usize,
    folder: Folder,
    settings: Vec<(String, String)>,
    process: Mutex<Process>,
    base: RwLock<String>,
    client: RwLock<reqwest::Client>,
    statuses: Mutex<BTreeMap<u16, usize>>,
}

static SUBJECTS: AtomicUsize = AtomicUsize::new(0);

impl Replica {
    /// Starts a server on the database of this URL.
    pub fn start(number: usize, url: &str, flaw: Flaw, settings: &[(&str, &str)]) -> Arc<Self> {
        let folder = Folder::new();
        let mut all = vec![
            ("DATABASE_URL".to_owned(), url.to_owned()),
            ("SOJOURN_SECRET".to_owned(), SECRET.to_owned()),
            ("SOJOURN_BOOTSTRAP_KEY".to_owned(), BOOTSTRAP_KEY.to_owned()),
            ("SOJOURN_LOG".to_owned(), "warn".to_owned()),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all.extend(flaw.setting().map(|(name, value)| (name.to_owned(), value)));
        let process = serve(&folder, &all);
        let base = RwLock::new(process.base.clone());
        Arc::new(Self {
            number,
            folder,
            settings: all,
            process: Mutex::new(process),
            base,
            client: RwLock::new(client()),
            statuses: Mutex::default(),
        })
    }

    pub fn number(&self) -> usize {
        self.number
    }

    pub fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap()
    }

    /// Kills the process and starts the next one. Returns how long the new one took until it was ready.
    pub async fn kill_and_start_again(&self) -> Duration {
        self.process().kill();
        self.start_again().await
    }

    /// Starts the next process. Returns how long it took until it was ready.
    pub async fn start_again(&self) -> Duration {
        let started = Instant::now();
        let process = serve(&self.folder, &self.settings);
        process.base.clone_into(&mut self.base.write().unwrap());
        *self.process() = process;
        self.until_ready().await;
        started.elapsed()
    }

    /// Waits until the server is ready, and returns how long that took.
    pub async fn until_ready(&self) -> Duration {
        let started = Instant::now();
        while self.get("/readyz").await.status != Some(200) {
            assert!(started.elapsed() < LIMIT, "it does not get ready: {}", self.process().log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        started.elapsed()
    }

    /// Closes the client's connections; the next request makes a new one.
    pub fn forget_connections(&self) {
        *self.client.write().unwrap() = client();
    }

    /// Requests `/healthz` `times` times, and returns how long each request took.
    pub async fn watch_health(&self, times: usize) -> Vec<Duration> {
        let mut took = Vec::new();
        for _ in 0..times {
            took.push(self.get("/healthz").await.took);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        took
    }

    /// The number of answers by status, without health checks.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        self.statuses.lock().unwrap().clone()
    }

    /// Sends a request without a credential, which is not counted.
    pub async fn get(&self, path: &str) -> Reply {
        self.send_request(self.request("GET", path)).await
    }

    /// Sends a request with the bootstrap key.
    pub async fn administer(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let request = self.request(method, path).bearer_auth(BOOTSTRAP_KEY);
        self.counted(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Posts with an idempotency key.
    pub async fn administer_once(&self, path: &str, body: &Value, key: &str) -> Reply {
        let request = self.request("POST", path).bearer_auth(BOOTSTRAP_KEY).header("idempotency-key", key);
        self.counted(request.json(body)).await
    }

    /// Presents a refresh token.
    pub async fn refresh(&self, token: &str) -> Reply {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.counted(self.request("POST", "/oauth2/token").form(&form)).await
    }

    /// Checks a token, as a gateway would.
    pub async fn verify(&self, token: &str) -> Reply {
        self.counted(self.request("GET", "/v1/verify").bearer_auth(token)).await
    }

    /// Checks a token in the database and not in the cache.
    pub async fn verify_strictly(&self, token: &str) -> Reply {
        self.counted(self.request("GET", "/v1/verify?freshness=strict").bearer_auth(token)).await
    }

    /// Requests the list of revocations: the whole list, or the part since a cursor.
    pub async fn revocations(&self, since: Option<&str>) -> Reply {
        let request = self.request("GET", "/v1/revocations").query(&since.map(|since| ("since", since)).as_slice());
        self.counted(request.bearer_auth(BOOTSTRAP_KEY)).await
    }

    /// Sends a request that needs `sessions:read`.
    pub async fn read_with(&self, key: &str) -> Reply {
        self.counted(self.request("GET", "/v1/sessions?limit=1").bearer_auth(key)).await
    }

    /// The value of a gauge without labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.request("GET", "/metrics").send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.expect("there is such a metric").parse().unwrap()
    }

    /// Opens the stream of all events, from a position on that an earlier stream gave.
    pub async fn events(&self, after: Option<&str>) -> Stream {
        let mut request = self.request("GET", "/v1/events").bearer_auth(BOOTSTRAP_KEY);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        Stream::open(request).await
    }

    /// Runs an operator's command on the database of this URL, with the secret of the replicas. Returns its output.
    pub fn run_command(&self, url: &str, arguments: &[&str]) -> String {
        let mut program = self.folder.program();
        program.env("DATABASE_URL", url).env("SOJOURN_SECRET", SECRET).args(arguments);
        let output = tokio::task::block_in_place(|| program.output().unwrap());
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Opens a session with a session token.
    pub async fn open(&self, user: &str) -> Option<Arc<Subject>> {
        self.open_with(json!({ "user_id": user, "tokens": "session" })).await
    }

    /// Opens a session with an access and a refresh token.
    pub async fn open_pair(&self, user: &str) -> Option<Arc<Subject>> {
        self.open_with(json!({ "user_id": user })).await
    }

    async fn open_with(&self, body: Value) -> Option<Arc<Subject>> {
        let reply = self.administer("POST", "/v1/sessions", Some(&body)).await;
        if reply.status != Some(201) {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let token = if reply.body["session_token"].is_string() { "session_token" } else { "access_token" };
        Some(Arc::new(Subject {
            number: SUBJECTS.fetch_add(1, Ordering::Relaxed),
            id: text(&reply.body["session"]["id"]),
            token: text(&reply.body[token]),
            refresh: text(&reply.body["refresh_token"]),
        }))
    }

    /// Ends a session and records the outcome.
    pub async fn revoke(&self, history: &History, subject: &Subject) -> Outcome {
        let began = history.now();
        let reply = self.administer("DELETE", &format!("/v1/sessions/{}", subject.id), None).await;
        let outcome = match reply.status {
            Some(200..=299) => Outcome::Done,
            _ if reply.unsent => Outcome::NotDone,
            _ => Outcome::Unknown,
        };
        history.add(subject.number, self.number, Event::Revoke(outcome), began);
        outcome
    }

    /// Checks a session's token and records the verdict.
    pub async fn check(&self, history: &History, subject: &Subject) -> Seen {
        let began = history.now();
        let seen = match self.verify(&subject.token).await.status {
            Some(200) => Seen::Stands,
            Some(401) => Seen::Refused,
            _ => Seen::Nothing,
        };
        history.add(subject.number, self.number, Event::Check(seen), began);
        seen
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base.read().unwrap());
        self.client.read().unwrap().request(method.parse().unwrap(), url)
    }

    async fn counted(&self, request: reqwest::RequestBuilder) -> Reply {
        let reply = self.send_request(request).await;
        if let Some(status) = reply.status {
            *self.statuses.lock().unwrap().entry(status).or_default() += 1;
        }
        reply
    }

    async fn send_request(&self, request: reqwest::RequestBuilder) -> Reply {
        let started = Instant::now();
        let mut reply =
            Reply { status: None, body: Value::Null, took: Duration::ZERO, retry_after: None, unsent: false };
        match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let header = response.headers().get("retry-after");
                reply.retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
                // An answer that breaks off counts as no answer.
                if let Ok(text) = response.text().await {
                    reply.status = Some(status);
                    reply.body = serde_json::from_str(&text).unwrap_or_default();
                }
            }
            Err(error) => reply.unsent = error.is_connect(),
        }
        reply.took = started.elapsed();
        reply
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

fn serve(folder: &Folder, settings: &[(String, String)]) -> Process {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    folder.serve(&settings)
}

/// Waits until a condition holds that the scenario depends on. Returns how long that took.
pub async fn until(what: &str, holds: impl AsyncFnMut() -> bool) -> Duration {
    let took = time_until(LIMIT, holds).await;
    assert!(took < LIMIT, "{what} does not come true");
    took
}

/// The time until a condition holds, or the limit if it does not by then.
pub async fn time_until(limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    while started.elapsed() < limit {
        if holds().await {
            return started.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    limit
}
