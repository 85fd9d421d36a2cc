//! Transaction numbers are given out again: after a crash that lost asynchronous commits (FT-02), and after a fail-over
//! to a standby that had not received them (FT-11). An ending under such a number has a position before the one that a
//! replica or a client has read up to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sojourn::failpoints::Failpoint;

use super::checker::{Allowed, check};
use super::cluster::{Cluster, Frozen};
use super::flaw::Flaw;
use super::history::{History, Outcome, Seen};
use super::replicas::{Replica, Reply, Subject, time_until, until};
use super::standby::Burner;
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::proxy::Proxy;

fault_tests! {
    numbers_that_a_crash_gives_out_again_hide_no_end: |flaw| numbers_again(flaw, Loss::Crash), Flaw::None;

    numbers_that_a_failover_gives_out_again_hide_no_end: |flaw| numbers_again(flaw, Loss::Failover), Flaw::None;
}

slow_fault_tests! {
    a_place_that_is_kept_over_a_crash_is_noticed:
        |flaw| numbers_again(flaw, Loss::Crash), Flaw::Code(Failpoint::PlaceKeptOverReconnect);

    numbers_that_an_asynchronous_standby_gives_out_again_hide_no_end:
        |flaw| numbers_again(flaw, Loss::FailoverBehind), Flaw::None;
    a_log_that_is_taken_for_another_is_noticed_after_a_failover:
        |flaw| numbers_again(flaw, Loss::FailoverBehind), Flaw::Code(Failpoint::LogIdentityIgnored);
    a_cursor_of_another_log_is_noticed_after_a_failover:
        |flaw| numbers_again(flaw, Loss::FailoverBehind), Flaw::Code(Failpoint::CursorWithoutIdentity);
}

/// The way in which the last commits get lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The lost commits had not reached the disk.
    Crash,
    /// The lost commits had not reached the new primary, and did not have to.
    Failover,
    /// As before, but no commit waits for the standby, so only the log's identity shows the loss.
    FailoverBehind,
}

const NEXT: &str = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
const ENDED: usize = 20;
/// More numbers than the ends take, so that each end gets a number that was given out before.
const BURNT: i64 = 200;
/// More numbers than were lost, so that the counter has overtaken every number seen before.
const OVERTAKING: i64 = 600;
/// Time for which the late replica has no database; short enough that it still trusts its cache.
const STALLED_AFTER: Duration = Duration::from_millis(1500);
const WITHOUT_NOTICES: Duration = Duration::from_millis(1500);
const SERVICE_BACK: Duration = Duration::from_secs(5);

/// Everything that a client and the late replica know from before the fault.
struct Known {
    subjects: Vec<Arc<Subject>>,
    key: String,
    key_id: String,
    cursor: String,
    event: String,
}

/// The database loses commits while one replica is cut off; meanwhile the other replica ends sessions and revokes a
/// key.
async fn numbers_again(flaw: Flaw, loss: Loss) -> Verdict {
    let (test, bound) = match loss {
        Loss::Crash => ("FT-02 numbers", "no end hidden by numbers that a crash gives out again"),
        Loss::Failover => ("FT-11 numbers", "no end hidden by numbers that a failover gives out again"),
        Loss::FailoverBehind => ("FT-11 numbers, behind", "no end hidden that is made after the failover"),
    };
    let mut verdict = Verdict::new(test, "PR-3, PR-4, PR-10", bound);
    // Only synchronous commits and checkpoints write to the disk.
    let mut cluster = Cluster::start(&["wal_writer_delay=10s"]).await;
    let [(prompt_path, first), (late_path, second)] =
        [Proxy::start(&cluster.url()).await, Proxy::start(&cluster.url()).await];
    let (prompt, late) = (Replica::start(0, &first, flaw, &[]), Replica::start(1, &second, flaw, &[]));
    let standby = match loss {
        Loss::Crash => None,
        Loss::Failover | Loss::FailoverBehind => Some(cluster.add_standby("standby").await),
    };
    if loss == Loss::Failover {
        cluster.wait_for_standby(Some("standby")).await;
    }
    let history = History::new();
    let known = know(&cluster, &prompt, &late, &history).await;
    if let Some(standby) = &standby {
        standby.catch_up(&cluster).await;
    }
    let (known, next_before, held_back) = burn(&cluster, &late, known, loss).await;

    late_path.cut();
    cluster.kill();
    drop(held_back);
    let killed = Instant::now();
    let url = match &standby {
        None => {
            cluster.start_again().await;
            cluster.url()
        }
        Some(standby) => {
            let took = standby.promote().await;
            verdict.measured("promoted in ms", took.as_millis());
            standby.url()
        }
    };
    let now = standby.as_ref().unwrap_or(&cluster);
    let next = now.number(NEXT).await;
    verdict.measured("numbers given out again", next_before - next);
    prompt_path.switch_to(&url);
    until("service", async || prompt.open("after").await.is_some()).await;
    for subject in &known.subjects {
        assert_eq!(prompt.revoke(&history, subject).await, Outcome::Done);
    }
    prompt.run_command(&url, &["key", "revoke", &known.key_id]);
    Burner::connect(&url).await.unwrap().burn(OVERTAKING).await.unwrap();

    tokio::time::sleep(STALLED_AFTER.saturating_sub(killed.elapsed())).await;
    late_path.switch_to(&url);
    late_path.mend();
    verdict.measured("late by ms", killed.elapsed().as_millis());
    judge(&mut verdict, &known, &late, &history).await;
    tell_clients(&mut verdict, &known, &[&prompt, &late]).await;
    verdict
}

/// Opens sessions that the late replica has cache entries of, and creates a key that it knows.
async fn know(cluster: &Cluster, prompt: &Replica, late: &Replica, history: &History) -> Known {
    let mut subjects = Vec::new();
    for number in 0..ENDED {
        let subject = prompt.open(&format!("user-{number}")).await.unwrap();
        assert_eq!(late.check(history, &subject).await, Seen::Stands);
        subjects.push(subject);
    }
    let key = prompt.run_command(&cluster.url(), &["key", "create", "--name", "reader", "--scope", "sessions:read"]);
    let list = prompt.run_command(&cluster.url(), &["key", "list"]);
    let key_id = list.split_whitespace().next().unwrap().to_owned();
    until("the key", async || late.read_with(&key).await.status == Some(200)).await;
    let event = late.events(None).await.next().await.unwrap().id;
    let mut cursor = String::new();
    until("the list", async || {
        let reply = late.revocations(None).await;
        reply.body["cursor"].as_str().unwrap_or_default().clone_into(&mut cursor);
        reply.status == Some(200)
    })
    .await;
    Known { subjects, key, key_id, cursor, event }
}

/// Number of distinct times of reading to wait for, see [`burn`].
const LOOKS: usize = 5;

/// Uses up transaction numbers that will be lost, and lets the late replica and its clients read past them. Returns the
/// next number too, and the halted processes that keep the commits from the disk or the standby.
async fn burn(cluster: &Cluster, late: &Replica, mut known: Known, loss: Loss) -> (Known, i64, Frozen) {
    let mut burner = Burner::connect(&cluster.url()).await.unwrap();
    burner.burn(1).await.unwrap();
    let held_back = match loss {
        Loss::Crash => cluster.hold_back_disk(),
        Loss::Failover | Loss::FailoverBehind => cluster.hold_back_standbys(),
    };
    burner.burn(BURNT).await.unwrap();
    let next = cluster.number(NEXT).await;
    // The second reading of the log that a replica reports may have begun before this point, the third one began after
    // it. Its positions are settled by the fourth, and then on the disk of the server that will be lost.
    let mut looks = BTreeSet::new();
    time_until(Duration::from_secs(2), async || {
        burner.wake_replicas().await.unwrap();
        if loss != Loss::Crash {
            cluster.run("CHECKPOINT").await;
        }
        let reply = late.revocations(None).await;
        if reply.status == Some(200) {
            reply.body["cursor"].as_str().unwrap().clone_into(&mut known.cursor);
            looks.insert(reply.body["as_of"].as_str().unwrap().to_owned());
        }
        looks.len() >= LOOKS
    })
    .await;
    // A replica whose commits wait for the standby does not read the log, and need not report anything.
    if looks.len() >= LOOKS {
        known.event = late.events(None).await.next().await.unwrap().id;
    }
    (known, next, held_back)
}

/// The late replica has a moment to read the log; then it must know everything.
async fn judge(verdict: &mut Verdict, known: &Known, late: &Replica, history: &History) {
    tokio::time::sleep(WITHOUT_NOTICES).await;
    until("service", async || late.get("/readyz").await.status == Some(200)).await;
    let mut strict = 0;
    for subject in &known.subjects {
        time_until(SERVICE_BACK, async || late.check(history, subject).await != Seen::Nothing).await;
        strict += usize::from(late.verify_strictly(&subject.token).await.status == Some(200));
    }
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: WITHOUT_NOTICES }));
    verdict.must(strict == 0, format!("{strict} of {ENDED} stand by the database itself"));
    let mut status = None;
    time_until(SERVICE_BACK, async || {
        status = late.read_with(&known.key).await.status;
        status != Some(503)
    })
    .await;
    verdict.must(status == Some(401), format!("the revoked key is answered {status:?}"));
}

/// Clients that resume from their position of before miss nothing.
async fn tell_clients(verdict: &mut Verdict, known: &Known, replicas: &[&Arc<Replica>]) {
    for replica in replicas {
        for since in [None, Some(known.cursor.as_str())] {
            let mut reply = replica.revocations(since).await;
            time_until(SERVICE_BACK, async || {
                reply = replica.revocations(since).await;
                reply.status == Some(200)
            })
            .await;
            let told = count_told(&reply, &known.subjects);
            let since = if since.is_some() { "since the old cursor" } else { "in all" };
            let what = format!(
                "replica {} lists {told} of {ENDED} {since}, complete {}",
                replica.number(),
                reply.body["complete"]
            );
            verdict.must(reply.status == Some(200) && told == ENDED, what);
        }
        let heard = hear(replica, known).await;
        let what = format!("a listener at replica {} hears of {heard:?} of {ENDED}", replica.number());
        verdict.must(heard.is_none_or(|count| count == ENDED), what);
    }
}

/// The number of `subjects` in a list.
fn count_told(reply: &Reply, subjects: &[Arc<Subject>]) -> usize {
    let list = reply.body["revoked"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told: BTreeSet<&str> = list.iter().filter_map(|revoked| revoked["session_id"].as_str()).collect();
    subjects.iter().filter(|subject| told.contains(subject.id.as_str())).count()
}

/// The number of endings that a resuming listener receives; `None` when it receives `missed`.
async fn hear(replica: &Replica, known: &Known) -> Option<usize> {
    let mut heard = BTreeSet::new();
    let listening = async {
        let mut stream = replica.events(Some(&known.event)).await;
        while let Some(message) = stream.next().await {
            if message.event == "missed" {
                return true;
            }
            if message.event == "session.ended" {
                heard.insert(message.json()["session_id"].as_str().unwrap().to_owned());
            }
            if heard.len() >= ENDED {
                break;
            }
        }
        false
    };
    let missed = tokio::time::timeout(Duration::from_secs(3), listening).await.unwrap_or(false);
    (!missed).then_some(heard.len())
}
