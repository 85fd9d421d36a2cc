//! `/v1/keys` and `/v1/signing-keys`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::{Actor, Body, Caller, OptionalBody, PathText, Query, Result};
use crate::api::addressing::prefix_of;
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadBody, BadFields, BadQuery, NeedsAdmin, NeedsAdminRecent, NoSuchKey, Unauthenticated,
};
use crate::api::native::wire;
use crate::model::ServiceKeyId;
use crate::sessions::Error;

/// Create a service key
///
/// Returns the credential, which is never shown again. A key cannot have more rights than its maker: `sessions:admin`
/// includes every right except `sessions:grant`.
#[utoipa::path(
    post, path = "/v1/keys", tag = "Keys", operation_id = "createKey", request_body = wire::CreateKey,
    responses(
        (status = 201, description = "The key with its credential", body = wire::CreatedKey,
            headers(("Location" = String, description = "The key"))),
        (status = 403, description = "`sessions:admin` is needed, or `sessions:grant` for a key that is to have it; or `insufficient_user_authentication`, if the server wants a recent authentication of users for this", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadBody, BadFields,
    ),
)]
pub(crate) async fn create_key(
    State(app): State<Arc<App>>,
    actor: Actor,
    body: Body<wire::CreateKey>,
) -> Result<Response> {
    let new = app.sessions.create_service_key(&actor, body.into_inner().into_draft()).await?;
    let location = format!("{}/v1/keys/{}", prefix_of(app.sessions.access_tokens().issuer()), new.stored.id);
    let created = wire::CreatedKey::new(new, app.sessions.now());
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(created)).into_response())
}

/// List service keys
///
/// Returns all service keys, newest first, the inactive ones too, without their secrets.
#[utoipa::path(
    get, path = "/v1/keys", tag = "Keys", operation_id = "listKeys",
    responses((status = 200, description = "The keys", body = wire::ServiceKeyList), Unauthenticated, NeedsAdmin),
)]
pub(crate) async fn list_keys(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<wire::ServiceKeyList>> {
    let (keys, now) = (app.sessions.service_keys(&caller).await?, app.sessions.now());
    Ok(Json(wire::ServiceKeyList { keys: keys.into_iter().map(|key| wire::ServiceKey::new(key, now)).collect() }))
}

/// Get a service key
#[utoipa::path(
    get, path = "/v1/keys/{id}", tag = "Keys", operation_id = "getKey",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 200, description = "The key", body = wire::ServiceKey),
        Unauthenticated, NeedsAdmin, NoSuchKey,
    ),
)]
pub(crate) async fn get_key(
    State(app): State<Arc<App>>,
    caller: Caller,
    id: PathText,
) -> Result<Json<wire::ServiceKey>> {
    let key = app.sessions.stored_service_key(&caller, key_id(&id)?).await?;
    Ok(Json(wire::ServiceKey::new(key, app.sessions.now())))
}

/// Revoke a service key
///
/// Makes every replica refuse the key. Revoking it again succeeds and changes nothing.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "Keys", operation_id = "revokeKey",
    params(("id" = String, Path, description = "The key's id"), wire::RevokeKey),
    responses(
        (status = 200, description = "The key is revoked", body = wire::RevokedKey),
        Unauthenticated, BadQuery, NeedsAdminRecent, NoSuchKey,
    ),
)]
pub(crate) async fn revoke_key(
    State(app): State<Arc<App>>,
    actor: Actor,
    id: PathText,
    query: Query<wire::RevokeKey>,
) -> Result<Json<wire::RevokedKey>> {
    let id = key_id(&id)?;
    app.sessions.revoke_service_key(&actor, id).await?;
    let ended = if query.end_sessions { app.sessions.end_sessions_of_key(&actor, id).await? } else { None };
    Ok(Json(wire::RevokedKey { ended }))
}

/// List signing keys
///
/// Returns the keys that sign access tokens, oldest first: for each algorithm the present one, its predecessors until their
/// last token has expired, and a successor that is published already.
#[utoipa::path(
    get, path = "/v1/signing-keys", tag = "Keys", operation_id = "listSigningKeys",
    responses((status = 200, description = "The keys", body = wire::SigningKeyList), Unauthenticated, NeedsAdmin),
)]
pub(crate) async fn list_signing_keys(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Json<wire::SigningKeyList>> {
    let keys = app.sessions.signing_keys(&caller).await?;
    Ok(Json(wire::SigningKeyList { keys: keys.into_iter().map(wire::SigningKey::from).collect() }))
}

/// Rotate the signing keys
///
/// Makes a successor of each algorithm's key now, although keys rotate by themselves. It is published at once and signs in
/// ten minutes, when verifiers know it.
#[utoipa::path(
    post, path = "/v1/signing-keys/rotate", tag = "Keys", operation_id = "rotateSigningKeys",
    request_body = Option<wire::RotateSigningKeys>,
    responses(
        (status = 201, description = "The new key", body = wire::RotatedSigningKeys),
        Unauthenticated, BadBody, NeedsAdminRecent, BadFields,
    ),
)]
pub(crate) async fn rotate_signing_keys(
    State(app): State<Arc<App>>,
    actor: Actor,
    body: OptionalBody<wire::RotateSigningKeys>,
) -> Result<(StatusCode, Json<wire::RotatedSigningKeys>)> {
    let made = app.sessions.rotate_signing_keys(&actor, body.algorithm.as_deref(), body.compromised).await?;
    let made = wire::RotatedSigningKeys::new(made).ok_or(Error::Internal("a rotation makes a key".into()))?;
    Ok((StatusCode::CREATED, Json(made)))
}

fn key_id(text: &str) -> std::result::Result<ServiceKeyId, Error> {
    text.parse().map(ServiceKeyId).map_err(|_| Error::ServiceKeyNotFound)
}
