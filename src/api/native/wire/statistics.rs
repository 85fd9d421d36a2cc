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
    /// From the hour or day with this time in it; when left out, 24 hours or 30 days before `to`.
    from: Option<DateTime<Utc>>,
    /// Up to the hour or day with this time in it, or before the one that starts with it; when left out, and at most, now.
    to: Option<DateTime<Utc>>,
    /// A point for each hour or each day (UTC).
    #[serde(default)]
    #[param(inline, default = "hour")]
    by: StatisticsStep,
    /// Only sessions opened for this application.
    client_id: Option<String>,
    /// Only sessions on such a device.
    #[param(inline)]
    device_type: Option<DeviceKind>,
    /// Broken down by this too.
    #[param(inline)]
    pub(in crate::api::native) group_by: Option<StatisticsGrouping>,
}

/// What a point stands for.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatisticsStep {
    /// An hour.
    #[default]
    Hour,
    /// A day (UTC).
    Day,
}

/// What numbers are broken down by.
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

/// Sessions in numbers over time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// What happened before this time is counted, and nothing after it.
    as_of: DateTime<Utc>,
    /// The start of the first point.
    from: DateTime<Utc>,
    /// The end of the last.
    to: DateTime<Utc>,
    /// How many sessions nobody has ended and are not past their end, as of `as_of`. More than are active: those unused for
    /// longer than their idle timeout are among them.
    #[schema(example = 1204)]
    open: u64,
    /// One point for each hour or day, also when nothing happened.
    series: Vec<StatisticsPoint>,
    /// The same by application or by kind of device, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<StatisticsGroup>>,
}

/// The sessions of one application, or on one kind of device.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatisticsGroup {
    /// The application, with `group_by=client_id`; empty for sessions without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "web")]
    client_id: Option<String>,
    /// The kind of device, with `group_by=device_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<DeviceKind>)]
    device_type: Option<String>,
    /// As for all together.
    open: u64,
    /// As for all together.
    series: Vec<StatisticsPoint>,
}

/// What happened in an hour or a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatisticsPoint {
    /// Its start.
    from: DateTime<Utc>,
    /// How many sessions were open at its end, or at `as_of` if that is before.
    open: u64,
    /// How many were opened.
    opened: u64,
    /// How many came to their end by themselves. One that was idle for too long counts at its end, unless it was deleted
    /// before.
    expired: u64,
    /// How many were ended, by reason.
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
