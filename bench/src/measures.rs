//! Figures that are no rate of one request: disk, memory, the speed of cleaning up, and the cost of tracking last-seen
//! times. Each has a server of its own, so that nothing remains from an earlier one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cases::{CONNECTIONS, named};
use crate::fixture::Fixture;
use crate::load::{self, Until, request};
use crate::measuring::measure;
use crate::options::Options;
use crate::output::progress;
use crate::report::{Report, Verdict};
use crate::server::Server;

/// Most sessions to be cleaned up.
const MAX_STALE: u64 = 1_000_000;

/// Disk space of a session.
pub fn disk(fixture: &Fixture, report: &mut Report) -> Result<()> {
    let each = fixture.database.bytes()? as f64 / fixture.population.sessions as f64;
    report.add(
        "disk: a session with its indexes",
        each,
        "bytes",
        Some(|value| Verdict::at_most(value, 500.0, "bytes")),
    );
    Ok(())
}

/// Seconds between two writes of a session's last-seen time. A measurement of this length writes each session once.
const WRITTEN_EVERY: u64 = 60;

/// The share of its rate that verification keeps while last-seen times are written.
pub async fn tracking(fixture: &mut Fixture, options: &Options, report: &mut Report) -> Result<()> {
    progress("tracking");
    let case = named("verify-fresh")?;
    let mut rates = [0.0; 2];
    for (ahead, rate) in [false, true].into_iter().zip(&mut rates) {
        fixture.database.set_last_seen(fixture.population, fixture.asked_for.len(), ahead)?;
        let server = Server::start(&options.server, &fixture.settings).await?;
        *rate = measure(fixture, &case, &server, options.seconds.max(WRITTEN_EVERY)).await?.rate;
        server.stop()?;
    }
    fixture.database.set_last_seen(fixture.population, fixture.asked_for.len(), false)?;
    let [with, without] = rates;
    let goal: fn(f64) -> Verdict = |value| Verdict::at_least(value, 0.95, "of the rate without");
    report.add("tracking: verify-fresh keeps", with / without, "of its rate", Some(goal));
    Ok(())
}

/// The speed of cleaning up, and the share of its rate that verification keeps meanwhile.
pub async fn cleanup(fixture: &mut Fixture, options: &Options, report: &mut Report) -> Result<()> {
    progress("cleanup");
    let case = named("verify-strict")?;
    let server = Server::start(&options.server, &fixture.settings).await?;
    let alone = measure(fixture, &case, &server, options.seconds).await?.rate;
    let rows = (fixture.population.sessions / 5).min(MAX_STALE);

    fixture.database.fill_stale(fixture.population, rows).await?;
    let (deleted, seconds) = clean(fixture, &server).await?;
    let goal: fn(f64) -> Verdict = |value| Verdict::at_least(value, 100_000.0, "/s");
    report.add("cleanup: alone", deleted as f64 / seconds, "sessions/s", Some(goal));

    fixture.database.fill_stale(fixture.population, rows).await?;
    let requests = (case.requests)(fixture)?;
    let stop = Arc::new(AtomicBool::new(false));
    let checking = load::load(server.address, requests.sources(CONNECTIONS), Until::FeedItem(Arc::clone(&stop)));
    let cleaning = async {
        let cleaned = clean(fixture, &server).await;
        stop.store(true, Ordering::Relaxed);
        cleaned
    };
    let (checked, cleaned) = tokio::join!(checking, cleaning);
    let (deleted, seconds) = cleaned?;
    report.add("cleanup: while tokens are checked", deleted as f64 / seconds, "sessions/s", None);
    let goal: fn(f64) -> Verdict = |value| Verdict::at_least(value, 0.9, "of the rate without");
    report.add("cleanup: verify-strict keeps", checked?.rate() / alone, "of its rate", Some(goal));
    server.stop()?;
    fixture.database.tidy()
}

/// Cleans up until nothing is left. Returns the number of deleted sessions and the seconds that it took.
async fn clean(fixture: &Fixture, server: &Server) -> Result<(u64, f64)> {
    let clean = request("POST", "/v1/cleanup", &fixture.service, None);
    let begin = Instant::now();
    let mut all = 0;
    loop {
        let answer = load::ask(server.address, &clean).await?;
        let body: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let Some(deleted) = body.get("deleted").and_then(serde_json::Value::as_u64) else {
            bail!("cleanup: {} {body}", answer.status);
        };
        if deleted == 0 {
            return Ok((all, begin.elapsed().as_secs_f64()));
        }
        all += deleted;
    }
}

/// The server's memory: idle, under load without a cache, and for each cache entry.
pub async fn memory(fixture: &mut Fixture, options: &Options, report: &mut Report) -> Result<()> {
    progress("memory");
    let case = named("verify-fresh-opaque")?;
    let mut memory = [0.0; 2];
    for (copies, memory) in ["0", "1024"].into_iter().zip(&mut memory) {
        let mut settings: BTreeMap<String, String> = fixture.settings.clone();
        settings.insert("SOJOURN_CACHE_MEGABYTES".to_owned(), copies.to_owned());
        let server = Server::start(&options.server, &settings).await?;
        if copies == "0" {
            let goal: fn(f64) -> Verdict = |value| Verdict::at_most(value, 30.0, "MiB");
            report.add("memory: idle", server.memory()?, "MiB", Some(goal));
        }
        *memory = measure(fixture, &case, &server, options.seconds).await?.memory;
        server.stop()?;
    }
    let [without, with] = memory;
    let goal: fn(f64) -> Verdict = |value| Verdict::at_most(value, 60.0, "MiB");
    report.add("memory: under load, without copies", without, "MiB", Some(goal));
    let copies = fixture.asked_for.len();
    let goal: fn(f64) -> Verdict = |value| Verdict::at_most(value, 0.5, "KiB");
    let each = (with - without) * 1024.0 / copies as f64;
    report.add("memory: a copy of a session", each, "KiB", Some(goal));
    Ok(())
}
