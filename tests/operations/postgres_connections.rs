//! Connections to PostgreSQL: the choice of host, the settings, and refusals.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;
use sojourn::clock::{Clock as _, SystemClock};
use sojourn::model::{UserDetails, UserId};
use sojourn::store::{self, OpenError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use crate::faults::cluster::{Cluster, free_port};
use crate::support::database::TestDatabase;
use crate::support::process::{Folder, SECRET};
use crate::support::proxy::Proxy;
use crate::support::server::{BOOTSTRAP_KEY, Server, answer};

/// Records `synchronous_commit` of each connection that opens a session.
const NOTE_COMMIT: &str = "
    CREATE TABLE noted (value TEXT NOT NULL);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO noted SELECT current_setting('synchronous_commit');
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION note()";

fn of_hosts(ports: &[u16]) -> String {
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://postgres@{}/postgres?target_session_attrs=read-write", hosts.join(","))
}

/// The line that a failing command prints for the operator.
fn refusal(database_url: &str) -> String {
    let folder = Folder::new();
    let mut program = folder.program();
    let output =
        program.args(["migrate", "--database-url", database_url]).env("SOJOURN_SECRET", SECRET).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{told}");
    let lines: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("sojourn: ")).collect();
    assert_eq!(lines.len(), 1, "{told}");
    lines[0].to_owned()
}

async fn until_opened(server: &Server) {
    let started = Instant::now();
    let body = json!({ "user_id": "alice" });
    loop {
        let opened = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await;
        if opened.status == 201 {
            return;
        }
        opened.expect_problem(503, "unavailable");
        assert!(started.elapsed() < Duration::from_secs(20), "it never comes back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_the_one_that_takes_writes_is_used() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    // A port that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let others = [free_port(), standby.port(), silent.local_addr().unwrap().port()];
    for ports in others.map(|other| [other, primary.port()]) {
        let store = store::open(&of_hosts(&ports), 2).await.unwrap();
        let alice = UserId::parse("alice").unwrap();
        store.put_user(&alice, &UserDetails::default(), SystemClock.now(), None).await.unwrap();
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_fail_over_the_server_comes_back_by_itself() {
    let mut primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let server = Server::builder().start_at(of_hosts(&[primary.port(), standby.port()])).await;
    server.follows().await;
    let before = server.open("alice").await;
    standby.catch_up(&primary).await;

    primary.kill();
    answer(server.request("GET", "/readyz")).await.expect_problem(503, "database");
    standby.promote().await;
    until_opened(&server).await;
    assert!(server.stands(&before.access).await);
    let admin = server.key("sessions:admin").await;
    server.send("DELETE", &format!("/v1/sessions/{}", before.id), &admin).await.expect(204);
    assert!(!server.stands(&before.access).await);
    server.follows().await;
}

/// A host behind a firewall that drops packets: connections stay open, and no answer arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_hangs_is_left_for_the_new_one() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let (proxy, through) = Proxy::start(&primary.url()).await;
    let port = through.parse::<PgConnectOptions>().unwrap().get_port();
    let server = Server::builder().start_at(of_hosts(&[port, standby.port()])).await;
    let before = server.open("alice").await;
    standby.catch_up(&primary).await;
    proxy.block();
    standby.promote().await;
    until_opened(&server).await;
    assert!(server.stands(&before.access).await);
}

/// The old primary still answers, and yet its connections must not be used any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_takes_no_writes_any_more_is_left_although_it_answers() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let server = Server::builder().start_at(of_hosts(&[primary.port(), standby.port()])).await;
    let before = server.open("alice").await;
    standby.catch_up(&primary).await;
    let mut raw = primary.connect().await.unwrap();
    for statement in ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"] {
        sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
    }
    until_read_only(&primary).await;

    let refused = server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &json!({ "user_id": "alice" })).await;
    refused.expect_problem(503, "unavailable");
    standby.promote().await;
    until_opened(&server).await;
    let left = "SELECT count(*) FROM sessions";
    let mut new = PgConnection::connect(&standby.url()).await.unwrap();
    let on_the_old: i64 = sqlx::query_scalar(left).fetch_one(&mut raw).await.unwrap();
    let on_the_new: i64 = sqlx::query_scalar(left).fetch_one(&mut new).await.unwrap();
    assert_eq!((on_the_old, on_the_new), (1, 2));
    assert!(server.stands(&before.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_takes_writes_again_is_left_alone() {
    const OF_ALICE: &str = "SELECT count(*) FROM sessions WHERE user_id = 'alice'";
    let old = Cluster::start(&[]).await;
    let mut new = old.add_standby("standby").await;
    let hosts = of_hosts(&[old.port(), new.port()]);
    store::open(&hosts, 2).await.unwrap().close().await;
    new.catch_up(&old).await;
    new.promote().await;

    let server = Server::builder().start_at(hosts).await;
    server.open("alice").await;
    assert_eq!((old.number(OF_ALICE).await, new.number(OF_ALICE).await), (0, 1));
    new.stop();
    for _ in 0..20 {
        let body = json!({ "user_id": "alice" });
        server.send_json("POST", "/v1/sessions", BOOTSTRAP_KEY, &body).await.expect(503);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(old.number(OF_ALICE).await, 0);
}

async fn until_read_only(cluster: &Cluster) {
    loop {
        let mut fresh = cluster.connect().await.unwrap();
        let shown: String = sqlx::query_scalar("SHOW transaction_read_only").fetch_one(&mut fresh).await.unwrap();
        if shown == "on" {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_alone_is_waited_for_and_then_refused_by_name() {
    let primary = Cluster::start(&[]).await;
    let standby = primary.add_standby("standby").await;
    let url = standby.url();
    let told = tokio::task::spawn_blocking(move || refusal(&url)).await.unwrap();
    assert!(told.contains(&format!("127.0.0.1:{} is a standby", standby.port())), "{told}");

    // The same standby is promoted while the store waits.
    let url = standby.url();
    let opening = tokio::spawn(async move { store::open(&url, 2).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!opening.is_finished());
    standby.promote().await;
    opening.await.unwrap().unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipv6_address_is_connected_to() {
    let cluster = Cluster::start(&["listen_addresses=127.0.0.1,::1"]).await;
    let server = Server::builder().start_at(format!("postgres://postgres@[::1]:{}/postgres", cluster.port())).await;
    server.open("alice").await;
    let mut raw = cluster.connect().await.unwrap();
    let clients = "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE application_name = 'sojourn'";
    assert_eq!(sqlx::query_scalar::<_, String>(clients).fetch_all(&mut raw).await.unwrap(), ["::1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let cluster = Cluster::start(&[]).await;
    let mut raw = cluster.connect().await.unwrap();
    let create = "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'";
    sqlx::raw_sql(create).execute(&mut raw).await.unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/latin", cluster.port());
    assert!(matches!(store::open(&url, 2).await, Err(OpenError::Encoding { encoding, .. }) if encoding == "LATIN1"));
    let told = refusal(&url);
    assert!(told.contains("encoding LATIN1"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_stay_durable_whatever_is_set_after_the_start() {
    let cluster = Cluster::start(&[]).await;
    let server = Server::builder().start_at(cluster.url()).await;
    let mut raw = cluster.connect().await.unwrap();
    sqlx::raw_sql(NOTE_COMMIT).execute(&mut raw).await.unwrap();
    server.open("alice").await;
    for statement in [
        "ALTER SYSTEM SET synchronous_commit = off",
        "SELECT pg_reload_conf()",
        "ALTER ROLE postgres SET synchronous_commit = off",
        "ALTER DATABASE postgres SET synchronous_commit = off",
    ] {
        sqlx::raw_sql(statement).execute(&mut raw).await.unwrap();
    }
    // A backend reads the new file before its next statement, so once this one has, the server's have too.
    while sqlx::query_scalar::<_, String>("SHOW synchronous_commit").fetch_one(&mut raw).await.unwrap() != "off" {}
    server.open("alice").await;
    let others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sojourn'";
    sqlx::query(others).execute(&mut raw).await.unwrap();
    until_opened(&server).await;
    let noted: Vec<String> = sqlx::query_scalar("SELECT value FROM noted").fetch_all(&mut raw).await.unwrap();
    assert!(noted.len() >= 3 && noted.iter().all(|value| value == "on"), "{noted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stronger_and_weaker_commits_that_survive_a_crash_are_the_operators_choice() {
    for value in ["remote_apply", "remote_write", "local"] {
        let cluster = Cluster::start(&[&format!("synchronous_commit={value}")]).await;
        let server = Server::builder().start_at(cluster.url()).await;
        let mut raw = cluster.connect().await.unwrap();
        sqlx::raw_sql(NOTE_COMMIT).execute(&mut raw).await.unwrap();
        server.open("alice").await;
        let noted: Vec<String> = sqlx::query_scalar("SELECT value FROM noted").fetch_all(&mut raw).await.unwrap();
        assert_eq!(noted, [value]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_no_standby_is_waited_for_is_warned_of() {
    let cluster = Cluster::start(&["synchronous_commit=local", "synchronous_standby_names=other"]).await;
    let folder = Folder::new();
    let mut program = folder.program();
    let output =
        program.args(["migrate", "--database-url", &cluster.url()]).env("SOJOURN_SECRET", SECRET).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    let warnings = told.lines().filter(|line| line.contains("synchronous_commit is local")).count();
    assert_eq!(warnings, 1, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_url_says_and_the_server_does_not_know_is_named() {
    for (parameter, named) in [("connect_timeout=3", "connect_timeout"), ("target_session_attrs=any", "read-write")] {
        let told = refusal(&format!("postgres://u:hidden@127.0.0.1:1/db?{parameter}"));
        assert!(told.starts_with("DATABASE_URL") && told.contains(named) && !told.contains("hidden"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_handshake_is_told_with_what_helps() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        client.write_all(b"Sthis is no handshake").unwrap();
        while client.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
    });
    let told = refusal(&format!("postgres://u@127.0.0.1:{port}/db"));
    assert!(told.starts_with("TLS with the database at 127.0.0.1:"), "{told}");
    assert!(told.contains("sslmode=disable"), "{told}");
    server.join().unwrap();
}

/// Prepared statements get lost, as behind a pooler that gives each statement another connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_prepared_statements_are_named_at_the_start() {
    const LOSE: &str = "
        CREATE FUNCTION lose() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'prepared statement \"sqlx_s_1\" does not exist' USING ERRCODE = '26000';
        END $$;
        CREATE EVENT TRIGGER lose ON ddl_command_start EXECUTE FUNCTION lose()";
    let database = TestDatabase::empty_postgres().await;
    let mut raw = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql(LOSE).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let told = refusal(database.url());
    assert!(told.contains("prepared statement") && told.contains("pool_mode = session"), "{told}");
}
