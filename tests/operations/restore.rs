//! A restored backup, and the steps of `docs/backup-and-restore.md` after it.

use std::fs;

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::process::{Folder, Process};

async fn send(server: &Process, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method.parse().unwrap(), format!("{}{path}", server.base)).bearer_auth(token);
    let response = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let response = response.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

async fn stands(server: &Process, token: &str) -> bool {
    send(server, "GET", "/v1/verify", token, None).await.0 == 200
}

async fn open(server: &Process, key: &str, user: &str, tokens: &str) -> Value {
    let (status, opened) =
        send(server, "POST", "/v1/sessions", key, Some(json!({ "user_id": user, "tokens": tokens }))).await;
    assert_eq!(status, 201, "{opened}");
    opened
}

fn stop(mut server: Process) {
    server.terminate();
    assert!(server.wait().success());
}

/// The id of the service key of that name.
fn key_id(folder: &Folder, name: &str) -> String {
    let list = folder.printed(&["key", "list"]);
    let line = list.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{list}"));
    line.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn after_the_steps_of_a_restore_nothing_is_good_that_had_been_ended_or_revoked() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let login = folder.printed(&["key", "create", "--name", "login", "--scope", "sessions:write"]);
    let leaked = folder.printed(&["key", "create", "--name", "leaked", "--scope", "sessions:write"]);
    let ended = open(&server, &login, "alice", "session").await;
    let signed = open(&server, &login, "bob", "access_and_refresh").await;
    let (ended_token, signed_token) =
        (ended["session_token"].as_str().unwrap(), signed["access_token"].as_str().unwrap());

    let (data, backup) = (folder.path.join("sojourn-data"), folder.path.join("backup.db"));
    let database = data.join("sojourn.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(backup.to_str().unwrap()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();

    let id = ended["session"]["id"].as_str().unwrap();
    folder.printed(&["session", "revoke", id]);
    folder.printed(&["key", "revoke", &key_id(&folder, "leaked")]);
    folder.printed(&["signing-key", "rotate", "--compromised"]);
    stop(server);
    for log in ["sojourn.db-wal", "sojourn.db-shm"] {
        drop(fs::remove_file(data.join(log)));
    }
    fs::copy(&backup, &database).unwrap();

    let server = folder.serve(&[]);
    assert!(stands(&server, ended_token).await && stands(&server, signed_token).await, "as the document says");
    open(&server, &leaked, "eve", "session").await;

    let admin = folder.printed(&["key", "create", "--name", "restore", "--scope", "sessions:admin"]);
    let all = send(&server, "POST", "/v1/sessions/revoke", &admin, Some(json!({ "all": true }))).await;
    assert_eq!(all.0, 200, "{}", all.1);
    folder.printed(&["key", "revoke", &key_id(&folder, "leaked")]);
    folder.printed(&["signing-key", "rotate", "--compromised"]);
    // A running server notices the commands of another process with a delay, so it is restarted.
    stop(server);
    let server = folder.serve(&[]);
    assert!(!stands(&server, ended_token).await && !stands(&server, signed_token).await);
    let by_leaked = send(&server, "POST", "/v1/sessions", &leaked, Some(json!({ "user_id": "eve" }))).await;
    assert_eq!(by_leaked.0, 401, "{}", by_leaked.1);
    let after = open(&server, &login, "alice", "session").await;
    assert!(stands(&server, after["session_token"].as_str().unwrap()).await);
}
