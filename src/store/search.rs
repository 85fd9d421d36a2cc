//! Compiles a search into SQL, once for both stores. Values are always bound; only constant text of this program is
//! concatenated.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::columns::StoredRow;
use crate::model::{
    ClientCount, Condition, Filter, Listing, ListingOrder, Network, Owner, Range, Search, SessionId, SortField, State,
    TextField, TimeField,
};

/// The SQL that differs between the databases.
pub(super) struct Dialect {
    /// The columns of a session in any state, with open bulk endings taken into account.
    pub(super) columns: &'static str,
    /// The condition that a session is active at `$1`.
    pub(super) active: &'static str,
    /// The same condition, opaque to the planner: most rows are active, so it should walk the index and not estimate
    /// how selective this is.
    pub(super) active_unseen: &'static str,
    /// The condition that a session has not been idle for too long at `$1`.
    pub(super) not_idle: &'static str,
    /// The condition that a session has not been ended.
    pub(super) not_ended: &'static str,
    /// The expression for the id as text.
    pub(super) id_text: &'static str,
    /// The function that finds its second argument within the first, compared exactly; 0 when absent.
    pub(super) position: &'static str,
    /// The condition that the address is in the network from `{first}` to `{last}`.
    pub(super) in_network: &'static str,
    /// The condition that the user is in the list `{users}`.
    pub(super) one_of: &'static str,
    /// The expression for a user's name with ASCII letters in lower case, as the index has it.
    pub(super) name_folded: &'static str,
    /// The same for the email address.
    pub(super) email_folded: &'static str,
}

/// A value bound to a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bind {
    Text(String),
    Texts(Vec<String>),
    Time(DateTime<Utc>),
    Id(Uuid),
    Number(i64),
}

/// Upper limit in bytes of a statement that is kept prepared: only the filter of a client makes longer ones.
const MAX_PREPARED_BYTES: usize = 8 * 1024;

/// A statement with its values.
pub(super) struct Compiled {
    pub(super) sql: AssertSqlSafe<String>,
    pub(super) binds: Vec<Bind>,
    /// Whether the statement is kept prepared. Its text depends only on the shape of the search and the page size, so
    /// there are few of them.
    pub(super) kept: bool,
    /// Whether a generic plan serves whatever values are bound.
    pub(super) planned_once: bool,
}

impl Compiled {
    #[expect(clippy::disallowed_methods, reason = "here SQL is written, of our own words only")]
    pub(super) fn new(sql: String, binds: Vec<Bind>, planned_once: bool) -> Self {
        Self { kept: sql.len() <= MAX_PREPARED_BYTES, planned_once, sql: AssertSqlSafe(sql), binds }
    }
}

/// The kind of plan that suits a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the newest session on: most of the first ones are active.
    FromTheNewest,
    /// By the index entries of one user, or in the order of an index.
    ByOneIndex,
    /// By an index that depends on the values searched for.
    ByValues,
}

impl Way {
    fn of(search: &Search<'_>) -> Self {
        let Filter {
            user_id,
            users,
            state,
            ended_reason,
            client_id,
            device_type,
            ip_address,
            browser,
            os,
            opened_by,
            created,
            last_seen,
        } = search.filter;
        let by_creation = search.sort.field == SortField::CreatedAt;
        if user_id.is_some() || search.owner.user().is_some() {
            // Sorted by end, a walk through the index over all users may be shorter for a user with many sessions.
            return if search.sort.field == SortField::ExpiresAt { Self::ByValues } else { Self::ByOneIndex };
        }
        let unfiltered = users.is_none()
            && ended_reason.is_none()
            && device_type.is_none()
            && ip_address.is_none()
            && [client_id, browser, os].iter().all(|text| text.is_none())
            && opened_by.is_none();
        let unlimited = *last_seen == Range::default() && (by_creation || *created == Range::default());
        match state {
            None if unfiltered && unlimited => Self::ByOneIndex,
            Some(State::Active) if unfiltered && unlimited && by_creation && search.sort.descending => {
                Self::FromTheNewest
            }
            _ => Self::ByValues,
        }
    }
}

/// Collects conditions and the values bound in them.
pub(super) struct Conditions {
    pub(super) sql: Vec<String>,
    pub(super) binds: Vec<Bind>,
}

impl Conditions {
    pub(super) fn bind(&mut self, value: Bind) -> String {
        self.binds.push(value);
        format!("${}", self.binds.len())
    }

    pub(super) fn compare(&mut self, column: &str, operator: &str, value: Bind) {
        // PostgreSQL rejects a NUL in bound text, and no row contains one.
        if matches!(&value, Bind::Text(text) if text.contains('\0')) {
            return self.sql.push("1 = 0".to_owned());
        }
        let placeholder = self.bind(value);
        self.sql.push(format!("{column} {operator} {placeholder}"));
    }

    /// The condition as SQL, in parentheses where it needs them.
    fn condition(&mut self, condition: &Condition, dialect: &Dialect) -> String {
        let column = |field: TextField| match field {
            TextField::Id => dialect.id_text,
            TextField::UserId => "user_id",
            TextField::ClientId => "client_id",
            TextField::IpAddress => "ip_address",
            TextField::Acr => "acr",
            TextField::Scope => "scope",
        };
        match condition {
            Condition::All(all) if all.is_empty() => "1 = 1".to_owned(),
            Condition::Any(any) if any.is_empty() => "1 = 0".to_owned(),
            Condition::All(all) => self.join(all, " AND ", dialect),
            Condition::Any(any) => self.join(any, " OR ", dialect),
            Condition::NotEnded => dialect.not_ended.to_owned(),
            Condition::IsSession(id) => format!("id = {}", self.bind(Bind::Id(id.as_uuid()))),
            // PostgreSQL rejects a NUL in bound text, and no row contains one.
            Condition::Is(_, text) | Condition::Contains(_, text) | Condition::ContainsAround { text, .. }
                if text.contains('\0') =>
            {
                "1 = 0".to_owned()
            }
            Condition::Is(field, text) => {
                format!("{} = {}", column(*field), self.bind(Bind::Text(text.clone())))
            }
            Condition::Contains(field, text) => {
                let text = self.bind(Bind::Text(text.clone()));
                format!("{}({}, {text}) > 0", dialect.position, column(*field))
            }
            Condition::ContainsAround { field, around: (before, after), text } => {
                let [before, after, text] = [before, after, text].map(|text| self.bind(Bind::Text(text.clone())));
                format!("{}({before} || {} || {after}, {text}) > 0", dialect.position, column(*field))
            }
            Condition::In(field, range) => {
                let column = match field {
                    TimeField::CreatedAt => "created_at",
                    TimeField::LastSeenAt => "last_seen_at",
                    TimeField::ExpiresAt => "expires_at",
                };
                let mut bound = |operator, time: Option<DateTime<Utc>>| {
                    time.map(|time| format!("{column} {operator} {}", self.bind(Bind::Time(time))))
                };
                let bounds = [bound(">=", range.from), bound("<", range.to)];
                let mut bounds: Vec<String> = bounds.into_iter().flatten().collect();
                // Redundant, but a list in the order of ids then starts where the range does and not at the first id.
                if *field == TimeField::CreatedAt {
                    let mut bound = |operator, id: Option<SessionId>| {
                        id.map(|id| format!("id {operator} {}", self.bind(Bind::Id(id.as_uuid()))))
                    };
                    bounds.extend(bound(">", range.from.map(|from| SessionId::around(from).0)));
                    bounds.extend(bound("<", range.to.map(|to| SessionId::around(to).1)));
                }
                if bounds.is_empty() { "1 = 1".to_owned() } else { format!("({})", bounds.join(" AND ")) }
            }
        }
    }

    fn join(&mut self, conditions: &[Condition], by: &str, dialect: &Dialect) -> String {
        let parts: Vec<String> = conditions.iter().map(|part| self.condition(part, dialect)).collect();
        format!("({})", parts.join(by))
    }

    fn network(&mut self, network: Network, dialect: &Dialect) {
        if let Some(address) = network.only_address() {
            return self.compare("ip_address", "=", Bind::Text(address.to_string()));
        }
        let [first, last] = [network.first(), network.last()].map(|end| self.bind(Bind::Text(end.to_string())));
        self.sql.push(dialect.in_network.replace("{first}", &first).replace("{last}", &last));
    }

    pub(super) fn range(&mut self, column: &str, range: Range) {
        if let Some(from) = range.from {
            self.compare(column, ">=", Bind::Time(from));
        }
        if let Some(to) = range.to {
            self.compare(column, "<", Bind::Time(to));
        }
    }
}

/// The two statements of a list.
pub(super) struct CompiledListing {
    /// One page.
    pub(super) page: Compiled,
    /// The total, where asked for.
    pub(super) total: Option<Compiled>,
}

/// Compiles one page of a list, and the count of its total.
pub(super) fn compile_listing(listing: &Listing<'_>, dialect: &Dialect) -> CompiledListing {
    let of_one_user = of_one_user(listing.condition);
    let mut conditions = Conditions { sql: Vec::new(), binds: Vec::new() };
    let condition = conditions.condition(listing.condition, dialect);
    let column = match listing.order {
        ListingOrder::Id => None,
        ListingOrder::UserId => Some("user_id"),
        ListingOrder::CreatedAt => Some("created_at"),
        ListingOrder::LastSeenAt => Some("last_seen_at"),
        ListingOrder::ExpiresAt => Some("expires_at"),
    };
    let direction = if listing.descending { "DESC" } else { "ASC" };
    let order = column.map(|column| format!("{column} {direction}, ")).unwrap_or_default();
    let total = listing.count_to.map(|count_to| {
        let mut counting = Conditions { sql: Vec::new(), binds: conditions.binds.clone() };
        let limit = counting.bind(Bind::Number(count_to.into()));
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE {condition} LIMIT {limit}) AS counted");
        Compiled::new(sql, counting.binds, of_one_user)
    });
    let [limit, offset] = [listing.limit, listing.offset].map(|number| conditions.bind(Bind::Number(number.into())));
    let found = format!("SELECT {} FROM sessions WHERE {condition}", dialect.columns);
    let page = format!("ORDER BY {order}id {direction} LIMIT {limit} OFFSET {offset}");
    let page = if of_one_user {
        format!("WITH found AS MATERIALIZED ({found}) SELECT * FROM found {page}")
    } else {
        format!("{found} {page}")
    };
    CompiledListing { page: Compiled::new(page, conditions.binds, of_one_user), total }
}

/// Whether a condition is about one user. All sessions of that user are then read and sorted, because a walk through
/// the index over all users may read all of it to find 50 of them.
fn of_one_user(condition: &Condition) -> bool {
    match condition {
        Condition::Is(TextField::UserId, _) => true,
        Condition::All(all) => all.iter().any(of_one_user),
        _ => false,
    }
}

fn conditions(search: &Search<'_>, active: &str, dialect: &Dialect) -> Conditions {
    let mut conditions = Conditions { sql: Vec::new(), binds: vec![Bind::Time(search.now)] };
    if let Owner::User(user) = search.owner {
        conditions.compare("user_id", "=", Bind::Text(user.as_str().to_owned()));
    }
    filter(search.filter, active, dialect, &mut conditions);
    // The time is bound even where nothing compares with it, so that both databases know the type of `$1`.
    conditions.sql.push("$1 IS NOT NULL".to_owned());
    conditions
}

/// Compiles the count of the sessions that a search finds, up to its limit.
pub(super) fn compile_count(search: &Search<'_>, dialect: &Dialect) -> Compiled {
    let mut conditions = conditions(search, dialect.active, dialect);
    let condition = conditions.sql.join(" AND ");
    let limit = conditions.bind(Bind::Number(search.limit.into()));
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM sessions WHERE {condition} LIMIT {limit}) AS counted");
    Compiled::new(sql, conditions.binds, false)
}

/// Compiles the count by application of the sessions that a search finds, up to its limit. As for the count alone no order is
/// asked for, which would make PostgreSQL read and sort all of them.
pub(super) fn compile_count_by_client(search: &Search<'_>, dialect: &Dialect) -> Compiled {
    let mut conditions = conditions(search, dialect.active, dialect);
    let condition = conditions.sql.join(" AND ");
    let limit = conditions.bind(Bind::Number(search.limit.into()));
    let sql = format!(
        "SELECT client_id, count(*) FROM (SELECT client_id FROM sessions WHERE {condition} LIMIT {limit}) AS counted
         GROUP BY client_id ORDER BY 2 DESC, 1"
    );
    Compiled::new(sql, conditions.binds, false)
}

/// A number of [`compile_count_by_client`].
pub(super) fn client_count(row: &impl StoredRow) -> sqlx::Result<ClientCount> {
    let sessions = row.numbered::<i64>(1)?.try_into().unwrap_or(u32::MAX);
    Ok(ClientCount { client_id: row.numbered(0)?, sessions })
}

/// The number that a compiled count found.
pub(super) fn counted(row: &impl StoredRow) -> sqlx::Result<u32> {
    Ok(row.numbered::<i64>(0)?.try_into().unwrap_or(u32::MAX))
}

/// Compiles one page of a search.
pub(super) fn compile(search: &Search<'_>, dialect: &Dialect) -> Compiled {
    let way = Way::of(search);
    let active = if way == Way::FromTheNewest { dialect.active_unseen } else { dialect.active };
    let mut conditions = conditions(search, active, dialect);

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
    // A filter on state has already taken open bulk endings into account, so the row's own columns are right.
    let columns = if search.filter.state.is_some() { columns!() } else { dialect.columns };
    // The page size is part of the text, because a good generic plan needs a known LIMIT.
    let sql = format!(
        "SELECT {columns} FROM sessions WHERE {} ORDER BY {column} {direction}, id {direction} LIMIT {}",
        conditions.sql.join(" AND "),
        search.limit,
    );
    Compiled::new(sql, conditions.binds, way != Way::ByValues)
}

fn filter(filter: &Filter, active: &str, dialect: &Dialect, conditions: &mut Conditions) {
    let Filter {
        user_id,
        users,
        state,
        ended_reason,
        client_id,
        device_type,
        ip_address,
        browser,
        os,
        opened_by,
        created,
        last_seen,
    } = filter;
    if let Some(user_id) = user_id {
        conditions.compare("user_id", "=", Bind::Text(user_id.as_str().to_owned()));
    }
    if let Some(users) = users {
        let users = conditions.bind(Bind::Texts(users.iter().map(|user| user.as_str().to_owned()).collect()));
        conditions.sql.push(dialect.one_of.replace("{users}", &users));
    }
    if let Some(state) = state {
        conditions.sql.push(match state {
            State::Active => active.to_owned(),
            State::IdleExpired => format!("{} AND expires_at > $1 AND NOT {}", dialect.not_ended, dialect.not_idle),
            State::Expired => format!("{} AND expires_at <= $1", dialect.not_ended),
            // Sessions of an open bulk ending appear here once it is applied to their rows.
            State::Ended => "ended_at IS NOT NULL".to_owned(),
        });
    }
    if let Some(reason) = ended_reason {
        // The reason alone would say the same, but the condition makes the partial index usable.
        conditions.sql.push("ended_at IS NOT NULL".to_owned());
        conditions.compare("end_reason", "=", Bind::Text(reason.as_str().to_owned()));
    }
    for (column, text) in [("client_id", client_id), ("browser", browser), ("os", os)] {
        if let Some(text) = text {
            conditions.compare(column, "=", Bind::Text(text.clone()));
        }
    }
    if let Some(device_type) = device_type {
        conditions.compare("device_type", "=", Bind::Text(device_type.as_str().to_owned()));
    }
    if let Some(network) = ip_address {
        conditions.network(*network, dialect);
    }
    if let Some(opened_by) = opened_by {
        conditions.compare("opened_by", "=", Bind::Text(opened_by.to_string()));
    }
    conditions.range("created_at", *created);
    conditions.range("last_seen_at", *last_seen);
}
