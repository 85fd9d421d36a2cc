//! The numbers of the change log.

use sqlx::SqlitePool;

/// Numbers changes from the present microsecond on, which is above every number used before. So a restored backup never
/// reuses a number, and a position keeps its meaning.
pub(super) async fn number_from(pool: &SqlitePool, microseconds: i64) -> sqlx::Result<()> {
    const ADD: &str = "
        INSERT INTO sqlite_sequence (name, seq)
        SELECT 'changes', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'changes')";
    const ADVANCE: &str = "UPDATE sqlite_sequence SET seq = max(seq, $1) WHERE name = 'changes'";
    sqlx::query(ADD).execute(pool).await?;
    sqlx::query(ADVANCE).bind(microseconds).execute(pool).await?;
    Ok(())
}
