//! Instants as text (RFC 3339), for answers with many of them: chrono writes them through `fmt`, with twelve times as
//! many instructions. The text is the same as chrono's, unlike that of other crates: a fraction has zero, three or six
//! digits.

use std::str;

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::{Serialize as _, Serializer};

/// The length of `2026-01-01T00:00:00.123456Z`.
const TEXT_BYTES: usize = 27;

/// Writes an instant; for `serde(serialize_with)`.
pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    match text(time, &mut [0; TEXT_BYTES]) {
        Some(text) => serializer.serialize_str(text),
        None => time.serialize(serializer),
    }
}

/// The text; `None` for years without four digits and for nanoseconds, neither of which are stored.
fn text<'a>(time: &DateTime<Utc>, buffer: &'a mut [u8; TEXT_BYTES]) -> Option<&'a str> {
    let micros = time.nanosecond() / 1000;
    let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
    if !time.nanosecond().is_multiple_of(1000) || micros >= 1_000_000 {
        return None;
    }
    *buffer = *b"0000-00-00T00:00:00.000000Z";
    for (place, digits, number) in [
        (0, 4, year),
        (5, 2, time.month()),
        (8, 2, time.day()),
        (11, 2, time.hour()),
        (14, 2, time.minute()),
        (17, 2, time.second()),
        (20, 6, micros),
    ] {
        let mut rest = number;
        for digit in buffer.iter_mut().skip(place).take(digits).rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
    }
    // The fraction has zero, three or six digits.
    let end = match micros {
        0 => 19,
        micros if micros.is_multiple_of(1000) => 23,
        _ => 26,
    };
    *buffer.get_mut(end)? = b'Z';
    str::from_utf8(buffer.get(..=end)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Ours(#[serde(serialize_with = "serialize")] DateTime<Utc>);

    #[test]
    fn an_instant_is_written_as_chrono_writes_it() {
        // Around the turns of centuries, years, months and days, and far from any.
        let seconds = [-62_167_219_201, -62_167_219_200, -1, 0, 951_782_399, 951_868_800, 1_767_225_599, 1_767_225_600]
            .into_iter()
            .chain([253_402_300_799, 253_402_300_800])
            .chain((0..2000).map(|number| number * 86_399_999));
        for seconds in seconds {
            for nanoseconds in [0, 1, 1000, 999_000, 120_000_000, 123_456_000, 999_999_000, 999_999_999] {
                let time = DateTime::from_timestamp(seconds, nanoseconds).unwrap();
                assert_eq!(serde_json::to_string(&Ours(time)).unwrap(), serde_json::to_string(&time).unwrap());
            }
        }
    }
}
