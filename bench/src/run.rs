//! The rounds. Each measures every case just after its limit, so that a disturbance affects both.

use anyhow::Result;

use crate::cases::{CASES, Case};
use crate::fixture::Fixture;
use crate::measures;
use crate::measuring::{Measured, against_limit};
use crate::options::Options;
use crate::output;
use crate::report::{Report, Row};
use crate::server::Server;

/// Measures everything and reports it.
pub async fn run(options: &Options) -> Result<()> {
    let mut fixture = Fixture::create(options, options.sessions).await?;
    let mut report = Report::new(options);
    if options.wants("disk") {
        measures::disk(&fixture, &mut report)?;
    }
    let mut rows: Vec<(Case, Vec<Measured>)> =
        CASES.iter().filter(|case| options.wants(case.name)).map(|case| (*case, Vec::new())).collect();
    let hello = Server::start_hello()?;
    for round in 1..=options.rounds {
        fixture.renew().await?;
        fixture.database.tidy()?;
        let server = Server::start(&options.server, &fixture.settings).await?;
        for (case, rounds) in &mut rows {
            output::progress(&format!("round {round} of {}: {}", options.rounds, case.name));
            if let Some(measured) = against_limit(&mut fixture, case, &server, &hello, options.seconds).await? {
                rounds.push(measured);
            }
        }
        server.stop()?;
        if options.wants("cleanup") {
            measures::cleanup(&mut fixture, options, &mut report).await?;
        }
    }
    if options.wants("tracking") && !options.sqlite {
        measures::tracking(&mut fixture, options, &mut report).await?;
    }
    if options.wants("memory") {
        measures::memory(&mut fixture, options, &mut report).await?;
    }
    drop(hello);
    report.rows = rows.iter().filter_map(|(case, rounds)| Row::new(case, rounds, options.sqlite)).collect();
    fixture.delete().await?;
    report.write(options)
}
