//! Searches and lists.

use async_trait::async_trait;
use sqlx::PgPool;

use super::rows;
use super::store::PostgresStore;
use crate::model::{ClientCount, Listing, Search, Session, User, UserSearch};
use crate::store::columns;
use crate::store::contract::{Result, SearchStore};
use crate::store::search::{self, Bind, Compiled};
use crate::store::stored_time::StoredTime;
use crate::store::user_search;

#[async_trait]
impl SearchStore for PostgresStore {
    async fn search_sessions(&self, search: Search<'_>) -> Result<Vec<Session>> {
        if !search.may_lag {
            return self.search(|| self::search_sessions(&self.database.searches, search)).await;
        }
        self.search_anywhere(|pool| async move { self::search_sessions(&pool, search).await }).await
    }

    async fn count_sessions(&self, search: Search<'_>) -> Result<u32> {
        let count = || async {
            let count = query(search::compile_count(&search, &rows::DIALECT));
            search::counted(&count.fetch_one(&self.database.searches).await?)
        };
        self.search(count).await
    }

    async fn count_sessions_by_client(&self, search: Search<'_>) -> Result<Vec<ClientCount>> {
        let count = || async {
            let count = query(search::compile_count_by_client(&search, &rows::DIALECT));
            count.fetch_all(&self.database.searches).await?.iter().map(search::client_count).collect()
        };
        self.search(count).await
    }

    async fn search_users(&self, search: UserSearch<'_>) -> Result<Vec<User>> {
        let find = |pool: PgPool| async move {
            let rows = query(user_search::compile(&search, &rows::DIALECT)).fetch_all(&pool).await?;
            rows.iter().map(columns::user).collect()
        };
        if search.may_lag {
            self.search_anywhere(find).await
        } else {
            self.search(|| find(self.database.searches.clone())).await
        }
    }

    async fn list_sessions(&self, listing: Listing<'_>) -> Result<(Vec<Session>, Option<u32>)> {
        let list = |pool: PgPool| async move {
            let search::CompiledListing { page, total } = search::compile_listing(&listing, &rows::DIALECT);
            let total = match total {
                Some(total) => Some(search::counted(&query(total).fetch_one(&pool).await?)?),
                None => None,
            };
            let rows = query(page).fetch_all(&pool).await?;
            Ok((rows.iter().map(columns::session).collect::<sqlx::Result<_>>()?, total))
        };
        self.search_anywhere(list).await
    }
}

async fn search_sessions(pool: &PgPool, search: Search<'_>) -> sqlx::Result<Vec<Session>> {
    let rows = query(search::compile(&search, &rows::DIALECT)).fetch_all(pool).await?;
    rows.iter().map(columns::session).collect()
}

pub(super) fn query(compiled: Compiled) -> rows::PgQuery<'static> {
    let mut query = sqlx::query(compiled.sql).persistent(compiled.kept && compiled.planned_once);
    for value in compiled.binds {
        query = match value {
            Bind::Text(text) => query.bind(text),
            Bind::Texts(texts) => query.bind(texts),
            Bind::Time(time) => query.bind(StoredTime(time)),
            Bind::Id(id) => query.bind(id),
            Bind::Number(number) => query.bind(number),
        };
    }
    query
}
