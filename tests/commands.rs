//! The program, as an operator runs it.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::api::DocumentForm;
use sojourn::clock::{Clock as _, SystemClock};

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::process::{Folder, Process, SECRET};
use crate::support::proxy::Proxy;

const BOOTSTRAP_KEY: &str = "a-bootstrap-key-that-only-the-tests-know";

async fn get(server: &Process, path: &str, token: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(format!("{}{path}", server.base)).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Repeats a request until it is refused: a server notices the commands of another process with a delay.
async fn until_refused(server: &Process, path: &str, token: &str) {
    let refused = async {
        while get(server, path, token).await.0 != 401 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused).await.expect("it is never refused");
}

async fn post(server: &Process, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.post(format!("{}{path}", server.base)).bearer_auth(token).json(body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

#[tokio::test]
async fn it_makes_its_folder_also_when_the_secret_is_given() {
    let folder = Folder::new();
    let server = folder.serve(&[("SOJOURN_SECRET", SECRET)]);
    assert_eq!(get(&server, "/readyz", "").await.0, 200);
    assert!(folder.path.join("sojourn-data/sojourn.db").exists());
    assert!(!folder.path.join("sojourn-data/secret").exists());
}

#[test]
fn every_condition_of_a_search_is_one_of_endings_and_of_the_command_line() {
    let folder = Folder::new();
    let document: Value = serde_json::from_str(&folder.printed(&["openapi", "--format", "json"])).unwrap();
    let parameters = document["paths"]["/v1/sessions"]["get"]["parameters"].as_array().unwrap();
    let searched: Vec<&str> = parameters.iter().map(|parameter| word(parameter, "name")).collect();
    // Conditions that change with use, and the members of pages, belong to searches alone.
    let not_of_endings = ["state", "ended_reason", "last_seen_from", "last_seen_to", "sort", "limit", "cursor"];
    let mut lasting: Vec<&str> = searched.iter().copied().filter(|name| !not_of_endings.contains(name)).collect();
    lasting.sort_unstable();
    assert_eq!(lasting.len(), searched.len() - not_of_endings.len());
    let of_endings = document["components"]["schemas"]["RevocationFilter"]["properties"].as_object().unwrap();
    let mut of_endings: Vec<&str> = of_endings.keys().map(String::as_str).collect();
    of_endings.sort_unstable();
    assert_eq!(of_endings, lasting);
    for (command, conditions) in [("list", &searched), ("revoke", &lasting)] {
        let help = folder.printed(&["session", command, "--help"]);
        for condition in conditions {
            let argument = condition.trim_end_matches("_id").replace('_', "-");
            assert!(help.contains(&format!("--{argument} ")), "session {command} has no --{argument}");
        }
    }
}

#[tokio::test]
async fn without_any_setting_it_serves_from_a_folder_that_it_makes() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    assert!(server.welcome[0].starts_with("Sojourn "), "{:?}", server.welcome);
    assert!(server.welcome[1].contains("./sojourn-data/sojourn.db"));
    assert!(server.welcome[2].contains(&format!("{}/docs", server.base)));
    assert!(server.welcome[3].contains(&format!("{}/admin#sjl_", server.base)));
    assert!(server.welcome[4].contains("key create --name my-login --scope \"sessions:write sessions:read\""));
    for file in ["secret", "sojourn.db"] {
        let mode = folder.path.join("sojourn-data").join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    let key = folder.printed(&["key", "create", "--name", "my-login", "--scope", "sessions:write sessions:read"]);
    assert!(key.starts_with("sjk_") && !key.contains('\n'));
    let (status, opened) = post(&server, "/v1/sessions", &key, &json!({ "user_id": "1001" })).await;
    assert_eq!(status, 201);
    let token = word(&opened, "access_token");
    assert_eq!(get(&server, "/auth/sessions", token).await.0, 200);
    let id = word(&opened["session"], "id");
    assert_eq!(folder.printed(&["session", "revoke", id]), format!("Session {id} is ended."));
    until_refused(&server, "/auth/sessions", token).await;

    server.terminate();
    assert!(server.wait().success());

    let again = folder.serve(&[]);
    let (status, list) = get(&again, "/v1/sessions", &key).await;
    assert_eq!(status, 200, "the key outlives the process");
    assert!(list.contains(id));
}

/// Sends a token as the secret of a client: by HTTP Basic, in the form, and both at once.
async fn as_client(server: &Process, path: &str, token: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let [plain, named] = [&[("token", token)][..], &[("token", token), ("client_id", token), ("client_secret", token)]];
    for (basic, form) in [(true, plain), (false, named), (true, named)] {
        let request = client.post(format!("{}{path}", server.base)).form(form);
        let request = if basic { request.basic_auth(token, Some(token)) } else { request };
        assert!(request.send().await.unwrap().status().as_u16() < 500);
    }
}

/// Puts a token wherever a client may put it by mistake, with a valid credential.
async fn in_wrong_places(server: &Process, token: &str) {
    let escaped = token.replacen('_', "\\u005f", 1);
    let bodies = [
        json!({ "user_id": "1", "tokens": token }).to_string(),
        json!({ "user_id": "1", "expires_in": token }).to_string(),
        json!({ "user_id": "1", token: 1 }).to_string(),
        json!({ "user_id": "1", "ip_address": token, "acr": format!("{token} "), "scope": format!("{token}\"") })
            .to_string(),
        json!({ "filter": { "device_type": token } }).to_string(),
        json!([token]).to_string(),
        json!(token).to_string(),
        format!("{{\"user_id\":\"1\",\"tokens\":\"{escaped}\"}}"),
        format!("{{\"user_id\": {token}"),
    ];
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for body in bodies {
        for path in ["/v1/sessions", "/v1/sessions/revoke", "/oauth2/introspect", "/oauth2/token", "/v1/cleanup"] {
            let content_type =
                if path.starts_with("/oauth2") { "application/x-www-form-urlencoded" } else { "application/json" };
            let request = client.post(format!("{}{path}", server.base)).bearer_auth(BOOTSTRAP_KEY);
            request.header("content-type", content_type).body(body.clone()).send().await.unwrap();
        }
    }
    let paths = [
        "/v1/verify?freshness=TOKEN",
        "/v1/sessions?limit=TOKEN",
        "/v1/sessions?cursor=TOKEN",
        "/v1/sessions?TOKEN=1",
        "/v1/sessions?sort=TOKEN",
        "/v1/stats?by=TOKEN",
        "/v1/revocations?since=TOKEN&wait=0",
        "/v1/users/TOKEN",
        "/TOKEN",
        "/api/v1/jans-auth-server/session/search?fieldValuePair=TOKEN",
        "/api/v1/jans-auth-server/session/search?pattern=TOKEN&limit=TOKEN",
    ];
    for path in paths {
        let request = client.get(format!("{}{}", server.base, path.replace("TOKEN", token))).bearer_auth(BOOTSTRAP_KEY);
        request.send().await.unwrap();
    }
    for name in [
        "x-request-id",
        "user-agent",
        "referer",
        "idempotency-key",
        "last-event-id",
        "content-type",
        "origin",
        "forwarded",
    ] {
        let request =
            client.post(format!("{}/v1/sessions", server.base)).bearer_auth(BOOTSTRAP_KEY).header(name, token);
        request.body("{\"user_id\":1}").send().await.unwrap();
    }
}

/// Whether the command succeeded, its standard output and its standard error.
fn run_with(folder: &Folder, database: &str, arguments: &[&str]) -> (bool, String, String) {
    let program = folder.program().env("DATABASE_URL", database).env("SOJOURN_SECRET", SECRET).args(arguments).output();
    let output = program.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

on_both_databases! {
    async fn the_commands_do_on_the_database_what_the_server_does(database) {
        let folder = Folder::new();
        let run = |arguments: &[&str]| run_with(&folder, database.url(), arguments);
        assert_eq!(run(&["migrate"]), (true, "The database is up to date.\n".to_owned(), String::new()));

        let opened = run(&["session", "open", "--user", "alice", "--scope", "profile", "--client", "web"]);
        let opened: Value = serde_json::from_str(&opened.1).unwrap_or_else(|_| panic!("{opened:?}"));
        assert_eq!((&opened["session"]["user_id"], &opened["session"]["client_id"], &opened["token_type"]), (&json!("alice"), &json!("web"), &json!("Bearer")));
        let bearer: Value = serde_json::from_str(&run(&["session", "open", "--user", "bob", "--session-token"]).1).unwrap();
        assert!(word(&bearer, "session_token").starts_with("sjs_"));

        let server = folder.serve(&[("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET)]);
        assert_eq!(get(&server, "/v1/me", word(&opened, "access_token")).await.0, 200);
        assert_eq!(get(&server, "/v1/me", word(&bearer, "session_token")).await.0, 200);

        let list: Value = serde_json::from_str(&run(&["session", "list", "--user", "alice"]).1).unwrap();
        assert_eq!(list["sessions"].as_array().unwrap().len(), 1);
        let found = |arguments: &[&str]| {
            let (well, printed, error) = run(&[&["session", "list"], arguments].concat());
            assert!(well, "{arguments:?}: {error}");
            let list: Value = serde_json::from_str(&printed).unwrap();
            list["sessions"].as_array().unwrap().iter().map(|session| word(session, "user_id").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(&["--client", "web", "--state", "active", "--opened-by", "command-line"]), ["alice"]);
        assert_eq!(found(&["--sort", "created_at", "--created-from", "2020-01-01T00:00:00Z"]), ["alice", "bob"]);
        assert!(found(&["--ip-address", "198.51.100.0/24"]).is_empty());
        for (arguments, name) in [(["--ip-address", "198.51.100.7/24"], "--ip-address: "), (["--device-type", "toaster"], "--device-type: "), (["--state", "well"], "--state: "), (["--created-to", "soon"], "--created-to: ")] {
            let refused = run(&[&["session", "list"][..], &arguments].concat());
            assert!(!refused.0 && refused.2.starts_with(&format!("sojourn: {name}")), "{refused:?}");
        }
        assert_eq!(run(&["session", "revoke", "--client", "web", "--dry-run"]).1, "1 session would be ended.\n");
        assert_eq!(run(&["session", "revoke", "--user", "alice", "--client", "app"]).1, "0 sessions are ended.\n");
        for refused in [&["session", "revoke"][..], &["session", "revoke", "--dry-run"], &["session", "revoke", "01a20114-3d06-7355-88c5-d5965a7f8762", "--client", "web"]] {
            assert!(!run(refused).0, "{refused:?}");
        }
        let users: Value = serde_json::from_str(&run(&["user", "list", "--search", "al"]).1).unwrap();
        assert_eq!((users["users"].as_array().unwrap().len(), &users["users"][0]["id"]), (1, &json!("alice")));
        assert_eq!(run(&["user", "list", "--banned"]).1.split_whitespace().collect::<String>(), r#"{"users":[]}"#);
        assert_eq!(run(&["session", "revoke", "--user", "alice"]).1, "1 session of alice is ended.\n");
        until_refused(&server, "/v1/me", word(&opened, "access_token")).await;
        let unknown = run(&["session", "revoke", "01a20114-3d06-7355-88c5-d5965a7f8762"]);
        assert_eq!((unknown.0, unknown.2.as_str()), (false, "sojourn: there is no session 01a20114-3d06-7355-88c5-d5965a7f8762 (see: sojourn session list)\n"));

        let key = run(&["key", "create", "--name", "reports", "--scope", "sessions:read", "--expires-in", "90d"]).1;
        assert_eq!(get(&server, "/v1/sessions", key.trim()).await.0, 200);
        let keys = run(&["key", "list"]).1;
        assert!(keys.contains("reports") && keys.contains("[sessions:read]") && keys.contains("expires 20"), "{keys}");
        assert!(!keys.contains(key.trim()));
        let id = keys.split_whitespace().next().unwrap();
        assert_eq!(run(&["key", "revoke", id]).1, format!("Key {id} is revoked.\n"));
        until_refused(&server, "/v1/sessions", key.trim()).await;
        let trail: Value = serde_json::from_str(&run(&["audit", "--target", id, "--from", "2020-01-01T00:00:00Z"]).1).unwrap();
        let told: Vec<_> = trail["entries"].as_array().unwrap().iter().map(|entry| (word(entry, "action"), word(&entry["actor"], "type"))).collect();
        assert_eq!(told, [("key.revoked", "command_line"), ("key.created", "command_line")]);
        for (arguments, name) in [(["--action", "key.made"], "--action: must be one of "), (["--from", "soon"], "--from: ")] {
            let refused = run(&[&["audit"][..], &arguments].concat());
            assert!(!refused.0 && refused.2.starts_with(&format!("sojourn: {name}")), "{refused:?}");
        }
        let short = run(&["session", "open", "--user", "carol", "--expires-in", "1m", "--absolute-expires-in", "2m"]).1;
        let short: Value = serde_json::from_str(&short).unwrap();
        let time = |name: &str| word(&short["session"], name).parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert_eq!((time("absolute_expires_at") - time("expires_at")).num_seconds(), 60);
        assert_eq!(short["session"]["opened_by"], "command-line");
        assert!(!run(&["key", "revoke", "01a20114-3d06-7355-88c5-d5965a7f8762"]).0);

        let other = folder.program().env("DATABASE_URL", database.url()).env("SOJOURN_SECRET", SECRET.replace('0', "5")).output().unwrap();
        assert!(!other.status.success());
        let error = String::from_utf8(other.stderr).unwrap();
        assert_eq!(
            error.lines().last().unwrap(),
            "sojourn: SOJOURN_SECRET is not the secret that the signing keys in this database were sealed with: set it as it was \
             before, or name the former one in SOJOURN_PREVIOUS_SECRETS"
        );
    }

    async fn the_commands_rotate_signing_keys_and_give_an_application_claims_and_an_algorithm(database) {
        let folder = Folder::new();
        let run = |arguments: &[&str]| run_with(&folder, database.url(), arguments);
        assert!(run(&["migrate"]).0);
        let _server = folder.serve(&[("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET)]);
        assert_eq!(run(&["signing-key", "list"]).1.lines().count(), 1);
        assert!(run(&["signing-key", "rotate"]).1.contains("signs from"));
        assert_eq!(run(&["signing-key", "list"]).1.lines().count(), 2);
        assert!(run(&["signing-key", "rotate", "--compromised"]).0);
        assert_eq!(run(&["signing-key", "list"]).1.lines().count(), 1);
        let shop = ["application", "create", "shop", "--claim", "roles", "--claim", "tenant", "--signing-algorithm", "ES256"];
        let shop: Value = serde_json::from_str(&run(&shop).1).unwrap();
        assert_eq!((&shop["claims"], &shop["signing_algorithm"]), (&json!(["roles", "tenant"]), &json!("ES256")));
        let listed = run(&["signing-key", "list"]).1;
        assert!(listed.lines().count() == 2 && listed.contains("ES256") && listed.contains("EdDSA"), "{listed}");
        let rotated = run(&["signing-key", "rotate", "--algorithm", "ES256"]).1;
        assert!(rotated.lines().count() == 1 && rotated.contains("of ES256 signs from"), "{rotated}");
        let plain = run(&["application", "update", "shop", "--claim", "none", "--signing-algorithm", "none"]).1;
        let plain: Value = serde_json::from_str(&plain).unwrap();
        assert_eq!((&plain["claims"], plain.get("signing_algorithm")), (&json!([]), None));
    }

    async fn a_key_ends_by_itself_unless_told_otherwise_and_its_sessions_with_it_when_asked(database) {
        let folder = Folder::new();
        let settings = [("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET)];
        let run = |arguments: &[&str]| {
            let output = folder.program().envs(settings).args(arguments).output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
        };
        let in_a_year = || (SystemClock.now() + TimeDelta::days(365)).format("expires %F").to_string();
        let earliest = in_a_year();
        let login = run(&["key", "create", "--name", "login", "--scope", "sessions:write sessions:grant"]);
        let latest = in_a_year();
        let other = run(&["key", "create", "--name", "other", "--scope", "sessions:write", "--expires-in", "never"]);
        run(&["key", "create", "--name", "brief", "--scope", "sessions:read", "--expires-in", "2d"]);
        let list = run(&["key", "list"]);
        let line = |name: &str| list.lines().find(|line| line.contains(&format!("  {name}  "))).unwrap();
        assert!([earliest, latest].iter().any(|end| line("login").contains(end)), "{list}");
        assert!(line("login").ends_with("[sessions:write sessions:grant]"), "{list}");
        assert!(line("other").contains("never expires") && line("brief").contains("(soon)"), "{list}");

        let server = folder.serve(&settings);
        let open = async |key: &str, scope: &str| {
            let body = json!({ "user_id": "alice", "scope": scope, "tokens": "session" });
            let (status, opened) = post(&server, "/v1/sessions", key, &body).await;
            assert_eq!(status, 201, "{opened}");
            word(&opened, "session_token").to_owned()
        };
        let (first, second) = (open(&login, "sessions:admin").await, open(&login, "").await);
        let kept = open(&other, "").await;
        let id = line("login").split_whitespace().next().unwrap();
        let offered = format!("sojourn key revoke {id} --end-sessions");
        let revoked = run(&["key", "revoke", id]);
        assert_eq!(revoked, format!("Key {id} is revoked.\n2 active sessions were opened with it; to end them: {offered}"));
        assert_eq!(get(&server, "/v1/me", &first).await.0, 200);
        let ended = run(&["key", "revoke", id, "--end-sessions"]);
        assert_eq!(ended, format!("Key {id} is revoked, and 2 sessions that it opened are ended."));
        for token in [&first, &second] {
            until_refused(&server, "/v1/me", token).await;
        }
        assert_eq!(get(&server, "/v1/me", &kept).await.0, 200);
    }

    /// O-09.
    async fn a_refused_request_costs_one_short_line_in_the_log_whatever_it_carries(database) {
        let folder = Folder::new();
        let settings = [("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_LOG_FORMAT", "json")];
        let mut server = folder.serve(&settings);
        let padding = "x".repeat(4000);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for number in 0..100 {
            get(&server, "/v1/me", &format!("sjs_{number}{padding}")).await;
            get(&server, &format!("/v1/nothing/{padding}"), &padding).await;
            let form = [("grant_type", "refresh_token"), ("refresh_token", &padding)];
            let refused = client.post(format!("{}/oauth2/token", server.base)).form(&form).send().await.unwrap();
            assert_eq!(refused.status(), 400);
        }
        server.terminate();
        assert!(server.wait().success());
        let log = server.log();
        assert_eq!(log.lines().filter(|line| line.contains("answered")).count(), 300);
        assert!(log.lines().count() < 300 + 50, "{log}");
        assert!(log.lines().all(|line| line.len() < 500), "{log}");
    }

    async fn several_servers_start_together_on_an_empty_database(database) {
        let folders: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
        let settings = [("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY)];
        let servers: Vec<Process> = std::thread::scope(|scope| {
            let starting: Vec<_> = folders.iter().map(|folder| scope.spawn(|| folder.serve(&settings))).collect();
            starting.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let (status, opened) = post(&servers[0], "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "1" })).await;
        assert_eq!(status, 201);
        for server in &servers {
            assert_eq!(get(server, "/v1/me", word(&opened, "access_token")).await.0, 200, "one signing key for all");
        }
    }

    async fn no_token_is_ever_in_the_log(database) {
        let folder = Folder::new();
        let settings = [
            ("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
            ("SOJOURN_LOG", "trace"), ("SOJOURN_LOG_FORMAT", "json"),
        ];
        let mut server = folder.serve(&settings);
        let key = folder.program().envs(settings).args(["key", "create", "--name", "k", "--scope", "sessions:admin"]).output().unwrap();
        let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
        let (_, pair) = post(&server, "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "alice" })).await;
        let (_, bearer) = post(&server, "/v1/sessions", &key, &json!({ "user_id": "alice", "tokens": "session" })).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let form = async |path: &str, token: &str, form: &[(&str, &str)]| {
            let request = client.post(format!("{}{path}", server.base)).bearer_auth(token).form(form);
            request.send().await.unwrap().text().await.unwrap()
        };
        let refresh = word(&pair, "refresh_token");
        let refreshed = form("/oauth2/token", "", &[("grant_type", "refresh_token"), ("refresh_token", refresh)]).await;
        let refreshed: Value = serde_json::from_str(&refreshed).unwrap();
        let mut secrets = vec![BOOTSTRAP_KEY.to_owned(), key.clone(), SECRET.to_owned()];
        for (body, names) in [(&pair, vec!["access_token", "refresh_token"]), (&bearer, vec!["session_token"]), (&refreshed, vec!["access_token", "refresh_token"])] {
            secrets.extend(names.into_iter().map(|name| word(body, name).to_owned()));
        }
        for token in &secrets {
            for path in ["/v1/me", "/auth/sessions", "/v1/verify", "/v1/nothing"] {
                get(&server, path, token).await;
                get(&server, &format!("{path}?access_token={token}"), &format!("{token}x")).await;
                get(&server, &format!("{path}/{token}"), token).await;
            }
            form("/oauth2/introspect", &key, &[("token", token)]).await;
            form("/oauth2/token", token, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
            form("/oauth2/revoke", token, &[("token", token)]).await;
            for path in ["/oauth2/introspect", "/oauth2/token", "/oauth2/revoke"] {
                as_client(&server, path, token).await;
            }
            post(&server, "/v1/sessions", token, &json!({ "user_id": token, "x": token })).await;
            // The master secret is known to no client.
            if token != SECRET {
                in_wrong_places(&server, token).await;
            }
        }
        server.terminate();
        assert!(server.wait().success());

        let log = server.log();
        assert!(log.lines().count() > 100, "{log}");
        for line in log.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
        assert!(log.contains("session ended"));
        for secret in &secrets {
            let middle = &secret[secret.len() / 3..secret.len() * 2 / 3];
            for line in log.lines() {
                assert!(!line.contains(middle), "{line}");
            }
        }
    }

    /// I-23.
    async fn a_line_of_the_log_is_one_line_whatever_a_client_sends(database) {
        let folder = Folder::new();
        let settings = [
            ("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
            ("SOJOURN_LOG", "trace"),
        ];
        let mut server = folder.serve(&settings);
        let user = "eve reason=logout user=root \"\u{2028}INFO forged";
        let opened = post(&server, "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": user, "user_agent": "a\r\nINFO forged" })).await;
        let id = word(&opened.1["session"], "id");
        for (path, body) in [
            ("/v1/sessions", json!({ "user_id": "a\nINFO forged" })),
            ("/v1/users/x%0aINFO%20forged/ban", json!({})),
            ("/v1/sessions/revoke", json!({ "filter": { "client_id": "web\r\nINFO forged" } })),
        ] {
            post(&server, path, BOOTSTRAP_KEY, &body).await;
        }
        get(&server, "/v1/me?x=%0d%0aINFO%20forged", "a%0d%0aINFO").await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.delete(format!("{}/v1/sessions/{id}", server.base)).bearer_auth(BOOTSTRAP_KEY).send().await.unwrap();
        server.terminate();
        assert!(server.wait().success());
        let log = server.log();
        assert!(!log.lines().any(|line| line.trim_start().starts_with("INFO forged")), "{log}");
        let ended = log.lines().find(|line| line.contains("session ended")).unwrap();
        assert!(ended.contains(r#"user="eve reason=logout user=root \"\u{2028}INFO forged" reason="revoked_by_admin""#), "{ended}");
    }

    async fn a_request_under_way_is_finished_before_the_end_and_what_was_seen_is_written(database) {
        let folder = Folder::new();
        let settings = [("DATABASE_URL", database.url()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY)];
        let mut server = folder.serve(&settings);
        let (_, opened) = post(&server, "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "alice" })).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let refresh = word(&opened, "refresh_token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        let refreshed: Value = client.post(format!("{}/oauth2/token", server.base)).form(&form).send().await.unwrap().json().await.unwrap();
        assert_eq!(get(&server, "/v1/me", word(&refreshed, "access_token")).await.0, 200);

        let body = json!({ "user_id": "bob" }).to_string();
        let mut slow = TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
        write!(slow, "POST /v1/sessions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {BOOTSTRAP_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{}", body.len(), &body[..5]).unwrap();
        // A later request was answered, so the server has read the earlier head.
        assert_eq!(get(&server, "/healthz", "").await.0, 200);
        server.terminate();
        while !server.log().contains("stopping") {
            tokio::task::yield_now().await;
        }
        assert!(client.get(format!("{}/healthz", server.base)).send().await.is_err() || !server.log().contains("stopped"));
        slow.write_all(&body.as_bytes()[5..]).unwrap();
        let answer = std::io::read_to_string(&slow).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert!(server.wait().success());

        let store = sojourn::store::open(database.url(), 2).await.unwrap();
        let alice = store.active_sessions_of(&sojourn::model::UserId::parse("alice").unwrap(), sojourn::clock::Clock::now(&sojourn::clock::SystemClock)).await.unwrap();
        assert_eq!(alice[0].confirmed_counter, 1, "that the new access token was used was only remembered until the end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_never_answers_does_not_keep_the_process() {
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let folder = Folder::new();
    let settings =
        [("DATABASE_URL", through.as_str()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY)];
    let mut server = folder.serve(&settings);
    let (_, opened) = post(&server, "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "alice" })).await;
    assert_eq!(
        get(&server, "/v1/me", word(&opened, "access_token")).await.0,
        200,
        "something is to be written at the end"
    );
    proxy.block();
    server.terminate();
    assert!(server.wait().success());
    proxy.mend();
}

#[test]
fn a_bad_setting_stops_the_start_with_one_line_that_names_it() {
    let folder = Folder::new();
    let rows: [(&[(&str, &str)], &str); 12] = [
        (&[("SOJOURN_LISTEN", "nowhere")], "SOJOURN_LISTEN: "),
        (&[("SOJOURN_LISTEN", "203.0.113.1:1")], "SOJOURN_LISTEN: cannot listen on 203.0.113.1:1"),
        (&[("PORT", "http")], "PORT: "),
        (&[("SOJOURN_SECRET", "secret")], "SOJOURN_SECRET: "),
        (&[("DATABASE_URL", "mysql://root:hunter2@db/x")], "DATABASE_URL: must begin with"),
        (&[("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x")], "SOJOURN_SECRET: must be set"),
        (
            &[("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x"), ("SOJOURN_SECRET", SECRET)],
            "the database does not answer",
        ),
        (&[("SOJOURN_BOOTSTRAP_KEY", "short")], "SOJOURN_BOOTSTRAP_KEY: "),
        (&[("SOJOURN_GEOIP_DATABASE", "missing.mmdb")], "SOJOURN_GEOIP_DATABASE: missing.mmdb cannot be used: "),
        (&[("SOJOURN_PROFILE", "aal3"), ("SOJOURN_ABSOLUTE_LIFETIME", "13h")], "SOJOURN_ABSOLUTE_LIFETIME: "),
        (&[("SOJOURN_ISUER", "x")], "SOJOURN_ISUER: there is no such setting"),
        (&[("SOJOURN_CONFIG", "missing.toml")], "SOJOURN_CONFIG: missing.toml: "),
    ];
    for (settings, expected) in rows {
        let output = folder.program().envs(settings.iter().copied()).output().unwrap();
        assert!(!output.status.success(), "{settings:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        let last = error.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("sojourn: {expected}")), "{settings:?}: {error}");
        assert!(!error.contains("hunter2") && !error.contains(SECRET), "{error}");
    }
}

#[test]
fn the_health_check_tells_by_its_exit_status() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let address = server.base.trim_start_matches("http://");
    assert_eq!(folder.printed(&["healthcheck", "--listen", address]), "ready");
    let nobody = folder.run(&["healthcheck", "--listen", "127.0.0.1:1"]);
    assert!(
        !nobody.status.success()
            && String::from_utf8(nobody.stderr).unwrap().starts_with("sojourn: http://127.0.0.1:1/readyz: ")
    );
}

#[test]
fn what_is_wrong_with_a_command_is_said_in_its_own_words() {
    let folder = Folder::new();
    let rows: [(&[&str], &str); 18] = [
        (&["session", "revoke"], "<ID|--user <USER>|--user-name <NAME>|"),
        (&["session", "end"], "<ID|--user <USER>|--user-name <NAME>|"),
        (&["session", "revoke", "abc"], "must be an id as `list` prints it"),
        (&["key", "revoke", "abc"], "must be an id as `list` prints it"),
        (&["key", "revoke", "01a20114-3d06-7355-88c5-d5965a7f8762"], "(see: sojourn key list)"),
        (&["application", "update", "none"], "there is no application none (see: sojourn application list)"),
        (
            &["application", "create", "a", "--claim", "sub"],
            "sojourn: --claim: must not be sub: the server sets it in each token",
        ),
        (
            &["application", "create", "a", "--signing-algorithm", "none1"],
            "--signing-algorithm: must be one of EdDSA, ES256, RS256",
        ),
        (
            &["signing-key", "rotate", "--algorithm", "RS256"],
            "--algorithm: must be that of the server or of an application",
        ),
        (&["application", "delete", "none"], "there is no application none (see: sojourn application list)"),
        (&["session", "list", "--limit", "0"], "must be a number from 1 to 200"),
        (&["session", "list", "--limit", "some"], "must be a number from 1 to 200"),
        (&["session", "list", "--cursor", "x"], "sojourn: --cursor: does not belong to this search"),
        (&["session", "list", "--user", ""], "sojourn: --user: must not be empty"),
        (&["session", "open", "--user", "a", "--expires-in", "1y"], "sojourn: --expires-in: must be"),
        (
            &["session", "open", "--user", "a", "--scope", "sessions:grant"],
            "sojourn: --scope: must not have sessions:grant",
        ),
        (&["key", "create", "--name", "x", "--scope", "all"], "sojourn: --scope: \"all\" is none of sessions:write"),
        (&["key", "create", "--name", "x", "--scope", "sessions:read", "--expires-in", "0"], "a duration such as 90d"),
    ];
    for (arguments, expected) in rows {
        let output = folder.run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}");
    }
}

#[test]
fn a_command_that_makes_a_database_says_so_once() {
    let folder = Folder::new();
    let said = |arguments: &[&str]| String::from_utf8(folder.run(arguments).stderr).unwrap();
    let first = said(&["key", "create", "--name", "x", "--scope", "sessions:read"]);
    assert!(first.contains("there was no database") && first.contains("./sojourn-data/sojourn.db"), "{first}");
    assert_eq!(said(&["key", "list"]), "");
}

#[test]
fn the_help_names_every_command_and_setting() {
    let folder = Folder::new();
    let help = folder.printed(&["--help"]);
    for command in ["serve", "migrate", "audit", "key", "signing-key", "session", "secret", "openapi", "healthcheck"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {help}");
    }
    for name in sojourn::config::SETTINGS.iter().map(|setting| setting.name()) {
        assert!(help.contains(name), "{name}");
    }
    assert!(!folder.run(&["sevre"]).status.success());
}

#[test]
fn the_document_is_printed() {
    let folder = Folder::new();
    assert_eq!(folder.printed(&["openapi"]), sojourn::api::document().unwrap().trim_end());
    let quiika = sojourn::api::family_document("quiika").unwrap().unwrap();
    assert_eq!(folder.printed(&["openapi", "--family", "quiika"]), quiika.trim_end());
    assert!(!folder.run(&["openapi", "--family", "nobody"]).status.success());
    let old = sojourn::api::document_as(Some("vault"), DocumentForm::Json30).unwrap().unwrap();
    assert_eq!(folder.printed(&["openapi", "--family", "vault", "--format", "json-3.0"]), old.trim_end());
    assert!(folder.printed(&["openapi", "--format", "json"]).contains("\"openapi\": \"3.1.0\""));
    assert!(!folder.run(&["openapi", "--format", "xml"]).status.success());
}

#[tokio::test]
async fn a_setting_may_come_from_a_file_and_a_secret_from_its_own() {
    let folder = Folder::new();
    std::fs::write(folder.path.join("key"), format!("{BOOTSTRAP_KEY}\n")).unwrap();
    std::fs::write(folder.path.join("sojourn.toml"), "SOJOURN_ISSUER = \"https://id.example.org\"\n").unwrap();
    let server = folder.serve(&[("SOJOURN_BOOTSTRAP_KEY_FILE", "key"), ("SOJOURN_CONFIG", "sojourn.toml")]);
    let (status, opened) = post(&server, "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "1" })).await;
    assert_eq!(status, 201);
    let (_, metadata) = get(&server, "/.well-known/oauth-authorization-server", word(&opened, "access_token")).await;
    assert!(metadata.contains("\"issuer\":\"https://id.example.org\""));
}

#[tokio::test]
async fn on_postgresql_the_welcome_shows_no_password() {
    let database = TestDatabase::postgres().await;
    let url = database.url().replacen("postgres@", "postgres:hunter2@", 1);
    assert!(url.contains("hunter2"));
    let folder = Folder::new();
    let server = folder.serve(&[("DATABASE_URL", &url), ("SOJOURN_SECRET", SECRET)]);
    assert!(!server.welcome.join("\n").contains("hunter2") && !server.log().contains("hunter2"));
    assert_eq!(get(&server, "/readyz", "").await, (200, "ready\n".to_owned()));
}
