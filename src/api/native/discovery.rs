//! Discovery: the key set (RFC 7517), and the metadata (RFC 8414), which is also at the address of OpenID Connect Discovery.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::routing::get;
use jsonwebtoken::jwk::{JwkSet, KeyAlgorithm};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::oauth_error::OAuth;
use crate::api::addressing::prefix_of;
use crate::api::app::App;
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::json::Json;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(key_set)).routes(routes!(metadata)).routes(routes!(openid_configuration))
}

/// Adds the route to the metadata of an issuer with a path, where that path comes last (RFC 8414 section 3.1). An
/// OpenAPI document cannot express it.
pub(super) fn metadata_of_path(router: Router<Arc<App>>) -> Router<Arc<App>> {
    let of_path = async |State(app): State<Arc<App>>, Path(path): Path<String>| {
        if prefix_of(app.sessions.access_tokens().issuer()).strip_prefix('/') != Some(&path) {
            return Err(Refused::<OAuth>::from(Rejection::UnknownPath));
        }
        Ok(metadata(State(app)).await)
    };
    router
        .route("/.well-known/oauth-authorization-server/{*path}", get(of_path))
        .route("/.well-known/openid-configuration/{*path}", get(of_path))
}

type PublicHeaders = [(HeaderName, &'static str); 2];

/// The time for which verifiers may cache the key set: shorter than the lead with which a new key is published.
const KEY_SET_CACHE: &str = "public, max-age=300";

/// Get the public keys
///
/// Returns the keys for verifying access tokens (RFC 7517). A new key is published before its first use.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "Tokens", operation_id = "getKeySet",
    responses((status = 200, description = "A JSON Web Key Set", body = Object, content_type = "application/jwk-set+json")),
)]
async fn key_set(State(app): State<Arc<App>>) -> (PublicHeaders, Json<JwkSet>) {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, KEY_SET_CACHE)];
    (headers, Json(app.sessions.access_tokens().published(app.sessions.now())))
}

/// Metadata of this server for OAuth clients (RFC 8414 section 2).
#[derive(Serialize, ToSchema)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 1],
    /// `none`: there is no authorization endpoint.
    response_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    /// `public`: all clients know a user by the same `sub`.
    subject_types_supported: [&'static str; 1],
    /// The algorithms of the keys. They sign access tokens: there are no ID tokens.
    #[schema(value_type = Vec<String>)]
    id_token_signing_alg_values_supported: Vec<KeyAlgorithm>,
    service_documentation: String,
}

/// Get the server's metadata
///
/// Returns the URLs of the endpoints, and the supported grant types and algorithms (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "Tokens", operation_id = "getMetadata",
    responses((status = 200, description = "The metadata", body = Metadata)),
)]
async fn metadata(State(app): State<Arc<App>>) -> (PublicHeaders, Json<Metadata>) {
    metadata_of(&app)
}

/// Get the server's metadata as OpenID Connect clients do
///
/// Returns the same document as `/.well-known/oauth-authorization-server`, for clients that know OpenID Connect Discovery
/// alone. Login is not done here: there is no authorization endpoint, no user info and no ID token.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "Tokens", operation_id = "getOpenIdConfiguration",
    responses((status = 200, description = "The metadata", body = Metadata)),
)]
async fn openid_configuration(State(app): State<Arc<App>>) -> (PublicHeaders, Json<Metadata>) {
    metadata_of(&app)
}

fn metadata_of(app: &App) -> (PublicHeaders, Json<Metadata>) {
    let issuer = app.sessions.access_tokens().issuer().to_owned();
    let published = app.sessions.access_tokens().published(app.sessions.now());
    let mut algorithms = Vec::new();
    for algorithm in published.keys.iter().filter_map(|key| key.common.key_algorithm) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let metadata = Metadata {
        token_endpoint: at("/oauth2/token"),
        introspection_endpoint: at("/oauth2/introspect"),
        revocation_endpoint: at("/oauth2/revoke"),
        jwks_uri: at("/.well-known/jwks.json"),
        grant_types_supported: ["refresh_token"],
        response_types_supported: ["none"],
        token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "Bearer"],
        revocation_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "none"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: algorithms,
        service_documentation: at("/docs"),
        issuer,
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, KEY_SET_CACHE)];
    (headers, Json(metadata))
}
