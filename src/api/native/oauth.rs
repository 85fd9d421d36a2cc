//! The paths of OAuth standards: refresh (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), key set (RFC
//! 7517) and metadata (RFC 8414), with those standards' errors.
//!
//! Known quirks
//! * There is no client authentication: a refresh token is its own credential, and so is a token to be revoked.
//! * A service key is not introspected: the answer is always `{"active": false}`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::wire;
use crate::api::addressing::prefix_of;
use crate::api::announcements::announce;
use crate::api::app::App;
use crate::api::extract::{self, HoldsToken};
use crate::api::failure::{Failure, Rejection};
use crate::api::family::{Family, Refused};
use crate::api::json::Json;
use crate::metrics::Method;
use crate::sessions::{
    Error, Freshness, GrantRefusal, Introspection, IssuedTokens, RefreshRequest, Refreshed, TokenKind,
};
use crate::tokens::client_id_of;

/// The family of the standards' paths, which is part of the native one.
pub struct OAuth;

type Result<T> = std::result::Result<T, Refused<OAuth>>;
type Caller = extract::Caller<OAuth>;
type Form<T> = extract::Form<OAuth, T>;
type CountedForm<T> = extract::CountedForm<OAuth, T>;

impl Family for OAuth {
    const NAME: &'static str = "oauth";
    const PREFIXES: &'static [&'static str] = &["/oauth2", "/.well-known"];
    const ENDS_OWN_SESSION: &'static [&'static str] = &["/oauth2/revoke"];
    const STANDARD_LIMITS: bool = true;
    /// RFC 6749 section 3.2 for the token endpoint; RFC 7009 section 2.1 and RFC 7662 section 2.1 build on it.
    const IGNORING: &'static [&'static str] = &["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];

    fn is_ending_post(path: &str) -> bool {
        path == "/oauth2/revoke"
    }

    fn respond(failure: &Failure) -> Response {
        let error = match failure {
            Failure::Core(Error::Unauthenticated(_)) => "invalid_token",
            Failure::Core(Error::Forbidden { .. }) => "insufficient_scope",
            Failure::Core(Error::InvalidGrant(GrantRefusal::WiderScope)) => "invalid_scope",
            Failure::Core(Error::InvalidGrant(_)) => "invalid_grant",
            Failure::Core(Error::Unavailable(_)) | Failure::Request(Rejection::Busy) => "temporarily_unavailable",
            Failure::Request(Rejection::TooManyRequests { .. }) => "too_many_requests",
            Failure::Core(Error::Internal(_)) | Failure::Request(Rejection::Panic) => "server_error",
            Failure::Request(Rejection::UnsupportedGrant) => "unsupported_grant_type",
            _ => "invalid_request",
        };
        let body = OAuthError { error: error.to_owned(), error_description: failure.message() };
        (failure.status(), Json(body)).into_response()
    }
}

/// An error as RFC 6749 section 5.2 has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthError {
    /// One of the standards' words.
    #[schema(example = "invalid_grant")]
    error: String,
    /// What went wrong, for a person.
    error_description: String,
}

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(introspect))
        .routes(routes!(revoke))
        .routes(routes!(key_set))
        .routes(routes!(metadata))
}

/// Adds the route to the metadata of an issuer with a path, where that path comes last (RFC 8414 section 3.1). An
/// OpenAPI document cannot express it.
pub(super) fn metadata_of_path(router: Router<Arc<App>>) -> Router<Arc<App>> {
    const PATH: &str = "/.well-known/oauth-authorization-server/{*path}";
    let of_path = async |State(app): State<Arc<App>>, Path(path): Path<String>| {
        if prefix_of(app.sessions.access_tokens().issuer()).strip_prefix('/') != Some(&path) {
            return Err(Refused::<OAuth>::from(Rejection::UnknownPath));
        }
        Ok(metadata(State(app)).await)
    };
    announce::<OAuth>(PATH, Method::Get);
    router.route(PATH, get(of_path))
}

/// A refresh token to be exchanged.
#[derive(Deserialize, ToSchema)]
struct TokenRequest {
    /// Always `refresh_token`.
    #[schema(example = "refresh_token")]
    grant_type: String,
    /// The refresh token.
    #[schema(example = "sjr_…")]
    refresh_token: Option<String>,
    /// Not needed. If it is there, it must be the session's, where that was opened for one.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Not needed. If it is there, all its words must be in the session's scope, which the new pair has whole.
    #[schema(example = "profile")]
    scope: Option<String>,
}

impl HoldsToken for TokenRequest {
    fn token(&self) -> &str {
        self.refresh_token.as_deref().unwrap_or_default()
    }
}

/// A new pair of tokens.
#[derive(Serialize, ToSchema)]
struct TokenResponse {
    access_token: String,
    /// Takes the place of the one presented.
    refresh_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token dies.
    #[schema(example = 300)]
    expires_in: i64,
    scope: String,
}

/// Refresh
///
/// Exchanges a refresh token for a new pair. The same one again gets the same successor for a while, so retries and
/// parallel tabs are safe; one spent long before ends the session.
#[utoipa::path(
    post, path = "/oauth2/token", tag = "OAuth 2.0", operation_id = "refreshToken",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A new pair", body = TokenResponse),
        (status = 400, description = "`invalid_grant`, `invalid_scope`, `invalid_request` or `unsupported_grant_type`", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
)]
async fn token(State(app): State<Arc<App>>, form: CountedForm<TokenRequest>) -> Result<Json<TokenResponse>> {
    if form.grant_type != "refresh_token" {
        return Err(Rejection::UnsupportedGrant.into());
    }
    // RFC 6749 section 3.2: a parameter without a value counts as left out.
    let TokenRequest { grant_type: _, refresh_token, client_id, scope } = &*form;
    let [token, client_id, scope] =
        [refresh_token, client_id, scope].map(|sent| sent.as_deref().filter(|value| !value.is_empty()));
    let token = token.ok_or(Rejection::Malformed("The refresh_token is missing".to_owned()))?;
    let request = RefreshRequest { token, client_id, scope };
    let Refreshed { session, tokens } = app.sessions.refresh(request).await?;
    let IssuedTokens::Pair { access, access_lifetime, refresh } = tokens else {
        return Err(Error::Internal("a refresh gives a pair".into()).into());
    };
    Ok(Json(TokenResponse {
        access_token: access.expose().to_owned(),
        refresh_token: refresh.expose().to_owned(),
        token_type: "Bearer",
        expires_in: access_lifetime.num_seconds(),
        scope: session.scope.to_string(),
    }))
}

/// A token to be told about or given back.
#[derive(Deserialize, ToSchema)]
struct TokenForm {
    /// An access, session or refresh token.
    token: String,
    /// Not needed: every token tells its kind.
    #[expect(dead_code, reason = "RFC 7009 section 2.1: clients may send it, servers may ignore it")]
    token_type_hint: Option<String>,
}

impl HoldsToken for TokenForm {
    fn token(&self) -> &str {
        &self.token
    }
}

/// A token to be told about.
#[derive(Deserialize, ToSchema)]
struct IntrospectionRequest {
    /// An access, session or refresh token.
    token: String,
    /// Not needed: every token tells its kind.
    #[expect(dead_code, reason = "RFC 7662 section 2.1: clients may send it, servers may ignore it")]
    token_type_hint: Option<String>,
    /// The freshness of the answer: `strict` (as of now) or `fresh`, but never older than the server is set to.
    freshness: Option<wire::Freshness>,
}

/// What a token says, if it stands; `{"active": false}` and nothing more if it does not.
#[derive(Serialize, ToSchema)]
struct IntrospectionResponse {
    active: bool,
    #[serde(flatten)]
    claims: Option<IntrospectionClaims>,
}

/// RFC 7662 section 2.2.
#[derive(Serialize, ToSchema)]
struct IntrospectionClaims {
    /// Whose session it is.
    #[schema(required = false)]
    sub: String,
    /// The session.
    #[schema(required = false)]
    sid: Uuid,
    #[schema(required = false)]
    scope: String,
    #[schema(required = false)]
    client_id: String,
    /// The user's name, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// `Bearer`, or `refresh_token`.
    #[schema(required = false)]
    token_type: &'static str,
    /// When it dies, in seconds since 1970.
    #[schema(required = false)]
    exp: i64,
    /// When it was issued, in seconds since 1970.
    #[schema(required = false)]
    iat: i64,
    /// When the user signed in, in seconds since 1970 (RFC 9470 section 6).
    #[schema(required = false)]
    auth_time: i64,
    #[schema(required = false)]
    iss: String,
    #[schema(required = false)]
    aud: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
}

/// Introspect a token
///
/// For applications with `sessions:read`: does this access, session or refresh token stand, and whose is it.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "OAuth 2.0", operation_id = "introspectToken",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What it says, or that it does not stand", body = IntrospectionResponse),
        (status = 400, description = "`invalid_request`", body = OAuthError),
        (status = 401, description = "No valid credential", body = OAuthError),
        (status = 403, description = "`sessions:read` is needed", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
    security(("bearerAuth" = []))
)]
async fn introspect(
    State(app): State<Arc<App>>,
    caller: Caller,
    form: Form<IntrospectionRequest>,
) -> Result<Json<IntrospectionResponse>> {
    let freshness = form.freshness.map(Freshness::from);
    let found = app.sessions.introspect(&caller, there(&form.token)?, freshness).await?;
    let claims = found.map(|Introspection { signed_in, kind, issued_at, expires_at }| IntrospectionClaims {
        sub: signed_in.session.user_id.to_string(),
        sid: signed_in.session.id.as_uuid(),
        scope: signed_in.session.scope.to_string(),
        client_id: client_id_of(&signed_in.session).to_owned(),
        username: signed_in.user.name,
        token_type: if kind == TokenKind::Refresh { "refresh_token" } else { "Bearer" },
        exp: expires_at.timestamp(),
        iat: issued_at.timestamp(),
        auth_time: signed_in.session.created_at.timestamp(),
        iss: app.sessions.access_tokens().issuer().to_owned(),
        aud: app.sessions.access_tokens().audience().to_owned(),
        acr: signed_in.session.acr,
        amr: signed_in.session.amr,
    });
    Ok(Json(IntrospectionResponse { active: claims.is_some(), claims }))
}

/// Revoke a token
///
/// Ends the session that the token belongs to. Also 200 for what is no token of ours, as RFC 7009 wants it.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "OAuth 2.0", operation_id = "revokeToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "No token of that session stands any more"),
        (status = 400, description = "`invalid_request`", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
)]
async fn revoke(State(app): State<Arc<App>>, form: CountedForm<TokenForm>) -> Result<StatusCode> {
    app.sessions.revoke_token(there(&form.token)?).await?;
    Ok(StatusCode::OK)
}

/// The token, unless it is empty: a parameter without a value counts as left out (RFC 6749 section 3.2).
fn there(token: &str) -> Result<&str> {
    if token.is_empty() { Err(Rejection::Malformed("The token is missing".to_owned()).into()) } else { Ok(token) }
}

type PublicHeaders = [(HeaderName, &'static str); 2];

/// The time for which verifiers may cache the key set: shorter than the lead with which a new key is published.
const KEY_SET_CACHE: &str = "public, max-age=300";

/// Public keys
///
/// The keys that access tokens are verified with, those to come included (RFC 7517).
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "OAuth 2.0", operation_id = "getKeySet",
    responses((status = 200, description = "A JSON Web Key Set", body = Object, content_type = "application/jwk-set+json")),
)]
async fn key_set(State(app): State<Arc<App>>) -> (PublicHeaders, Json<jsonwebtoken::jwk::JwkSet>) {
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, KEY_SET_CACHE)];
    (headers, Json(app.sessions.access_tokens().published(app.sessions.now())))
}

/// What this server is, to OAuth clients (RFC 8414 section 2).
#[derive(Serialize, ToSchema)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 1],
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    service_documentation: String,
}

/// Metadata
///
/// Where the endpoints are, below the issuer (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "OAuth 2.0", operation_id = "getMetadata",
    responses((status = 200, description = "The metadata", body = Metadata)),
)]
async fn metadata(State(app): State<Arc<App>>) -> (PublicHeaders, Json<Metadata>) {
    let issuer = app.sessions.access_tokens().issuer().to_owned();
    let at = |path: &str| format!("{}{path}", issuer.trim_end_matches('/'));
    let metadata = Metadata {
        token_endpoint: at("/oauth2/token"),
        introspection_endpoint: at("/oauth2/introspect"),
        revocation_endpoint: at("/oauth2/revoke"),
        jwks_uri: at("/.well-known/jwks.json"),
        grant_types_supported: ["refresh_token"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        service_documentation: at("/docs"),
        issuer,
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, KEY_SET_CACHE)];
    (headers, Json(metadata))
}
