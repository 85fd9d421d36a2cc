//! Applications.

use chrono::TimeDelta;

use crate::model::{Application, ApplicationSettings, Scope};
use crate::store::columns::StoredRow;
use crate::store::values::{OrUnreadable as _, stored_texts};

macro_rules! application_columns {
    () => {
        "id, name, audiences, scope, access_token_lifetime, absolute_lifetime, idle_timeout, cookie_name, created_at, \
         updated_at"
    };
}

pub(in crate::store) const LIST_APPLICATIONS: &str =
    concat!("SELECT ", application_columns!(), " FROM applications ORDER BY id");

pub(in crate::store) const ADD_APPLICATION: &str = concat!(
    "INSERT INTO applications (",
    application_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING"
);

pub(in crate::store) const CHANGE_APPLICATION: &str = "
    UPDATE applications SET name = $2, audiences = $3, scope = $4, access_token_lifetime = $5, absolute_lifetime = $6,
        idle_timeout = $7, cookie_name = $8, updated_at = $9
    WHERE id = $1 AND updated_at = $10";

pub(in crate::store) const DELETE_APPLICATION: &str = "DELETE FROM applications WHERE id = $1";

pub(in crate::store) fn application(row: &impl StoredRow) -> sqlx::Result<Application> {
    let seconds =
        |column| Ok::<_, sqlx::Error>(row.named::<Option<i32>>(column)?.map(|time| TimeDelta::seconds(time.into())));
    let scope: Option<String> = row.named("scope")?;
    Ok(Application {
        id: row.named("id")?,
        settings: ApplicationSettings {
            name: row.named("name")?,
            audiences: stored_texts(&row.named::<String>("audiences")?, "audiences")?,
            scope: scope.map(|scope| Scope::parse(&scope).or_unreadable("scope")).transpose()?,
            access_token_lifetime: seconds("access_token_lifetime")?,
            absolute_lifetime: seconds("absolute_lifetime")?,
            idle_timeout: seconds("idle_timeout")?,
            cookie_name: row.named("cookie_name")?,
        },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
