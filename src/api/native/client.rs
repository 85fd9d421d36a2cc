//! The clients of the OAuth endpoints, which authenticate by HTTP Basic or in the form (RFC 6749 section 2.3.1): the
//! `client_secret` is a service key. The `client_id` is a claim that no secret proves.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::oauth_error::OAuth;
use crate::api::app::App;
use crate::api::credentials::{BasicClient, ClientHeader, Place};
use crate::api::extract::{self, Form};
use crate::api::failure::Rejection;
use crate::api::family::Refused;
use crate::api::limits::Counted;
use crate::model::Caller;
use crate::sessions::{Error, Refusal};
use crate::tokens::TokenError;

type Result<T> = std::result::Result<T, Refused<OAuth>>;

/// The client in a form. A parameter without a value counts as left out (RFC 6749 section 3.2).
#[derive(Clone, Copy)]
pub(super) struct FormClient<'a> {
    id: Option<&'a str>,
    secret: Option<&'a str>,
    /// Whether there is a `client_assertion` (RFC 7521 section 4.2), a way to authenticate that is not supported.
    has_assertion: bool,
}

impl<'a> FormClient<'a> {
    /// The client by these parameters.
    pub(super) fn new(id: Option<&'a str>, secret: Option<&'a str>, assertion: Option<&'a str>) -> Self {
        let [id, secret, assertion] = [id, secret, assertion].map(|sent| sent.filter(|value| !value.is_empty()));
        Self { id, secret, has_assertion: assertion.is_some() }
    }
}

/// A form that a client sends.
pub(super) trait ClientForm: DeserializeOwned + Send + Sync {
    /// The client.
    fn client(&self) -> FormClient<'_>;
    /// The token; empty if there is none.
    fn token(&self) -> &str;
}

/// A form whose sender must be authenticated: by a Bearer credential, or as a client.
pub(super) struct CallersForm<T> {
    /// The sender, who is counted against the rate limits like any caller.
    pub(super) caller: Caller,
    /// The form.
    pub(super) form: T,
}

impl<T: ClientForm> FromRequest<Arc<App>> for CallersForm<T> {
    type Rejection = Refused<OAuth>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let caller = match client_header(&parts, app)? {
            ClientHeader::Nothing => None,
            ClientHeader::Bearer => Some(extract::caller::<OAuth>(&parts, app, Place::Bearer, None).await?),
            ClientHeader::Basic(client) => Some(authenticated(&parts, app, Some(secret_of(&client, app))).await?),
        };
        let Some(caller) = caller else {
            let form = Form::<OAuth, T>::from_request(Request::from_parts(parts.clone(), body), app).await;
            let form = form.map_err(|refused| by_address(&parts, app, refused))?.into_inner();
            let FormClient { id, secret, has_assertion } = form.client();
            let caller = match (id, secret, has_assertion) {
                (None, None, false) => extract::admit::<OAuth>(&parts, app, Err(Refusal::Missing.into()))?,
                (_, secret, false) => authenticated(&parts, app, secret).await?,
                (_, _, true) => return Err(by_address(&parts, app, unsupported())),
            };
            return Ok(Self { caller, form });
        };
        let form = Form::<OAuth, T>::from_request(Request::from_parts(parts, body), app).await?.into_inner();
        let FormClient { id: _, secret, has_assertion } = form.client();
        if secret.is_some() || has_assertion {
            return Err(several().into());
        }
        Ok(Self { caller, form })
    }
}

/// A form whose token is its own credential, so that its client need not authenticate. A client that does is refused for
/// a wrong secret. A Bearer credential is ignored, because some programs add theirs to every request.
pub(super) struct TokensForm<T> {
    /// The client that the request names without proof.
    pub(super) client_id: Option<String>,
    /// The user's address, where the request comes from the user's own client.
    pub(super) from: Option<IpAddr>,
    /// The form.
    pub(super) form: T,
}

impl<T: ClientForm> FromRequest<Arc<App>> for TokensForm<T> {
    type Rejection = Refused<OAuth>;

    /// Counts by the token's session. By address it counts when the token is none of ours, or the client is refused.
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let header = client_header(&parts, app)?;
        let form = Form::<OAuth, T>::from_request(Request::from_parts(parts.clone(), body), app).await;
        let form = form.map_err(|refused| by_address(&parts, app, refused))?.into_inner();
        // A client with a secret is a service, and the address its own.
        let is_users = matches!(header, ClientHeader::Nothing) && form.client().secret.is_none();
        let from = app.forwarding.user_address(&parts.headers, &parts.extensions).filter(|_| is_users);
        let client_id = match client_of(&header, form.client(), app).await {
            Ok(id) => id.map(ToOwned::to_owned),
            Err(Unproven::Client(error @ Error::InvalidClient(_))) => return Err(by_address(&parts, app, error)),
            Err(Unproven::Client(error)) => return Err(error.into()),
            Err(Unproven::Several) => return Err(by_address(&parts, app, several())),
        };
        if app.limits.are_on() {
            let session = app.sessions.session_of_token(form.token());
            app.limits.admit::<OAuth>(&parts, session.map_or(Counted::Address, |(id, _)| Counted::Session(id)))?;
        }
        Ok(Self { client_id, from, form })
    }
}

/// The reason why a client is refused.
enum Unproven {
    Client(Error),
    Several,
}

/// The client that a request names without proof. A secret must be a service key, which counts for any client.
async fn client_of<'a>(
    header: &'a ClientHeader,
    form: FormClient<'a>,
    app: &App,
) -> std::result::Result<Option<&'a str>, Unproven> {
    let is_proved_in_form = form.secret.is_some() || form.has_assertion;
    let in_header = match header {
        ClientHeader::Nothing => None,
        _ if is_proved_in_form => return Err(Unproven::Several),
        ClientHeader::Bearer => None,
        ClientHeader::Basic(client) => Some(client),
    };
    if form.has_assertion {
        return Err(Unproven::Client(unsupported()));
    }
    let secret = in_header.map(|client| secret_of(client, app)).filter(|secret| !secret.is_empty());
    if let Some(secret) = secret.or(form.secret) {
        app.sessions.authenticate_client(secret).await.map_err(Unproven::Client)?;
        return Ok(None);
    }
    let id = in_header.map(|client| client.id.as_str()).filter(|id| !id.is_empty());
    Ok(form.id.or(id))
}

/// The `Authorization` header; one that cannot be read counts by its address.
fn client_header(parts: &Parts, app: &App) -> Result<ClientHeader> {
    ClientHeader::of(&parts.headers).map_err(|refusal| match refusal {
        Refusal::Several => by_address(parts, app, several()),
        refusal => by_address(parts, app, Error::InvalidClient(refusal)),
    })
}

/// The secret of HTTP Basic: decoded, except for a bootstrap key that was sent as it is.
fn secret_of<'a>(client: &'a BasicClient, app: &App) -> &'a str {
    let BasicClient { id: _, secret, raw_secret } = client;
    if app.sessions.is_bootstrap_key(raw_secret) { raw_secret } else { secret }
}

/// The service whose key is the client's secret, counted like any caller.
async fn authenticated(parts: &Parts, app: &App, secret: Option<&str>) -> Result<Caller> {
    let authenticated = match secret.filter(|secret| !secret.is_empty()) {
        Some(secret) => app.sessions.authenticate_client(secret).await,
        None => Err(Error::InvalidClient(Refusal::Missing)),
    };
    extract::admit::<OAuth>(parts, app, authenticated)
}

/// The refusal of a request of which nothing is known but its address.
fn by_address(parts: &Parts, app: &App, refused: impl Into<Refused<OAuth>>) -> Refused<OAuth> {
    app.limits.admit::<OAuth>(parts, Counted::Address).map_or_else(Into::into, |()| refused.into())
}

/// More than one way to authenticate, of which a client must not make use (RFC 6749 section 2.3).
fn several() -> Rejection {
    Rejection::Malformed("A client must authenticate in one way only".to_owned())
}

fn unsupported() -> Error {
    Error::InvalidClient(Refusal::Token(TokenError::WrongType))
}
