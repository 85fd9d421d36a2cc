//! Many crashes and fail-overs in a row (FT-02, FT-11), to meet what happens seldom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sojourn::failpoints::Failpoint;

use super::checker::{Allowed, check};
use super::cluster::Cluster;
use super::flaw::Flaw;
use super::load::{Load, seed};
use super::replicas::{Replica, until};
use super::slow_fault_tests;
use super::standby::Burning;
use super::verdict::Verdict;
use crate::support::proxy::Proxy;

slow_fault_tests! {
    dozens_of_crashes_and_failovers_lose_nothing:
        |flaw| count(flaw, Amount { crashes: 26, failovers: 10, ends: 150 }), Flaw::None;
    an_answer_before_the_write_is_noticed_among_crashes_and_failovers:
        |flaw| count(flaw, Amount { crashes: 2, failovers: 1, ends: 40 }), Flaw::Code(Failpoint::AnswerBeforeWrite);
}

/// The amount of work: `ends` sessions are ended between two faults. At least one fault is a fail-over.
#[derive(Debug, Clone, Copy)]
struct Amount {
    crashes: u32,
    failovers: u32,
    ends: usize,
}

const WRITERS: u64 = 12;
const SERVICE_BACK: Duration = Duration::from_secs(5);
/// Longest time for which a replica may serve from its cache without a database.
const MAX_ALONE: Duration = Duration::from_secs(5);
/// The fewest acknowledged ends of the full count.
const MAX_WANTED: usize = 5000;

/// Crashes between fail-overs, each fail-over to a new standby. One replica reconnects later than the other.
async fn count(flaw: Flaw, amount: Amount) -> Verdict {
    let mut verdict = Verdict::new("FT-02, FT-11 counted", "PR-1, PR-3", "0 lost, 0 stale, of 5000 ends and more");
    let mut primary = Cluster::start(&["wal_writer_delay=10s", "shared_buffers=16MB"]).await;
    let [(one, first), (two, second)] = [Proxy::start(&primary.url()).await, Proxy::start(&primary.url()).await];
    let (burning_path, burning_url) = Proxy::start(&primary.url()).await;
    let replicas = [Replica::start(0, &first, flaw, &[]), Replica::start(1, &second, flaw, &[])];
    let seed = seed();
    let mut random = SmallRng::seed_from_u64(seed);
    let burning = Burning::start(&burning_url, 2);
    let load = Load::start(&replicas, WRITERS, seed);
    let (mut crashes, mut failovers, mut back) = (0, 0, Duration::ZERO);
    for round in 0..amount.failovers {
        let name = format!("standby{round}");
        let standby = primary.add_standby(&name).await;
        primary.wait_for_standby(Some(&name)).await;
        let share = amount.crashes * (round + 1) / amount.failovers;
        while crashes < share {
            load.work(amount.ends).await;
            let late = random.random_range(0..1500);
            two.cut();
            if random.random_ratio(2, 3) {
                primary.kill();
            } else {
                primary.stop_immediately();
            }
            primary.start_again().await;
            crashes += 1;
            back = back.max(find_back(&two, late, &replicas).await);
        }
        load.work(amount.ends).await;
        let late = random.random_range(0..1500);
        two.cut();
        primary.kill();
        standby.promote().await;
        failovers += 1;
        for proxy in [&one, &two, &burning_path] {
            proxy.switch_to(&standby.url());
        }
        primary = standby;
        back = back.max(find_back(&two, late, &replicas).await);
    }
    load.work(amount.ends).await;
    let history = load.stop().await;
    let findings = check(&history.operations(), Allowed { elsewhere: MAX_ALONE });
    verdict.measured("crashes", crashes);
    verdict.measured("failovers", failovers);
    verdict.sessions(&findings);
    verdict.measured("stood elsewhere for ms", findings.longest.as_millis());
    verdict.measured("asynchronous commits, in fives,", burning.count());
    verdict.within("service back", back, SERVICE_BACK);
    let wanted = if amount.crashes > 20 { MAX_WANTED } else { 1 };
    verdict.must(findings.acknowledged >= wanted, format!("only {} ends were acknowledged", findings.acknowledged));
    verdict.measured("seed", seed);
    verdict
}

/// Reconnects the second replica after `late` milliseconds, and returns how long it then takes until both serve.
async fn find_back(second: &Proxy, late: u64, replicas: &[Arc<Replica>]) -> Duration {
    tokio::time::sleep(Duration::from_millis(late)).await;
    second.mend();
    let mended = Instant::now();
    for replica in replicas {
        until("service", async || replica.open("after").await.is_some()).await;
    }
    mended.elapsed()
}
