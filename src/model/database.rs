//! The database, as an operator sees it.

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgresql,
}

impl DatabaseKind {
    /// The kind in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
        }
    }
}

/// The facts that a database tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseStatus {
    /// The version of its software, such as `15.20`.
    pub version: String,
    /// The number of the newest migration that was applied.
    pub migration: i64,
    /// Whether searches go to the primary although a read replica is set, because that one lags or does not answer.
    pub has_lagging_replica: bool,
}
