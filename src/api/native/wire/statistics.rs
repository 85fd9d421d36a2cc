//! Statistics of sessions over time.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::device::DeviceKind;
use crate::model::{DeviceType, FieldError, Grouping, Step};
use crate::{model, sessions};

/// The range, the step and the grouping of statistics.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatisticsQuery {
    /// Start of the range, rounded down to an hour or day. Default: 24 hours or 30 days before `to`.
    from: Option<DateTime<Utc>>,
    /// End of the range (exclusive), rounded up to an hour or day. Default and maximum: now.
    to: Option<DateTime<Utc>>,
    /// Length of each point.
    #[serde(default)]
    #[param(inline)]
    by: StatisticsStep,
    /// Only sessions opened for this application.
    client_id: Option<String>,
    /// Only sessions on this kind of device.
    #[param(inline)]
    device_type: Option<DeviceKind>,
    /// Property by which to group the numbers, besides the totals.
    #[param(inline)]
    pub(in crate::api::native) group_by: Option<StatisticsGrouping>,
}

/// Length of a point.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "hour")]
enum StatisticsStep {
    /// An hour.
    #[default]
    Hour,
    /// A day (UTC).
    Day,
}

/// Property by which numbers are grouped.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::api::native) enum StatisticsGrouping {
    /// The application.
    ClientId,
    /// The kind of device.
    DeviceType,
}

impl StatisticsQuery {
    /// The query in the core's types.
    pub(in crate::api::native) fn parse(self) -> Result<model::StatisticsQuery, FieldError> {
        let Self { from, to, by, client_id, device_type, group_by } = self;
        for (field, at) in [("from", from), ("to", to)] {
            // Nothing was counted before 1970, and databases differ in the later years that they can compare.
            if at.is_some_and(|at| !(1970..=9999).contains(&at.year())) {
                return Err(FieldError::new(field, "must be in the years 1970 to 9999"));
            }
        }
        Ok(model::StatisticsQuery {
            from,
            to,
            step: match by {
                StatisticsStep::Hour => Step::Hour,
                StatisticsStep::Day => Step::Day,
            },
            client_id: client_id.map(|text| model::text::required("client_id", text, 255)).transpose()?,
            device_type: device_type.map(DeviceType::from),
            group_by: group_by.map(|group_by| match group_by {
                StatisticsGrouping::ClientId => Grouping::ClientId,
                StatisticsGrouping::DeviceType => Grouping::DeviceType,
            }),
        })
    }
}

/// Numbers of sessions over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// Time up to which events are counted.
    as_of: DateTime<Utc>,
    /// Start of the first point.
    from: DateTime<Utc>,
    /// End of the last point.
    to: DateTime<Utc>,
    /// Number of open sessions at `as_of`: neither ended nor past `expires_at`. Sessions past their idle timeout are
    /// included, although they are not active.
    #[schema(example = 1204)]
    open: u64,
    /// One point for each hour or day, including those without events.
    series: Vec<StatisticsPoint>,
    /// The same numbers for each application or kind of device; only with `group_by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<StatisticsGroup>>,
}

/// Numbers of the sessions of one application, or on one kind of device.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatisticsGroup {
    /// Application; only with `group_by=client_id`, and empty for sessions without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Kind of device; only with `group_by=device_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeviceKind>)]
    device_type: Option<String>,
    /// Number of open sessions at `as_of`, counted like the total.
    open: u64,
    /// One point for each hour or day.
    series: Vec<StatisticsPoint>,
}

/// Numbers of one hour or day.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatisticsPoint {
    /// Start of the hour or day.
    from: DateTime<Utc>,
    /// Number of open sessions at the end of the hour or day, or at `as_of` if that is earlier.
    open: u64,
    /// Number of sessions opened.
    opened: u64,
    /// Number of sessions expired. A session past its idle timeout counts at its `expires_at`, or at its idle expiry if
    /// it is deleted earlier.
    expired: u64,
    /// Numbers of sessions ended, by end reason.
    #[schema(example = json!({ "logout": 17, "revoked_by_admin": 2 }))]
    ended: BTreeMap<&'static str, u64>,
}

impl Statistics {
    pub(in crate::api::native) fn new(statistics: sessions::Statistics, group_by: Option<StatisticsGrouping>) -> Self {
        let sessions::Statistics { as_of, from, to, total, groups } = statistics;
        let group = |(name, series): (String, sessions::Series), group_by| {
            let (client_id, device_type) = match group_by {
                StatisticsGrouping::ClientId => (Some(name), None),
                StatisticsGrouping::DeviceType => (None, Some(name)),
            };
            StatisticsGroup { client_id, device_type, open: series.open, series: points(series) }
        };
        let groups = group_by.map(|group_by| groups.into_iter().map(|named| group(named, group_by)).collect());
        Self { as_of, from, to, open: total.open, series: points(total), groups }
    }
}

fn points(series: sessions::Series) -> Vec<StatisticsPoint> {
    let shown = |point| {
        let sessions::Point { from, open, opened, expired, ended } = point;
        StatisticsPoint { from, open, opened, expired, ended }
    };
    series.points.into_iter().map(shown).collect()
}
