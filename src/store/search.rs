//! Compiles a search into SQL, once for both stores. Values are always bound; only our own words reach the text.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::sessions::{Filter, Owner, Search, SortField, State};

/// What differs between the databases.
pub(super) struct Dialect {
    /// The columns of a session.
    pub(super) columns: &'static str,
    /// The condition that a session is active at `$1`.
    pub(super) active: &'static str,
    /// The condition that it has not been unused for too long at `$1`.
    pub(super) not_idle: &'static str,
}

/// A value bound to a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Time(DateTime<Utc>),
    Id(Uuid),
}

/// A statement with its values, `$1` being the time of the search.
pub(super) struct Compiled {
    pub(super) sql: AssertSqlSafe<String>,
    pub(super) binds: Vec<Bind>,
}

/// Collects conditions and the values bound in them.
struct Conditions {
    sql: Vec<String>,
    binds: Vec<Bind>,
}

impl Conditions {
    fn bind(&mut self, value: Bind) -> String {
        self.binds.push(value);
        format!("${}", self.binds.len())
    }

    fn compare(&mut self, column: &str, operator: &str, value: Bind) {
        // PostgreSQL refuses to be asked for text that it cannot hold; no row has it.
        if matches!(&value, Bind::Text(text) if text.contains('\0')) {
            return self.sql.push("1 = 0".to_owned());
        }
        let placeholder = self.bind(value);
        self.sql.push(format!("{column} {operator} {placeholder}"));
    }

    fn range(&mut self, column: &str, range: crate::sessions::Range) {
        if let Some(from) = range.from {
            self.compare(column, ">=", Bind::Time(from));
        }
        if let Some(to) = range.to {
            self.compare(column, "<", Bind::Time(to));
        }
    }
}

/// Compiles one page of a search.
#[expect(clippy::disallowed_methods, reason = "here SQL is written, of our own words only")]
pub(super) fn compile(search: &Search<'_>, dialect: &Dialect) -> Compiled {
    let mut conditions = Conditions { sql: Vec::new(), binds: vec![Bind::Time(search.now)] };
    if let Owner::User(user) = search.owner {
        conditions.compare("user_id", "=", Bind::Text(user.as_str().to_owned()));
    }
    filter(search.filter, dialect, &mut conditions);

    let column = match search.sort.field {
        SortField::CreatedAt => "created_at",
        SortField::LastSeenAt => "last_seen_at",
        SortField::ExpiresAt => "expires_at",
    };
    let (direction, beyond) = if search.sort.descending { ("DESC", "<") } else { ("ASC", ">") };
    if let Some(position) = search.after {
        let at = conditions.bind(Bind::Time(position.at));
        let id = conditions.bind(Bind::Id(position.id.as_uuid()));
        conditions.sql.push(format!("({column}, id) {beyond} ({at}, {id})"));
    }
    // The time is bound even where nothing compares with it, so that both databases know what $1 is.
    conditions.sql.push("$1 IS NOT NULL".to_owned());
    let sql = format!(
        "SELECT {} FROM sessions WHERE {} ORDER BY {column} {direction}, id {direction} LIMIT {}",
        dialect.columns,
        conditions.sql.join(" AND "),
        search.limit,
    );
    Compiled { sql: AssertSqlSafe(sql), binds: conditions.binds }
}

fn filter(filter: &Filter, dialect: &Dialect, conditions: &mut Conditions) {
    let Filter { user_id, state, client_id, device_type, ip_address, created, last_seen } = filter;
    if let Some(user_id) = user_id {
        conditions.compare("user_id", "=", Bind::Text(user_id.as_str().to_owned()));
    }
    if let Some(state) = state {
        conditions.sql.push(match state {
            State::Active => dialect.active.to_owned(),
            State::IdleExpired => format!("ended_at IS NULL AND expires_at > $1 AND NOT {}", dialect.not_idle),
            State::Expired => "ended_at IS NULL AND expires_at <= $1".to_owned(),
            State::Ended => "ended_at IS NOT NULL".to_owned(),
        });
    }
    if let Some(client_id) = client_id {
        conditions.compare("client_id", "=", Bind::Text(client_id.clone()));
    }
    if let Some(device_type) = device_type {
        conditions.compare("device_type", "=", Bind::Text(device_type.as_str().to_owned()));
    }
    if let Some(ip_address) = ip_address {
        conditions.compare("ip_address", "=", Bind::Text(ip_address.to_string()));
    }
    conditions.range("created_at", *created);
    conditions.range("last_seen_at", *last_seen);
}
