//! The paths of OAuth standards: refresh (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), key set (RFC
//! 7517) and metadata (RFC 8414), with those standards' errors.
//!
//! Known quirks
//! * Client authentication is optional but for introspection: a refresh token is its own credential, and so is a token
//!   to be revoked.
//! * A service key is the `client_secret` of any `client_id`. At introspection it may also come as a Bearer credential.
//! * A token may be revoked in any client's name, because refusing would keep a session that its holder wants to end.
//! * A service key is not introspected: the answer is always `{"active": false}`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::client::{CallersForm, ClientForm, FormClient, TokensForm};
use super::discovery;
pub use super::oauth_error::{OAuth, OAuthError};
use super::wire;
use crate::api::app::App;
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::json::Json;
use crate::sessions::{Error, Freshness, Introspection, IssuedTokens, RefreshRequest, Refreshed, TokenKind};
use crate::tokens::{ClaimMembers, client_id_of};

type Result<T> = std::result::Result<T, Refused<OAuth>>;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(introspect))
        .routes(routes!(revoke))
        .merge(discovery::router())
}

/// A refresh token to exchange.
#[derive(Deserialize, ToSchema)]
struct TokenRequest {
    /// Always `refresh_token`.
    #[schema(example = "refresh_token")]
    grant_type: String,
    #[schema(example = "sjr_…")]
    refresh_token: Option<String>,
    /// Optional. Must equal the session's `client_id`, if the session has one.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Optional. If given, it must be a service key, which may also come by HTTP Basic.
    #[schema(example = "sjk_…")]
    client_secret: Option<String>,
    /// Refused: this way to authenticate is not supported.
    #[schema(ignore)]
    client_assertion: Option<String>,
    /// Optional. Every word must be in the session's scope; the new pair always has the session's whole scope.
    #[schema(example = "profile")]
    scope: Option<String>,
}

impl ClientForm for TokenRequest {
    fn client(&self) -> FormClient<'_> {
        let Self { client_id, client_secret, client_assertion, .. } = self;
        FormClient::new(client_id.as_deref(), client_secret.as_deref(), client_assertion.as_deref())
    }

    fn token(&self) -> &str {
        self.refresh_token.as_deref().unwrap_or_default()
    }
}

/// A new pair of tokens.
#[derive(Serialize, ToSchema)]
struct TokenResponse {
    access_token: String,
    /// Successor of the presented refresh token.
    refresh_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token expires.
    #[schema(example = 300)]
    expires_in: i64,
    scope: String,
}

/// Refresh tokens
///
/// Exchanges a refresh token for a new pair of tokens. A repeat of the last exchange returns the same successor, so
/// that retries and parallel tabs are safe: within a grace period (30 seconds by default), and later if the new pair is
/// still unused. Any other refresh token that was spent before counts as stolen and ends the session.
#[utoipa::path(
    post, path = "/oauth2/token", tag = "Tokens", operation_id = "refreshToken",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A new pair of tokens", body = TokenResponse),
        (status = 400, description = "`invalid_grant`, `invalid_scope`, `invalid_request` or `unsupported_grant_type`", body = OAuthError),
        (status = 401, description = "`invalid_client`", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
    security((), ("clientBasic" = []))
)]
async fn token(State(app): State<Arc<App>>, sent: TokensForm<TokenRequest>) -> Result<Json<TokenResponse>> {
    let TokensForm { client_id, from, form } = sent;
    if form.grant_type != "refresh_token" {
        return Err(Rejection::UnsupportedGrant.into());
    }
    // RFC 6749 section 3.2: a parameter without a value counts as left out.
    let [token, scope] =
        [&form.refresh_token, &form.scope].map(|sent| sent.as_deref().filter(|value| !value.is_empty()));
    let token = token.ok_or(Rejection::Malformed("The refresh_token is missing".to_owned()))?;
    let request = RefreshRequest { token, client_id: client_id.as_deref(), scope, from };
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

/// A token to revoke.
#[derive(Deserialize, ToSchema)]
struct TokenForm {
    /// Access, session or refresh token.
    token: String,
    /// Optional and ignored: the server recognises the kind of every token.
    #[expect(dead_code, reason = "RFC 7009 section 2.1: clients may send it, servers may ignore it")]
    token_type_hint: Option<String>,
    /// The application; optional and ignored.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// Optional. If given, it must be a service key, which may also come by HTTP Basic.
    #[schema(example = "sjk_…")]
    client_secret: Option<String>,
    /// Refused: this way to authenticate is not supported.
    #[schema(ignore)]
    client_assertion: Option<String>,
}

impl ClientForm for TokenForm {
    fn client(&self) -> FormClient<'_> {
        let Self { client_id, client_secret, client_assertion, .. } = self;
        FormClient::new(client_id.as_deref(), client_secret.as_deref(), client_assertion.as_deref())
    }

    fn token(&self) -> &str {
        &self.token
    }
}

/// A token to introspect.
#[derive(Deserialize, ToSchema)]
struct IntrospectionRequest {
    /// Access, session or refresh token.
    token: String,
    /// Optional and ignored: the server recognises the kind of every token.
    #[expect(dead_code, reason = "RFC 7662 section 2.1: clients may send it, servers may ignore it")]
    token_type_hint: Option<String>,
    /// Freshness of the answer, `strict` (as of now) or `fresh`; the server's own setting applies if it is stricter.
    #[schema(value_type = Option<String>, example = "strict")]
    freshness: Option<wire::Freshness>,
    /// The application; any with a `client_secret`.
    #[schema(example = "web")]
    client_id: Option<String>,
    /// A service key, unless it comes by HTTP Basic or as a Bearer credential.
    #[schema(example = "sjk_…")]
    client_secret: Option<String>,
    /// Refused: this way to authenticate is not supported.
    #[schema(ignore)]
    client_assertion: Option<String>,
}

impl ClientForm for IntrospectionRequest {
    fn client(&self) -> FormClient<'_> {
        let Self { client_id, client_secret, client_assertion, .. } = self;
        FormClient::new(client_id.as_deref(), client_secret.as_deref(), client_assertion.as_deref())
    }

    fn token(&self) -> &str {
        &self.token
    }
}

/// Claims of a valid token, or exactly `{"active": false}` (RFC 7662 section 2.2). Claims that the session's opener added are
/// further members.
#[derive(Serialize, ToSchema)]
struct IntrospectionResponse {
    active: bool,
    /// Id of the user.
    #[schema(required = false)]
    sub: String,
    /// Id of the session.
    #[schema(required = false)]
    sid: Uuid,
    #[schema(required = false)]
    scope: String,
    #[schema(required = false)]
    client_id: String,
    /// The user's id again: unlike a name, nobody else's.
    #[schema(required = false)]
    username: String,
    /// The user's name to show, if known. Several users may have the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The user's email address, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `Bearer`, or `refresh_token`.
    #[schema(required = false)]
    token_type: &'static str,
    /// Time of expiry, in seconds since 1970.
    #[schema(required = false)]
    exp: i64,
    /// Time of issue, in seconds since 1970.
    #[schema(required = false)]
    iat: i64,
    /// Time of the sign-in, in seconds since 1970 (RFC 9470 section 6).
    #[schema(required = false)]
    auth_time: i64,
    #[schema(required = false)]
    iss: String,
    #[schema(required = false)]
    aud: wire::Audience,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    amr: Vec<String>,
}

/// An [`IntrospectionResponse`] with extra claims or without, or its only member where the token is not valid.
#[derive(Serialize)]
#[serde(untagged)]
enum Introspected {
    Active(Box<IntrospectionResponse>),
    WithClaims {
        #[serde(flatten)]
        response: Box<IntrospectionResponse>,
        #[serde(flatten)]
        claims: ClaimMembers,
    },
    Inactive {
        active: bool,
    },
}

/// Introspect a token
///
/// Returns whether an access, session or refresh token is valid, and its claims. Needs `sessions:read`.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "Tokens", operation_id = "introspectToken",
    request_body(content = IntrospectionRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The claims of a valid token, or `{\"active\": false}`", body = IntrospectionResponse),
        (status = 400, description = "`invalid_request`", body = OAuthError),
        (status = 401, description = "`invalid_client`, or `invalid_token` for a Bearer credential", body = OAuthError),
        (status = 403, description = "`sessions:read` is needed", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
    security(("bearerAuth" = []), ("clientBasic" = []))
)]
async fn introspect(
    State(app): State<Arc<App>>,
    sent: CallersForm<IntrospectionRequest>,
) -> Result<Json<Introspected>> {
    let CallersForm { caller, form } = sent;
    let freshness = form.freshness.map(Freshness::from);
    let found = app.sessions.introspect(&caller, there(form.token())?, freshness).await?;
    let Some(Introspection { signed_in, kind, issued_at, expires_at }) = found else {
        return Ok(Json(Introspected::Inactive { active: false }));
    };
    let claims = app.sessions.claims_of(&signed_in.session);
    let response = Box::new(IntrospectionResponse {
        active: true,
        sub: signed_in.session.user_id.to_string(),
        sid: signed_in.session.id.as_uuid(),
        scope: signed_in.session.scope.to_string(),
        client_id: client_id_of(&signed_in.session).to_owned(),
        username: signed_in.session.user_id.to_string(),
        name: signed_in.user.name,
        email: signed_in.user.email,
        token_type: if kind == TokenKind::Refresh { "refresh_token" } else { "Bearer" },
        exp: expires_at.timestamp(),
        iat: issued_at.timestamp(),
        auth_time: signed_in.session.authenticated_at.timestamp(),
        iss: app.sessions.access_tokens().issuer().to_owned(),
        aud: wire::Audience::new(app.sessions.audiences_of(&signed_in.session)),
        acr: signed_in.session.acr,
        amr: signed_in.session.amr,
    });
    Ok(Json(if claims.is_empty() {
        Introspected::Active(response)
    } else {
        Introspected::WithClaims { response, claims }
    }))
}

/// Revoke a token
///
/// Ends the session that the token belongs to. The answer to an unknown token is 200 too, as RFC 7009 requires.
#[utoipa::path(
    post, path = "/oauth2/revoke", tag = "Tokens", operation_id = "revokeToken",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "No token of that session is valid any more", body = Revocation),
        (status = 400, description = "`invalid_request`", body = OAuthError),
        (status = 401, description = "`invalid_client`", body = OAuthError),
        (status = 413, description = "Over 64 KiB", body = OAuthError),
        (status = 415, description = "Not form-encoded", body = OAuthError),
    ),
    security((), ("clientBasic" = []))
)]
async fn revoke(State(app): State<Arc<App>>, sent: TokensForm<TokenForm>) -> Result<Json<Revocation>> {
    app.sessions.revoke_token(there(sent.form.token())?).await?;
    Ok(Json(Revocation {}))
}

/// Empty object, for client libraries that read every answer as JSON.
#[derive(Serialize, ToSchema)]
struct Revocation {}

/// The token, unless it is empty: a parameter without a value counts as left out (RFC 6749 section 3.2).
fn there(token: &str) -> Result<&str> {
    if token.is_empty() { Err(Rejection::Malformed("The token is missing".to_owned()).into()) } else { Ok(token) }
}
