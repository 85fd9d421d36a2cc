//! Searches on a hot standby.

use std::time::Duration;

use serde_json::{Value, json};
use sojourn::tokens::MasterSecret;
use sqlx::Connection as _;

use crate::faults::cluster::{Cluster, free_port};
use crate::support::process::SECRET;
use crate::support::server::{BOOTSTRAP_KEY, Server};

async fn serve(database_url: String, search_database_url: String) -> Server {
    let secret = MasterSecret::parse(SECRET).unwrap();
    Server::builder().secret(secret).search_database_url(search_database_url).start_at(database_url).await
}

/// Searches answered by the replica and by the primary so far, in the whole process.
fn answered() -> (u64, u64) {
    let metrics = sojourn::metrics::render();
    let count = |server: &str| {
        let series = format!("sojourn_replica_searches_total{{answered_by=\"{server}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap()
    };
    (count("replica"), count("primary"))
}

async fn found(server: &Server, user: &str) -> usize {
    let found = server.send("GET", &format!("/v1/sessions?user_id={user}"), BOOTSTRAP_KEY).await.expect(200).json();
    found["sessions"].as_array().unwrap().len()
}

/// Whether the server's state says that the replica is left out.
async fn has_problem(server: &Server) -> bool {
    let status = server.send("GET", "/v1/status", BOOTSTRAP_KEY).await.expect(200).json();
    status["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "read_replica")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_lists_and_statistics_go_to_the_replica_and_nothing_that_decides() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let server = serve(primary.url(), format!("{}?target_session_attrs=standby", standby.url())).await;
    let opened = server.open("alice").await;
    standby.catch_up(&primary).await;
    let (on_the_replica, on_the_primary) = answered();
    assert_eq!(found(&server, "alice").await, 1);
    server.send("GET", "/api/v1/jans-auth-server/session", BOOTSTRAP_KEY).await.expect(200);
    server.send("GET", "/v1/stats", BOOTSTRAP_KEY).await.expect(200);
    assert_eq!(answered(), (on_the_replica + 3, on_the_primary));

    // Replay is paused from here on, so that the replica falls behind.
    standby.run("SELECT pg_wal_replay_pause()").await;
    let second = server.open("alice").await;
    let own = server.send("GET", "/v1/me/sessions", &second.access).await.expect(200).json();
    assert_eq!(own["sessions"].as_array().unwrap().len(), 2);
    let users = server.send("GET", "/v1/users/alice/sessions", BOOTSTRAP_KEY).await.expect(200).json();
    assert_eq!(users["sessions"].as_array().unwrap().len(), 2);
    let shown = revoke(&server, true).await;
    assert_eq!((&shown["revoked"], shown["sample"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{shown}");
    assert_eq!(revoke(&server, false).await["revoked"], 2);
    assert!(!server.stands(&opened.access).await && !server.stands(&second.access).await);
    server.send_json("POST", "/v1/cleanup", BOOTSTRAP_KEY, &json!({ "dry_run": true })).await.expect(200);
    assert_eq!(answered(), (on_the_replica + 3, on_the_primary));
}

async fn revoke(server: &Server, dry_run: bool) -> Value {
    let body = json!({ "filter": { "user_id": "alice" }, "dry_run": dry_run });
    server.send_json("POST", "/v1/sessions/revoke", BOOTSTRAP_KEY, &body).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_not_known_to_be_current_is_left_out_until_it_is() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let first = serve(primary.url(), standby.url()).await;
    standby.catch_up(&primary).await;
    standby.run("SELECT pg_wal_replay_pause()").await;
    first.open("alice").await;
    drop(first);

    let server = serve(primary.url(), standby.url()).await;
    assert_eq!(found(&server, "alice").await, 1);
    let (on_the_replica, on_the_primary) = answered();
    assert!(on_the_primary >= 1);
    standby.run("SELECT pg_wal_replay_resume()").await;
    standby.catch_up(&primary).await;
    let until_used = async {
        while answered().0 == on_the_replica {
            assert_eq!(found(&server, "alice").await, 1);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until_used).await.expect("it is never used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_replica_that_can_be_used_searches_go_to_the_primary() {
    let primary = Cluster::start(&[]).await;
    let nobody = format!("postgres://postgres@127.0.0.1:{}/postgres", free_port());
    // One URL has no server, the other leads to no standby.
    for url in [nobody, primary.url()] {
        let server = serve(primary.url(), url.clone()).await;
        let before = answered();
        server.open("alice").await;
        assert!(found(&server, "alice").await > 0, "{url}");
        assert_eq!(answered(), (before.0, before.1 + 1), "{url}");
        assert!(has_problem(&server).await, "{url}");
    }
}

/// The old primary has written more than the new one, so by position alone its standby would be current.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_of_the_old_primary_is_not_taken_for_one_of_the_new() {
    let old = Cluster::start(&[]).await;
    drop(serve(old.url(), old.url()).await);
    let (new, left_behind) = (old.add_standby("new").await, old.add_standby("left_behind").await);
    new.promote().await;
    let only = serve(new.url(), new.url()).await;
    only.open("alice").await;
    drop(only);
    let mut raw = old.connect().await.unwrap();
    for statement in ["CREATE TABLE more ()", "SELECT pg_switch_wal()", "DROP TABLE more"] {
        sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
    }
    left_behind.catch_up(&old).await;

    let server = serve(new.url(), left_behind.url()).await;
    assert_eq!(found(&server, "alice").await, 1);
    assert_eq!(answered(), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_goes_away_is_not_noticed_by_clients() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let server = serve(primary.url(), standby.url()).await;
    server.open("alice").await;
    standby.catch_up(&primary).await;
    assert_eq!(found(&server, "alice").await, 1);
    assert_eq!(answered(), (1, 0));
    assert!(!has_problem(&server).await);
    drop(standby);
    assert_eq!(found(&server, "alice").await, 1);
    assert_eq!(answered(), (1, 1));
}

/// PostgreSQL's error when replay removes rows that a search still reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_with_recovery_is_a_search_that_took_too_long() {
    const CONFLICT: &str = "
        ALTER TABLE statistics_progress RENAME TO progress_rows;
        CREATE FUNCTION conflict() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            IF pg_is_in_recovery() THEN
                RAISE EXCEPTION 'canceling statement due to conflict with recovery' USING ERRCODE = '40001';
            END IF;
            RETURN TRUE;
        END $$;
        CREATE VIEW statistics_progress AS SELECT * FROM progress_rows WHERE conflict()";
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let server = serve(primary.url(), standby.url()).await;
    let mut raw = primary.connect().await.unwrap();
    sqlx::raw_sql(CONFLICT).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    standby.catch_up(&primary).await;
    server.send("GET", "/v1/stats", BOOTSTRAP_KEY).await.expect_problem(422, "search_too_broad");
    assert_eq!(answered(), (1, 0));
}
