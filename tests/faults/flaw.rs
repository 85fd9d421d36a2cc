//! What is made wrong on purpose, to see whether a scenario notices.

use sojourn::mutants::Mutant;
use sqlx::{ConnectOptions as _, Executor as _};

/// Nothing, or one thing that must be noticed.
#[derive(Debug, Clone, Copy)]
pub enum Flaw {
    /// Everything is as it should be.
    None,
    /// The server has this defect.
    Code(Mutant),
    /// The database has been told this, once its tables are there. The name says what it does.
    Database(&'static str, &'static str),
}

impl Flaw {
    /// What the table calls it.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Code(mutant) => Some(format!("{mutant:?}")),
            Self::Database(name, _) => Some((*name).to_owned()),
        }
    }

    /// What a server process is told.
    pub fn setting(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Code(mutant) => Some((sojourn::mutants::SETTING, format!("{mutant:?}"))),
            Self::None | Self::Database(..) => None,
        }
    }

    /// Tells the database.
    pub async fn apply(&self, url: &str) {
        if let Self::Database(_, statements) = self {
            let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            connection.execute(sqlx::raw_sql(*statements)).await.unwrap();
        }
    }
}
