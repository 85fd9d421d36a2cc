//! Many rows change at once: the database is killed meanwhile (FT-04), several replicas clean up under load (FT-20).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use sojourn::failpoints::Failpoint;
use sqlx::{ConnectOptions as _, PgConnection};

use super::cluster::Cluster;
use super::flaw::Flaw;
use super::replicas::{Replica, Subject, until};
use super::slow_fault_tests;
use super::verdict::{Verdict, milliseconds};
use crate::support::database::TestDatabase;

slow_fault_tests! {
    ending_all_is_done_wholly_or_not_at_all: killed_meanwhile, Flaw::None;
    ending_one_after_the_other_is_noticed: killed_meanwhile, Flaw::Code(Failpoint::EndOneByOne);

    three_replicas_that_clean_up_delete_nothing_that_is_kept: clean_up_together, Flaw::None;
    a_clean_up_that_comes_too_early_is_noticed: clean_up_together, Flaw::Code(Failpoint::CleanEarly);
}

async fn killed_meanwhile(flaw: Flaw) -> Verdict {
    // As many rows as one statement ends.
    const MANY: i64 = 5000;
    let mut verdict = Verdict::new("FT-04", "PR-1", "all or nothing; the repeat completes; counts are true");
    let mut cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    let subject = replica.open("alice").await.unwrap();
    let mut connection = cluster.connect().await.unwrap();
    copy(&mut connection, &subject, MANY - 1, "30 days").await;

    let ended = "SELECT count(*) FROM sessions WHERE user_id = 'alice' AND ended_at IS NOT NULL";
    let running = format!(
        "SELECT count(*) + ({ended}) FROM pg_stat_activity
        WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%UPDATE sessions SET ended_at%'"
    );
    let kill = async {
        until("the statement", async || count(&mut connection, &running).await > 0).await;
        cluster.kill();
    };
    let (reply, ()) = tokio::join!(replica.administer("DELETE", "/v1/users/alice/sessions", None), kill);
    cluster.start_again().await;
    let mut connection = cluster.connect().await.unwrap();
    let done = count(&mut connection, ended).await;
    verdict.measured("ended when it was killed", format!("{done} of {MANY}"));
    verdict.must(done == 0 || done == MANY, format!("{done} of {MANY} are ended"));
    verdict.must(reply.status == Some(503), format!("{reply:?}"));
    let mut answered = 0;
    until("the repeat", async || {
        let reply = replica.administer("DELETE", "/v1/users/alice/sessions", None).await;
        answered = reply.body["ended"].as_i64().unwrap_or_default();
        reply.status == Some(200)
    })
    .await;
    verdict.must(answered == MANY - done, format!("{answered} were said to be ended, {} were", MANY - done));
    let done = count(&mut connection, ended).await;
    verdict.must(done == MANY, format!("{done} of {MANY} are ended in the end"));

    let live = replica.open("bob").await.unwrap();
    copy(&mut connection, &live, MANY, "-31 days").await;
    let expired = "SELECT count(*) FROM sessions WHERE user_id = 'bob' AND expires_at < now()";
    let running = format!(
        "SELECT count(*) + {MANY} - ({expired}) FROM pg_stat_activity
        WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%DELETE FROM sessions%'"
    );
    let kill = async {
        until("the statement", async || count(&mut connection, &running).await > 0).await;
        cluster.kill();
    };
    tokio::join!(replica.administer("POST", "/v1/cleanup", None), kill);
    cluster.start_again().await;
    let mut connection = cluster.connect().await.unwrap();
    let left = count(&mut connection, expired).await;
    verdict.measured("cleaned up when it was killed", format!("{} of {MANY}", MANY - left));
    let mut answered = 0;
    until("the repeat", async || {
        let reply = replica.administer("POST", "/v1/cleanup", None).await;
        answered = reply.body["deleted"].as_i64().unwrap_or_default();
        reply.status == Some(200)
    })
    .await;
    verdict.must(answered == left, format!("{answered} were said to be deleted, {left} were there"));
    verdict.must(count(&mut connection, expired).await == 0, "the repeat does not complete");
    verdict.must(replica.verify(&live.token).await.status == Some(200), "an active session was deleted");
    verdict
}

async fn clean_up_together(flaw: Flaw) -> Verdict {
    const EXPIRED: i64 = 100_000;
    const EDGE: i64 = 1000;
    let mut verdict = Verdict::new("FT-20", "cleanup", "0 kept rows deleted; done in 60 s; checks go on");
    let database = TestDatabase::postgres().await;
    let start = |number| Replica::start(number, database.url(), flaw, &[]);
    let replicas = [start(0), start(1), start(2)];
    let subject = replicas[0].open("alice").await.unwrap();
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let mut connection = options.disable_statement_logging().connect().await.unwrap();
    copy(&mut connection, &subject, EXPIRED, "-31 days").await;
    // Expired an hour less than the retention ago, so that they are kept.
    copy(&mut connection, &subject, EDGE, "-29 days -23 hours").await;
    // Active for ten more minutes.
    copy(&mut connection, &subject, EDGE, "10 minutes").await;
    let rows = "SELECT count(*) FROM sessions";

    let before = slowest_but_one_percent(&replicas[0], &subject, async || true).await;
    let started = Instant::now();
    let left = async || {
        let mut other = database.url().parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
        count(&mut other, rows).await - 2 * EDGE - 1
    };
    let clean = join_all(replicas.iter().map(async |replica| {
        let mut deleted = 0;
        loop {
            let reply = replica.administer("POST", "/v1/cleanup", Some(&json!({}))).await;
            match (reply.status, reply.body["deleted"].as_i64()) {
                (Some(200), Some(0)) => return deleted,
                (Some(200), Some(count)) => deleted += count,
                _ => assert!(started.elapsed() < Duration::from_mins(1), "{reply:?}"),
            }
        }
    }));
    let clean = async {
        let deleted: i64 = clean.await.into_iter().sum();
        (deleted, started.elapsed())
    };
    let (during, (deleted, took)) =
        tokio::join!(slowest_but_one_percent(&replicas[1], &subject, async || left().await <= 0), clean);
    verdict.within("clean-up", took, Duration::from_mins(1));
    verdict.measured("p99 of checks before", milliseconds(before));
    // A bound far above the usual time and far below the time that a locked table would cost.
    verdict.within("p99 of checks meanwhile", during, Duration::from_millis(500));
    let left = left().await;
    verdict.must(left == 0, format!("{left} rows more than are kept"));
    verdict.must(deleted == EXPIRED, format!("{deleted} were said to be deleted of {EXPIRED}"));
    verdict.must(replicas[0].verify(&subject.token).await.status == Some(200), "an active session was deleted");
    verdict
}

/// Checks until a condition holds, at least five hundred times, and returns the 99th percentile.
async fn slowest_but_one_percent(replica: &Replica, subject: &Subject, enough: impl AsyncFn() -> bool) -> Duration {
    let mut took = Vec::new();
    let limit = Instant::now() + Duration::from_mins(1);
    loop {
        for _ in 0..500 {
            took.push(replica.verify(&subject.token).await.took);
        }
        if enough().await || Instant::now() > limit {
            took.sort();
            return took[took.len() * 99 / 100];
        }
    }
}

/// Inserts `count` copies of a session that end `until` from now.
async fn copy(connection: &mut PgConnection, subject: &Subject, count: i64, until: &str) {
    let copy = "INSERT INTO sessions SELECT copy.* FROM sessions, generate_series(1, $2) AS number,
        LATERAL jsonb_populate_record(sessions, jsonb_build_object(
            'id', gen_random_uuid(), 'browser', number,
            'expires_at', now() + $3::interval, 'absolute_expires_at', now() + $3::interval)) AS copy
        WHERE sessions.id = $1::uuid";
    sqlx::query(copy).bind(&subject.id).bind(count).bind(until).execute(connection).await.unwrap();
}

#[expect(clippy::disallowed_methods, reason = "queries of tests are written here")]
async fn count(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(connection).await.unwrap()
}
