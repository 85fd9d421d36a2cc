//! Measurement of one case, with its limit.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::cases::{CONNECTIONS, Case};
use crate::fixture::Fixture;
use crate::load::{self, Outcome, Until, request};
use crate::output;
use crate::server::{Server, Used};

/// The figures of a case in one round.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measured {
    /// pgbench's transactions a second.
    pub limit: Option<f64>,
    /// The bare server's answers a second.
    pub hello: Option<f64>,
    /// Successful answers a second.
    pub rate: f64,
    /// The median of answer times, in milliseconds.
    pub p50: f64,
    /// The 99th percentile of answer times, in milliseconds.
    pub p99: f64,
    /// Processor time for each request, in microseconds.
    pub used: Used,
    /// The server's memory after the case, in MiB.
    pub memory: f64,
    /// Answers other than success.
    pub failures: u64,
}

/// Measures the limit, the bare server where it counts, and the case. `None` when the server has no such endpoint.
pub async fn against_limit(
    fixture: &mut Fixture,
    case: &Case,
    server: &Server,
    hello: &Server,
    seconds: u64,
) -> Result<Option<Measured>> {
    let requests = (case.requests)(fixture)?;
    if let Some(first) = requests.first() {
        let answer = load::ask(server.address, first).await?;
        if answer.status == 404 {
            output::progress(&format!("{}: the server has no such endpoint", case.name));
            return Ok(None);
        }
        if !(200..300).contains(&answer.status) {
            bail!("{}: {} {}", case.name, answer.status, String::from_utf8_lossy(&answer.body));
        }
    }
    let mut limit = None;
    if let Some(script) = case.limit {
        let asked_for = fixture.asked_for.len();
        limit = fixture.database.limit(script, seconds, fixture.population, asked_for)?;
        if case.writes {
            fixture.restore()?;
        }
    }
    let bare = if case.hello {
        let requests = (0..CONNECTIONS).map(|_| -> load::Source {
            let request = request("GET", "/hello", "", None);
            Box::new(move |out| {
                out.extend_from_slice(&request);
                true
            })
        });
        let until = Until::Elapsed(Duration::from_secs(seconds));
        Some(load::load(hello.address, requests.collect(), until).await?.rate())
    } else {
        None
    };
    let measured = measure(fixture, case, server, seconds).await?;
    if case.writes {
        fixture.restore()?;
        // The case has rotated the refresh tokens.
        fixture.renew().await?;
    }
    Ok(Some(Measured { limit, hello: bare, ..measured }))
}

/// Measures the case alone.
pub async fn measure(fixture: &Fixture, case: &Case, server: &Server, seconds: u64) -> Result<Measured> {
    let requests = (case.requests)(fixture)?;
    if !case.writes
        && let Some(warming) = requests.warming(CONNECTIONS)
    {
        load::load(server.address, warming, Until::Exhausted).await?;
    }
    let (process, database) = (server.process()?, fixture.database.process());
    let before = Used::now(process, database)?;
    let until = Until::Elapsed(Duration::from_secs(seconds));
    let outcome = load::load(server.address, requests.sources(case.connections), until).await?;
    let used = Used::now(process, database)?.since(before);
    for (status, count) in &outcome.failures {
        output::progress(&format!("{}: {count} answers with {status}", case.name));
    }
    summary(&outcome, used, server.memory()?).with_context(|| case.name)
}

fn summary(outcome: &Outcome, used: Used, memory: f64) -> Result<Measured> {
    if outcome.times.is_empty() {
        bail!("there were no requests");
    }
    let micros = |seconds: f64| seconds * 1e6 / outcome.times.len() as f64;
    Ok(Measured {
        rate: outcome.rate(),
        p50: outcome.percentile(50.0),
        p99: outcome.percentile(99.0),
        used: Used { load: micros(used.load), server: micros(used.server), database: micros(used.database) },
        memory,
        failures: outcome.failures.values().sum(),
        ..Measured::default()
    })
}
