//! Applications.

use chrono::TimeDelta;

use crate::model::{Algorithm, Application, ApplicationSettings, Scope};
use crate::store::columns::StoredRow;
use crate::store::values::{OrUnreadable as _, stored_texts};

macro_rules! application_columns {
    () => {
        "id, name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout, claims, signing_algorithm, \
         cookie_name, created_at, updated_at"
    };
}

pub(in crate::store) const LIST_APPLICATIONS: &str =
    concat!("SELECT ", application_columns!(), " FROM applications ORDER BY id");

pub(in crate::store) const ADD_APPLICATION: &str = concat!(
    "INSERT INTO applications (",
    application_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING"
);

pub(in crate::store) const CHANGE_APPLICATION: &str = "
    UPDATE applications SET name = $2, audiences = $3, scope = $4, access_token_lifetime = $5, absolute_lifetime = $6,
        idle_timeout = $7, claims = $8, signing_algorithm = $9, cookie_name = $10, updated_at = $11
    WHERE id = $1 AND updated_at = $12";

pub(in crate::store) const DELETE_APPLICATION: &str = "DELETE FROM applications WHERE id = $1";

pub(in crate::store) fn application(row: &impl StoredRow) -> sqlx::Result<Application> {
    let seconds =
        |column| Ok::<_, sqlx::Error>(row.named::<Option<i32>>(column)?.map(|time| TimeDelta::seconds(time.into())));
    let scope: Option<String> = row.named("scope")?;
    let claims: Option<String> = row.named("claims")?;
    let algorithm: Option<String> = row.named("signing_algorithm")?;
    Ok(Application {
        id: row.named("id")?,
        settings: ApplicationSettings {
            name: row.named("name")?,
            audiences: stored_texts(&row.named::<String>("audiences")?, "audiences")?,
            scope: scope.map(|scope| Scope::parse(&scope).or_unreadable("scope")).transpose()?,
            access_token_lifetime: seconds("access_token_lifetime")?,
            absolute_lifetime: seconds("absolute_lifetime")?,
            idle_timeout: seconds("idle_timeout")?,
            claims: claims.map_or(Ok(Vec::new()), |claims| stored_texts(&claims, "claims"))?,
            signing_algorithm: algorithm
                .map(|name| Algorithm::parse(&name).or_unreadable("signing_algorithm"))
                .transpose()?,
            cookie_name: row.named("cookie_name")?,
        },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
