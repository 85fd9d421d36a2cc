//! Hours in a minute: mixed requests with short outages, while memory, files and connections are watched (FT-36).

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sojourn::failpoints::Failpoint;
use sqlx::ConnectOptions as _;

use super::flaw::Flaw;
use super::history::History;
use super::load::seed;
use super::replicas::{Replica, until};
use super::slow_fault_tests;
use super::verdict::Verdict;
use crate::support::database::TestDatabase;
use crate::support::proxy::{Fault, Proxy};

slow_fault_tests! {
    a_minute_of_faults_leaves_nothing_behind: |flaw| soak(flaw, Duration::from_secs(80)), Flaw::None;
    memory_that_is_left_behind_is_noticed: |flaw| soak(flaw, Duration::from_secs(30)), Flaw::Code(Failpoint::Leak);
}

const CONNECTIONS: i64 = 8;
/// More than a quiet process grows within a minute, and a small part of a leak per connection.
const MAX_GROWTH: u64 = 6 * 1024;

async fn soak(flaw: Flaw, length: Duration) -> Verdict {
    let mut verdict = Verdict::new("FT-36", "steady", "memory grows by 6 MiB at most; files and connections do not");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let settings = [("SOJOURN_DATABASE_CONNECTIONS", CONNECTIONS.to_string())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let replica = Replica::start(0, &through, flaw, &settings);
    let process = replica.process().id();
    let files_before = files(process);
    let seed = seed();
    let stop = AtomicBool::new(false);
    let history = History::new();
    let work = futures_util::future::join_all((0..4).map(async |client: u64| {
        let mut random = SmallRng::seed_from_u64(seed.wrapping_add(client));
        let mut requests = 0;
        while !stop.load(Ordering::Relaxed) {
            let subject = replica.open_pair(&format!("user-{client}")).await;
            requests += 1;
            let Some(subject) = subject else { continue };
            for _ in 0..20 {
                match random.random_range(0..20) {
                    0 => drop(replica.refresh(&subject.refresh).await),
                    1 => drop(replica.administer("GET", "/v1/sessions?limit=5", None).await),
                    _ => drop(replica.check(&history, &subject).await),
                }
                replica.forget_connections();
                requests += 1;
            }
            replica.revoke(&history, &subject).await;
        }
        requests
    }));
    let faults = async {
        let samples = disturb(&proxy, seed, length, process).await;
        stop.store(true, Ordering::Relaxed);
        samples
    };
    let (requests, samples) = tokio::join!(work, faults);
    // The first half fills what may be filled: pools, buffers, the cache.
    let (early, late) = samples.split_at(samples.len() / 2);
    let least = |samples: &[u64]| samples.iter().copied().min().unwrap_or_default();
    let (before, after) = (early.iter().copied().max().unwrap_or_default(), least(&late[late.len() / 2..]));
    verdict.measured("requests", requests.iter().sum::<u64>());
    verdict.measured("faults", samples.len());
    verdict.measured("memory", format!("{} KiB at first, {before} KiB halfway, {after} KiB at last", samples[0]));
    verdict.must(after <= before + MAX_GROWTH, format!("memory grew from {before} to {after} KiB"));

    replica.forget_connections();
    let options: sqlx::postgres::PgConnectOptions = database.url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let of_server = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'sojourn%'";
    let connections: i64 = sqlx::query_scalar(of_server).fetch_one(&mut connection).await.unwrap();
    verdict.measured("connections", connections);
    // Four further connections read the change log and probe the primary.
    let most = CONNECTIONS + 4;
    verdict.must(connections <= most, format!("{connections} connections of at most {most}"));
    // The pool's connections, and one that the last request may have left.
    let most = files_before + usize::try_from(CONNECTIONS).unwrap() + 4;
    let settled = async || files(process) <= most;
    let quiet = tokio::time::timeout(Duration::from_secs(15), until("quiet", settled)).await;
    verdict.measured("files", files(process));
    verdict.must(quiet.is_ok(), format!("{} files are open, more than {most}", files(process)));
    verdict.measured("seed", seed);
    verdict
}

/// Breaks the connection to the database every two seconds, in random ways. Returns the memory of the process after each
/// fault.
async fn disturb(proxy: &Proxy, seed: u64, length: Duration, process: u32) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(seed);
    let started = Instant::now();
    let mut samples = Vec::new();
    while started.elapsed() < length {
        let fault = match random.random_range(0..4) {
            0 => Fault::Cut,
            1 => Fault::Slow(Duration::from_millis(20)),
            2 => Fault::LosesAnswers,
            _ => Fault::CutAfter(random.random_range(0..2000)),
        };
        proxy.set(fault);
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.mend();
        tokio::time::sleep(Duration::from_millis(1700)).await;
        samples.push(memory(process));
    }
    samples
}

/// Resident memory of a process, in KiB.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The number of files and connections that a process has open.
fn files(process: u32) -> usize {
    fs::read_dir(format!("/proc/{process}/fd")).unwrap().count()
}
