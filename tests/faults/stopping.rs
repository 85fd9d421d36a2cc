//! A server is stopped while it serves (FT-25).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sojourn::failpoints::Failpoint;

use super::flaw::Flaw;
use super::replicas::Replica;
use super::slow_fault_tests;
use super::verdict::Verdict;
use crate::support::database::TestDatabase;
use crate::support::proxy::{Fault, Proxy};

slow_fault_tests! {
    a_server_that_stops_answers_what_it_was_asked: stopping, Flaw::None;
    a_stop_that_breaks_requests_off_is_noticed: stopping, Flaw::Code(Failpoint::NoDrain);
}

/// Clients send requests for as long as a load balancer would route to the server that polls its readiness twice a
/// second.
async fn stopping(flaw: Flaw) -> Verdict {
    const CLIENTS: u32 = 20;
    let mut verdict = Verdict::new("FT-25", "PR-13", "every request answered; stopped in 15 s");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let replica = Replica::start(0, &through, flaw, &[("SOJOURN_DRAIN_DELAY", "3s")]);
    let subject = replica.open("alice").await.unwrap();
    // Slow answers, so that there are always requests under way.
    proxy.set(Fault::Slow(Duration::from_millis(50)));

    let known = AtomicBool::new(false);
    let clients = join_all((0..CLIENTS).map(async |client| {
        // Staggered starts: two hundred requests a second, evenly.
        tokio::time::sleep(Duration::from_millis(100) / CLIENTS * client).await;
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        let (mut answered, mut failed) = (0, Vec::new());
        while !known.load(Ordering::Relaxed) {
            tick.tick().await;
            let reply = replica.verify(&subject.token).await;
            if reply.status == Some(200) {
                answered += 1;
            } else {
                failed.push(reply);
            }
        }
        (answered, failed)
    }));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        replica.process().terminate();
        let started = Instant::now();
        let ready = loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let ready = replica.get("/readyz").await.status;
            if ready != Some(200) {
                break ready;
            }
        };
        known.store(true, Ordering::Relaxed);
        (started, ready)
    };
    let (clients, (started, ready)) = tokio::join!(clients, stop);
    let status = tokio::task::block_in_place(|| replica.process().wait());
    verdict.within("stopped", started.elapsed(), Duration::from_secs(15));
    verdict.must(ready == Some(503), format!("asked whether it is ready it says {ready:?}"));
    verdict.must(status.success(), format!("it ends with {status}"));
    let answered: usize = clients.iter().map(|(answered, _)| answered).sum();
    let failed: Vec<_> = clients.into_iter().flat_map(|(_, failed)| failed).collect();
    verdict.measured("answered", answered);
    verdict.measured("failed", failed.len());
    verdict.must(answered > 0, "nothing was answered");
    verdict.must(failed.is_empty(), format!("{} requests failed, such as {:?}", failed.len(), failed.first()));
    verdict
}
