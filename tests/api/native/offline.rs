//! Offline verification of tokens: the example program, against a real server.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server};

/// The bound that the example states.
const BOUND: Duration = Duration::from_secs(10);

/// The example, killed when it is dropped.
struct Verifier {
    child: Child,
    tokens: ChildStdin,
    verdicts: Lines<BufReader<ChildStdout>>,
}

impl Verifier {
    fn start(server: &Server) -> Self {
        let mut child = Command::new(example())
            .args([&server.base, BOOTSTRAP_KEY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (tokens, verdicts) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, tokens, verdicts: BufReader::new(verdicts).lines() }
    }

    fn verify(&mut self, token: &str) -> String {
        tokio::task::block_in_place(|| {
            writeln!(self.tokens, "{token}").unwrap();
            self.verdicts.next().unwrap().unwrap()
        })
    }

    /// Returns when the verdict on a token begins like this, which must be within the bound.
    async fn until(&mut self, token: &str, beginning: &str) {
        let started = Instant::now();
        loop {
            let verdict = self.verify(token);
            if verdict.starts_with(beginning) {
                return;
            }
            assert!(started.elapsed() < BOUND + Duration::from_secs(10), "{verdict}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Examples are built along with the tests, beside their folder.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/offline_verifier");
    assert!(path.exists(), "run: cargo build --examples");
    path
}

on_both_databases! {
    async fn a_token_is_accepted_until_its_session_is_ended_anywhere(database) {
        let server = Server::start(database).await;
        let elsewhere = server.replica().await;
        server.follows().await;
        let (opened, other) = (server.open("alice").await, server.open("bob").await);
        let mut verifier = Verifier::start(&server);
        assert_eq!(verifier.verify(&opened.access), format!("accepted: alice in session {}", opened.id));
        for wrong in ["", "nonsense", &opened.refresh, &format!("{}A", opened.access)] {
            assert!(verifier.verify(wrong).starts_with("refused: "), "{wrong}");
        }
        let ended = Instant::now();
        elsewhere.end(&opened.id).await;
        verifier.until(&opened.access, "refused: its session was ended").await;
        assert!(ended.elapsed() < BOUND);
        assert!(verifier.verify(&other.access).starts_with("accepted: bob"));
    }

    async fn sessions_that_are_ended_together_are_refused_and_later_ones_are_not(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let open = async |user: &str, client: &str| server.open_with(&json!({ "user_id": user, "client_id": client })).await;
        let (web, app) = (open("alice", "web").await, open("alice", "app").await);
        let mut verifier = Verifier::start(&server);
        assert!(verifier.verify(&web.access).starts_with("accepted: alice"));
        let body = json!({ "filter": { "client_id": "web" } });
        server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200);
        verifier.until(&web.access, "refused: its session was ended").await;
        assert!(verifier.verify(&app.access).starts_with("accepted: alice"));
        assert!(verifier.verify(&open("alice", "web").await.access).starts_with("accepted: alice"));
    }

    async fn nothing_is_accepted_when_nothing_is_heard(database) {
        let server = Server::start(database).await;
        server.follows().await;
        let opened = server.open("alice").await;
        let mut verifier = Verifier::start(&server);
        assert!(verifier.verify(&opened.access).starts_with("accepted: alice"));
        server.stop();
        verifier.until(&opened.access, "refused: it is not known").await;
    }
}
