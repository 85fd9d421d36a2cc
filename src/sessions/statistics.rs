//! Statistics: sessions opened, expired and ended (by reason) per step of time, and sessions open at its end.
//!
//! A roll-up in the background counts each event once, shortly after it happened. The cost of a query is therefore
//! independent of the number of sessions.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::error::Error;
use super::facade::Sessions;
use crate::metrics;
use crate::model::{
    Caller, CountedEvent, CountsWanted, EventCount, FieldError, GroupCount, OpenSessions, Scope, StatisticsQuery, Step,
};
use crate::store::BatchProgress;

/// Age at which an event is counted. Clock skew (at most 5 seconds) and a slow database (at most 4.5 seconds) may delay a
/// replica's commit until then.
pub const COUNTED_AFTER: TimeDelta = TimeDelta::seconds(15);
/// The most points in one answer, of all groups together.
pub const MAX_POINTS: usize = 5000;

/// The events of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The start of the step.
    pub from: DateTime<Utc>,
    /// Sessions open at the end of the step, as far as it is counted.
    pub open: u64,
    /// Sessions opened.
    pub opened: u64,
    /// Sessions expired.
    pub expired: u64,
    /// Sessions ended, by reason.
    pub ended: BTreeMap<&'static str, u64>,
}

/// The number of open sessions over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// Sessions neither ended nor past their end, idle-expired ones included.
    pub open: u64,
    /// Every step, empty ones included.
    pub points: Vec<Point>,
}

/// Sessions in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// The instant before which all events are counted.
    pub as_of: DateTime<Utc>,
    /// The start of the first step.
    pub from: DateTime<Utc>,
    /// The end of the last.
    pub to: DateTime<Utc>,
    /// All together.
    pub total: Series,
    /// By group, in the order of the names. A group's name is empty for sessions without a client.
    pub groups: Vec<(String, Series)>,
}

impl Sessions {
    /// Counts one batch of events; true if more are left. While another replica counts, this one has none left.
    pub async fn roll_up(&self) -> Result<bool, Error> {
        Ok(self.store().roll_up(self.now() - COUNTED_AFTER).await? == BatchProgress::More)
    }

    /// Records the number of open sessions for the metrics, as the statistics have it.
    pub async fn measure_open_sessions(&self) -> Result<(), Error> {
        let OpenSessions { number, counted_until } = self.store().open_sessions().await?;
        metrics::statistics(Some((counted(number), counted_until)));
        Ok(())
    }

    /// The statistics of a range of time, for a caller with `sessions:read`. Refused: [`Error::Invalid`] for an empty range
    /// and for more than [`MAX_POINTS`].
    pub async fn statistics(&self, caller: &Caller, query: &StatisticsQuery) -> Result<Statistics, Error> {
        caller.require(Scope::READ)?;
        let (step, now) = (query.step, self.now());
        let to = step.end(query.to.map_or(now, |to| to.min(now)));
        let default_span = match step {
            Step::Hour => TimeDelta::days(1),
            Step::Day => TimeDelta::days(30),
        };
        let from = query.from.map_or(to - default_span, |from| step.start(from));
        if from >= to {
            return Err(FieldError::new("from", "must be before to, and not after now").into());
        }
        let points = usize::try_from((to - from).num_seconds() / step.length().num_seconds()).unwrap_or(usize::MAX);
        let most_groups = MAX_POINTS / points.max(1);
        let too_many = |field| FieldError::new(field, format!("asks for more than {MAX_POINTS} points"));
        if most_groups == 0 {
            return Err(too_many("from").into());
        }
        let wanted = CountsWanted { from, to, midnight: Step::Day.end(to), query, most_groups };
        let counts = self.store().statistics(wanted).await?;
        if counts.groups.len() > most_groups {
            return Err(too_many("group_by").into());
        }
        let groups = counts.groups.iter().map(|GroupCount { name, open, since }| {
            let events = counts.events.iter().filter(move |counted| counted.group == *name);
            (name.clone(), series(*open, *since, events, &wanted))
        });
        let groups = if query.group_by.is_some() { groups.collect() } else { Vec::new() };
        let open = counts.groups.iter().map(|group| group.open).sum();
        let since = counts.groups.iter().map(|group| group.since).sum();
        let total = series(open, since, counts.events.iter(), &wanted);
        Ok(Statistics { as_of: counts.counted_until, from, to, total, groups })
    }
}

/// The points of a series. `open`: sessions open now; `since`: sessions opened less sessions gone after the end of the series.
fn series<'a>(
    open: i64,
    since: i64,
    events: impl DoubleEndedIterator<Item = &'a EventCount>,
    wanted: &CountsWanted<'_>,
) -> Series {
    let mut events = events.rev().peekable();
    let (mut start, mut open_at_end) = (wanted.to, open - since);
    let mut points = Vec::new();
    // Backwards, because it is known how many are open now.
    while start > wanted.from {
        start -= wanted.query.step.length();
        let mut point =
            Point { from: start, open: counted(open_at_end), opened: 0, expired: 0, ended: BTreeMap::new() };
        while let Some(EventCount { event, count, .. }) = events.next_if(|counted| counted.start >= start) {
            match event {
                CountedEvent::Opened => point.opened += counted(*count),
                CountedEvent::Expired => point.expired += counted(*count),
                CountedEvent::Ended(reason) => *point.ended.entry(reason.as_str()).or_default() += counted(*count),
            }
            open_at_end -= if *event == CountedEvent::Opened { *count } else { -count };
        }
        points.push(point);
    }
    points.reverse();
    Series { open: counted(open), points }
}

/// Counts below 0 are the work of a wrong clock.
fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
