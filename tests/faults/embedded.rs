//! The embedded database: many writers (FT-32), and crashes (FT-33).

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use sojourn::failpoints::Failpoint;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::checker::{Allowed, check};
use super::crashes::kill_server_on;
use super::flaw::Flaw;
use super::history::History;
use super::load::{Load, seed};
use super::replicas::{Replica, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use crate::support::database::TestDatabase;
use crate::support::process::{Folder, signal};

fault_tests! {
    sixteen_writers_on_one_file_get_their_turn: |flaw| many_writers(flaw, false), Flaw::None;

    a_server_that_is_killed_with_its_file_has_lost_nothing: |flaw| killed_server(flaw, 1), Flaw::None;
}

slow_fault_tests! {
    a_request_that_waits_too_long_for_the_file_is_answered_as_an_outage: |flaw| many_writers(flaw, true), Flaw::None;
    an_outage_that_passes_for_a_defect_is_noticed_when_the_file_is_locked:
        |flaw| many_writers(flaw, true), Flaw::Code(Failpoint::OutageIsDefect);

    a_server_that_is_killed_ten_times_with_its_file_has_lost_nothing: |flaw| killed_server(flaw, 10), Flaw::None;
    an_answer_before_the_write_is_noticed_when_the_server_is_killed_with_its_file:
        |flaw| killed_server(flaw, 2), Flaw::Code(Failpoint::AnswerBeforeWrite);

    // The order of system calls is read by strace.
    an_end_is_on_the_disk_before_it_is_acknowledged: order_of_writes, Flaw::None;
    a_commit_that_is_not_durable_is_noticed_in_the_order_of_writes:
        order_of_writes, Flaw::Code(Failpoint::RelaxedCommit);
}

/// Two processes on one file. With `locked`, a third keeps the file locked for longer than the others wait.
async fn many_writers(flaw: Flaw, locked: bool) -> Verdict {
    let mut verdict = Verdict::new("FT-32", "PR-16", "success or 503, never 500; nothing lost");
    let database = TestDatabase::sqlite().await;
    let replicas = [Replica::start(0, database.url(), flaw, &[]), Replica::start(1, database.url(), flaw, &[])];
    let seed = seed();
    let load = Load::start(&replicas, 16, seed);
    load.work(100).await;
    if locked {
        let options: SqliteConnectOptions = database.url().parse().unwrap();
        let mut other = options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap();
        let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let outages = || replicas.iter().map(|replica| count_but(replica, &[200, 201, 204, 401])).sum::<usize>();
        until("an outage", async || outages() > 0).await;
        lock.rollback().await.unwrap();
        load.work(20).await;
    }
    let history = load.stop().await;
    // A process reads the endings of the other from the file, with a delay.
    verdict.sessions(&check(&history.operations(), Allowed { elsewhere: Duration::from_millis(1500) }));
    verdict.measured(
        "503",
        replicas.iter().map(|replica| replica.statuses().get(&503).copied().unwrap_or(0)).sum::<usize>(),
    );
    for replica in &replicas {
        let odd = count_but(replica, &[200, 201, 204, 401, 503]);
        verdict.must(odd == 0, format!("answers: {:?}", replica.statuses()));
    }
    verdict.measured("seed", seed);
    verdict
}

fn count_but(replica: &Replica, known: &[u16]) -> usize {
    replica.statuses().iter().filter(|(status, _)| !known.contains(status)).map(|(_, count)| count).sum()
}

async fn killed_server(flaw: Flaw, kills: u32) -> Verdict {
    let verdict = Verdict::new("FT-33", "PR-1", "0 lost, 0 stale; ready 1 s after the start");
    kill_server_on(&TestDatabase::sqlite().await, verdict, flaw, kills).await
}

/// A killed process does not show what a power cut would lose, so the order of system calls is checked.
async fn order_of_writes(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-33 order", "PR-1", "a write, then the disk, then the answer");
    let database = TestDatabase::sqlite().await;
    let replica = Replica::start(0, database.url(), flaw, &[]);
    let history = History::new();
    let folder = Folder::new();
    let mut proven = 0;
    for round in 0..5 {
        let subject = replica.open("alice").await.unwrap();
        let path = folder.path.join(format!("calls-{round}"));
        let process = replica.process().id();
        let watcher = Watcher::attach(process, &path).await;
        replica.revoke(&history, &subject).await;
        drop(watcher);
        let calls = fs::read_to_string(&path).unwrap();
        let calls: Vec<&str> = calls.lines().collect();
        let find = |from: usize, names: &[&str]| {
            calls.iter().skip(from).position(|call| names.iter().any(|name| call.contains(name))).map(|at| at + from)
        };
        let answer = find(0, &["HTTP/1.1 204"]);
        let written = calls.iter().take(answer.unwrap_or_default()).rposition(|call| call.contains("pwrite64("));
        verdict.must(answer.is_some() && written.is_some(), format!("no end was seen: {calls:#?}"));
        let synced = written.and_then(|written| find(written, &["fdatasync", "fsync"]));
        let in_order = matches!((synced, answer), (Some(synced), Some(answer)) if synced < answer);
        verdict.must(in_order, "the answer does not wait for the disk");
        proven += usize::from(in_order);
        replica.check(&history, &subject).await;
    }
    verdict.measured("ends in that order", proven);
    verdict
}

/// Traces the system calls of a process until it is dropped.
struct Watcher(Child);

impl Watcher {
    async fn attach(process: u32, path: &std::path::Path) -> Self {
        let calls = "trace=pwrite64,write,writev,sendto,sendmsg,fdatasync,fsync";
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", calls, "-p", &process.to_string(), "-o"]).arg(path);
        let strace = strace.stderr(Stdio::null()).spawn().expect("strace is installed");
        let watcher = Self(strace);
        let id = watcher.0.id().to_string();
        // All threads are traced, because any of them may be the one that writes.
        let attached = || {
            let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
            threads.flatten().all(|thread| {
                let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
                status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() == id))
            })
        };
        until("strace", async || attached()).await;
        watcher
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        signal(self.0.id(), Signal::SIGINT);
        drop(self.0.wait());
    }
}
