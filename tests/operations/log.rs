//! The log, as an operator reads it: one line a request, and one for each ending that says who did it and from where.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::on_both_databases;
use crate::support::process::{Folder, Process, SECRET};
use crate::support::server::BOOTSTRAP_KEY;

/// A server that logs JSON, with two service keys.
struct Logging {
    folder: Folder,
    process: Process,
    client: reqwest::Client,
    database_url: String,
    login: Key,
    admin: Key,
}

struct Key {
    text: String,
    id: String,
}

struct Opened {
    id: String,
    access: String,
    refresh: String,
}

/// The lines of a log.
struct Lines(Vec<Value>);

impl Logging {
    fn start(database_url: &str, more: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let settings = [
            ("DATABASE_URL", database_url),
            ("SOJOURN_SECRET", SECRET),
            ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
            ("SOJOURN_LOG_FORMAT", "json"),
        ];
        let process = folder.serve(&[&settings[..], more].concat());
        let run = |arguments: &[&str]| {
            let output = folder.program().envs(settings).args(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let create = |name: &str, scope: &str| {
            let text = run(&["key", "create", "--name", name, "--scope", scope]);
            let list = run(&["key", "list"]);
            let line = list.lines().find(|line| line.contains(&format!("  {name}  "))).unwrap();
            Key { text, id: line.split_whitespace().next().unwrap().to_owned() }
        };
        let (login, admin) = (create("my login", "sessions:write sessions:read"), create("admin", "sessions:admin"));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { folder, process, client, database_url: database_url.to_owned(), login, admin }
    }

    fn request(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.process.base)).bearer_auth(token)
    }

    /// Sends a request under an id, which must succeed.
    async fn send(&self, id: &str, request: RequestBuilder) -> Response {
        let response = request.header("x-request-id", id).send().await.unwrap();
        assert!(response.status().is_success(), "{id}: {}", response.status());
        response
    }

    async fn delete(&self, id: &str, path: &str, token: &str) {
        self.send(id, self.request("DELETE", path, token)).await;
    }

    async fn open(&self, user: &str) -> Opened {
        let request = self.request("POST", "/v1/sessions", &self.login.text).json(&json!({ "user_id": user }));
        let body: Value = self.send("an-opening", request).await.json().await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Opened {
            id: text(&body["session"]["id"]),
            access: text(&body["access_token"]),
            refresh: text(&body["refresh_token"]),
        }
    }

    async fn refresh(&self, id: &str, token: &str) -> Response {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let request = self.client.post(format!("{}/oauth2/token", self.process.base)).form(&form);
        request.header("x-request-id", id).send().await.unwrap()
    }

    /// Stops the server.
    fn stop(mut self) -> Lines {
        self.process.terminate();
        assert!(self.process.wait().success());
        Lines::of(&self.process.log())
    }
}

impl Lines {
    fn of(log: &str) -> Self {
        Self(log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect())
    }

    /// The lines of a request.
    fn of_request(&self, id: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["span"]["id"] == id).collect()
    }

    /// The one line of a request with this message.
    fn one(&self, id: &str, message: &str) -> &Value {
        let found = self.of_request(id);
        let found: Vec<&&Value> = found.iter().filter(|line| line["message"] == message).collect();
        assert_eq!(found.len(), 1, "{id}: {found:#?}");
        found[0]
    }
}

/// Requests of each kind, each under an id of its own, and the session that was opened for them.
async fn one_of_each_kind(server: &Logging) -> Opened {
    let opened = server.open("alice").await;
    for (id, path, token) in
        [("used", "/v1/me", &opened.access), ("searched", "/v1/sessions?limit=1", &server.login.text)]
    {
        server.send(id, server.request("GET", path, token)).await;
    }
    server.send("by-bootstrap", server.request("GET", "/v1/sessions", BOOTSTRAP_KEY)).await;
    let refused = [
        ("without-credential", server.client.get(format!("{}/v1/me", server.process.base))),
        ("with-nonsense", server.request("GET", "/v1/me", "sjs_nonsense")),
        ("forbidden", server.request("POST", "/v1/cleanup", &opened.access)),
        ("unmatched", server.request("BREW", "/a-path/that-nobody-knows?and=more", &opened.access)),
        ("invalid", server.request("POST", "/v1/sessions", &server.login.text).json(&json!({ "user_id": "" }))),
    ];
    for (id, request) in refused {
        assert!(request.header("x-request-id", id).send().await.unwrap().status().is_client_error(), "{id}");
    }
    assert!(server.refresh("refreshed", &opened.refresh).await.status().is_success());
    assert_eq!(server.refresh("no-refresh", "sjr_nonsense").await.status(), 400);
    for path in ["/metrics", "/healthz", "/readyz"] {
        server.send("probe", server.request("GET", path, "")).await;
    }
    opened
}

/// The expected line of a request: its id, method, route and status, its caller by credential, user and name, and the
/// cause.
type Row<'a> = (&'a str, &'a str, &'a str, u64, [&'a str; 3], &'a str);

/// An ending that the log must tell: the request that brought it, the session, its user, the reason and the credential.
struct Ending {
    request: String,
    session: String,
    user: String,
    reason: &'static str,
    by: String,
}

impl Ending {
    fn new(request: &str, opened: &Opened, user: &str, reason: &'static str, by: &str) -> Self {
        let [request, user, by] = [request, user, by].map(ToOwned::to_owned);
        Self { request, session: opened.id.clone(), user, reason, by }
    }
}

/// Ends sessions as users do, in each family.
async fn ended_by_users(server: &Logging) -> Vec<Ending> {
    let mut endings = Vec::new();
    let by = |opened: &Opened| format!("session:{}", opened.id);
    for (family, path) in [
        ("native", "/v1/sessions/"),
        ("quiika", "/auth/sessions/"),
        ("vault", "/api/v1/users/me/sessions/"),
        ("blackbox", "/api/v0/sessions/"),
        ("cumulonimbus", "/user/USER/session/"),
    ] {
        let user = format!("user-of-{family}");
        let (one, two) = (server.open(&user).await, server.open(&user).await);
        let path = path.replace("USER", &user);
        let (other, own) = (format!("{family}-other"), format!("{family}-own"));
        server.delete(&other, &format!("{path}{}", one.id), &two.access).await;
        endings.push(Ending::new(&other, &one, &user, "revoked_by_user", &by(&two)));
        server.delete(&own, &format!("{path}{}", two.id), &two.access).await;
        endings.push(Ending::new(&own, &two, &user, "logout", &by(&two)));
    }
    let (one, two) = (server.open("bob").await, server.open("bob").await);
    server.delete("my-sessions", "/v1/me/sessions", &two.access).await;
    endings.extend([&one, &two].map(|ended| Ending::new("my-sessions", ended, "bob", "revoked_by_user", &by(&two))));

    let opened = server.open("heidi").await;
    let form = [("token", &opened.refresh)];
    server.send("given-back", server.client.post(format!("{}/oauth2/revoke", server.process.base)).form(&form)).await;
    endings.push(Ending::new("given-back", &opened, "heidi", "logout", &by(&opened)));

    let opened = server.open("judy").await;
    let next: Value = server.refresh("first-refresh", &opened.refresh).await.json().await.unwrap();
    let next = next["refresh_token"].as_str().unwrap();
    assert!(server.refresh("second-refresh", next).await.status().is_success());
    assert_eq!(server.refresh("theft", &opened.refresh).await.status(), 400);
    endings.push(Ending::new("theft", &opened, "judy", "reuse_detected", &by(&opened)));
    endings
}

/// Ends sessions as administrators and login services do.
async fn ended_by_others(server: &Logging) -> Vec<Ending> {
    let mut endings = Vec::new();
    let (admin, login) = (format!("key:{}", server.admin.id), format!("key:{}", server.login.id));
    for (id, path, key, by) in [
        ("by-key", "/v1/sessions/", server.admin.text.as_str(), admin.as_str()),
        ("by-bootstrap", "/v1/sessions/", BOOTSTRAP_KEY, "bootstrap"),
        ("by-janssen", "/api/v1/jans-auth-server/session/sid/", BOOTSTRAP_KEY, "bootstrap"),
    ] {
        let opened = server.open("carol").await;
        server.delete(id, &format!("{path}{}", opened.id), key).await;
        endings.push(Ending::new(id, &opened, "carol", "revoked_by_admin", by));
    }
    for (id, method, path, reason) in [
        ("all-of-user", "DELETE", "/v1/users/dave/sessions", "revoked_by_admin"),
        ("banned", "POST", "/v1/users/frank/ban", "user_banned"),
        ("deleted", "DELETE", "/v1/users/grace", "user_deleted"),
    ] {
        let user = path.split('/').nth(3).unwrap();
        let opened = server.open(user).await;
        server.send(id, server.request(method, path, &server.admin.text)).await;
        endings.push(Ending::new(id, &opened, user, reason, &admin));
    }
    let opened = server.open("erin").await;
    let named = server.request("POST", "/v1/sessions/revoke", &server.admin.text).json(&json!({ "ids": [opened.id] }));
    server.send("named", named).await;
    endings.push(Ending::new("named", &opened, "erin", "revoked_by_admin", &admin));

    let evicted = server.open("ivan").await;
    server.open("ivan").await;
    let third = server.request("POST", "/v1/sessions", &server.login.text).json(&json!({ "user_id": "ivan" }));
    server.send("one-too-many", third).await;
    endings.push(Ending::new("one-too-many", &evicted, "ivan", "replaced", &login));
    endings
}

on_both_databases! {
    async fn a_request_is_one_line_with_its_route_its_caller_and_its_address(database) {
        let server = Logging::start(database.url(), &[]);
        let opened = one_of_each_kind(&server).await;
        let own = format!("session:{}", opened.id);
        let login = format!("key:{}", server.login.id);
        let lines = server.stop();
        let caller = |line: &Value| ["caller", "caller_user", "caller_name"].map(|name| line[name].as_str().unwrap_or_default().to_owned());
        let rows: [Row<'_>; 11] = [
            ("an-opening", "POST", "/v1/sessions", 201, [&login, "", "my login"], ""),
            ("used", "GET", "/v1/me", 200, [&own, "alice", ""], ""),
            ("searched", "GET", "/v1/sessions", 200, [&login, "", "my login"], ""),
            ("by-bootstrap", "GET", "/v1/sessions", 200, ["bootstrap", "", ""], ""),
            ("without-credential", "GET", "/v1/me", 401, ["", "", ""], "no credential"),
            ("with-nonsense", "GET", "/v1/me", 401, ["", "", ""], "not a valid token: malformed"),
            ("forbidden", "POST", "/v1/cleanup", 403, [&own, "alice", ""], "the scope sessions:admin is needed"),
            ("unmatched", "other", "unmatched", 404, ["", "", ""], "unknown_path"),
            ("invalid", "POST", "/v1/sessions", 422, [&login, "", "my login"], "invalid"),
            ("refreshed", "POST", "/oauth2/token", 200, ["", "", ""], ""),
            ("no-refresh", "POST", "/oauth2/token", 400, ["", "", ""], "refresh refused: not a valid token: malformed"),
        ];
        for (id, method, route, status, by, cause) in rows {
            let of_request = lines.of_request(id);
            assert_eq!(of_request.len(), 1, "{id}: {of_request:#?}");
            let line = of_request[0];
            assert_eq!((&line["message"], &line["level"]), (&json!("answered"), &json!("INFO")), "{line}");
            assert_eq!((&line["span"]["method"], &line["span"]["route"]), (&json!(method), &json!(route)), "{line}");
            assert_eq!(line["span"]["address"], "127.0.0.1", "{line}");
            assert_eq!(line["status"], status, "a number: {line}");
            assert!(line["microseconds"].as_u64().is_some_and(|taken| taken > 0), "a number: {line}");
            assert_eq!(caller(line), by.map(ToOwned::to_owned), "{line}");
            assert_eq!(line["cause"].as_str().unwrap_or_default(), cause, "{line}");
        }
        for (id, outcome) in [("an-opening", None), ("refreshed", Some("rotated"))] {
            let span = &lines.one(id, "answered")["span"];
            assert_eq!((&span["session"], &span["user"]), (&json!(opened.id), &json!("alice")), "{span}");
            assert_eq!(span["outcome"].as_str(), outcome);
        }
        assert_eq!(lines.one("no-refresh", "answered")["span"]["outcome"], "invalid_token");
        assert!(lines.of_request("probe").is_empty(), "probes are for debugging");
    }

    /// O-14.
    async fn an_ending_is_one_line_that_says_who_ended_what_why_and_from_where(database) {
        let server = Logging::start(database.url(), &[("SOJOURN_MAX_SESSIONS_PER_USER", "2")]);
        let admin = format!("key:{}", server.admin.id);
        let mut expected = ended_by_users(&server).await;
        expected.extend(ended_by_others(&server).await);
        let lines = server.stop();
        let ended = lines.0.iter().filter(|line| line["message"] == "session ended").count();
        assert_eq!(ended, expected.len(), "each ending once");
        for Ending { request, session, user, reason, by } in expected {
            let of_request = lines.of_request(&request);
            let line = of_request.iter().find(|line| line["message"] == "session ended" && line["session"] == session);
            let line = line.unwrap_or_else(|| panic!("{request}: {of_request:#?}"));
            assert_eq!((&line["user"], &line["reason"], &line["by"]), (&json!(user), &json!(reason), &json!(by)), "{line}");
            assert_eq!(line["span"]["address"], "127.0.0.1", "{line}");
            assert_eq!(line["level"], if reason == "reuse_detected" { "WARN" } else { "INFO" }, "{line}");
            lines.one(&request, "answered");
        }
        for (request, message) in [("banned", "user banned"), ("deleted", "user deleted")] {
            assert_eq!(lines.one(request, message)["by"], admin);
        }
    }

    async fn a_new_authentication_is_one_line_with_the_credential_that_told_of_it(database) {
        let server = Logging::start(database.url(), &[]);
        let alice = server.open("alice").await;
        let path = format!("/v1/sessions/{}/authenticate", alice.id);
        server.send("step-up", server.request("POST", &path, &server.login.text).json(&json!({ "acr": "aal2" }))).await;
        let by = format!("key:{}", server.login.id);
        let lines = server.stop();
        let line = lines.one("step-up", "session authenticated anew");
        let expected = (&json!(alice.id), &json!("alice"), &json!("aal2"), &json!(by));
        assert_eq!((&line["session"], &line["user"], &line["acr"], &line["by"]), expected, "{line}");
        assert_eq!(lines.one("step-up", "answered")["span"]["session"], alice.id);
    }

    async fn a_bulk_ending_is_one_line_with_its_filter_and_the_number(database) {
        let server = Logging::start(database.url(), &[]);
        for user in ["alice", "bob"] {
            server.open(user).await;
        }
        let filter = json!({ "filter": { "opened_by": format!("key:{}", server.login.id) } });
        server.send("bulk", server.request("POST", "/v1/sessions/revoke", &server.admin.text).json(&filter)).await;
        let (by, opened_by) = (format!("key:{}", server.admin.id), format!("opened_by=key:{}", server.login.id));
        let lines = server.stop();
        let line = lines.one("bulk", "sessions ended in bulk");
        assert_eq!((&line["by"], &line["sessions"], &line["conditions"]), (&json!(by), &json!(2), &json!(opened_by)), "{line}");
        assert_eq!((&line["reason"], &line["level"], &line["span"]["address"]), (&json!("revoked_by_admin"), &json!("WARN"), &json!("127.0.0.1")));
    }

    async fn an_ending_by_the_command_line_is_logged_there_when_asked_for(database) {
        let server = Logging::start(database.url(), &[]);
        let (one, two) = (server.open("alice").await, server.open("alice").await);
        let revoke = |id: &str, level: &[(&str, &str)]| {
            let mut program = server.folder.program();
            program.envs([("DATABASE_URL", server.database_url.as_str()), ("SOJOURN_SECRET", SECRET), ("SOJOURN_LOG_FORMAT", "json")]);
            let output = program.envs(level.iter().copied()).args(["session", "revoke", id]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("Session {id} is ended.\n"));
            String::from_utf8(output.stderr).unwrap()
        };
        assert_eq!(revoke(&one.id, &[]), "");
        let lines = Lines::of(&revoke(&two.id, &[("SOJOURN_LOG", "info")]));
        let line = lines.0.iter().find(|line| line["message"] == "session ended").unwrap();
        assert_eq!((&line["session"], &line["user"], &line["by"]), (&json!(two.id), &json!("alice"), &json!("command-line")), "{line}");
    }

    async fn the_address_is_the_client_s_and_no_more_of_it_than_is_stored(database) {
        let stored = [("full", Some("203.0.113.7")), ("truncated", Some("203.0.113.0")), ("off", None)];
        for (policy, logged) in stored {
            let proxies = ("SOJOURN_TRUSTED_PROXIES", "127.0.0.1");
            let server = Logging::start(database.url(), &[("SOJOURN_IP_STORAGE", policy), proxies]);
            let request = server.request("GET", "/v1/sessions", &server.admin.text).header("x-forwarded-for", "203.0.113.7");
            server.send("through-a-proxy", request).await;
            let lines = server.stop();
            assert_eq!(lines.one("through-a-proxy", "answered")["span"]["address"].as_str(), logged, "{policy}");
        }
        let server = Logging::start(database.url(), &[]);
        let request = server.request("GET", "/v1/sessions", &server.admin.text).header("x-forwarded-for", "203.0.113.7");
        server.send("forged", request).await;
        assert_eq!(server.stop().one("forged", "answered")["span"]["address"], "127.0.0.1");
    }

    async fn a_start_has_no_news_of_what_is_there_already(database) {
        for _ in 0..2 {
            let lines = Logging::start(database.url(), &[]).stop();
            for line in &lines.0 {
                assert!(line["target"].as_str().unwrap().starts_with("sojourn"), "{line}");
            }
            assert!(lines.0.iter().any(|line| line["message"] == "stopped"));
        }
    }
}
