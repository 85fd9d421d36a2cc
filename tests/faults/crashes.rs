//! A process is killed, or stopped and started again: the server's (FT-01), the database's (FT-02, FT-03).

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sojourn::failpoints::Failpoint;

use super::checker::{Allowed, check};
use super::cluster::Cluster;
use super::flaw::Flaw;
use super::load::{Load, seed};
use super::replicas::{Replica, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::database::TestDatabase;

fault_tests! {
    a_server_that_is_killed_has_lost_nothing_that_it_acknowledged: |flaw| killed_server(flaw, 1), Flaw::None;

    a_database_that_is_killed_has_lost_nothing_that_was_acknowledged: |flaw| killed_database(flaw, 1), Flaw::None;

    a_database_that_restarts_is_a_short_outage: |flaw| restarted_database(flaw, 1), Flaw::None;
}

slow_fault_tests! {
    a_server_that_is_killed_ten_times_has_lost_nothing: |flaw| killed_server(flaw, 10), Flaw::None;
    an_answer_before_the_write_is_noticed_when_the_server_is_killed:
        |flaw| killed_server(flaw, 2), Flaw::Code(Failpoint::AnswerBeforeWrite);

    a_database_that_is_killed_six_times_has_lost_nothing: |flaw| killed_database(flaw, 6), Flaw::None;
    a_commit_that_is_not_durable_is_noticed_when_the_database_is_killed:
        |flaw| killed_database(flaw, 5), Flaw::Code(Failpoint::RelaxedCommit);

    a_database_that_restarts_five_times_leaves_nothing_behind: |flaw| restarted_database(flaw, 5), Flaw::None;
    an_outage_that_passes_for_a_defect_is_noticed_when_the_database_restarts:
        |flaw| restarted_database(flaw, 2), Flaw::Code(Failpoint::OutageIsDefect);
}

const WRITERS: u64 = 4;
const CONNECTIONS: usize = 8;

async fn killed_server(flaw: Flaw, kills: u32) -> Verdict {
    let verdict = Verdict::new("FT-01", "PR-1", "0 lost, 0 stale; ready 1 s after the start");
    kill_server_on(&TestDatabase::postgres().await, verdict, flaw, kills).await
}

/// Kills a server several times while clients open, check and end sessions.
pub(super) async fn kill_server_on(database: &TestDatabase, mut verdict: Verdict, flaw: Flaw, kills: u32) -> Verdict {
    let replica = Replica::start(0, database.url(), flaw, &[]);
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let load = Load::start(std::slice::from_ref(&replica), WRITERS, seed);
    let mut restarts = Vec::new();
    for _ in 0..kills {
        work(&load, &mut random, kills > 5).await;
        restarts.push(replica.kill_and_start_again().await);
    }
    let history = load.stop().await;
    verdict.measured("kills", kills);
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict.usually_within("restart to ready", restarts, Duration::from_secs(1));
    verdict.measured("seed", seed);
    verdict
}

/// The database is configured not to wait for the disk and to write seldom: the server must override that.
async fn killed_database(flaw: Flaw, kills: u32) -> Verdict {
    let mut verdict = Verdict::new("FT-02", "PR-1, PR-12", "0 lost; service back 5 s after the database");
    let mut cluster = Cluster::start(&["synchronous_commit=off", "wal_writer_delay=10s"]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let load = Load::start(std::slice::from_ref(&replica), WRITERS, seed);
    let (mut recovery, mut back) = (Duration::ZERO, Duration::ZERO);
    for kill in 0..kills {
        work(&load, &mut random, kills > 5).await;
        if kill % 2 == 0 {
            cluster.kill();
        } else {
            cluster.stop_immediately();
        }
        recovery = recovery.max(cluster.start_again().await);
        back = back.max(until("service", async || replica.open("after").await.is_some()).await);
    }
    let history = load.stop().await;
    verdict.measured("kills", kills);
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict.measured("recovery of the database", super::verdict::milliseconds(recovery));
    verdict.within("service back", back, Duration::from_secs(5));
    verdict.measured("seed", seed);
    verdict
}

async fn restarted_database(flaw: Flaw, restarts: u32) -> Verdict {
    let mut verdict =
        Verdict::new("FT-03", "PR-12", "only 503; service back 3 s after the database; no connection left");
    let mut cluster = Cluster::start(&[]).await;
    let replica =
        Replica::start(0, &cluster.url(), flaw, &[("SOJOURN_DATABASE_CONNECTIONS", &CONNECTIONS.to_string())]);
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let load = Load::start(std::slice::from_ref(&replica), WRITERS, seed);
    let mut back = Duration::ZERO;
    for _ in 0..restarts {
        work(&load, &mut random, restarts > 2).await;
        cluster.stop();
        // The pause is longer than the server waits for a connection, so that some requests fail.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        cluster.start_again().await;
        back = back.max(until("service", async || replica.open("after").await.is_some()).await);
    }
    let history = load.stop().await;
    verdict.measured("restarts", restarts);
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict.within("service back", back, Duration::from_secs(3));
    let statuses = replica.statuses();
    verdict.measured("503 answers", statuses.get(&503).copied().unwrap_or_default());
    let known = [200, 201, 204, 401, 503];
    verdict.must(statuses.keys().all(|status| known.contains(status)), format!("answers: {statuses:?}"));
    let connections = cluster.count_backends();
    // Four further connections read the change log and probe the primary.
    let most = CONNECTIONS + 4;
    verdict.must(connections <= most, format!("{connections} connections of at most {most}"));
    verdict.measured("seed", seed);
    verdict
}

/// Lets the writers work for a random amount.
async fn work(load: &Load, random: &mut SmallRng, long: bool) {
    load.work(random.random_range(20..60) * if long { 6 } else { 1 }).await;
}
