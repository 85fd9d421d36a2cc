//! Overload: all connections of a server are busy (FT-13), or many servers want more connections than there are
//! (FT-21).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sojourn::failpoints::Failpoint;
use sqlx::{ConnectOptions as _, Connection as _};

use super::cluster::Cluster;
use super::flaw::Flaw;
use super::history::{History, Outcome};
use super::replicas::{Replica, time_until, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::database::TestDatabase;

fault_tests! {
    a_request_that_finds_all_connections_busy_is_refused_soon: busy_connections, Flaw::None;

    an_end_finds_a_connection_when_all_others_are_busy: reserved_connection, Flaw::None;
}

slow_fault_tests! {
    a_wait_for_a_connection_without_end_is_noticed: busy_connections, Flaw::Code(Failpoint::PatientPool);

    an_end_that_finds_no_connection_is_noticed: reserved_connection, Flaw::Code(Failpoint::NoReserve);

    ten_servers_that_want_more_connections_than_there_are_all_serve: connection_storm, Flaw::None;
    an_outage_that_passes_for_a_defect_is_noticed_in_a_connection_storm:
        connection_storm, Flaw::Code(Failpoint::OutageIsDefect);
}

const CONNECTIONS: usize = 5;
const FEW: [(&str, &str); 1] = [("SOJOURN_DATABASE_CONNECTIONS", "5")];

/// Fifty changes of a session whose row another transaction has locked, with five connections.
async fn busy_connections(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-13", "PR-11", "503 with Retry-After in 1.5 s; health 100 ms; back in 2 s");
    let database = TestDatabase::postgres().await;
    let replica = Replica::start(0, database.url(), flaw, &FEW);
    let subject = replica.open("alice").await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let mut other = options.connect().await.unwrap();
    let mut tx = other.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM sessions WHERE id = $1::uuid FOR UPDATE").bind(&subject.id);
    lock.execute(&mut *tx).await.unwrap();

    let (path, change) = (format!("/v1/sessions/{}", subject.id), json!({ "device_name": "Phone" }));
    let changes = join_all((0..50).map(|_| replica.administer("PATCH", &path, Some(&change))));
    let health = replica.watch_health(40);
    let (changes, health) = tokio::join!(changes, health);
    tx.rollback().await.unwrap();
    let back =
        until("service", async || replica.administer("PATCH", &path, Some(&change)).await.status == Some(200)).await;

    let odd = changes.iter().find(|reply| reply.status != Some(503) || reply.retry_after.is_none());
    verdict.must(odd.is_none(), format!("{odd:?}"));
    // Requests with a connection wait for the lock, all others wait for a connection.
    let mut took: Vec<Duration> = changes.iter().map(|reply| reply.took).collect();
    took.sort();
    let slowest = took[took.len() - CONNECTIONS - 1];
    // Half a second more than the server's timeout: the requests come at once and share two cores.
    verdict.within("refusal without a connection", slowest, Duration::from_millis(1500));
    verdict.within("refusal with one", took[took.len() - 1], Duration::from_millis(4500));
    verdict.usually_within("health", health, Duration::from_millis(100));
    verdict.within("service back", back, Duration::from_secs(2));
    verdict
}

/// One session can be ended while all connections wait for another's row.
async fn reserved_connection(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-13 reserve", "PR-11", "an end is acknowledged in 1 s");
    let database = TestDatabase::postgres().await;
    let replica = Replica::start(0, database.url(), flaw, &FEW);
    let (locked, free) = (replica.open("alice").await.unwrap(), replica.open("bob").await.unwrap());
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let (mut other, mut watch) = (options.connect().await.unwrap(), options.connect().await.unwrap());
    let mut tx = other.begin().await.unwrap();
    let lock = sqlx::query("SELECT FROM sessions WHERE id = $1::uuid FOR UPDATE").bind(&locked.id);
    lock.execute(&mut *tx).await.unwrap();

    let (path, change) = (format!("/v1/sessions/{}", locked.id), json!({ "device_name": "Phone" }));
    let changes = join_all((0..20).map(|_| replica.administer("PATCH", &path, Some(&change))));
    let history = History::new();
    let end = async {
        until("the lock", async || {
            let waiting = "SELECT count(*) >= 2 FROM pg_stat_activity
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            sqlx::query_scalar(waiting).fetch_one(&mut watch).await.unwrap()
        })
        .await;
        let began = history.now();
        (replica.revoke(&history, &free).await, history.since(began))
    };
    let (_, (outcome, took)) = tokio::join!(changes, end);
    tx.rollback().await.unwrap();
    verdict.must(outcome == Outcome::Done, format!("the end is {outcome:?}"));
    verdict.within("end", took, Duration::from_secs(1));
    verdict
}

async fn connection_storm(flaw: Flaw) -> Verdict {
    const SERVERS: usize = 10;
    const MAX_WAIT: Duration = Duration::from_secs(15);
    let mut verdict = Verdict::new("FT-21", "PR-11, PR-12", "all ready in 15 s; only 503 for want of connections");
    let mut cluster = Cluster::start(&["max_connections=60"]).await;
    let url = cluster.url();
    // The first server creates the tables, so that the others only have to connect.
    let first = Replica::start(0, &url, flaw, &[]);
    let started = std::time::Instant::now();
    let start = |number| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || Replica::start(number, &url, flaw, &[]))
    };
    let mut replicas: Vec<_> = join_all((1..SERVERS).map(start)).await.into_iter().map(Result::unwrap).collect();
    replicas.push(first);
    join_all(replicas.iter().map(|replica| replica.until_ready())).await;
    verdict.within("all started", started.elapsed(), MAX_WAIT);

    let storm = async || {
        join_all(replicas.iter().map(|replica| {
            join_all((0..16).map(async |client| {
                for _ in 0..4 {
                    replica.open(&format!("user-{}-{client}", replica.number())).await;
                }
            }))
        }))
        .await
    };
    storm().await;
    let connections = cluster.count_backends();
    cluster.stop();
    cluster.start_again().await;
    let restarted = std::time::Instant::now();
    storm().await;
    join_all(replicas.iter().map(async |replica| {
        time_until(MAX_WAIT, async || replica.open("after").await.is_some()).await;
        time_until(MAX_WAIT, async || replica.get("/readyz").await.status == Some(200)).await;
    }))
    .await;
    verdict.within("all back after a restart", restarted.elapsed(), MAX_WAIT);
    let mut refused = 0;
    for replica in &replicas {
        let statuses = replica.statuses();
        refused += statuses.get(&503).copied().unwrap_or_default();
        verdict.must(statuses.keys().all(|status| [201, 503].contains(status)), format!("answers: {statuses:?}"));
    }
    verdict.measured("connections", connections);
    verdict.measured("503", refused);
    verdict.must(refused > 0 || connections >= 50, "it was no storm");
    verdict
}
