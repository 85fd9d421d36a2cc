//! The audit trail, and the writes that have an entry in it.

use std::ops::{Deref, DerefMut};

use async_trait::async_trait;
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};

use super::failure::failure;
use super::search::{acquire_for_search, in_search_time, query};
use super::store::SqliteStore;
use crate::model::{AuditEntry, AuditSearch, StoredAuditEntry};
use crate::store::audit_search;
use crate::store::contract::{AuditStore, Result};
use crate::store::statements::audit::{ADD_ENTRY, audit_entry, detail_to_store};
use crate::store::stored_time::StoredTime;

/// A write with its entry in the audit trail, in one transaction. Without an entry there is no transaction, and the
/// statements are as they would be alone.
pub(super) struct AuditedWrite<'a> {
    connection: Work<'a>,
    entry: Option<&'a AuditEntry>,
}

enum Work<'a> {
    Alone(&'a mut SqliteConnection),
    InTransaction(Transaction<'a, Sqlite>),
}

impl<'a> AuditedWrite<'a> {
    pub(super) async fn begin(
        connection: &'a mut SqliteConnection,
        entry: Option<&'a AuditEntry>,
    ) -> sqlx::Result<Self> {
        let connection = match entry {
            None => Work::Alone(connection),
            Some(_) => Work::InTransaction(connection.begin_with("BEGIN IMMEDIATE").await?),
        };
        Ok(Self { connection, entry })
    }

    /// Adds the entry if something was changed, and commits.
    pub(super) async fn finish(mut self, is_changed: bool) -> sqlx::Result<()> {
        let entry = self.entry.filter(|_| is_changed);
        add_entry(&mut self, entry).await?;
        match self.connection {
            Work::Alone(_) => Ok(()),
            Work::InTransaction(transaction) => transaction.commit().await,
        }
    }

    /// As [`AuditedWrite::finish`], after this many sessions were ended, with their number in the entry.
    pub(super) async fn finish_endings(mut self, ended: usize) -> sqlx::Result<()> {
        let entry = self.entry.map(|entry| entry.with_sessions(ended as u64));
        add_entry(&mut self, entry.as_ref().filter(|_| ended > 0)).await?;
        Self { entry: None, ..self }.finish(false).await
    }
}

impl Deref for AuditedWrite<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.connection {
            Work::Alone(connection) => connection,
            Work::InTransaction(transaction) => transaction,
        }
    }
}

impl DerefMut for AuditedWrite<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.connection {
            Work::Alone(connection) => connection,
            Work::InTransaction(transaction) => transaction,
        }
    }
}

/// Adds the entry of a change in the change's own transaction, if it has one.
pub(super) async fn add_entry(connection: &mut SqliteConnection, entry: Option<&AuditEntry>) -> sqlx::Result<()> {
    let Some(AuditEntry { id, at, actor, action, target, detail, origin }) = entry else { return Ok(()) };
    let add = sqlx::query(ADD_ENTRY)
        .bind(id)
        .bind(StoredTime(*at))
        .bind(actor.kind.as_str())
        .bind(&actor.id)
        .bind(&actor.name)
        .bind(action.as_str())
        .bind(target.as_ref().map(|target| target.kind.as_str()))
        .bind(target.as_ref().map(|target| &target.id))
        .bind(detail_to_store(detail))
        .bind(&origin.request_id)
        .bind(origin.address.map(|address| address.to_string()));
    add.execute(connection).await?;
    Ok(())
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<()> {
        let add = async { add_entry(&mut *self.writer.acquire().await?, Some(entry)).await };
        add.await.map_err(failure)
    }

    async fn search_audit(&self, search: AuditSearch<'_>) -> Result<Vec<StoredAuditEntry>> {
        let find = async {
            let mut connection = acquire_for_search(&self.searches).await?;
            let rows = query(audit_search::compile(&search)).fetch_all(&mut *connection).await?;
            rows.iter().map(audit_entry).collect()
        };
        in_search_time(find).await
    }
}
