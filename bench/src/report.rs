//! Tables of figures, for people and for programs.

use anyhow::Result;
use serde::Serialize;

use crate::cases::Case;
use crate::measuring::Measured;
use crate::options::Options;
use crate::output;

/// A goal and whether it was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The goal in words.
    pub goal: String,
    pub met: bool,
}

impl Verdict {
    /// A lower bound.
    pub fn at_least(value: f64, least: f64, what: &str) -> Self {
        Self { goal: format!("≥ {least} {what}"), met: value >= least }
    }

    /// An upper bound.
    pub fn at_most(value: f64, most: f64, what: &str) -> Self {
        Self { goal: format!("≤ {most} {what}"), met: value <= most }
    }
}

fn verdicts(verdicts: &[Verdict]) -> String {
    let text = |verdict: &Verdict| format!("{} {}", verdict.goal, if verdict.met { "✓" } else { "✗" });
    verdicts.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// The medians of a case over all rounds.
#[derive(Debug, Serialize)]
pub struct Row {
    name: &'static str,
    asks: &'static str,
    limit_script: Option<&'static str>,
    limit: Option<f64>,
    rate: f64,
    rates: Vec<f64>,
    of_limit: Option<f64>,
    of_hello: Option<f64>,
    p50_milliseconds: f64,
    p99_milliseconds: f64,
    load_microseconds: f64,
    server_microseconds: f64,
    database_microseconds: f64,
    memory_mebibytes: f64,
    failures: u64,
    verdicts: Vec<Verdict>,
}

impl Row {
    /// The medians of a case; `None` when it was never measured.
    pub fn new(case: &Case, rounds: &[Measured], sqlite: bool) -> Option<Self> {
        let median_of = |value: &dyn Fn(&Measured) -> Option<f64>| median(rounds.iter().filter_map(value).collect());
        let median_of_all = |value: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(value).collect());
        let rate = median_of_all(&|round| round.rate)?;
        // Ratios are taken within a round, because a disturbance affects both sides of it.
        let of_limit = median_of(&|round| round.limit.map(|limit| round.rate / limit));
        let of_hello = median_of(&|round| round.hello.map(|hello| round.rate / hello));
        let (p50, p99) = (median_of_all(&|round| round.p50)?, median_of_all(&|round| round.p99)?);
        let server = median_of_all(&|round| round.used.server)?;
        let goal = case.goal;
        let at_least = |value: Option<f64>, least: Option<f64>, what| Some(Verdict::at_least(value?, least?, what));
        let at_most = |value: f64, most: Option<f64>, what| Some(Verdict::at_most(value, most?, what));
        let verdicts = [
            at_least(of_limit, goal.of_limit, "of the limit"),
            at_least(of_hello, goal.of_hello, "of hello"),
            at_most(p50, goal.p50, "ms p50"),
            at_most(p99, goal.p99, "ms p99"),
            at_most(server, goal.server_time.filter(|_| !sqlite), "µs server"),
            at_least(Some(rate), goal.on_sqlite.filter(|_| sqlite), "/s"),
        ];
        Some(Self {
            name: case.name,
            asks: case.asks,
            limit_script: case.limit.map(|limit| limit.name),
            limit: median_of(&|round| round.limit),
            rate,
            rates: rounds.iter().map(|round| round.rate).collect(),
            of_limit,
            of_hello,
            p50_milliseconds: p50,
            p99_milliseconds: p99,
            load_microseconds: median_of_all(&|round| round.used.load)?,
            server_microseconds: server,
            database_microseconds: median_of_all(&|round| round.used.database)?,
            memory_mebibytes: median_of_all(&|round| round.memory)?,
            failures: rounds.iter().map(|round| round.failures).sum(),
            verdicts: verdicts.into_iter().flatten().collect(),
        })
    }

    fn markdown(&self) -> String {
        let number =
            |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
        format!(
            "| {} | {} | {} | {:.0} | **{}** | {} | {:.2} / {:.2} | {:.0} / {:.0} / {:.0} | {:.0} | {} | {} |",
            self.name,
            self.limit_script.filter(|_| self.limit.is_some()).unwrap_or("–"),
            number(self.limit, 0),
            self.rate,
            number(self.of_limit, 2),
            number(self.of_hello, 2),
            self.p50_milliseconds,
            self.p99_milliseconds,
            self.load_microseconds,
            self.server_microseconds,
            self.database_microseconds,
            self.memory_mebibytes,
            self.failures,
            verdicts(&self.verdicts),
        )
    }
}

/// The middle value; of two, the mean.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len().is_multiple_of(2) {
        Some(f64::midpoint(*values.get(middle.checked_sub(1)?)?, upper))
    } else {
        Some(upper)
    }
}

/// A figure that is no case. Of several measurements the median counts.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// The name.
    pub name: &'static str,
    /// The values of all rounds.
    pub values: Vec<f64>,
    /// The unit.
    pub unit: &'static str,
    /// The check against the goal.
    #[serde(skip)]
    pub goal: Option<fn(f64) -> Verdict>,
}

impl Figure {
    fn markdown(&self) -> Option<String> {
        let value = median(self.values.clone())?;
        let verdict = self.goal.map(|goal| goal(value));
        Some(format!("| {} | {value:.2} | {} | {} |", self.name, self.unit, verdicts(verdict.as_slice())))
    }
}

/// The results of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    database: &'static str,
    sessions: u64,
    seconds: u64,
    rounds: u64,
    pub rows: Vec<Row>,
    pub figures: Vec<Figure>,
}

impl Report {
    /// An empty report.
    pub fn new(options: &Options) -> Self {
        let database = if options.sqlite { "SQLite" } else { "PostgreSQL" };
        let Options { sessions, seconds, rounds, .. } = *options;
        Self { database, sessions, seconds, rounds, rows: Vec::new(), figures: Vec::new() }
    }

    /// Adds a value to the figure of this name.
    pub fn add(&mut self, name: &'static str, value: f64, unit: &'static str, goal: Option<fn(f64) -> Verdict>) {
        match self.figures.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.values.push(value),
            None => self.figures.push(Figure { name, values: vec![value], unit, goal }),
        }
    }

    fn markdown(&self) -> String {
        let Self { database, sessions, seconds, rounds, .. } = self;
        let mut lines = vec![format!("{database}, {sessions} sessions, {rounds} rounds of {seconds} s, medians.\n")];
        if !self.rows.is_empty() {
            lines.push(
                "| case | pgbench script | its rate | rate | of the limit | of hello | p50 / p99 ms | µs load / server / database | MiB | failures | goals |\n\
                 |---|---|---|---|---|---|---|---|---|---|---|"
                    .to_owned(),
            );
            lines.extend(self.rows.iter().map(Row::markdown));
            lines.push(String::new());
        }
        if !self.figures.is_empty() {
            lines.push("| figure | value | unit | goal |\n|---|---|---|---|".to_owned());
            lines.extend(self.figures.iter().filter_map(Figure::markdown));
            lines.push(String::new());
        }
        lines.join("\n")
    }

    /// Writes the report to files and prints it.
    pub fn write(&self, options: &Options) -> Result<()> {
        let name = format!("{}-{}", self.database.to_lowercase(), self.sessions);
        std::fs::create_dir_all(&options.output)?;
        let markdown = self.markdown();
        std::fs::write(options.output.join(format!("{name}.md")), &markdown)?;
        std::fs::write(options.output.join(format!("{name}.json")), serde_json::to_string_pretty(self)?)?;
        output::tell(&markdown);
        Ok(())
    }
}
