//! Searches and lists.

use std::time::Instant;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{Row, Sqlite, SqlitePool};

use super::failure::search_failure;
use super::rows;
use super::store::SqliteStore;
use crate::model::{Listing, Search, Session};
use crate::store::columns;
use crate::store::contract::{Error, Result, SearchStore};
use crate::store::pools::SEARCH_TIME;
use crate::store::search::{self, Bind, Compiled};
use crate::store::stored_time::StoredTime;

#[async_trait]
impl SearchStore for SqliteStore {
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        let found = tokio::time::timeout(SEARCH_TIME, self::search_sessions(&self.searches, search)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        let counted = tokio::time::timeout(SEARCH_TIME, self::count_sessions(&self.searches, search)).await;
        counted.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        let found = tokio::time::timeout(SEARCH_TIME, self::list_sessions(&self.searches, listing)).await;
        found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
    }
}

/// About a millisecond of SQLite's work.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 100_000;

pub(super) async fn search_sessions(pool: &SqlitePool, search: Search<'_>) -> sqlx::Result<Vec<Session>> {
    let compiled = search::compile(&search, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    query(compiled).fetch_all(&mut *connection).await?.iter().map(columns::session).collect()
}

pub(super) async fn count_sessions(pool: &SqlitePool, search: Search<'_>) -> sqlx::Result<u32> {
    let compiled = search::compile_count(&search, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    let count: i64 = query(compiled).fetch_one(&mut *connection).await?.try_get(0)?;
    Ok(count.try_into().unwrap_or(u32::MAX))
}

pub(super) async fn list_sessions(
    pool: &SqlitePool,
    listing: Listing<'_>,
) -> sqlx::Result<(Vec<Session>, Option<u32>)> {
    let search::CompiledListing { page, total } = search::compile_listing(&listing, &rows::DIALECT);
    let mut connection = acquire_for_search(pool).await?;
    let total = match total {
        Some(total) => {
            Some(query(total).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)?.try_into().unwrap_or(u32::MAX))
        }
        None => None,
    };
    let rows = query(page).fetch_all(&mut *connection).await?;
    let sessions = rows.iter().map(columns::session).collect::<sqlx::Result<_>>()?;
    Ok((sessions, total))
}

/// A connection whose progress handler stops the search at its time limit: a dropped query reads on until it finds a
/// row, and keeps its connection that long. Only searches use this pool, and each sets its own limit.
async fn acquire_for_search(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
    let mut connection = pool.acquire().await?;
    let end = Instant::now() + SEARCH_TIME;
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, move || Instant::now() < end);
    Ok(connection)
}

fn query(compiled: Compiled) -> rows::SqliteQuery<'static> {
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept);
    for value in compiled.binds {
        query = match value {
            Bind::Text(text) => query.bind(text),
            Bind::Time(time) => query.bind(StoredTime(time)),
            Bind::Id(id) => query.bind(id),
            Bind::Number(number) => query.bind(number),
        };
    }
    query
}
