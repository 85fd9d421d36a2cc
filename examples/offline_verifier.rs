//! Verifies access tokens without asking the server about each of them, and still refuses those of ended sessions.
//!
//! It fetches the public keys, follows the list of revocations with requests that wait for news, and refuses everything
//! when it has not heard from the server for ten seconds: not knowing is no yes.
//!
//! ```sh
//! cargo run --example offline_verifier -- http://127.0.0.1:8080 "$KEY" "$TOKEN"
//! ```
//!
//! `KEY` is a service key with `sessions:read`. Without a token, tokens are read from standard input, one a line.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Without news for longer than this nothing is accepted.
const BOUND: Duration = Duration::from_secs(10);
/// How long the server is asked to wait for news: well below the bound, because an empty answer is news too.
const WAIT: Duration = Duration::from_secs(4);
/// How long an answer is waited for beyond that.
const PATIENCE: Duration = Duration::from_secs(3);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);
/// No access token lives longer, so nothing needs to be remembered for longer.
const LONGEST_TOKEN: Duration = Duration::from_hours(1);
/// A token that names an unknown key makes the keys be fetched, but not more often than this.
const KEY_INTERVAL: Duration = Duration::from_secs(5);

/// What the server must be known by in every token.
const ISSUER: &str = "http://localhost:8080";
const AUDIENCE: &str = "sojourn";

#[derive(Deserialize)]
struct Claims {
    sub: String,
    sid: Uuid,
    client_id: String,
}

#[derive(Deserialize)]
struct Revocations {
    cursor: String,
    complete: bool,
    revoked: Vec<Revoked>,
    bulk: Vec<BulkRevocation>,
}

#[derive(Deserialize)]
struct Revoked {
    session_id: Uuid,
}

/// That many sessions were ended together.
#[derive(Deserialize)]
struct BulkRevocation {
    opened_before: DateTime<Utc>,
    opened_from: Option<DateTime<Utc>>,
    user_id: Option<String>,
    client_id: Option<String>,
    except: Option<Uuid>,
}

impl BulkRevocation {
    /// Whether a session may be among them. Where tokens do not say enough to be sure (`ask`), one could ask the server;
    /// here it is refused. So is one opened in the very millisecond of the limit.
    fn may_mean(&self, claims: &Claims) -> bool {
        let milliseconds = claims.sid.get_timestamp().map(|timestamp| {
            let (seconds, nanoseconds) = timestamp.to_unix();
            i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000) + i64::from(nanoseconds / 1_000_000)
        });
        let Some(opened) = milliseconds else { return true };
        opened <= self.opened_before.timestamp_millis()
            && self.opened_from.is_none_or(|from| opened >= from.timestamp_millis())
            && self.user_id.as_ref().is_none_or(|user| *user == claims.sub)
            && self.client_id.as_ref().is_none_or(|client| *client == claims.client_id)
            && self.except != Some(claims.sid)
    }
}

/// What is known of the revocations.
#[derive(Default)]
struct Feed {
    /// Ended sessions, and when we heard of it.
    ended: HashMap<Uuid, Instant>,
    bulk: Vec<BulkRevocation>,
    cursor: Option<String>,
    /// When the request was sent whose answer came last: what was ended before is known. Better too old than too young.
    heard_at: Option<Instant>,
}

impl Feed {
    fn take(&mut self, list: Revocations, asked_at: Instant) {
        if list.complete {
            self.ended.clear();
        }
        self.ended.retain(|_, heard_at| heard_at.elapsed() < 2 * LONGEST_TOKEN);
        self.ended.extend(list.revoked.into_iter().map(|revoked| (revoked.session_id, asked_at)));
        self.bulk = list.bulk;
        self.cursor = Some(list.cursor);
        self.heard_at = Some(asked_at);
    }
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    fetched_at: Option<Instant>,
}

struct Verifier {
    server: String,
    service_key: String,
    client: reqwest::Client,
    feed: Mutex<Feed>,
    keys: Mutex<Keys>,
}

impl Verifier {
    /// The claims of a token that is good, or why it is not.
    async fn verify(&self, token: &str) -> Result<Claims, String> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| "it is no JWT")?;
        if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")) {
            return Err("it is no access token".to_owned());
        }
        let kid = header.kid.ok_or("it names no key")?;
        let jwk = match self.known_key(&kid) {
            Some(key) => key,
            None => {
                self.fetch_keys().await;
                self.known_key(&kid).ok_or("its key is unknown")?
            }
        };
        // The key says which algorithm it is for, not the token.
        let algorithm: Algorithm =
            jwk.common.key_algorithm.and_then(|name| name.to_string().parse().ok()).ok_or("its key is for nothing")?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = 5;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let key = DecodingKey::from_jwk(&jwk).map_err(|error| error.to_string())?;
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| error.to_string())?.claims;
        let feed = locked(&self.feed);
        if feed.heard_at.is_none_or(|heard_at| heard_at.elapsed() > BOUND) {
            return Err("it is not known what was ended lately".to_owned());
        }
        if feed.ended.contains_key(&claims.sid) || feed.bulk.iter().any(|bulk| bulk.may_mean(&claims)) {
            return Err("its session was ended".to_owned());
        }
        Ok(claims)
    }

    fn known_key(&self, kid: &str) -> Option<jsonwebtoken::jwk::Jwk> {
        locked(&self.keys).set.as_ref()?.find(kid).cloned()
    }

    async fn fetch_keys(&self) {
        {
            let mut keys = locked(&self.keys);
            if keys.fetched_at.is_some_and(|fetched_at| fetched_at.elapsed() < KEY_INTERVAL) {
                return;
            }
            keys.fetched_at = Some(Instant::now());
        }
        let fetched: Result<JwkSet, reqwest::Error> = async {
            let url = format!("{}/.well-known/jwks.json", self.server);
            self.client.get(url).timeout(PATIENCE).send().await?.error_for_status()?.json().await
        }
        .await;
        match fetched {
            Ok(set) => locked(&self.keys).set = Some(set),
            Err(error) => complain(&format!("the keys cannot be fetched: {error}")),
        }
    }

    /// Follows the list for ever.
    async fn follow(&self, first: mpsc::Sender<()>) {
        loop {
            match self.ask().await {
                Ok(()) => drop(first.try_send(())),
                Err(error) => {
                    complain(&format!("the revocations cannot be read: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn ask(&self) -> Result<(), reqwest::Error> {
        let asked_at = Instant::now();
        let mut request = self.client.get(format!("{}/v1/revocations", self.server)).bearer_auth(&self.service_key);
        if let Some(cursor) = &locked(&self.feed).cursor {
            request = request.query(&[("since", cursor.as_str()), ("wait", &WAIT.as_secs().to_string())]);
        }
        let list = request.timeout(WAIT + PATIENCE).send().await?.error_for_status()?.json().await?;
        locked(&self.feed).take(list, asked_at);
        Ok(())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody may be there to hear it.
fn complain(what: &str) {
    drop(writeln!(io::stderr(), "{what}"));
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(service_key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: offline_verifier SERVER SERVICE_KEY [TOKEN]".into());
    };
    let client = reqwest::Client::builder().no_proxy().build()?;
    let verifier = Arc::new(Verifier { server, service_key, client, feed: Mutex::default(), keys: Mutex::default() });
    let (first, mut heard) = mpsc::channel(1);
    let following = Arc::clone(&verifier);
    tokio::spawn(async move { following.follow(first).await });
    // A server that does not answer is no reason to wait for ever: then everything is refused.
    drop(tokio::time::timeout(BOUND, heard.recv()).await);

    let (sender, mut tokens) = mpsc::channel(1);
    match arguments.next() {
        Some(token) => sender.send(token).await?,
        None => {
            std::thread::spawn(move || {
                for line in io::stdin().lock().lines().map_while(Result::ok) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
        }
    }
    while let Some(token) = tokens.recv().await {
        let verdict = match verifier.verify(token.trim()).await {
            Ok(claims) => format!("accepted: {} in session {}", claims.sub, claims.sid),
            Err(reason) => format!("refused: {reason}"),
        };
        let mut output = io::stdout().lock();
        writeln!(output, "{verdict}")?;
        output.flush()?;
    }
    Ok(())
}
