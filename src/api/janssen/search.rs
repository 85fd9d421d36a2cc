//! Janssen's search language, read into the core's conditions.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use super::dn::DnTemplate;
use crate::model::{Condition, FieldError, ListingOrder, Range, SessionId, TextField, TimeField};

/// The most tokens of a pattern.
const MAX_PATTERN_PARTS: usize = 20;
/// The longest pattern, in characters.
const MAX_PATTERN_CHARS: usize = 200;
/// The most pairs.
const MAX_PAIRS: usize = 20;

/// A field that can be searched and sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    UserDn,
    Id,
    State,
    Time(TimeField),
    /// A field that is empty in all our sessions.
    Nothing,
    Attribute(TextField),
}

impl Field {
    /// The field of a property name or a column name.
    fn sortable(name: &str) -> Option<Self> {
        Some(match name {
            "userDn" | "jansUsrDN" => Self::UserDn,
            "outsideSid" | "sid" | "id" | "jansId" => Self::Id,
            "state" | "jansState" => Self::State,
            "expirationDate" | "exp" => Self::Time(TimeField::ExpiresAt),
            "lastUsedAt" | "jansLastAccessTime" => Self::Time(TimeField::LastSeenAt),
            "authenticationTime" | "authnTime" | "creationDate" => Self::Time(TimeField::CreatedAt),
            _ => return None,
        })
    }

    /// The field of a property name, a column name or a session attribute.
    fn searchable(name: &str) -> Option<Self> {
        Self::sortable(name).or(match name {
            "auth_user" => Some(Self::Attribute(TextField::UserId)),
            "client_id" => Some(Self::Attribute(TextField::ClientId)),
            "acr" | "acr_values" => Some(Self::Attribute(TextField::Acr)),
            "scope" => Some(Self::Attribute(TextField::Scope)),
            "redirect_uri" | "response_type" => Some(Self::Nothing),
            _ => None,
        })
    }
}

/// Reads `sortBy`.
pub(super) fn order(sort_by: &str) -> Result<ListingOrder, FieldError> {
    match Field::sortable(sort_by) {
        Some(Field::UserDn) => Ok(ListingOrder::UserId),
        // Listed sessions have one state, so the id decides.
        Some(Field::Id | Field::State) => Ok(ListingOrder::Id),
        Some(Field::Time(TimeField::CreatedAt)) => Ok(ListingOrder::CreatedAt),
        Some(Field::Time(TimeField::LastSeenAt)) => Ok(ListingOrder::LastSeenAt),
        Some(Field::Time(TimeField::ExpiresAt)) => Ok(ListingOrder::ExpiresAt),
        Some(Field::Nothing | Field::Attribute(_)) | None => {
            Err(FieldError::new("sortBy", "must name a sortable field"))
        }
    }
}

/// Reads `pattern`: a session matches that contains one of the texts between the commas.
pub(super) fn pattern(text: &str, template: &DnTemplate) -> Result<Condition, FieldError> {
    if text.chars().count() > MAX_PATTERN_CHARS {
        return Err(FieldError::new("pattern", format!("must have at most {MAX_PATTERN_CHARS} characters")));
    }
    without_nul("pattern", text)?;
    let tokens: Vec<&str> = text.split(',').map(str::trim).filter(|token| !token.is_empty()).collect();
    if tokens.len() > MAX_PATTERN_PARTS {
        return Err(FieldError::new("pattern", format!("must have at most {MAX_PATTERN_PARTS} parts")));
    }
    let (before, after) = template.around();
    let anywhere = |token: &str| {
        let contains = |field| Condition::Contains(field, token.to_owned());
        let around = (before.to_owned(), after.to_owned());
        let dn = Condition::ContainsAround { field: TextField::UserId, around, text: token.to_owned() };
        let fields = [TextField::Id, TextField::ClientId, TextField::IpAddress, TextField::Acr, TextField::Scope];
        std::iter::once(dn).chain(fields.map(contains)).collect::<Vec<_>>()
    };
    if tokens.is_empty() {
        return Ok(Condition::All(Vec::new()));
    }
    Ok(Condition::Any(tokens.into_iter().flat_map(anywhere).collect()))
}

/// Reads `fieldValuePair`: a session matches that meets all pairs.
pub(super) fn pairs(text: &str, template: &DnTemplate) -> Result<Condition, FieldError> {
    without_nul("fieldValuePair", text)?;
    let mut pairs: Vec<Pair> = Vec::new();
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let pair = Pair::read(part.trim());
        match (pair, pairs.last_mut()) {
            // A distinguished name has commas of its own.
            (None | Some(Pair { field: None, .. }), Some(last)) if last.takes_more() => {
                last.value.push(',');
                last.value.push_str(part);
            }
            (Some(pair @ Pair { field: Some(_), .. }), _) => pairs.push(pair),
            (Some(_), _) => return Err(invalid("names an unknown field")),
            (None, _) => return Err(invalid("has a part without an operator")),
        }
        if pairs.len() > MAX_PAIRS {
            return Err(invalid(format!("must have at most {MAX_PAIRS} pairs")));
        }
    }
    pairs.into_iter().map(|pair| pair.condition(template)).collect::<Result<_, _>>().map(Condition::All)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> FieldError {
    FieldError::new("fieldValuePair", message)
}

fn without_nul(name: &'static str, text: &str) -> Result<(), FieldError> {
    if text.contains('\0') { Err(FieldError::new(name, "must not contain NUL characters")) } else { Ok(()) }
}

/// The comparison of a field with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    AtMost,
    AtLeast,
}

struct Pair {
    /// `None` for an unknown name.
    field: Option<Field>,
    operator: Operator,
    value: String,
}

impl Pair {
    /// Reads a pair; `None` without an operator.
    fn read(text: &str) -> Option<Self> {
        let (name, rest) = text.split_at(text.find(['=', '<', '>'])?);
        let operators = [
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::AtMost),
            (">", Operator::AtLeast),
            ("=", Operator::Equal),
        ];
        let (operator, value) =
            operators.into_iter().find_map(|(sign, operator)| Some((operator, rest.strip_prefix(sign)?)))?;
        Some(Self { field: Field::searchable(name.trim()), operator, value: value.trim().to_owned() })
    }

    /// Whether the value is a distinguished name, which continues after a comma.
    fn takes_more(&self) -> bool {
        self.field == Some(Field::UserDn) && self.value.contains('=')
    }

    fn condition(self, template: &DnTemplate) -> Result<Condition, FieldError> {
        let never = || Condition::Any(Vec::new());
        if self.value.is_empty() {
            return Err(invalid("has a field without a value"));
        }
        Ok(match self.field {
            Some(Field::UserDn) => Condition::Is(TextField::UserId, template.id_in(&self.value).to_owned()),
            Some(Field::Id) => SessionId::parse(&self.value).map_or_else(never, Condition::IsSession),
            Some(Field::State) if self.value == "authenticated" => Condition::All(Vec::new()),
            Some(Field::State | Field::Nothing) | None => never(),
            Some(Field::Attribute(field)) => Condition::Is(field, self.value),
            Some(Field::Time(field)) => {
                let range = range(self.operator, &self.value).ok_or_else(|| invalid("has an invalid date"))?;
                Condition::In(field, range)
            }
        })
    }
}

fn range(operator: Operator, text: &str) -> Option<Range> {
    let (first, length) = moment(text)?;
    Some(match operator {
        Operator::Equal => Range { from: Some(first), to: Some(first.checked_add_signed(length)?) },
        Operator::AtLeast => Range { from: Some(first), to: None },
        Operator::AtMost => Range { from: None, to: Some(first.checked_add_signed(TimeDelta::microseconds(1))?) },
    })
}

/// The start and the length of the time in a text, by default in UTC: a day, a second or a millisecond.
fn moment(text: &str) -> Option<(DateTime<Utc>, TimeDelta)> {
    // chrono accepts years of any length and sign.
    let four_digits =
        text.bytes().take(4).filter(u8::is_ascii_digit).count() == 4 && text.as_bytes().get(4) == Some(&b'-');
    if !four_digits {
        return None;
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some((day.and_time(NaiveTime::MIN).and_utc(), TimeDelta::days(1)));
    }
    let length = if text.contains('.') { TimeDelta::milliseconds(1) } else { TimeDelta::seconds(1) };
    let with_zone = || DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    let in_utc = |format| NaiveDateTime::parse_from_str(text, format).ok().map(|time| time.and_utc());
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let instant = with_zone().or_else(|| formats.into_iter().find_map(in_utc))?;
    Some((instant, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Condition>, FieldError> {
        match pairs(text, &DnTemplate::default())? {
            Condition::All(all) => Ok(all),
            other => Ok(vec![other]),
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_documents_own_example_is_understood() {
        let text = "userDn=d5552516-4436-4908-ab36-3e9725246304,expirationDate>2025-09-25,expirationDate<2026-10-15";
        let expected = vec![
            Condition::Is(TextField::UserId, "d5552516-4436-4908-ab36-3e9725246304".to_owned()),
            Condition::In(TimeField::ExpiresAt, Range { from: Some(at("2025-09-25T00:00:00Z")), to: None }),
            Condition::In(TimeField::ExpiresAt, Range { from: None, to: Some(at("2026-10-15T00:00:00.000001Z")) }),
        ];
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn a_distinguished_name_keeps_its_commas_and_equals_signs() {
        let user = |text: &str| Condition::Is(TextField::UserId, text.to_owned());
        let client = Condition::Is(TextField::ClientId, "web".to_owned());
        assert_eq!(read("userDn=inum=1,ou=people,o=jans,client_id=web"), Ok(vec![user("1"), client.clone()]));
        assert_eq!(read("client_id=web,jansUsrDN=inum=1,ou=people,o=jans"), Ok(vec![client, user("1")]));
        assert_eq!(read("userDn=inum=1,ou=others,o=jans"), Ok(vec![user("inum=1,ou=others,o=jans")]));
    }

    #[test]
    fn every_form_of_a_date_is_read_and_what_is_none_is_refused() {
        let range =
            |from, to| Ok(vec![Condition::In(TimeField::CreatedAt, Range { from: Some(at(from)), to: Some(at(to)) })]);
        let day = range("2026-02-03T00:00:00Z", "2026-02-04T00:00:00Z");
        assert_eq!(read("creationDate=2026-02-03"), day);
        let second = range("2026-02-03T04:05:06Z", "2026-02-03T04:05:07Z");
        for text in ["2026-02-03 04:05:06", "2026-02-03T04:05:06", "2026-02-03T04:05:06Z", "2026-02-03T06:05:06+02:00"]
        {
            assert_eq!(read(&format!("authnTime={text}")), second, "{text}");
        }
        let millisecond = range("2026-02-03T04:05:06.789Z", "2026-02-03T04:05:06.790Z");
        assert_eq!(read("authenticationTime=2026-02-03 04:05:06.789"), millisecond);
        for text in
            ["", "soon", "2025-02-30", "+275760-09-13", "12026-01-01", "2026-01-01T25:00:00", "2026-01-01' or '1'='1"]
        {
            assert!(read(&format!("exp>={text}")).is_err(), "{text}");
        }
        for text in ["0001-01-01", "9999-12-31"] {
            assert!(read(&format!("exp>={text}")).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        let many = "sid=1,".repeat(21);
        for text in [
            "password=x",
            "userDn",
            "a,b",
            "=x",
            "userDn=",
            "client_id= ,acr=x",
            "client_id=a\0",
            "client_id=a,b=c",
            many.as_str(),
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        assert_eq!(read(" , "), Ok(Vec::new()));
    }

    #[test]
    fn a_pattern_is_bounded_and_nothing_in_it_is_special() {
        let template = DnTemplate::default();
        assert_eq!(pattern(" , ", &template), Ok(Condition::All(Vec::new())));
        for text in ["x".repeat(201), "x,".repeat(21), "a\0b".to_owned()] {
            assert!(pattern(&text, &template).is_err());
        }
        for name in ["jansId;drop table x", "(select 1)", "acr", "", "expires_at"] {
            assert!(order(name).is_err(), "{name}");
        }
    }
}
