//! Growth of answer times with the table, and for a user with very many sessions: as JSON and as a drawing.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use plotters::prelude::*;
use serde::Serialize;

use crate::cases::{Case, named};
use crate::fixture::Fixture;
use crate::measuring::{Measured, against_limit};
use crate::options::Options;
use crate::output;
use crate::report::median;
use crate::server::Server;

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
/// The cases that are measured at each size.
const CASES: [&str; 9] = [
    "verify-fresh-opaque",
    "verify-strict-opaque",
    "list-quiika",
    "open",
    "revoke-one",
    "janssen-user",
    "janssen-sorted",
    "search-depth",
    "stats",
];
/// The cases about one user, which the number of that user's sessions may slow down.
const CASES_OF_ONE_USER: [&str; 5] =
    ["verify-fresh-opaque", "verify-strict-opaque", "list-quiika", "open", "janssen-user"];
/// The number of sessions of the crowded user, and of those that are requested.
const CROWD: u64 = 10_000;
const CROWD_ASKING: u64 = 500;

/// The figure of a point that a panel shows.
type Value = fn(&Point) -> f64;

/// A case at one size.
#[derive(Debug, Serialize)]
struct Point {
    table: String,
    case: &'static str,
    rate: f64,
    /// The share of pgbench's rate on the same table.
    of_limit: Option<f64>,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    /// Answers other than success, in all rounds.
    failures: u64,
}

/// Measures each size, then draws.
pub async fn run(options: &Options) -> Result<()> {
    anyhow::ensure!(!options.sqlite, "the growth is measured on PostgreSQL");
    let mut points = Vec::new();
    for (place, sessions) in options.sizes.iter().enumerate() {
        let mut fixture = Fixture::create(options, *sessions).await?;
        let table = format!("{} sessions", grouped(*sessions));
        let cases = CASES.iter().filter(|name| options.wants(name));
        let cases = cases.map(|name| named(name)).collect::<Result<Vec<_>>>()?;
        measure_all(&mut fixture, options, &table, &cases, &mut points).await?;
        // The crowded user is measured once, in a table of the middle size.
        if place == options.sizes.len() / 2 {
            let population = fixture.population;
            fixture.database.fill_crowd(population, CROWD)?;
            let ids: Vec<_> = (0..CROWD_ASKING).map(|place| place * (CROWD / CROWD_ASKING)).collect();
            fixture.ask_for(&ids.iter().map(|number| population.id_in_crowd(*number)).collect::<Vec<_>>()).await?;
            let table = format!("of a user with {}", grouped(CROWD));
            let cases: Vec<Case> = cases.into_iter().filter(|case| CASES_OF_ONE_USER.contains(&case.name)).collect();
            measure_all(&mut fixture, options, &table, &cases, &mut points).await?;
        }
        fixture.delete().await?;
    }
    // The crowded user comes last, wherever it was measured.
    points.sort_by_key(|point: &Point| point.table.starts_with("of a user"));
    std::fs::write(Path::new(FOLDER).join("growth.json"), serde_json::to_string_pretty(&points)?)?;
    draw(&points, &Path::new(FOLDER).join("growth.svg"))?;
    output::tell(&markdown(&points));
    Ok(())
}

async fn measure_all(
    fixture: &mut Fixture,
    options: &Options,
    table: &str,
    cases: &[Case],
    points: &mut Vec<Point>,
) -> Result<()> {
    let mut rounds = vec![Vec::new(); cases.len()];
    let hello = Server::start_hello()?;
    for _ in 0..options.rounds {
        fixture.renew().await?;
        fixture.database.tidy()?;
        let server = Server::start(&options.server, &fixture.settings).await?;
        for (case, rounds) in cases.iter().zip(&mut rounds) {
            output::progress(&format!("{table}: {}", case.name));
            rounds.extend(against_limit(fixture, case, &server, &hello, options.seconds).await?);
        }
        server.stop()?;
    }
    for (case, rounds) in cases.iter().zip(rounds) {
        let of = |value: fn(&Measured) -> f64| median(rounds.iter().map(value).collect()).context("no round");
        points.push(Point {
            table: table.to_owned(),
            case: case.name,
            rate: of(|round| round.rate)?,
            of_limit: median(rounds.iter().filter_map(|round| Some(round.rate / round.limit?)).collect()),
            p50_milliseconds: of(|round| round.p50)?,
            p99_milliseconds: of(|round| round.p99)?,
            failures: rounds.iter().map(|round| round.failures).sum(),
        });
    }
    Ok(())
}

fn markdown(points: &[Point]) -> String {
    let mut lines = vec![
        "| table | case | rate | of the limit | p50 ms | p99 ms | failures |\n|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(points.iter().map(|point| {
        let Point { table, case, rate, of_limit, p50_milliseconds, p99_milliseconds, failures } = point;
        let of_limit = of_limit.map_or("–".to_owned(), |share| format!("{share:.2}"));
        format!(
            "| {table} | {case} | {rate:.0} | {of_limit} | {p50_milliseconds:.2} | {p99_milliseconds:.2} | {failures} |"
        )
    }));
    lines.join("\n")
}

/// Draws two panels, p50 and p99, with a line for each case.
fn draw(points: &[Point], file: &Path) -> Result<()> {
    let mut tables: Vec<&str> = Vec::new();
    for point in points {
        if !tables.contains(&point.table.as_str()) {
            tables.push(&point.table);
        }
    }
    let all = |value: fn(&Point) -> f64| points.iter().map(value);
    let lower = all(|point| point.p50_milliseconds).fold(f64::MAX, f64::min) / 2.0;
    let upper = all(|point| point.p99_milliseconds).fold(0.0, f64::max) * 2.0;
    let failed = |error: &dyn std::fmt::Display| anyhow!("drawing {}: {error}", file.display());

    let root = SVGBackend::new(file, (1200, 560)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let (left, right) = root.split_horizontally(540);
    let panels: [(_, _, Value, bool); 2] = [
        (left, "half of the answers within, ms", |point| point.p50_milliseconds, false),
        (right, "99 in 100 answers within, ms", |point| point.p99_milliseconds, true),
    ];
    for (area, caption, value, has_legend) in panels {
        // A column of the legend's own.
        let rightmost = i32::try_from(tables.len())? - 1 + i32::from(has_legend);
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, ("sans-serif", 18))
            .margin(16)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d((0..rightmost).into_segmented(), (lower..upper).log_scale())
            .map_err(|error| failed(&error))?;
        let label = |place: &SegmentValue<i32>| match place {
            SegmentValue::CenterOf(place) => {
                usize::try_from(*place).ok().and_then(|place| tables.get(place)).copied().unwrap_or_default().to_owned()
            }
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(tables.len() + 1)
            .x_label_formatter(&label)
            .y_label_formatter(&|value| format!("{value:.1}"))
            .draw()
            .map_err(|error| failed(&error))?;
        for (number, case) in CASES.iter().enumerate() {
            let color = Palette99::pick(number).mix(0.9);
            let line: Vec<_> = points
                .iter()
                .filter(|point| point.case == *case)
                .filter_map(|point| {
                    let place = tables.iter().position(|table| *table == point.table)?;
                    Some((SegmentValue::CenterOf(i32::try_from(place).ok()?), value(point)))
                })
                .collect();
            chart
                .draw_series(LineSeries::new(line, color.stroke_width(2)).point_size(3))
                .map_err(|error| failed(&error))?
                .label(*case)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        }
        if has_legend {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .draw()
                .map_err(|error| failed(&error))?;
        }
    }
    root.present().map_err(|error| failed(&error))
}

/// Groups digits: 1000000 becomes 1 000 000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}
