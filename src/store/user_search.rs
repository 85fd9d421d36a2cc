//! Compiles a search for users into SQL, once for both stores.

use super::search::{Bind, Compiled, Conditions, Dialect};
use crate::model::{NameMatch, UserId, UserSearch};

/// Compiles one page of a search.
///
/// Each branch reads by the index of its own column, or walks the ids when it expects many matches; so a text that many
/// users have in common costs no more than a rare one.
pub(super) fn compile(search: &UserSearch<'_>, dialect: &Dialect) -> Compiled {
    let UserSearch { text, id, name, email, banned, after, limit, may_lag: _ } = search;
    let mut conditions = Conditions { sql: Vec::new(), binds: Vec::new() };
    for (operator, id) in [("=", id), (">", after)] {
        if let Some(id) = id {
            conditions.compare("id", operator, Bind::Text(UserId::as_str(id).to_owned()));
        }
    }
    match name {
        Some(NameMatch::Whole(name)) => {
            conditions.compare(dialect.name_folded, "=", Bind::Text(folded(name)));
        }
        Some(NameMatch::Prefix(prefix)) => begins_with(dialect.name_folded, &folded(prefix), &mut conditions),
        None => {}
    }
    if let Some(email) = email {
        conditions.compare(dialect.email_folded, "=", Bind::Text(folded(email)));
    }
    if let Some(banned) = banned {
        conditions.sql.push(format!("banned_at IS {}", if *banned { "NOT NULL" } else { "NULL" }));
    }
    let page = format!("ORDER BY id LIMIT {limit}");
    let sql = match text {
        None => format!("SELECT {} FROM users {} {page}", user_columns!(), all(&conditions.sql)),
        Some(text) => {
            let met = conditions.sql.len();
            let folded = folded(text);
            let mut branch = |column, text: &str| {
                conditions.sql.truncate(met);
                begins_with(column, text, &mut conditions);
                let (columns, all) = (user_columns!(), all(&conditions.sql));
                format!("SELECT * FROM (SELECT {columns} FROM users {all} {page}) AS matching")
            };
            let branches =
                [branch("id", text), branch(dialect.name_folded, &folded), branch(dialect.email_folded, &folded)];
            format!("SELECT {} FROM ({}) AS found {page}", user_columns!(), branches.join(" UNION "))
        }
    };
    Compiled::new(sql, conditions.binds, false)
}

fn folded(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn all(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) }
}

/// The condition that a column begins with the prefix, as a range, which an index serves. Both databases compare by code
/// points.
fn begins_with(column: &str, prefix: &str, conditions: &mut Conditions) {
    conditions.compare(column, ">=", Bind::Text(prefix.to_owned()));
    if let Some(after) = first_after(prefix) {
        conditions.compare(column, "<", Bind::Text(after));
    }
}

/// The first text after all that begin with the prefix; `None` when there is none.
fn first_after(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_prefix_ends_where_other_texts_begin() {
        for (prefix, after) in [
            ("ann", Some("ano")),
            ("a\u{10FFFF}", Some("b")),
            ("a\u{D7FF}", Some("a\u{E000}")),
            ("\u{10FFFF}\u{10FFFF}", None),
            ("", None),
        ] {
            assert_eq!(first_after(prefix).as_deref(), after, "{prefix:?}");
        }
    }
}
