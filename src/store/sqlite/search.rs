//! Searches and lists.

use std::time::Instant;

use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};

use super::failure::search_failure;
use super::rows;
use super::store::SqliteStore;
use crate::model::{ClientCount, Listing, Search, Session, User, UserSearch};
use crate::store::columns;
use crate::store::contract::{Error, Result, SearchStore};
use crate::store::pools::SEARCH_TIME;
use crate::store::search::{self, Bind, Compiled};
use crate::store::stored_time::StoredTime;
use crate::store::user_search;

#[async_trait]
impl SearchStore for SqliteStore {
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        let find = async {
            let mut connection = acquire_for_search(&self.searches).await?;
            let rows = query(search::compile(&search, &rows::DIALECT)).fetch_all(&mut *connection).await?;
            rows.iter().map(columns::session).collect()
        };
        in_search_time(find).await
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        let count = async {
            let mut connection = acquire_for_search(&self.searches).await?;
            let count = query(search::compile_count(&search, &rows::DIALECT));
            search::counted(&count.fetch_one(&mut *connection).await?)
        };
        in_search_time(count).await
    }

    async fn count_sessions_by_client(&self, search: Search<'_>) -> Result<Vec<ClientCount>> {
        let count = async {
            let mut connection = acquire_for_search(&self.searches).await?;
            let count = query(search::compile_count_by_client(&search, &rows::DIALECT));
            count.fetch_all(&mut *connection).await?.iter().map(search::client_count).collect()
        };
        in_search_time(count).await
    }

    async fn search_users(&self, search: UserSearch<'_>) -> Result<Vec<User>> {
        let find = async {
            let mut connection = acquire_for_search(&self.searches).await?;
            let rows = query(user_search::compile(&search, &rows::DIALECT)).fetch_all(&mut *connection).await?;
            rows.iter().map(columns::user).collect()
        };
        in_search_time(find).await
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        let list = async {
            let search::CompiledListing { page, total } = search::compile_listing(&listing, &rows::DIALECT);
            let mut connection = acquire_for_search(&self.searches).await?;
            let total = match total {
                Some(total) => Some(search::counted(&query(total).fetch_one(&mut *connection).await?)?),
                None => None,
            };
            let rows = query(page).fetch_all(&mut *connection).await?;
            Ok((rows.iter().map(columns::session).collect::<sqlx::Result<_>>()?, total))
        };
        in_search_time(list).await
    }
}

pub(super) async fn in_search_time<T>(search: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    let found = tokio::time::timeout(SEARCH_TIME, search).await;
    found.map_err(|_| Error::TooSlow)?.map_err(search_failure)
}

/// About a millisecond of SQLite's work.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 100_000;

/// A connection whose progress handler stops the search at its time limit: a dropped query reads on until it finds a
/// row, and keeps its connection that long. Only searches use this pool, and each sets its own limit.
pub(super) async fn acquire_for_search(pool: &SqlitePool) -> sqlx::Result<PoolConnection<Sqlite>> {
    let mut connection = pool.acquire().await?;
    let end = Instant::now() + SEARCH_TIME;
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, move || Instant::now() < end);
    Ok(connection)
}

pub(super) fn query(compiled: Compiled) -> rows::SqliteQuery<'static> {
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept);
    for value in compiled.binds {
        query = match value {
            Bind::Text(text) => query.bind(text),
            Bind::Texts(texts) => query.bind(serde_json::json!(texts).to_string()),
            Bind::Time(time) => query.bind(StoredTime(time)),
            Bind::Id(id) => query.bind(id),
            Bind::Number(number) => query.bind(number),
        };
    }
    query
}
