//! A session ended by one replica is refused by the others in time: normally, when the connection for notices dies
//! (FT-06) or hangs (FT-07), and when a replica is cut off from the database (FT-08).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use sojourn::failpoints::Failpoint;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::checker::{Allowed, check};
use super::flaw::Flaw;
use super::history::{Event, History, Outcome, Seen};
use super::replicas::{Replica, Subject, time_until};
use super::verdict::{Verdict, milliseconds};
use super::{fault_tests, slow_fault_tests};
use crate::support::database::TestDatabase;
use crate::support::proxy::{Fault, Proxy};

fault_tests! {
    an_end_is_known_everywhere_in_time: |flaw| known_everywhere(flaw, 100, WITHOUT_NOTICES), Flaw::None;
    an_end_that_another_replica_never_learns_of_is_noticed:
        |flaw| known_everywhere(flaw, 8, WITHOUT_NOTICES), Flaw::Code(Failpoint::StaleRead);
    a_cache_entry_that_outlives_an_invalidation_is_noticed:
        |flaw| known_everywhere(flaw, 8, WITHOUT_NOTICES), Flaw::Code(Failpoint::DeafToNotices);
}

slow_fault_tests! {
    ten_thousand_ends_are_known_everywhere_at_once: |flaw| known_everywhere(flaw, 10_000, WITH_NOTICES), Flaw::None;

    an_end_is_known_soon_when_the_connection_of_the_notices_dies: |flaw| dead_listener(flaw, 20), Flaw::None;
    an_end_that_is_never_learnt_of_is_noticed_when_that_connection_dies:
        |flaw| dead_listener(flaw, 2), Flaw::Code(Failpoint::RelyOnNotices);

    an_end_is_known_soon_when_the_connection_of_the_notices_hangs: hanging_listener, Flaw::None;
    an_end_that_is_never_learnt_of_is_noticed_when_that_connection_hangs:
        hanging_listener, Flaw::Code(Failpoint::RelyOnNotices);

    a_replica_without_a_database_soon_says_nothing: cut_off_replica, Flaw::None;
    an_end_that_is_never_learnt_of_is_noticed_after_a_partition:
        cut_off_replica, Flaw::Code(Failpoint::RelyOnNotices);
}

/// `application_name` of the connection for notices.
const LISTENER: &str = "sojourn-notices";
const WITH_NOTICES: Duration = Duration::from_millis(250);
const WITHOUT_NOTICES: Duration = Duration::from_millis(1500);
const MAX_ALONE: Duration = Duration::from_secs(5);
const SERVICE_BACK: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// Opens a session and checks it on the other replicas, so that they have a cache entry.
async fn open(replicas: &[Arc<Replica>], history: &History, user: &str) -> Arc<Subject> {
    let subject = replicas[0].open(user).await.unwrap();
    for replica in &replicas[1..] {
        assert_eq!(replica.check(history, &subject).await, Seen::Stands);
    }
    subject
}

/// Ends a session on the first replica and checks it on all, until they refuse it or are clearly too late.
async fn end(replicas: &[Arc<Replica>], history: &History, subject: &Subject) {
    assert_eq!(replicas[0].revoke(history, subject).await, Outcome::Done);
    let ended = Instant::now();
    join_all(replicas.iter().map(async |replica| {
        while replica.check(history, subject).await != Seen::Refused && ended.elapsed() < WITHOUT_NOTICES * 2 {
            tokio::time::sleep(PAUSE).await;
        }
    }))
    .await;
}

/// For each end, the time until the last check that still accepted the token began; sorted.
fn staleness(history: &History) -> Vec<Duration> {
    let operations = history.operations();
    let mut ends: std::collections::BTreeMap<usize, (Duration, Duration)> = operations
        .iter()
        .filter(|operation| operation.event == Event::Revoke(Outcome::Done))
        .map(|operation| (operation.session, (operation.ended, Duration::ZERO)))
        .collect();
    for check in operations.iter().filter(|operation| operation.event == Event::Check(Seen::Stands)) {
        if let Some((ended, longest)) = ends.get_mut(&check.session) {
            *longest = check.began.saturating_sub(*ended).max(*longest);
        }
    }
    let mut staleness: Vec<Duration> = ends.into_values().map(|(_, longest)| longest).collect();
    staleness.sort();
    staleness
}

fn tell(verdict: &mut Verdict, staleness: &[Duration]) {
    let at = |percent: usize| milliseconds(staleness[(staleness.len() - 1) * percent / 100]);
    verdict.measured("stood elsewhere for p50", at(50));
    verdict.measured("p99", at(99));
    verdict.measured("max", at(100));
}

/// `elsewhere` is the bound to hold: a machine that is busy with other tests is held to the bound without notices.
async fn known_everywhere(flaw: Flaw, ends: usize, elsewhere: Duration) -> Verdict {
    const AT_ONCE: usize = 16;
    // A slow machine does fewer rounds, which is no failure.
    const TIMEOUT: Duration = Duration::from_mins(2);
    let mut verdict =
        Verdict::new("notices", "PR-2, PR-3", "at once where it was ended; elsewhere p99 50 ms, max 250 ms");
    let database = TestDatabase::postgres().await;
    let replicas: Vec<_> = (0..2).map(|number| Replica::start(number, database.url(), flaw, &[])).collect();
    let history = History::new();
    let started = Instant::now();
    let one = async |number: usize| {
        if started.elapsed() > TIMEOUT {
            return;
        }
        let subject = open(&replicas, &history, &format!("user-{}", number % 64)).await;
        end(&replicas, &history, &subject).await;
    };
    stream::iter(0..ends).for_each_concurrent(AT_ONCE, one).await;
    let took = started.elapsed();
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere }));
    let staleness = staleness(&history);
    tell(&mut verdict, &staleness);
    let p99 = staleness[(staleness.len() - 1) * 99 / 100];
    if elsewhere == WITH_NOTICES {
        verdict.must(p99 <= Duration::from_millis(50), format!("p99 is {}", milliseconds(p99)));
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = staleness.len() as f64 / took.as_secs_f64();
    verdict.measured("ends per second, each with opening and checking,", format!("{rate:.0}"));
    verdict
}

async fn dead_listener(flaw: Flaw, ends: usize) -> Verdict {
    let mut verdict = Verdict::new("FT-06", "PR-3, PR-4", "elsewhere in 1.5 s without notices");
    let database = TestDatabase::postgres().await;
    let replicas: Vec<_> = (0..2).map(|number| Replica::start(number, database.url(), flaw, &[])).collect();
    let history = History::new();
    let options: PgConnectOptions = database.url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = $1";
    let mut terminated = 0;
    for _ in 0..ends {
        let subject = open(&replicas, &history, "alice").await;
        terminated += sqlx::query_scalar::<_, i64>(terminate).bind(LISTENER).fetch_one(&mut connection).await.unwrap();
        end(&replicas, &history, &subject).await;
    }
    verdict.measured("connections terminated", terminated);
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: WITHOUT_NOTICES }));
    tell(&mut verdict, &staleness(&history));
    verdict
}

async fn hanging_listener(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-07", "PR-4", "elsewhere in 1.5 s without notices");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let urls = [database.url(), &through];
    let replicas: Vec<_> = (0..2).map(|number| Replica::start(number, urls[number], flaw, &[])).collect();
    let history = History::new();
    let started = Instant::now();
    proxy.set_for(LISTENER, Fault::Blocked);
    let mut ends = 0;
    while started.elapsed() < Duration::from_secs(10) {
        let subject = open(&replicas, &history, "alice").await;
        end(&replicas, &history, &subject).await;
        ends += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    proxy.mend();
    verdict.measured("ends", ends);
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: WITHOUT_NOTICES }));
    tell(&mut verdict, &staleness(&history));
    verdict
}

async fn cut_off_replica(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-08", "PR-5", "no yes after 5 s, then 503; correct 1.5 s after mending");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let replicas = [Replica::start(0, database.url(), flaw, &[]), Replica::start(1, &through, flaw, &[])];
    let history = History::new();
    let (ended, kept) = (open(&replicas, &history, "alice").await, open(&replicas, &history, "bob").await);
    let alone = &replicas[1];

    proxy.block();
    let cut = history.now();
    assert_eq!(replicas[0].revoke(&history, &ended).await, Outcome::Done);
    // The checks run in parallel, because an answer may be slow.
    let clients = join_all([&ended, &ended, &kept, &kept].map(async |subject| {
        while history.since(cut) < MAX_ALONE * 2 {
            alone.check(&history, subject).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }));
    let ready = async {
        tokio::time::sleep(MAX_ALONE + Duration::from_millis(500)).await;
        alone.get("/readyz").await.status
    };
    let (_, ready) = tokio::join!(clients, ready);
    verdict.must(ready == Some(503), format!("cut off, it says of itself {ready:?}"));
    let alone_in = |event| {
        let operations = history.operations();
        let cut_off = operations.into_iter().filter(move |operation| operation.replica == 1 && operation.began >= cut);
        cut_off
            .filter(move |operation| operation.event == event)
            .map(|operation| operation.began.saturating_sub(cut))
            .max()
    };
    let longest = alone_in(Event::Check(Seen::Stands)).unwrap_or_default();
    verdict.within("yes while cut off", longest, MAX_ALONE);
    let silent = alone_in(Event::Check(Seen::Nothing));
    verdict.must(silent.is_some(), "it always had an answer");

    proxy.mend();
    let mended = Instant::now();
    let refused = time_until(SERVICE_BACK, async || alone.check(&history, &ended).await == Seen::Refused).await;
    verdict.must(refused < SERVICE_BACK, "it does not learn of the end");
    verdict.within("correct after mending", mended.elapsed(), WITHOUT_NOTICES);
    time_until(SERVICE_BACK, async || alone.check(&history, &kept).await == Seen::Stands).await;
    verdict.within("service back", mended.elapsed(), SERVICE_BACK);
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: MAX_ALONE }));
    verdict
}
