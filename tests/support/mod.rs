//! Databases, servers and clients for the tests.

pub mod builder;
pub mod database;
pub mod jwt;
pub mod mmdb;
pub mod pgbouncer;
pub mod postgres_wire;
pub mod process;
pub mod proxy;
pub mod server;
pub mod stream;

/// Makes two tests out of one case: on PostgreSQL and on SQLite. The case gets an empty database.
macro_rules! on_both_databases {
    ($($(#[doc = $doc:literal])* async fn $name:ident($database:ident) $body:block)+) => {$(
        $(#[doc = $doc])*
        mod $name {
            use super::*;

            async fn case($database: $crate::support::database::TestDatabase) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                case($crate::support::database::TestDatabase::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                case($crate::support::database::TestDatabase::sqlite().await).await;
            }
        }
    )+};
}
pub(crate) use on_both_databases;
