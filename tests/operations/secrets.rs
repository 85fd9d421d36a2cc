//! Secret settings, and the replacement of the master secret.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::process::{Folder, Process, SECRET};

const OLD: &str = SECRET;
const NEW: &str = "e1b84f20c6973ad5581f0be92d7c64a3fb05d81e6a49327c90b3ce1f782d56a4";
const KEY: &str = "a-bootstrap-key-that-only-the-tests-know";

async fn open(server: &Process, body: &Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(format!("{}/v1/sessions", server.base)).bearer_auth(KEY).json(body);
    request.send().await.unwrap().json().await.unwrap()
}

async fn verify(server: &Process, token: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(format!("{}/v1/verify", server.base)).bearer_auth(token).send().await.unwrap().status().as_u16()
}

async fn refresh(server: &Process, token: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let answer = client.post(format!("{}/oauth2/token", server.base)).form(&form).send().await.unwrap();
    let (status, body) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["refresh_token"].as_str().unwrap().to_owned()
}

/// All tokens handed out so far.
#[derive(Default)]
struct HandedOut {
    bearers: Vec<String>,
    refresh: Vec<String>,
}

impl HandedOut {
    /// Lets each server hand out tokens, and checks on each server all tokens handed out so far.
    async fn go_round(&mut self, servers: &[Process; 2], stage: &str) {
        for server in servers {
            let pair = open(server, &json!({ "user_id": "alice" })).await;
            let bearer = open(server, &json!({ "user_id": "bob", "tokens": "session" })).await;
            for token in [&pair["access_token"], &bearer["session_token"]] {
                self.bearers.push(token.as_str().unwrap().to_owned());
            }
            self.refresh.push(pair["refresh_token"].as_str().unwrap().to_owned());
        }
        for server in servers {
            for token in &self.bearers {
                assert_eq!(verify(server, token).await, 200, "{stage}");
            }
            for token in &mut self.refresh {
                *token = refresh(server, token).await;
            }
        }
    }
}

on_both_databases! {
    /// O-07.
    async fn the_master_secret_is_replaced_server_by_server_and_nobody_is_refused(database) {
        let folders = [Folder::new(), Folder::new()];
        let serve = |folder: &Folder, secret, previous| folder.serve(&[
            ("DATABASE_URL", database.url()), ("SOJOURN_BOOTSTRAP_KEY", KEY), ("SOJOURN_SECRET", secret),
            ("SOJOURN_PREVIOUS_SECRETS", previous),
        ]);
        let mut servers = [serve(&folders[0], OLD, ""), serve(&folders[1], OLD, "")];
        let mut handed_out = HandedOut::default();
        handed_out.go_round(&servers, "before").await;
        for (secret, previous) in [(OLD, NEW), (NEW, OLD)] {
            for turn in 0..2 {
                servers[turn].terminate();
                assert!(servers[turn].wait().success());
                servers[turn] = serve(&folders[turn], secret, previous);
                handed_out.go_round(&servers, &format!("server {turn} of the turn to {secret}")).await;
            }
        }

        let status = |secret: &str, previous: &str| {
            let settings = [("DATABASE_URL", database.url()), ("SOJOURN_SECRET", secret), ("SOJOURN_PREVIOUS_SECRETS", previous)];
            let output = folders[0].program().envs(settings).args(["secret", "status"]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let told = status(NEW, OLD);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        assert!(lines[0].contains("  current ") && lines[0].contains("seals 0 signing keys"), "{told}");
        assert!(lines[1].contains("  previous") && lines[1].contains("seals 1 signing keys"), "{told}");
        assert!(lines[1].ends_with("stays: a server has used it within two minutes"), "{told}");
        assert!(!told.contains(&OLD[..16]) && !told.contains(&NEW[..16]), "{told}");
    }
}

#[test]
fn a_secret_is_made_only_together_with_a_new_database() {
    let folder = Folder::new();
    drop(folder.serve(&[]));
    let data = folder.path.join("sojourn-data");
    let kept = fs::read(data.join("secret")).unwrap();
    fs::remove_file(data.join("secret")).unwrap();
    let files = || fs::read_dir(&data).unwrap().count();
    let before = files();
    for arguments in [&["serve"][..], &["key", "list"], &["secret", "status"]] {
        let output = folder.run(arguments);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            error,
            "sojourn: SOJOURN_DATA_DIR: ./sojourn-data/secret: the master secret of this database is missing: restore the \
             file, or set SOJOURN_SECRET to its content\n"
        );
        assert_eq!(files(), before, "nothing is written");
    }
    fs::write(data.join("secret"), kept).unwrap();
    drop(folder.serve(&[]));
}

#[test]
fn a_secret_that_everybody_may_read_is_warned_of() {
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true)] {
        let folder = Folder::new();
        for (name, text) in [("s", OLD), ("p", NEW), ("k", KEY)] {
            fs::write(folder.path.join(name), text).unwrap();
            fs::set_permissions(folder.path.join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let server = folder.serve(&[
            ("SOJOURN_SECRET_FILE", "s"),
            ("SOJOURN_PREVIOUS_SECRETS_FILE", "p"),
            ("SOJOURN_BOOTSTRAP_KEY_FILE", "k"),
        ]);
        let log = server.log();
        for name in ["s", "p", "k"] {
            assert_eq!(log.contains(&format!("file={name} mode=\"644\"")), warned, "{mode:o} {log}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_memory_on_the_disk() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert!(words == ["1", "1"] || words == ["0", "0"], "{core}");
}
