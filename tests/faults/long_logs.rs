//! A long change log: restored from a dump with positions of another cluster, unsettled because of a transaction
//! elsewhere, or read by many listeners at once. Revocations are answered all the while, and rows are not read again
//! and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::cluster::Cluster;
use super::flaw::Flaw;
use super::replicas::{LIMIT, Replica, time_until, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};

fault_tests! {
    a_restored_log_is_read_once: |flaw| restored_log(flaw, 20_000), Flaw::None;
}

slow_fault_tests! {
    a_long_restored_log_holds_nobody_up: |flaw| restored_log(flaw, 400_000), Flaw::None;

    a_transaction_in_another_database_does_not_make_the_log_be_read_again: unsettled_log, Flaw::None;

    listeners_that_come_back_together_hold_up_nobody_who_asks_what_was_ended: many_listeners, Flaw::None;
}

/// The number of requests for the list, four a second.
const LISTS: u32 = 24;
/// Age of the log from which on the cache is not trusted any more.
const LOG_AGE: Duration = Duration::from_millis(1500);
/// Rows of the log read so far, by any plan.
const ROWS_READ: &str = "SELECT coalesce(sum(seq_tup_read), 0)::bigint + (
        SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE relname = 'changes'
    ) FROM pg_stat_user_tables WHERE relname = 'changes'";

/// Rows that a dump brought along: half are endings of days ago, half are other changes, and a few are recent endings.
async fn restored_log(flaw: Flaw, rows: i64) -> Verdict {
    const AHEAD: i64 = 1_000_000;
    const RECENT: i64 = 100;
    let mut verdict = Verdict::new("restore", "PR-4", "revocations told 24 times of 24; rows read once and deleted");
    let cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    replica.process().kill();
    cluster
        .run(&format!(
            "INSERT INTO changes (transaction_id, kind, subject_id, user_id, reason, at)
             SELECT ({AHEAD} + n)::text::xid8,
                    CASE WHEN n % 2 = 0 OR n <= {RECENT} THEN 'session_ended' ELSE 'user_changed' END,
                    CASE WHEN n % 2 = 0 OR n <= {RECENT} THEN gen_random_uuid() END, 'alice',
                    CASE WHEN n % 2 = 0 OR n <= {RECENT} THEN 'logout' END,
                    CASE WHEN n <= {RECENT} THEN now() - interval '5 seconds'
                         WHEN n % 2 = 0 THEN now() - interval '2 days' END
             FROM generate_series(1, {rows}) AS n"
        ))
        .await;
    cluster.run("ANALYZE changes").await;
    replica.start_again().await;
    let first = time_until(LIMIT, async || replica.revocations(None).await.status == Some(200)).await;
    verdict.within("first list", first, LIMIT / 2);
    let told = replica.revocations(None).await.body["revoked"].as_array().map_or(0, Vec::len);
    verdict.must(told == usize::try_from(RECENT).unwrap(), format!("{told} of {RECENT} recent ends are told"));

    let read = read_meanwhile(&mut verdict, &cluster, &replica).await;
    verdict.must(read <= rows, format!("{read} rows were read within seconds, of {rows}"));
    let subject = replica.open("bob").await.unwrap();
    assert_eq!(replica.administer("DELETE", &format!("/v1/sessions/{}", subject.id), None).await.status, Some(204));
    let heard = async || replica.revocations(None).await.body.to_string().contains(&subject.id);
    verdict.must(time_until(LIMIT, heard).await < LIMIT, "an end is never told");
    let left =
        cluster.number(&format!("SELECT count(*) FROM changes WHERE transaction_id::text::bigint > {AHEAD}")).await;
    verdict.measured("rows left", format!("{left} of {rows}"));
    verdict
}

/// A transaction with a number runs in another database of the cluster, so nothing after it is settled.
async fn unsettled_log(flaw: Flaw) -> Verdict {
    const ROWS: i64 = 50_000;
    let mut verdict =
        Verdict::new("long transaction", "PR-4", "revocations told 24 times of 24; rows not read at each look");
    let cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    cluster.run("CREATE DATABASE other").await;
    let options: sqlx::postgres::PgConnectOptions = cluster.url().parse().unwrap();
    let mut other = options.database("other").connect().await.unwrap();
    let mut long = other.begin().await.unwrap();
    long.execute("SELECT pg_current_xact_id()").await.unwrap();
    for _ in 0..10 {
        let rows = ROWS / 10;
        cluster
            .run(&format!(
                "INSERT INTO changes (kind, user_id) SELECT 'user_changed', 'alice' FROM generate_series(1, {rows})"
            ))
            .await;
    }
    // Every row is read once.
    tokio::time::sleep(Duration::from_secs(2)).await;
    until("the list", async || replica.revocations(None).await.status == Some(200)).await;
    let read = read_meanwhile(&mut verdict, &cluster, &replica).await;
    verdict.must(read <= ROWS, format!("{read} rows were read within seconds, of {ROWS}"));
    // An ending behind these rows is still reported.
    let subject = replica.open("bob").await.unwrap();
    assert_eq!(replica.administer("DELETE", &format!("/v1/sessions/{}", subject.id), None).await.status, Some(204));
    until("the end", async || replica.revocations(None).await.body.to_string().contains(&subject.id)).await;
    long.rollback().await.unwrap();
    verdict
}

/// Requests the list repeatedly, which must always succeed, and returns how many rows of the log were read meanwhile.
async fn read_meanwhile(verdict: &mut Verdict, cluster: &Cluster, replica: &Replica) -> i64 {
    read_meanwhile_but(0, verdict, cluster, replica).await
}

/// As [`read_meanwhile`], but `refused` requests may fail: clients and server share a processor.
async fn read_meanwhile_but(refused: u32, verdict: &mut Verdict, cluster: &Cluster, replica: &Replica) -> i64 {
    // A backend publishes its statistics at most once a second.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let before = cluster.number(ROWS_READ).await;
    let mut told = 0;
    for _ in 0..LISTS {
        told += u32::from(replica.revocations(None).await.status == Some(200));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let read = cluster.number(ROWS_READ).await - before;
    verdict.measured("lists", format!("{told} of {LISTS}"));
    verdict.measured("rows read meanwhile", read);
    verdict.must(told + refused >= LISTS, format!("{} of {LISTS} lists were refused", LISTS - told));
    read
}

/// Listeners that reconnect after very many endings.
async fn many_listeners(flaw: Flaw) -> Verdict {
    const LISTENERS: usize = 30;
    const ENDS: i64 = 100_000;
    let mut verdict =
        Verdict::new("listeners", "PR-4", "revocations told 20 times of 24 on a busy machine; the log's age 1.5 s");
    let cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    let place = replica.events(None).await.next().await.unwrap().id;
    // Old enough to be in no list of endings that matter.
    cluster
        .run(&format!(
            "INSERT INTO changes (kind, subject_id, user_id, reason, at)
             SELECT 'session_ended', gen_random_uuid(), 'alice', 'logout', now() - interval '20 minutes'
             FROM generate_series(1, {ENDS})"
        ))
        .await;
    cluster.run("ANALYZE changes").await;
    until("the list", async || replica.revocations(None).await.status == Some(200)).await;

    let (heard, done) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
    let listeners: Vec<_> = (0..LISTENERS)
        .map(|_| {
            let (replica, place, heard) = (Arc::clone(&replica), place.clone(), Arc::clone(&heard));
            tokio::spawn(async move {
                // A refused listener reconnects with its last position.
                let mut place = place;
                loop {
                    let mut stream = replica.events(Some(&place)).await;
                    while let Some(message) = stream.next().await {
                        if !message.id.is_empty() {
                            place = message.id;
                        }
                        heard.fetch_add(usize::from(message.event == "session.ended"), Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let age = async {
        let mut ages = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let age = replica.metric("sojourn_change_log_age_seconds").await;
            ages.push(Duration::try_from_secs_f64(age).unwrap_or(Duration::MAX / 4));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ages
    };
    let lists = async {
        until("the listeners", async || heard.load(Ordering::Relaxed) > 1000).await;
        read_meanwhile_but(LISTS / 6, &mut verdict, &cluster, &replica).await;
        done.store(true, Ordering::Relaxed);
    };
    let (ages, ()) = tokio::join!(age, lists);
    for listener in &listeners {
        listener.abort();
    }
    drop(join_all(listeners).await);
    verdict.measured("ends heard", heard.load(Ordering::Relaxed));
    verdict.usually_within("the log's age", ages, LOG_AGE);
    verdict
}
