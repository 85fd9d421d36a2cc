//! Metrics, as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sojourn::clock::{Clock as _, SystemClock};
use sojourn::config::HttpConfig;
use sojourn::metrics::{Kind, METRICS, Metric, Values};
use sojourn::tokens::MasterSecret;

use crate::support::database::TestDatabase;
use crate::support::on_both_databases;
use crate::support::process::{Folder, Process, SECRET};
use crate::support::proxy::Proxy;
use crate::support::server::{Answer, BOOTSTRAP_KEY, Server, answer};

/// The text format, read strictly: every sample's value by its name and labels, and every metric's type.
struct Samples {
    values: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Samples {
    fn parse(text: &str) -> Self {
        let (mut values, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (word, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                match word {
                    "TYPE" => assert!(types.insert(name.to_owned(), rest.to_owned()).is_none(), "{line}"),
                    word => assert_eq!(word, "HELP", "{line}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(values.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} is there twice");
        }
        Self { values, types }
    }

    async fn of(server: &Remote) -> Self {
        let answer = answer(server.request("GET", "/metrics", "")).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4");
        Self::parse(&answer.text)
    }

    fn value(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("{series} is not in {:#?}", self.values.keys()))
    }

    fn series(&self) -> BTreeSet<&str> {
        self.values.keys().map(String::as_str).collect()
    }
}

/// A server in a process of its own, because metrics are counted per process.
struct Remote {
    process: Process,
    client: reqwest::Client,
    _folder: Folder,
}

impl Remote {
    fn start(database_url: &str) -> Self {
        let folder = Folder::new();
        let process = folder.serve(&[
            ("DATABASE_URL", database_url),
            ("SOJOURN_SECRET", SECRET),
            ("SOJOURN_BOOTSTRAP_KEY", BOOTSTRAP_KEY),
        ]);
        Self { process, client: reqwest::Client::builder().no_proxy().build().unwrap(), _folder: folder }
    }

    fn request(&self, method: &str, path: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.process.base);
        self.client.request(method.parse().unwrap(), url).bearer_auth(token)
    }

    async fn send(&self, method: &str, path: &str, token: &str) -> Answer {
        answer(self.request(method, path, token)).await
    }

    async fn open(&self, user: &str) -> Value {
        let request = self.request("POST", "/v1/sessions", BOOTSTRAP_KEY).json(&json!({ "user_id": user }));
        answer(request).await.expect(201).json()
    }

    async fn refresh(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        answer(self.request("POST", "/oauth2/token", "").form(&form)).await
    }
}

/// One of each kind of request, as one user.
async fn use_everything(server: &Remote, user: &str) {
    let opened = server.open(user).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (access, refresh) = (text(&opened["access_token"]), text(&opened["refresh_token"]));
    let session = format!("/v1/sessions/{}", text(&opened["session"]["id"]));
    server.send("GET", "/v1/me", &access).await.expect(200);
    server.send("GET", "/auth/sessions", &access).await.expect(200);
    server.send("GET", &session, BOOTSTRAP_KEY).await.expect(200);
    let refreshed = server.refresh(&refresh).await.expect(200).json();
    server.refresh(&refresh).await.expect(200);
    server.refresh("sjr_nonsense").await.expect(400);
    server.send("GET", "/v1/me", &format!("nonsense-{user}")).await.expect(401);
    server.send("GET", &format!("/{user}"), &access).await.expect(404);
    server.send(&user.to_uppercase().replace('-', ""), "/v1/me", "").await.expect(405);
    server.send("DELETE", &session, BOOTSTRAP_KEY).await.expect(204);
    server.refresh(&text(&refreshed["refresh_token"])).await.expect(400);
}

/// The combinations of the labels' words that the table promises from the start.
fn promised(metric: &Metric) -> Vec<String> {
    let labels = metric.labels.iter().map(|label| match label.values {
        Values::Words(words) => words().into_iter().map(|word| format!("{}=\"{word}\"", label.name)).collect(),
        Values::Routes | Values::Pools => Vec::new(),
    });
    let combined = |series: Vec<String>, pairs: Vec<String>| {
        let with = |before: &String| pairs.iter().map(move |pair| format!("{before},{pair}")).collect::<Vec<_>>();
        series.iter().flat_map(with).collect()
    };
    let series: Vec<String> = labels.fold(vec![String::new()], combined);
    let named = |pairs: &String| match pairs.strip_prefix(',') {
        Some(pairs) => format!("{}{{{pairs}}}", metric.name),
        None => metric.name.to_owned(),
    };
    series.iter().map(named).collect()
}

on_both_databases! {
    /// O-13.
    async fn every_series_is_there_before_the_first_event_and_every_count_at_0(database) {
        let server = Remote::start(database.url());
        let first = Samples::of(&server).await;
        for series in METRICS.iter().filter(|metric| metric.kind != Kind::Histogram).flat_map(|metric| promised(metric)) {
            first.value(&series);
        }
        for metric in METRICS.iter().filter(|metric| metric.kind == Kind::Counter) {
            for (series, value) in first.values.iter().filter(|(series, _)| series.split('{').next() == Some(metric.name)) {
                // The start opens connections, and the scrape itself is counted after its answer.
                assert!(*value <= 0.0, "{series} {value}");
            }
        }
        let requests = |samples: &Samples, part: &str| samples.values.keys().filter(|series| series.contains(part)).count();
        // Each operation of the document, the two others that redirect, and every family.
        let document = sojourn::api::document().unwrap();
        for path in document.lines().filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':')) {
            let failures = format!("route=\"/{}\"", path.trim_end_matches('\''));
            assert!(requests(&first, &failures) > 12, "{path}");
        }
        assert_eq!(requests(&first, "route=\"/oauth2/token\",method=\"POST\",status=\"5xx\""), 1);
        assert_eq!(requests(&first, "route=\"/docs\",method=\"GET\",status=\"3xx\""), 1);

        use_everything(&server, "alice").await;
        for path in ["/docs", "/docs/", "/docs/index.css", "/docs/guide", "/docs/guide/API.md", "/docs/guide/none.md", "/openapi.yaml", "/openapi/vault.yaml", "/readyz", "/v1/verify/a", "/v1/require/scope=x/b"] {
            for method in ["GET", "HEAD", "OPTIONS", "DELETE", "MADE-UP"] {
                server.send(method, path, BOOTSTRAP_KEY).await;
            }
        }
        assert_eq!(first.series(), Samples::of(&server).await.series());
    }

    /// O-08: neither users nor values made up by clients become labels.
    async fn every_listed_metric_is_there_with_its_labels_and_users_add_none(database) {
        let server = Remote::start(database.url());
        let before = Samples::of(&server).await;
        use_everything(&server, "first").await;
        for number in 0..20 {
            use_everything(&server, &format!("user-{number}")).await;
        }
        let after = Samples::of(&server).await;
        assert_eq!(before.series(), after.series());

        let listed: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        let told: BTreeSet<&str> = after.types.keys().map(String::as_str).collect();
        assert_eq!(listed, told);
        for Metric { name, kind, labels, .. } in METRICS.iter().copied() {
            let labels: Vec<&str> = labels.iter().map(|label| label.name).collect();
            let expected = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            assert_eq!(after.types[*name], expected, "{name}");
            let ends: &[&str] = if *kind == Kind::Histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
            for end in ends {
                let name = format!("{name}{end}");
                let mut series = after.values.keys().filter(|series| series.split('{').next() == Some(&name)).peekable();
                assert!(series.peek().is_some(), "{name} has no sample");
                for series in series {
                    let pairs = series.split_once('{').map_or("", |(_, pairs)| pairs.trim_end_matches('}'));
                    let told: Vec<&str> = pairs.split(',').filter(|pair| !pair.is_empty() && !pair.starts_with("le=")).map(|pair| pair.split('=').next().unwrap()).collect();
                    assert_eq!(told, labels, "{series}");
                }
            }
        }
    }

    async fn what_happens_is_counted(database) {
        let server = Remote::start(database.url());
        let before = Samples::of(&server).await;
        use_everything(&server, "alice").await;
        let after = Samples::of(&server).await;
        let rises = [
            ("sojourn_sessions_opened_total", 1.0),
            ("sojourn_sessions_ended_total{reason=\"revoked_by_admin\"}", 1.0),
            ("sojourn_refreshes_total{outcome=\"rotated\"}", 1.0),
            ("sojourn_refreshes_total{outcome=\"concurrent\"}", 1.0),
            ("sojourn_refreshes_total{outcome=\"invalid_token\"}", 1.0),
            ("sojourn_refreshes_total{outcome=\"not_active\"}", 1.0),
            ("sojourn_authentication_refusals_total{reason=\"invalid_token\"}", 1.0),
            ("sojourn_requests_total{family=\"native\",route=\"/v1/me\",method=\"GET\",status=\"2xx\"}", 1.0),
            ("sojourn_requests_total{family=\"native\",route=\"/v1/me\",method=\"GET\",status=\"4xx\"}", 1.0),
            ("sojourn_requests_total{family=\"none\",route=\"unmatched\",method=\"other\",status=\"4xx\"}", 1.0),
            ("sojourn_requests_total{family=\"quiika\",route=\"/auth/sessions\",method=\"GET\",status=\"2xx\"}", 1.0),
            ("sojourn_requests_total{family=\"oauth\",route=\"/oauth2/token\",method=\"POST\",status=\"4xx\"}", 2.0),
            ("sojourn_requests_total{family=\"none\",route=\"unmatched\",method=\"GET\",status=\"4xx\"}", 1.0),
            ("sojourn_request_duration_seconds_count{family=\"quiika\",route=\"/auth/sessions\"}", 1.0),
        ];
        for (series, rise) in rises {
            let was = before.values.get(series).copied().unwrap_or_default();
            assert!((after.value(series) - was - rise).abs() < 0.5, "{series}: {was}, then {}", after.value(series));
        }
        assert!(after.value("sojourn_connections") >= 1.0);
        assert!(after.value("sojourn_database_unavailable_seconds") <= 0.0);
    }
}

on_both_databases! {
    async fn every_replica_has_the_number_of_open_sessions_from_the_statistics(database) {
        let url = database.url().to_owned();
        let secret = MasterSecret::parse(SECRET).unwrap();
        let past = Server::builder().secret(secret).start(database).await;
        // Events are counted after some seconds, and these are older than that.
        past.wait(-TimeDelta::hours(1));
        let mut opened = Vec::new();
        for user in ["alice", "bob", "carol"] {
            opened.push(past.open(user).await);
        }
        past.end(&opened[0].id).await;
        past.open_with(&json!({ "user_id": "dave", "expires_in": 60 })).await;
        let started = u32::try_from(SystemClock.now().timestamp()).unwrap();
        for replica in [Remote::start(&url), Remote::start(&url)] {
            let counted = async {
                loop {
                    let samples = Samples::of(&replica).await;
                    let until = samples.value("sojourn_statistics_timestamp_seconds");
                    if until > 0.0 {
                        return (samples.value("sojourn_sessions_open"), until);
                    }
                    assert!(until.is_nan() && samples.value("sojourn_sessions_open").is_nan(), "not known is not 0");
                }
            };
            let (open, until) = tokio::time::timeout(Duration::from_secs(20), counted).await.expect("it is never counted");
            assert!((open - 2.0).abs() < 0.5, "{open}");
            assert!(until > f64::from(started - 60), "{until}, started at {started}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_tells_for_how_long_the_database_has_been_gone_and_what_failed() {
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let server = Remote::start(&through);
    let opened = server.open("alice").await;
    let access = opened["access_token"].as_str().unwrap();
    let failures = |samples: &Samples| {
        let sum: f64 = ["connection", "acquire_timeout", "deadline"]
            .iter()
            .map(|kind| samples.value(&format!("sojourn_database_failures_total{{kind=\"{kind}\"}}")))
            .sum();
        sum
    };
    let before = Samples::of(&server).await;
    proxy.cut();
    server.send("GET", "/v1/me", access).await.expect(503);
    let first = Samples::of(&server).await;
    assert!(failures(&first) > failures(&before));
    let first = first.value("sojourn_database_unavailable_seconds");
    let second = Samples::of(&server).await.value("sojourn_database_unavailable_seconds");
    assert!(first > 0.0 && second > first, "{first} {second}");
    proxy.mend();
    while server.send("GET", "/v1/me", access).await.status != 200 {}
    assert!(Samples::of(&server).await.value("sojourn_database_unavailable_seconds") <= 0.0);
}

#[tokio::test]
async fn they_can_have_an_address_of_their_own() {
    let http = HttpConfig { metrics_listen: Some("127.0.0.1:0".to_owned()), ..HttpConfig::default() };
    let server = Server::builder().http(http).start_on_sqlite().await;
    answer(server.request("GET", "/metrics")).await.expect(404);

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let folder = Folder::new();
    let server = folder.serve(&[("SOJOURN_METRICS_LISTEN", &address)]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async |url: String| client.get(url).send().await.unwrap().status().as_u16();
    assert_eq!(status(format!("{}/metrics", server.base)).await, 404);
    assert_eq!(status(format!("http://{address}/metrics")).await, 200);
    assert_eq!(status(format!("http://{address}/v1/me")).await, 404);
}
