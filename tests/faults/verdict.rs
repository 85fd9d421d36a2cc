//! The verdict on a scenario: whether a promise was kept, and the figures.

use std::fmt::Display;
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::checker::Findings;
use super::flaw::Flaw;

/// A promise, with the measured figures and the violations.
pub struct Verdict {
    test: &'static str,
    promise: &'static str,
    bound: &'static str,
    measured: Vec<String>,
    broken: Vec<String>,
}

impl Verdict {
    /// A verdict without violations. `test` and `promise` are short names for the table, `bound` is the promise itself.
    pub fn new(test: &'static str, promise: &'static str, bound: &'static str) -> Self {
        Self { test, promise, bound, measured: Vec::new(), broken: Vec::new() }
    }

    /// Records a figure.
    pub fn measured(&mut self, what: &str, figure: impl Display) {
        self.measured.push(format!("{what} {figure}"));
    }

    /// Records a condition that must hold.
    pub fn must(&mut self, holds: bool, what: impl Display) {
        if !holds {
            self.broken.push(what.to_string());
        }
    }

    /// Records a duration and its upper bound.
    pub fn within(&mut self, what: &str, took: Duration, most: Duration) {
        self.measured(what, milliseconds(took));
        self.must(took <= most, format!("{what} took {}, more than {}", milliseconds(took), milliseconds(most)));
    }

    /// Records durations. Nine in ten must be within `most`, and all within three times as much, so that other load on
    /// the machine does not decide.
    pub fn usually_within(&mut self, what: &str, mut took: Vec<Duration>, most: Duration) {
        const ENOUGH: usize = 5;
        took.sort();
        let (Some(usual), Some(slowest)) = (took.get((took.len().max(1) - 1) * 9 / 10), took.last()) else {
            self.broken.push(format!("{what} was never measured"));
            return;
        };
        self.measured(what, format!("{} (at most {})", milliseconds(*usual), milliseconds(*slowest)));
        self.must(*slowest <= most * 3, format!("{what} took {}", milliseconds(*slowest)));
        let kept = took.len() < ENOUGH || *usual <= most;
        self.must(kept, format!("{what} takes {}, more than {}", milliseconds(*usual), milliseconds(most)));
    }

    /// Records the findings about ended sessions.
    pub fn sessions(&mut self, findings: &Findings) {
        let Findings { acknowledged, unknown, stale, lost, checks, .. } = findings;
        self.measured.push(format!(
            "{acknowledged} acknowledged, {unknown} unknown, {checks} checks: {lost} lost, {stale} stale"
        ));
        self.broken.extend(findings.problems());
    }

    /// Fails the test if the promise was broken without a flaw, or kept with one.
    #[track_caller]
    pub fn settle(self, flaw: &Flaw) {
        let Self { test, promise, bound, measured, broken } = self;
        let kept = broken.is_empty();
        let failpoint = flaw.name();
        let problems: Vec<String> = broken.iter().map(|problem| problem.chars().take(200).collect()).collect();
        report(&json!({
            "test": test, "promise": promise, "bound": bound, "measured": measured.join("; "),
            "failpoint": failpoint, "broken": problems, "as_expected": kept == failpoint.is_none(),
        }));
        match failpoint {
            None => assert!(kept, "{test} ({promise}) is broken: {broken:#?}\nmeasured: {measured:#?}"),
            Some(failpoint) => assert!(!kept, "{test} does not notice {failpoint}; measured: {measured:#?}"),
        }
    }
}

/// A duration for people.
pub fn milliseconds(duration: Duration) -> String {
    if duration < Duration::from_millis(10) {
        format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
    } else {
        format!("{} ms", duration.as_millis())
    }
}

/// Appends a line for the table that `scripts/faults` prints.
#[expect(clippy::disallowed_methods, reason = "settings of tests are read where they are used")]
fn report(line: &Value) {
    // One write for the whole line, so that lines of concurrent tests do not mix.
    let line = format!("{line}\n");
    match std::env::var("SOJOURN_FAULTS_REPORT") {
        Ok(path) => {
            File::options().create(true).append(true).open(path).unwrap().write_all(line.as_bytes()).unwrap();
        }
        Err(_) => std::io::stdout().write_all(line.as_bytes()).unwrap(),
    }
}
