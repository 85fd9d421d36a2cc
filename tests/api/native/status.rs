//! `GET /v1/status`.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sojourn::clock::{Clock as _, SystemClock};
use sojourn::sessions::{Freshness, Policy};

use crate::support::on_both_databases;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

async fn status(server: &Server) -> Value {
    server.send("GET", "/v1/status", BOOTSTRAP_KEY).await.expect(200).json()
}

/// The codes of the problems, without that of a bootstrap key, which every server of these tests has.
fn problems(status: &Value) -> Vec<&str> {
    let problems = status["problems"].as_array().unwrap();
    assert!(problems.iter().all(|problem| problem["message"].as_str().unwrap().len() > 10), "{status}");
    let codes = problems.iter().map(|problem| problem["code"].as_str().unwrap());
    codes.filter(|code| *code != "bootstrap_key_without_end").collect()
}

async fn count(server: &Server) {
    while server.sessions.roll_up().await.unwrap() {}
}

fn has_endless_bootstrap_key(status: &Value) -> bool {
    status["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "bootstrap_key_without_end")
}

on_both_databases! {
    async fn it_tells_the_versions_the_freshness_and_the_signing_key(database) {
        let before = SystemClock.now();
        let server = Server::start(database).await;
        server.follows().await;
        count(&server).await;
        let status = status(&server).await;
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
        let started_at: DateTime<Utc> = status["started_at"].as_str().unwrap().parse().unwrap();
        assert!((before - TimeDelta::seconds(1)..=server.now()).contains(&started_at), "{status}");
        let is_sqlite = server.database_url().starts_with("sqlite");
        assert_eq!(status["database"]["kind"], if is_sqlite { "sqlite" } else { "postgresql" });
        let version = status["database"]["version"].as_str().unwrap();
        let numbers = version.split('.').all(|part| part.parse::<u32>().is_ok());
        assert!(numbers && version.contains('.'), "{version}");
        let folder = if is_sqlite { "migrations/sqlite" } else { "migrations/postgres" };
        let newest = std::fs::read_dir(folder).unwrap().filter_map(|file| {
            file.unwrap().file_name().to_str().and_then(|name| name.split('_').next()?.parse::<i64>().ok())
        }).max();
        assert_eq!(status["database"]["migration"].as_i64(), newest);
        assert_eq!(status["freshness"]["bound_ms"], 1500);
        assert!(status["freshness"]["change_log_age_ms"].as_u64().unwrap() <= 1500, "{status}");
        let keys = server.send("GET", "/v1/signing-keys", BOOTSTRAP_KEY).await.expect(200).json();
        let key = &keys["keys"][0];
        let told = &status["signing_key"];
        assert_eq!([&told["kid"], &told["algorithm"], &told["since"]], [&key["kid"], &key["algorithm"], &key["active_from"]]);
        assert_eq!((problems(&status), has_endless_bootstrap_key(&status)), (vec![], !is_sqlite), "{status}");
    }

    async fn what_gets_old_is_a_problem_until_somebody_sees_to_it(database) {
        let server = Server::start(database).await;
        server.follows().await;
        count(&server).await;
        server.wait(TimeDelta::minutes(9));
        assert_eq!(problems(&status(&server).await), [""; 0]);
        server.wait(TimeDelta::minutes(2));
        assert_eq!(problems(&status(&server).await), ["statistics_old"]);
        count(&server).await;
        server.wait(TimeDelta::days(90) + TimeDelta::minutes(5));
        count(&server).await;
        assert_eq!(problems(&status(&server).await), [""; 0], "a successor is published ten minutes before it signs");
        server.wait(TimeDelta::minutes(10));
        count(&server).await;
        assert_eq!(problems(&status(&server).await), ["signing_key_overdue"]);
        for _ in 0..2 {
            let keys = server.signing_keys().load().await.unwrap();
            server.sessions.access_tokens().replace_keys(keys);
            server.wait(TimeDelta::minutes(10));
        }
        count(&server).await;
        let key = json!({ "name": "login", "scope": "sessions:write", "expires_in": 44 * 86400 });
        server.send_json("POST", "/v1/keys", BOOTSTRAP_KEY, &key).await.expect(201);
        assert_eq!(problems(&status(&server).await), [""; 0]);
        server.wait(TimeDelta::days(15));
        count(&server).await;
        assert_eq!(problems(&status(&server).await), ["keys_end_soon"]);
    }

    async fn a_replica_that_does_not_read_the_change_log_says_so(database) {
        let policy = Policy { freshness: Freshness::Strict, ..Policy::default() };
        let server = Server::builder().policy(policy).without_change_log().start(database).await;
        count(&server).await;
        let status = status(&server).await;
        assert_eq!(problems(&status), ["change_log_old"]);
        assert_eq!(status["freshness"], json!({ "bound_ms": 0 }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_fails_is_the_same_problem_here_and_for_the_load_balancer() {
    let (server, proxy) =
        Server::builder().bootstrap_key_until(SystemClock.now() + TimeDelta::days(365)).start_behind_proxy().await;
    server.follows().await;
    count(&server).await;
    assert_eq!(status(&server).await["problems"], json!([]));
    let raw = sqlx::PgPool::connect_lazy(server.database_url()).unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET success = FALSE WHERE version > 19").execute(&raw).await.unwrap();
    // Answers about readiness are shared for 200 milliseconds.
    tokio::time::sleep(Duration::from_millis(250)).await;
    let told = status(&server).await;
    let ready = answer(server.request("GET", "/readyz")).await.expect_problem(503, "migrations").json();
    assert_eq!(told["problems"], json!([{ "code": "migrations", "message": ready["detail"] }]));
    assert_eq!(told["database"]["migration"], 19);
    sqlx::query("UPDATE _sqlx_migrations SET success = TRUE").execute(&raw).await.unwrap();
    raw.close().await;

    proxy.cut();
    let cut = Instant::now();
    let told = loop {
        let told = status(&server).await;
        if told["problems"].as_array().unwrap().len() > 1 {
            break told;
        }
        assert!(cut.elapsed() < Duration::from_secs(20), "{told}");
    };
    let ready = answer(server.request("GET", "/readyz")).await.expect_problem(503, "database").json();
    assert_eq!(told["problems"][0], json!({ "code": "database", "message": ready["detail"] }));
    assert_eq!(told["problems"][1]["code"], "change_log_old");
    assert_eq!(told["database"], json!({ "kind": "postgresql" }));
}
