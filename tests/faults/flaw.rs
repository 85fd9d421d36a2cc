//! Deliberate defects, to see whether a scenario notices them.

use sojourn::failpoints::Failpoint;
use sqlx::{ConnectOptions as _, Executor as _};

/// No defect, or one that must be noticed.
#[derive(Debug, Clone, Copy)]
pub enum Flaw {
    /// No defect.
    None,
    /// A failpoint in the server.
    Code(Failpoint),
    /// SQL that is run in the database once its tables are there, with a name for the table of results.
    Database(&'static str, &'static str),
}

impl Flaw {
    /// The name in the table of results.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Code(failpoint) => Some(format!("{failpoint:?}")),
            Self::Database(name, _) => Some((*name).to_owned()),
        }
    }

    /// The setting that enables the failpoint in a server process.
    pub fn setting(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Code(failpoint) => Some((sojourn::failpoints::SETTING, format!("{failpoint:?}"))),
            Self::None | Self::Database(..) => None,
        }
    }

    /// Runs the flaw's SQL in the database.
    pub async fn apply(&self, url: &str) {
        if let Self::Database(_, statements) = self {
            let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            connection.execute(sqlx::raw_sql(*statements)).await.unwrap();
        }
    }
}
