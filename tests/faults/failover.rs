//! A primary is lost and its standby takes over (FT-11), also with a replica left behind at the old primary. The
//! database that a replica reaches is read-only (FT-10). The wait for the standby is cancelled (FT-12).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sojourn::failpoints::Failpoint;

use super::checker::{Allowed, check};
use super::cluster::Cluster;
use super::flaw::Flaw;
use super::history::{Event, History, Outcome, Seen};
use super::load::{Load, read_all, seed};
use super::replicas::{Replica, Subject, time_until, until};
use super::standby::Burning;
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::proxy::Proxy;

/// The old primary no longer waits for a standby.
const ALONE: Flaw = Flaw::Database("NoSynchronousStandby", "ALTER SYSTEM RESET synchronous_standby_names");
/// A promoted standby without the later changes; replicas cannot tell it from the primary.
const PROMOTED: Flaw = Flaw::Database("PromotedStandby", "SELECT pg_promote(true)");

fault_tests! {
    a_failover_to_a_synchronous_standby_loses_nothing: synchronous_failover, Flaw::None;

    an_end_whose_wait_for_the_standby_is_cancelled_is_not_acknowledged: cancelled_wait, Flaw::None;
}

slow_fault_tests! {
    an_answer_before_the_write_is_noticed_in_a_failover: synchronous_failover, Flaw::Code(Failpoint::AnswerBeforeWrite);

    a_failover_to_a_standby_that_is_behind_loses_only_what_it_had_not_got: asynchronous_failover, Flaw::None;
    an_answer_before_the_write_is_noticed_with_a_standby_that_is_behind:
        asynchronous_failover, Flaw::Code(Failpoint::AnswerBeforeWrite);

    a_replica_left_with_the_old_primary_soon_says_nothing: |flaw| split_brain(flaw, Stays::Everything), Flaw::None;
    a_yes_from_the_old_primary_is_noticed: |flaw| split_brain(flaw, Stays::Everything), ALONE;
    a_primary_that_is_believed_without_a_commit_is_noticed:
        |flaw| split_brain(flaw, Stays::Everything), Flaw::Code(Failpoint::AnswersAreProof);

    a_replica_that_reads_the_log_of_the_old_primary_soon_says_nothing:
        |flaw| split_brain(flaw, Stays::LogReader), Flaw::None;
    a_log_that_rests_on_the_proof_of_another_server_is_noticed:
        |flaw| split_brain(flaw, Stays::LogReader), Flaw::Code(Failpoint::ProofOfAnyServer);

    connections_that_stay_with_the_old_primary_are_left: kept_connections, Flaw::None;
    connections_that_stay_with_a_primary_that_is_believed_are_noticed:
        kept_connections, Flaw::Code(Failpoint::ProofOfAnyServer);

    a_replica_that_reaches_only_a_standby_soon_says_nothing: |flaw| only_readable(flaw, Reach::Standby), Flaw::None;
    a_yes_from_a_stale_cache_entry_is_noticed: |flaw| only_readable(flaw, Reach::Standby), PROMOTED;
    a_replica_that_may_only_read_soon_says_nothing: |flaw| only_readable(flaw, Reach::ReadOnly), Flaw::None;

    an_answer_before_the_write_is_noticed_when_a_wait_is_cancelled:
        cancelled_wait, Flaw::Code(Failpoint::AnswerBeforeWrite);
}

const WRITERS: u64 = 4;
const WITHOUT_NOTICES: Duration = Duration::from_millis(1500);
/// Longest time for which a replica may serve from its cache without a database.
const MAX_ALONE: Duration = Duration::from_secs(5);
/// Time that a busy machine adds to each bound.
const GRACE: Duration = Duration::from_secs(1);
const SERVICE_BACK: Duration = Duration::from_secs(5);
const STANDBY: &str = "standby";

/// Two replicas, each with a path of its own to the database.
struct Paths {
    proxies: [Proxy; 2],
    replicas: [Arc<Replica>; 2],
}

impl Paths {
    async fn to(cluster: &Cluster, flaw: Flaw) -> Self {
        let [(one, first), (two, second)] = [Proxy::start(&cluster.url()).await, Proxy::start(&cluster.url()).await];
        let replicas = [Replica::start(0, &first, flaw, &[]), Replica::start(1, &second, flaw, &[])];
        Self { proxies: [one, two], replicas }
    }

    fn switch_to(&self, cluster: &Cluster) {
        for proxy in &self.proxies {
            proxy.switch_to(&cluster.url());
        }
    }

    async fn until_back(&self) -> Duration {
        let started = Instant::now();
        for replica in &self.replicas {
            until("service", async || replica.open("after").await.is_some()).await;
        }
        started.elapsed()
    }
}

/// Asynchronous writers run meanwhile, so that the old primary is ahead of the standby.
async fn synchronous_failover(flaw: Flaw) -> Verdict {
    let mut verdict =
        Verdict::new("FT-11", "PR-1, PR-3, PR-12", "0 lost, 0 stale; service back 5 s after the promotion");
    let mut primary = Cluster::start(&[]).await;
    let paths = Paths::to(&primary, flaw).await;
    let standby = primary.add_standby(STANDBY).await;
    primary.wait_for_standby(Some(STANDBY)).await;
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let load = Load::start(&paths.replicas, WRITERS, seed);
    let burning = Burning::start(&primary.url(), 2);
    load.work(random.random_range(100..200)).await;
    primary.kill();
    verdict.measured("promoted in ms", standby.promote().await.as_millis());
    let burnt = burning.count();
    drop(burning);
    paths.switch_to(&standby);
    let back = paths.until_back().await;
    load.work(50).await;
    let history = load.stop().await;
    verdict.measured("asynchronous commits, in fives,", burnt);
    verdict.must(burnt > 0, "nobody wrote without waiting");
    // Until its path leads to the new primary, a replica may answer from its cache.
    let findings = check(&history.operations(), Allowed { elsewhere: MAX_ALONE });
    verdict.sessions(&findings);
    verdict.measured("stood elsewhere for ms", findings.longest.as_millis());
    verdict.within("service back", back, SERVICE_BACK);
    verdict.measured("seed", seed);
    verdict
}

/// The write position of the primary's log at a time.
struct Written {
    at: Duration,
    bytes: i64,
}

/// The database and the replicas must agree on each session.
async fn asynchronous_failover(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new(
        "FT-11 behind",
        "documented",
        "nothing lost that the standby had; replicas say what the database says",
    );
    let mut primary = Cluster::start(&[]).await;
    let paths = Paths::to(&primary, flaw).await;
    let standby = primary.add_standby(STANDBY).await;
    let (history, mut subjects) = (History::new(), Vec::new());
    for number in 0..60 {
        subjects.push(paths.replicas[0].open(&format!("user-{number}")).await.unwrap());
    }
    standby.catch_up(&primary).await;
    let mut written = Vec::new();
    let mut held_back = None;
    for (number, subject) in subjects.iter().enumerate() {
        if number == subjects.len() / 2 {
            held_back = Some(primary.hold_back_standbys());
        }
        paths.replicas[number % 2].revoke(&history, subject).await;
        let bytes = primary.written().await;
        written.push(Written { at: history.now(), bytes });
    }
    primary.kill();
    drop(held_back);
    standby.promote().await;
    let replayed = standby.has_replayed().await;
    paths.switch_to(&standby);
    paths.until_back().await;

    let had = written.iter().filter(|written| written.bytes <= replayed).map(|written| written.at).max();
    let had = had.unwrap_or_default();
    let (mut lost, mut lost_although_there) = (0, 0);
    let operations = history.operations();
    for subject in &subjects {
        let end = operations.iter().find(|operation| operation.session == subject.number).unwrap();
        verdict.must(end.event == Event::Revoke(Outcome::Done), format!("{end:?}"));
        let ended = format!("SELECT count(*) FROM sessions WHERE id = '{}' AND ended_at IS NOT NULL", subject.id);
        if standby.number(&ended).await == 0 {
            lost += 1;
            lost_although_there += usize::from(end.ended <= had);
        }
    }
    verdict.measured("acknowledged", subjects.len());
    verdict.measured("lost with the old primary", lost);
    verdict.must(lost > 0, "nothing was lost: the standby was not behind");
    verdict.must(lost_although_there == 0, format!("{lost_although_there} lost that the standby had got"));
    tokio::time::sleep(WITHOUT_NOTICES).await;
    let mut otherwise = 0;
    for subject in &subjects {
        let strictly = paths.replicas[0].verify_strictly(&subject.token).await.status;
        for replica in &paths.replicas {
            otherwise += usize::from(replica.verify(&subject.token).await.status != strictly);
        }
    }
    verdict.must(otherwise == 0, format!("{otherwise} answers are not what the database says"));
    verdict
}

/// The connections of a replica that lead to the old primary after a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// All, existing and new.
    Everything,
    /// The existing ones, as behind a proxy that closes no connection.
    Existing,
    /// The one that reads the change log, and new ones, as when an address leads back.
    LogReader,
}

/// A promotion that leaves the first replica with the old primary. The second replica has ended all sessions since.
struct LeftBehind {
    _primary: Cluster,
    standby: Cluster,
    paths: Paths,
    history: History,
    subjects: Vec<Arc<Subject>>,
    since: Duration,
}

impl LeftBehind {
    async fn begin(flaw: Flaw, stays: Stays) -> Self {
        let primary = Cluster::start(&[]).await;
        let paths = Paths::to(&primary, flaw).await;
        let standby = primary.add_standby(STANDBY).await;
        primary.wait_for_standby(Some(STANDBY)).await;
        let [left, follows] = &paths.replicas;
        let history = History::new();
        let subjects = open_known(follows, left, &history).await;
        standby.promote().await;
        flaw.apply(&primary.url()).await;
        primary.run("SELECT pg_reload_conf()").await;
        match stays {
            Stays::Everything => {}
            Stays::Existing => paths.proxies[0].lead_new_to(&standby.url()),
            Stays::LogReader => {
                lead_log_reader_back(&paths, &primary, &standby).await;
                // A cache entry that is read now can be invalidated by the old log only.
                for subject in &subjects {
                    if left.check(&history, subject).await == Seen::Nothing {
                        break;
                    }
                }
            }
        }
        paths.proxies[1].switch_to(&standby.url());
        until("service", async || follows.open("after").await.is_some()).await;
        let since = history.now();
        for subject in &subjects {
            until("the end", async || follows.revoke(&history, subject).await == Outcome::Done).await;
        }
        Self { _primary: primary, standby, paths, history, subjects, since }
    }
}

/// Moves the first replica to the new primary, and then its log reader back to the old one.
async fn lead_log_reader_back(paths: &Paths, old: &Cluster, new: &Cluster) {
    const LOG_READERS: &str = "FROM pg_stat_activity WHERE query LIKE '% next_number,%' AND pid <> pg_backend_pid()";
    let count = format!("SELECT count(*) {LOG_READERS}");
    let end = format!("SELECT count(pg_terminate_backend(pid)) {LOG_READERS}");
    let left = &paths.replicas[0];
    paths.proxies[0].switch_to(&new.url());
    // The answer to an ending that finds nothing is 503 until the new primary has given a proof.
    until("a proof", async || left.administer("DELETE", "/v1/users/nobody/sessions", None).await.status == Some(200))
        .await;
    until("a read of the new log", async || new.number(&count).await > 0).await;
    paths.proxies[0].lead_new_to(&old.url());
    assert!(new.number(&end).await > 0);
    // The second replica reads the old log too.
    until("a read of the old log", async || old.number(&count).await > 1).await;
}

async fn split_brain(flaw: Flaw, stays: Stays) -> Verdict {
    let test = if stays == Stays::LogReader { "FT-11 log left behind" } else { "FT-11 left behind" };
    let mut verdict = Verdict::new(test, "PR-5", "no yes after 5 s, then 503; correct 1.5 s after the switch");
    let LeftBehind { _primary, standby, paths, history, subjects, since } = LeftBehind::begin(flaw, stays).await;
    let left = &paths.replicas[0];
    says_nothing(&mut verdict, left, &history, &subjects, since).await;

    paths.proxies[0].switch_to(&standby.url());
    back_in_time(&mut verdict, left, &history, &subjects).await;
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: MAX_ALONE + GRACE }));
    verdict
}

async fn kept_connections(flaw: Flaw) -> Verdict {
    let mut verdict =
        Verdict::new("FT-11 kept connections", "PR-5", "no yes after 5 s, and then what the new primary says");
    let LeftBehind { _primary, standby: _standby, paths, history, subjects, since: _ } =
        LeftBehind::begin(flaw, Stays::Existing).await;
    let left = &paths.replicas[0];
    let ended = Instant::now();
    time_until(MAX_ALONE * 2, async || {
        let mut refused = true;
        for subject in &subjects {
            refused &= left.check(&history, subject).await == Seen::Refused;
        }
        refused
    })
    .await;
    let mut strict = 0;
    for subject in &subjects {
        strict += usize::from(left.verify_strictly(&subject.token).await.status != Some(401));
    }
    verdict.measured("all refused after", format!("{} ms", ended.elapsed().as_millis()));
    verdict.must(strict == 0, format!("{strict} are not refused by a strict check"));
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: MAX_ALONE + GRACE }));
    verdict
}

/// The server that a replica reaches instead of its primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// A standby that receives nothing any more.
    Standby,
    /// The primary, in read-only mode.
    ReadOnly,
}

async fn only_readable(flaw: Flaw, reach: Reach) -> Verdict {
    let test = if reach == Reach::Standby { "FT-10" } else { "FT-10 read-only" };
    let mut verdict = Verdict::new(test, "PR-5", "no yes after 5 s, then 503; correct 1.5 s after the switch");
    let primary = Cluster::start(&[]).await;
    let paths = Paths::to(&primary, flaw).await;
    let standby = primary.add_standby(STANDBY).await;
    let [alone, other] = &paths.replicas;
    let history = History::new();
    let subjects = open_known(other, alone, &history).await;
    standby.catch_up(&primary).await;
    let held_back = primary.hold_back_standbys();
    flaw.apply(&standby.url()).await;
    let alone_since = history.now();
    paths.proxies[0].block();
    for subject in &subjects {
        assert_eq!(other.revoke(&history, subject).await, Outcome::Done);
    }
    match reach {
        Reach::Standby => paths.proxies[0].switch_to(&standby.url()),
        Reach::ReadOnly => {
            // The setting applies to new connections.
            primary.run("ALTER ROLE postgres SET default_transaction_read_only = on").await;
            paths.proxies[0].cut();
            // A pause, because the proxy might skip a cut that is mended at once.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    paths.proxies[0].mend();
    says_nothing(&mut verdict, alone, &history, &subjects, alone_since).await;

    drop(held_back);
    if reach == Reach::ReadOnly {
        primary.run("SET TRANSACTION READ WRITE; ALTER ROLE postgres RESET default_transaction_read_only").await;
    }
    paths.proxies[0].cut();
    paths.proxies[0].switch_to(&primary.url());
    paths.proxies[0].mend();
    back_in_time(&mut verdict, alone, &history, &subjects).await;
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: MAX_ALONE + GRACE }));
    verdict
}

/// Opens sessions and checks each on another replica, so that it has a cache entry.
async fn open_known(replica: &Replica, known_to: &Replica, history: &History) -> Vec<Arc<Subject>> {
    let mut subjects = Vec::new();
    for number in 0..15 {
        let subject = replica.open(&format!("user-{number}")).await.unwrap();
        assert_eq!(known_to.check(history, &subject).await, Seen::Stands);
        subjects.push(subject);
    }
    subjects
}

/// Asks a replica for twice as long as it may trust its cache: after that it may neither vouch for a session nor say
/// that it is ready.
async fn says_nothing(
    verdict: &mut Verdict,
    replica: &Replica,
    history: &History,
    subjects: &[Arc<Subject>],
    alone_since: Duration,
) {
    let alone = || history.since(alone_since);
    let (mut longest, mut strict_longest, mut silent) = (Duration::ZERO, Duration::ZERO, 0);
    let fresh = async {
        while alone() < MAX_ALONE * 2 {
            for subject in subjects {
                let began = alone();
                match replica.check(history, subject).await {
                    Seen::Stands => longest = longest.max(began),
                    Seen::Nothing => silent += 1,
                    Seen::Refused => {}
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let strict = async {
        while alone() < MAX_ALONE * 2 {
            for subject in subjects {
                let began = alone();
                if replica.verify_strictly(&subject.token).await.status == Some(200) {
                    strict_longest = strict_longest.max(began);
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let others = async {
        tokio::time::sleep((MAX_ALONE + GRACE).saturating_sub(alone())).await;
        (replica.get("/readyz").await.status, replica.revocations(None).await.status)
    };
    let ((), (), (ready, list)) = tokio::join!(fresh, strict, others);
    verdict.within("yes while alone", longest, MAX_ALONE + GRACE);
    verdict.within("yes to a strict check", strict_longest, MAX_ALONE + GRACE);
    verdict.must(silent > 0, "it always had an answer");
    verdict.must(ready == Some(503), format!("it says of itself {ready:?}"));
    verdict.must(list == Some(503), format!("asked for the list it answers {list:?}"));
}

/// The replica reaches the primary again, and must be right within a bound.
async fn back_in_time(verdict: &mut Verdict, replica: &Replica, history: &History, subjects: &[Arc<Subject>]) {
    let refused = time_until(SERVICE_BACK, async || {
        replica.forget_connections();
        replica.check(history, &subjects[0]).await == Seen::Refused
    })
    .await;
    verdict.within("correct again", refused, WITHOUT_NOTICES + GRACE);
    let ready = time_until(SERVICE_BACK, async || replica.get("/readyz").await.status == Some(200)).await;
    verdict.must(ready < SERVICE_BACK, "it does not get ready");
    for subject in subjects {
        replica.check(history, subject).await;
    }
}

/// PostgreSQL reports success for a cancelled wait, with a warning.
async fn cancelled_wait(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-12 cancelled", "PR-1, PR-7", "503, never success; 0 lost with the primary");
    let mut primary = Cluster::start(&[]).await;
    let paths = Paths::to(&primary, flaw).await;
    let standby = primary.add_standby(STANDBY).await;
    primary.wait_for_standby(Some(STANDBY)).await;
    let history = History::new();
    let replica = &paths.replicas[0];
    let (ended, cancelled) = (replica.open("alice").await.unwrap(), replica.open("bob").await.unwrap());
    assert_eq!(replica.revoke(&history, &ended).await, Outcome::Done);
    standby.catch_up(&primary).await;

    let held_back = primary.hold_back_standbys();
    let waiting = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let path = format!("/v1/sessions/{}", cancelled.id);
    let end = replica.administer("DELETE", &path, None);
    let count = AtomicI64::new(0);
    // A retry that waits is cancelled too.
    let cancel = async {
        loop {
            count.fetch_add(primary.number(waiting).await, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let began = history.now();
    let reply = tokio::select! {
        reply = end => reply,
        () = cancel => unreachable!(),
    };
    let count = count.into_inner();
    let outcome = if reply.status == Some(204) { Outcome::Done } else { Outcome::Unknown };
    history.add(cancelled.number, 0, Event::Revoke(outcome), began);
    verdict.measured("waits cancelled", count);
    verdict.measured("answer", format!("{:?}", reply.status));
    verdict.must(count > 0, "nobody waited");
    // No session is left to end, but the standby does not have the ending yet.
    let repeat = replica.administer("DELETE", "/v1/users/bob/sessions", None).await;
    verdict.must(repeat.status == Some(503), format!("the repeat: {repeat:?}"));
    verdict.must(reply.status == Some(503) && reply.retry_after.is_some(), format!("{reply:?}"));
    primary.kill();
    drop(held_back);
    standby.promote().await;
    paths.switch_to(&standby);
    paths.until_back().await;
    read_all(&paths.replicas, &history, &[ended, cancelled]).await;
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: WITHOUT_NOTICES }));
    verdict
}
