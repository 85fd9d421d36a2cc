//! `/v1/applications`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Actor, Body, Caller, PathText, Result};
use crate::api::addressing::prefix_of;
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadBody, BadFields, NeedsAdminRecent, NeedsRead, NoSuchApplication, Unauthenticated,
};
use crate::api::native::wire;

/// Create an application
///
/// Gives a `client_id` a record with audiences, lifetimes and allowed scope. A `client_id` without a record works as well,
/// unless the server is set to `SOJOURN_KNOWN_APPLICATIONS_ONLY`.
#[utoipa::path(
    post, path = "/v1/applications", tag = "Applications", operation_id = "createApplication",
    request_body = wire::CreateApplication,
    responses(
        (status = 201, description = "The application", body = wire::Application,
            headers(("Location" = String, description = "The application"))),
        (status = 409, description = "`application_exists`", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, NeedsAdminRecent, BadFields,
    ),
)]
pub(crate) async fn create_application(
    State(app): State<Arc<App>>,
    actor: Actor,
    body: Body<wire::CreateApplication>,
) -> Result<Response> {
    let body = body.into_inner();
    let created = app.sessions.create_application(&actor, body.client_id.clone(), body.into_draft()).await?;
    let id = utf8_percent_encode(&created.id, NON_ALPHANUMERIC);
    let location = format!("{}/v1/applications/{id}", prefix_of(app.sessions.access_tokens().issuer()));
    let body = Json(wire::Application::from(created));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
}

/// List applications
///
/// Returns all applications that have a record, in the order of their `client_id`.
#[utoipa::path(
    get, path = "/v1/applications", tag = "Applications", operation_id = "listApplications",
    responses(
        (status = 200, description = "The applications", body = wire::ApplicationList),
        Unauthenticated, NeedsRead,
    ),
)]
pub(crate) async fn list_applications(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Json<wire::ApplicationList>> {
    let applications = app.sessions.applications(&caller).await?;
    Ok(Json(wire::ApplicationList { applications: applications.into_iter().map(wire::Application::from).collect() }))
}

/// Get an application
#[utoipa::path(
    get, path = "/v1/applications/{client_id}", tag = "Applications", operation_id = "getApplication",
    params(("client_id" = String, Path, description = "The application's client_id")),
    responses(
        (status = 200, description = "The application", body = wire::Application),
        Unauthenticated, NeedsRead, NoSuchApplication,
    ),
)]
pub(crate) async fn get_application(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathText,
) -> Result<Json<wire::Application>> {
    Ok(Json(app.sessions.application(&caller, &id).await?.into()))
}

/// Change an application
///
/// Changes what is given. Open sessions keep their scope and expiry; the next access token of each follows the new
/// settings.
#[utoipa::path(
    patch, path = "/v1/applications/{client_id}", tag = "Applications", operation_id = "changeApplication",
    params(("client_id" = String, Path, description = "The application's client_id")),
    request_body = wire::ChangeApplication,
    responses(
        (status = 200, description = "The application as it is now", body = wire::Application),
        Unauthenticated, BadBody, NeedsAdminRecent, NoSuchApplication, BadFields,
    ),
)]
pub(crate) async fn change_application(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
    body: Body<wire::ChangeApplication>,
) -> Result<Json<wire::Application>> {
    Ok(Json(app.sessions.change_application(&actor, &id, body.into_inner().into()).await?.into()))
}

/// Delete an application
///
/// Deletes the record. The application's sessions go on under the server's own limits, and keys bound to it stay bound.
#[utoipa::path(
    delete, path = "/v1/applications/{client_id}", tag = "Applications", operation_id = "deleteApplication",
    params(("client_id" = String, Path, description = "The application's client_id")),
    responses(
        (status = 204, description = "The record is deleted"),
        Unauthenticated, NeedsAdminRecent, NoSuchApplication,
    ),
)]
pub(crate) async fn delete_application(State(app): State<Arc<App>>, actor: Actor, id: PathText) -> Result<StatusCode> {
    app.sessions.delete_application(&actor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
