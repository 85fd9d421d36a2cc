//! Faults in operation: the database's disk is full (FT-15), tables are altered meanwhile (FT-19), clients hang up
//! (FT-27).

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sojourn::failpoints::Failpoint;

use super::checker::{Allowed, check};
use super::cluster::Cluster;
use super::flaw::Flaw;
use super::history::{Event, History, Outcome};
use super::load::{Load, read_all, seed};
use super::replicas::{Replica, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::server::BOOTSTRAP_KEY;

/// A column that statements use is renamed.
const USED_COLUMN: Flaw = Flaw::Database("UsedColumn", "ALTER TABLE users RENAME COLUMN email TO address");

fault_tests! {
    a_full_disk_keeps_nobody_from_checking_and_ending_sessions: full_disk, Flaw::None;
    an_outage_that_passes_for_a_defect_is_noticed_on_a_full_disk: full_disk, Flaw::Code(Failpoint::OutageIsDefect);

    tables_that_are_altered_meanwhile_are_no_defect: altered_tables, Flaw::None;

    clients_that_hang_up_leave_nothing_behind: |flaw| hang_ups(flaw, 10), Flaw::None;
}

slow_fault_tests! {
    a_column_that_goes_is_noticed: altered_tables, USED_COLUMN;

    two_thousand_clients_that_hang_up_leave_nothing_behind: |flaw| hang_ups(flaw, 50), Flaw::None;
    an_answer_before_the_write_is_noticed_when_clients_hang_up:
        |flaw| hang_ups(flaw, 10), Flaw::Code(Failpoint::AnswerBeforeWrite);
}

const KNOWN: [u16; 5] = [200, 201, 204, 401, 503];

/// Inserts fail with PostgreSQL's error for a full disk; existing rows can be changed in place.
async fn full_disk(flaw: Flaw) -> Verdict {
    let mut verdict =
        Verdict::new("FT-15", "PR-11", "opening 503; checks and ends go on; nothing lost; back by itself");
    let mut cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    let history = History::new();
    let mut subjects = Vec::new();
    for number in 0..10 {
        subjects.push(replica.open(&format!("user-{number}")).await.unwrap());
    }
    cluster
        .run(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
             END $$;
             CREATE TRIGGER full_disk BEFORE INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
             CREATE TRIGGER full_disk BEFORE INSERT ON users FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
        )
        .await;
    for user in ["user-0", "somebody"] {
        let body = json!({ "user_id": user, "tokens": "session" });
        let reply = replica.administer("POST", "/v1/sessions", Some(&body)).await;
        verdict.must(reply.status == Some(503) && reply.retry_after.is_some(), format!("opening: {reply:?}"));
    }
    for subject in &subjects[..5] {
        verdict.must(replica.verify_strictly(&subject.token).await.status == Some(200), "a session cannot be checked");
        let outcome = replica.revoke(&history, subject).await;
        verdict.must(outcome == Outcome::Done, format!("an end is {outcome:?}"));
    }
    verdict.must(replica.get("/readyz").await.status == Some(200), "it says that it is not ready");
    cluster.kill();
    cluster.start_again().await;
    cluster.run("DROP FUNCTION full_disk() CASCADE").await;
    verdict.within(
        "service back",
        until("service", async || replica.open("after").await.is_some()).await,
        Duration::from_secs(5),
    );
    read_all(&[replica], &history, &subjects).await;
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict
}

/// Tables are altered as a newer version's migrations would, while the older version serves.
async fn altered_tables(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-19", "PR-12", "success or 503, never 500; nothing lost");
    let cluster = Cluster::start(&[]).await;
    let replicas = [Replica::start(0, &cluster.url(), flaw, &[]), Replica::start(1, &cluster.url(), flaw, &[])];
    let seed = seed();
    let load = Load::start(&replicas, 4, seed);
    load.work(20).await;
    for table in ["sessions", "users", "changes", "service_keys"] {
        cluster.run(&format!("ALTER TABLE {table} ADD COLUMN newer text")).await;
        load.work(10).await;
        cluster.run(&format!("ALTER TABLE {table} DROP COLUMN newer")).await;
        load.work(10).await;
    }
    let history = load.stop().await;
    // The flaw comes last, because opening and ending sessions would fail without the column.
    flaw.apply(&cluster.url()).await;
    let body = json!({ "email": "alice@example.com" });
    replicas[0].administer("PUT", "/v1/users/alice", Some(&body)).await;
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: Duration::from_millis(1500) }));
    for replica in &replicas {
        let statuses = replica.statuses();
        verdict.must(statuses.keys().all(|status| KNOWN.contains(status)), format!("answers: {statuses:?}"));
    }
    verdict.measured("seed", seed);
    verdict
}

/// Forty requests at a time whose clients hang up before the answer; the requests may have taken effect.
async fn hang_ups(flaw: Flaw, times: usize) -> Verdict {
    const SUBJECTS: usize = 40;
    const CONNECTIONS: usize = 8;
    let mut verdict = Verdict::new("FT-27", "PR-11", "no transaction left open; all connections free in 1 s");
    let cluster = Cluster::start(&[]).await;
    let settings = [("SOJOURN_DATABASE_CONNECTIONS", CONNECTIONS.to_string())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let replica = Replica::start(0, &cluster.url(), flaw, &settings);
    let history = History::new();
    let mut subjects = Vec::new();
    for number in 0..SUBJECTS {
        subjects.push(replica.open(&format!("user-{number}")).await.unwrap());
    }
    let address = replica.process().base.trim_start_matches("http://").to_owned();
    for round in 0..times {
        for (number, subject) in subjects.iter().enumerate() {
            let began = history.now();
            let (method, token) = match (round + number) % 3 {
                0 if number % 2 == 0 => ("DELETE", BOOTSTRAP_KEY),
                0 | 1 => ("GET", BOOTSTRAP_KEY),
                _ => ("GET", subject.token.as_str()),
            };
            let head = format!(
                "{method} /v1/sessions/{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n",
                subject.id
            );
            let mut client = TcpStream::connect(&address).unwrap();
            client.write_all(head.as_bytes()).unwrap();
            drop(client);
            if method == "DELETE" {
                history.add(subject.number, 0, Event::Revoke(Outcome::Unknown), began);
            }
        }
    }
    let open = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
    let took = until("no open transaction", async || cluster.number(open).await == 0).await;
    verdict.within("open transactions gone", took, Duration::from_secs(1));
    let (kept, ended): (Vec<_>, Vec<_>) = subjects.iter().enumerate().partition(|(number, _)| number % 2 == 1);
    let replies = join_all(kept.iter().map(|(_, subject)| replica.verify_strictly(&subject.token))).await;
    let slowest = replies.iter().map(|reply| reply.took).max().unwrap_or_default();
    let odd = replies.iter().find(|reply| reply.status != Some(200));
    verdict.must(odd.is_none(), format!("a session that nobody ended: {odd:?}"));
    verdict.within("all connections free", slowest, Duration::from_secs(1));
    for (_, subject) in &ended {
        assert_eq!(replica.revoke(&history, subject).await, Outcome::Done);
    }
    let ended: Vec<_> = ended.into_iter().map(|(_, subject)| std::sync::Arc::clone(subject)).collect();
    read_all(&[replica], &history, &ended).await;
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict.measured("hung up", times * SUBJECTS);
    verdict
}
