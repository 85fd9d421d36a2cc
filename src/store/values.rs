//! Values on their way into a database and back, where both stores treat them alike.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use serde::{Deserialize, Serialize};

use crate::model::{EndReason, Ended, ExtraClaims, Opener, Owner, Place, UserId, Whereabouts};
use crate::tokens;

/// A stored value that this version cannot read: something else wrote it.
#[derive(Debug, thiserror::Error)]
#[error("the stored {0} cannot be read")]
struct Unreadable(&'static str);

/// A value that the column cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("{0} is too large to be stored")]
struct TooLarge(&'static str);

/// The most idempotency keys that one transaction erases.
pub(super) const KEYS_ERASED_AT_ONCE: i64 = 1000;

/// The text in place of an erased idempotency key, by which a repeat of its request is recognised. A client's key has no
/// line break.
pub(super) fn erased_key(service: &str, key: &str) -> String {
    let mut text = "erased\n".to_owned();
    for byte in tokens::fingerprint(format!("{service}\n{key}").as_bytes()) {
        text.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}

/// Names the column of a stored value that is not what this version writes.
pub(super) trait OrUnreadable<T> {
    fn or_unreadable(self, column: &'static str) -> Result<T, sqlx::Error>;
}

impl<T> OrUnreadable<T> for Option<T> {
    fn or_unreadable(self, column: &'static str) -> Result<T, sqlx::Error> {
        self.ok_or_else(|| sqlx::Error::Decode(Box::new(Unreadable(column))))
    }
}

impl<T, E> OrUnreadable<T> for Result<T, E> {
    fn or_unreadable(self, column: &'static str) -> Result<T, sqlx::Error> {
        self.ok().or_unreadable(column)
    }
}

/// The user whose sessions alone count; `None`: anybody's do.
pub(super) fn owned_by(owner: Owner<'_>) -> Option<&str> {
    owner.user().map(UserId::as_str)
}

pub(super) fn counter_to_store(counter: u32, column: &'static str) -> Result<i32, sqlx::Error> {
    i32::try_from(counter).map_err(|_| sqlx::Error::Encode(Box::new(TooLarge(column))))
}

/// A counter that was seen in a token. No genuine one passes what the column can hold.
pub(super) fn seen_counter(counter: u32) -> i32 {
    i32::try_from(counter).unwrap_or(i32::MAX)
}

/// The counter of a refresh token, if a successor can be counted.
pub(super) fn presented_counter(counter: u32) -> Option<i32> {
    i32::try_from(counter).ok().filter(|counter| *counter < i32::MAX)
}

pub(super) fn seconds_to_store(time: Option<TimeDelta>) -> Result<Option<i32>, sqlx::Error> {
    time.map(|time| i32::try_from(time.num_seconds()))
        .transpose()
        .map_err(|_| sqlx::Error::Encode(Box::new(TooLarge("idle_timeout"))))
}

/// Claims as a change names them, where null leaves the stored ones as they are.
pub(super) fn claims_to_change(claims: Option<&ExtraClaims>) -> &str {
    claims.map_or("{}", ExtraClaims::as_json)
}

/// A list of texts, as JSON.
pub(super) fn texts_to_store(methods: &[String]) -> Result<String, sqlx::Error> {
    serde_json::to_string(methods).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

pub(super) fn stored_texts(json: &str, column: &'static str) -> Result<Vec<String>, sqlx::Error> {
    // Usually there are none, which needs no reading.
    if json == "[]" { Ok(Vec::new()) } else { serde_json::from_str(json).or_unreadable(column) }
}

pub(super) fn stored_ended(at: Option<DateTime<Utc>>, reason: Option<&str>) -> Result<Option<Ended>, sqlx::Error> {
    match (at, reason) {
        (None, None) => Ok(None),
        (Some(at), Some(reason)) => {
            Ok(Some(Ended { at, reason: EndReason::parse(reason).or_unreadable("end_reason")? }))
        }
        _ => None.or_unreadable("end_reason"),
    }
}

pub(super) fn stored_address(text: Option<&str>) -> Result<Option<IpAddr>, sqlx::Error> {
    text.map(str::parse).transpose().or_unreadable("ip_address")
}

/// A place as JSON. A newer version may add to it.
#[derive(Serialize, Deserialize)]
struct StoredPlace<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_name: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<T>,
}

pub(super) fn place_to_store(place: Option<&Place>) -> Result<Option<String>, sqlx::Error> {
    let json = |Place { city, region, country, country_name, asn, organization }: &Place| {
        serde_json::to_string(&StoredPlace {
            city: city.as_deref(),
            region: region.as_deref(),
            country: country.as_deref(),
            country_name: country_name.as_deref(),
            asn: *asn,
            organization: organization.as_deref(),
        })
    };
    place.map(json).transpose().map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

pub(super) fn stored_place(json: Option<&str>, column: &'static str) -> Result<Option<Place>, sqlx::Error> {
    let read = |json| {
        let StoredPlace { city, region, country, country_name, asn, organization } = serde_json::from_str(json)?;
        Ok::<_, serde_json::Error>(Place { city, region, country, country_name, asn, organization })
    };
    json.map(read).transpose().or_unreadable(column)
}

pub(super) fn address_to_store(from: Option<&Whereabouts>) -> Option<String> {
    from.map(|from| from.ip_address.to_string())
}

pub(super) fn last_place_to_store(from: Option<&Whereabouts>) -> Result<Option<String>, sqlx::Error> {
    place_to_store(from.and_then(|from| from.place.as_ref()))
}

pub(super) fn stored_whereabouts(
    address: Option<&str>,
    place: Option<&str>,
) -> Result<Option<Whereabouts>, sqlx::Error> {
    let place = stored_place(place, "last_place")?;
    let address = address.map(str::parse).transpose().or_unreadable("last_ip_address")?;
    Ok(address.map(|ip_address| Whereabouts { ip_address, place }))
}

pub(super) fn stored_opener(text: Option<&str>) -> Result<Option<Opener>, sqlx::Error> {
    text.map(Opener::parse).map(|opener| opener.or_unreadable("opened_by")).transpose()
}
