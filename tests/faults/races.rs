//! Concurrent requests: the same one twice (FT-18), statements that the database refuses because of another (FT-22),
//! refreshes of one token (FT-23), a refresh and an end (FT-24).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use sojourn::failpoints::Failpoint;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::checker::{Allowed, check};
use super::flaw::Flaw;
use super::history::{History, Outcome};
use super::load::seed;
use super::replicas::{Replica, Reply, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::database::TestDatabase;

/// Deletes a request's idempotency key as soon as it is done.
const FORGETFUL: Flaw = Flaw::Database(
    "ForgetfulKeys",
    "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN DELETE FROM idempotency_keys WHERE key = NEW.key; RETURN NULL; END $$;
     CREATE CONSTRAINT TRIGGER forget AFTER INSERT ON idempotency_keys DEFERRABLE INITIALLY DEFERRED
     FOR EACH ROW EXECUTE FUNCTION forget();",
);

/// Every repeat of a refresh gets a successor of its own, as if reading and writing were two statements.
const FORK: Flaw = Flaw::Database(
    "ReadThenWrite",
    "CREATE FUNCTION fork() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN NEW.refresh_counter := NEW.refresh_counter + 1; RETURN NEW; END $$;
     CREATE TRIGGER fork BEFORE UPDATE ON sessions FOR EACH ROW
     WHEN (NEW.refresh_repeated AND NEW.refresh_counter = OLD.refresh_counter AND NEW.ended_at IS NULL)
     EXECUTE FUNCTION fork();",
);

/// A refresh undoes a concurrent end, as if it wrote back the whole row that it had read before.
const LOST_UPDATE: Flaw = Flaw::Database(
    "LostUpdate",
    "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN NEW.ended_at := NULL; NEW.end_reason := NULL; RETURN NEW; END $$;
     CREATE TRIGGER lose BEFORE UPDATE ON sessions FOR EACH ROW
     WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL AND OLD.refresh_counter > 0) EXECUTE FUNCTION lose();",
);

fault_tests! {
    a_request_that_comes_twice_does_what_it_does_once: duplicates, Flaw::None;
    a_key_that_is_forgotten_is_noticed_when_requests_come_twice: duplicates, FORGETFUL;

    a_statement_that_another_keeps_from_happening_is_no_defect: conflicts, Flaw::None;

    fifty_clients_that_refresh_one_token_get_one_successor: |flaw| contested_refreshes(flaw, 8), Flaw::None;
    a_refresh_that_reads_before_it_writes_is_noticed: |flaw| contested_refreshes(flaw, 4), FORK;

    an_end_that_meets_a_refresh_leaves_no_token: |flaw| refresh_meets_end(flaw, 25), Flaw::None;
    an_end_that_is_written_over_is_noticed: |flaw| refresh_meets_end(flaw, 20), LOST_UPDATE;
}

slow_fault_tests! {
    an_outage_that_passes_for_a_defect_is_noticed_when_statements_conflict:
        conflicts, Flaw::Code(Failpoint::OutageIsDefect);

    ten_thousand_contested_refreshes_give_one_successor_each: |flaw| contested_refreshes(flaw, 200), Flaw::None;

    five_hundred_ends_that_meet_a_refresh_leave_no_token: |flaw| refresh_meets_end(flaw, 500), Flaw::None;
}

async fn duplicates(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-18", "PR-8", "the same state and the same answer");
    let database = TestDatabase::postgres().await;
    let replicas = [Replica::start(0, database.url(), flaw, &[]), Replica::start(1, database.url(), flaw, &[])];
    flaw.apply(database.url()).await;
    let mut count = 0;
    for round in 0..4 {
        let user = format!("user-{round}");
        let of_user = format!("/v1/users/{user}");
        let open = json!({ "user_id": user });
        let key = format!("key-{round}");
        let opened = async |replica: &Replica| replica.administer_once("/v1/sessions", &open, &key).await;
        let (one, two) = tokio::join!(opened(&replicas[0]), opened(&replicas[1]));
        let later = opened(&replicas[0]).await;
        let id = |reply: &Reply| reply.body["session"]["id"].as_str().unwrap_or_default().to_owned();
        let same = id(&one) == id(&two) && id(&one) == id(&later);
        verdict.must(same && one.status == Some(201) && two.status == Some(201), format!("opened: {one:?}, {two:?}"));

        let refresh = one.body["refresh_token"].as_str().unwrap_or_default();
        let (first, second) = tokio::join!(replicas[0].refresh(refresh), replicas[1].refresh(refresh));
        verdict.must(first.body["refresh_token"] == second.body["refresh_token"], format!("{first:?}, {second:?}"));
        let session = format!("/v1/sessions/{}", id(&one));
        let (name, device) = (json!({ "name": "Alice" }), json!({ "device_name": "Phone" }));
        let requests = [
            ("PUT", of_user.clone(), Some(&name)),
            ("PATCH", session.clone(), Some(&device)),
            ("POST", format!("{of_user}/ban"), None),
            ("POST", format!("{of_user}/unban"), None),
            ("DELETE", session.clone(), None),
            ("DELETE", format!("{of_user}/sessions"), None),
            ("GET", session, None),
            ("GET", of_user.clone(), None),
        ];
        for (method, path, body) in &requests {
            let (one, two) =
                tokio::join!(replicas[0].administer(method, path, *body), replicas[1].administer(method, path, *body));
            let fine = one.status == two.status && one.status.is_some_and(|status| (200..300).contains(&status));
            verdict.must(fine, format!("{method} {path}: {one:?}, {two:?}"));
            let same = *method != "GET" || one.body == two.body;
            verdict.must(same, format!("{path} looks different: {} {}", one.body, two.body));
            count += 2;
        }
    }
    verdict.measured("requests", count + 4 * 5);
    verdict
}

/// Lock timeouts, deadlocks and serialization failures.
async fn conflicts(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-22", "PR-16", "success or 503 in 5 s, never 500; then it works");
    let database = TestDatabase::postgres().await;
    let replica = Replica::start(0, database.url(), flaw, &[]);
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(replica.open("alice").await.unwrap().id.clone());
    }
    ids.sort();
    let end_all = async || replica.administer("DELETE", "/v1/users/alice/sessions", None).await;
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let (mut other, mut watch) = (options.connect().await.unwrap(), options.connect().await.unwrap());
    // The deadlock timeout of the other session is long, so that PostgreSQL always aborts the server's transaction.
    other.execute("SET deadlock_timeout = '1h'").await.unwrap();
    let mut slowest = Duration::ZERO;
    let mut look = |what: &str, reply: &Reply, verdict: &mut Verdict| {
        slowest = slowest.max(reply.took);
        verdict.must(reply.is_success_or_outage(), format!("{what}: {reply:?}"));
    };

    // The server locks one session and waits for the other, whose holder then waits for the first.
    let mut tx = other.begin().await.unwrap();
    lock(&mut tx, &ids[1]).await;
    let deadlock = async {
        until("the lock", async || waiting(&mut watch).await > 0).await;
        lock(&mut tx, &ids[0]).await;
    };
    let (reply, ()) = tokio::join!(end_all(), deadlock);
    look("deadlock", &reply, &mut verdict);
    // Both locks are still held, so that the server's lock timeout ends the wait.
    let reply = end_all().await;
    look("lock timeout", &reply, &mut verdict);
    tx.rollback().await.unwrap();

    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = 'serialization_failure'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON sessions EXECUTE FUNCTION refuse();";
    watch.execute(sqlx::raw_sql(refuse)).await.unwrap();
    let reply = end_all().await;
    look("serialization failure", &reply, &mut verdict);
    watch.execute("DROP TRIGGER refuse ON sessions").await.unwrap();

    let reply = end_all().await;
    verdict.must(reply.status == Some(200), format!("afterwards: {reply:?}"));
    verdict.within("slowest answer", slowest, Duration::from_secs(5));
    verdict
}

async fn lock(connection: &mut PgConnection, id: &str) {
    sqlx::query("SELECT FROM sessions WHERE id = $1::uuid FOR UPDATE").bind(id).execute(connection).await.unwrap();
}

/// The number of connections to this database that wait for a lock.
async fn waiting(connection: &mut PgConnection) -> i64 {
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    sqlx::query_scalar(waiting).fetch_one(connection).await.unwrap()
}

async fn contested_refreshes(flaw: Flaw, rounds: u32) -> Verdict {
    const CLIENTS: usize = 50;
    // A slow machine does fewer rounds, which is no failure.
    const TIMEOUT: Duration = Duration::from_mins(1);
    let mut verdict = Verdict::new("FT-23", "PR-8", "0 forks, 0 false thefts");
    let database = TestDatabase::postgres().await;
    let few = [("SOJOURN_DATABASE_CONNECTIONS", "5")];
    let replicas = [Replica::start(0, database.url(), flaw, &few), Replica::start(1, database.url(), flaw, &few)];
    flaw.apply(database.url()).await;
    let (mut forks, mut thefts, mut refreshed, mut outages) = (0, 0, 0, 0);
    let mut token = replicas[0].open_pair("alice").await.unwrap().refresh.clone();
    let started = Instant::now();
    for _ in 0..rounds {
        if started.elapsed() > TIMEOUT {
            break;
        }
        let replies = join_all((0..CLIENTS).map(|client| replicas[client % 2].refresh(&token))).await;
        let with = |status| replies.iter().filter(move |reply| reply.status == Some(status));
        let successors: BTreeSet<&str> = with(200).filter_map(|reply| reply.body["refresh_token"].as_str()).collect();
        forks += usize::from(successors.len() > 1);
        thefts += with(400).count();
        refreshed += with(200).count();
        outages += with(503).count();
        match successors.first() {
            Some(successor) => (*successor).clone_into(&mut token),
            None if thefts > 0 => break,
            None => {}
        }
    }
    verdict.measured("refreshes", refreshed);
    verdict.measured("503", outages);
    verdict.measured("forks", forks);
    verdict.measured("false thefts", thefts);
    verdict.must(refreshed > 0, "nothing was refreshed");
    verdict.must(forks == 0, format!("{forks} forks"));
    verdict.must(thefts == 0, format!("{thefts} false thefts"));
    verdict
}

async fn refresh_meets_end(flaw: Flaw, rounds: usize) -> Verdict {
    let mut verdict = Verdict::new("FT-24", "PR-10", "0 live tokens of an ended session");
    let database = TestDatabase::postgres().await;
    let replicas = [Replica::start(0, database.url(), flaw, &[]), Replica::start(1, database.url(), flaw, &[])];
    flaw.apply(database.url()).await;
    let history = History::new();
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let (mut refreshed, mut alive) = (0, 0);
    for _ in 0..rounds {
        let subject = replicas[0].open_pair("alice").await.unwrap();
        let (before_refresh, before_end) = (random.random_range(0..2000), random.random_range(0..2000));
        let refresh = async {
            tokio::time::sleep(Duration::from_micros(before_refresh)).await;
            replicas[0].refresh(&subject.refresh).await
        };
        let end = async {
            tokio::time::sleep(Duration::from_micros(before_end)).await;
            replicas[1].revoke(&history, &subject).await
        };
        let (refresh, end) = tokio::join!(refresh, end);
        verdict.must(end == Outcome::Done, format!("the end is {end:?}"));
        for replica in &replicas {
            replica.check(&history, &subject).await;
        }
        if refresh.status == Some(200) {
            refreshed += 1;
            let token = |name: &str| refresh.body[name].as_str().unwrap_or_default().to_owned();
            for replica in &replicas {
                alive += usize::from(replica.verify(&token("access_token")).await.status != Some(401));
                alive += usize::from(replica.refresh(&token("refresh_token")).await.status != Some(400));
            }
        }
    }
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict.measured("refreshed in time", refreshed);
    verdict.measured("seed", seed);
    verdict.must(alive == 0, format!("{alive} tokens live on"));
    verdict
}
