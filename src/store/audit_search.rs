//! Compiles a search of the audit trail into SQL, once for both stores.

use super::search::{Bind, Compiled, Conditions};
use crate::model::{AuditFilter, AuditSearch};

/// Compiles one page of a search. Each index has the time and the number last, so that a page is read in its order.
pub(super) fn compile(search: &AuditSearch<'_>) -> Compiled {
    let AuditSearch { filter: AuditFilter { actor, action, target, at }, after, limit } = search;
    let mut conditions = Conditions { sql: vec!["1 = 1".to_owned()], binds: Vec::new() };
    let action = action.map(|action| action.as_str().to_owned());
    for (column, text) in [("actor_id", actor), ("action", &action), ("target_id", target)] {
        if let Some(text) = text {
            conditions.compare(column, "=", Bind::Text(text.clone()));
        }
    }
    conditions.range("at", *at);
    if let Some(position) = after {
        let (at, sequence) = (Bind::Time(position.at), Bind::Number(position.sequence));
        let (at, sequence) = (conditions.bind(at), conditions.bind(sequence));
        conditions.sql.push(format!("(at, sequence) < ({at}, {sequence})"));
    }
    let sql = format!(
        "SELECT sequence, {} FROM audit WHERE {} ORDER BY at DESC, sequence DESC LIMIT {limit}",
        audit_columns!(),
        conditions.sql.join(" AND "),
    );
    Compiled::new(sql, conditions.binds, false)
}
