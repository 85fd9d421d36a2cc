//! The facts that a database tells of itself.

use sojourn::model::DatabaseKind;

use super::fixture::{Fixture, Raw};

on_both_stores!(the_database_tells_its_version_and_its_newest_migration);

async fn the_database_tells_its_version_and_its_newest_migration(fixture: &Fixture) {
    let status = fixture.store.database_status().await.unwrap();
    let (kind, folder) = match fixture.raw {
        Raw::Postgres(_) => (DatabaseKind::Postgresql, "migrations/postgres"),
        Raw::Sqlite(_) => (DatabaseKind::Sqlite, "migrations/sqlite"),
    };
    assert_eq!(fixture.store.kind(), kind);
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let newest = names.map(|name| name.split('_').next().unwrap().parse::<i64>().unwrap()).max().unwrap();
    assert_eq!(status.migration, newest);
    assert!(status.version.split('.').all(|part| part.parse::<u32>().is_ok()), "{status:?}");
    assert!(!status.has_lagging_replica);

    fixture.raw.run("UPDATE _sqlx_migrations SET success = FALSE WHERE version > 3").await.unwrap();
    assert_eq!(fixture.store.database_status().await.unwrap().migration, 3);
}
