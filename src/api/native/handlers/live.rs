//! Event streams about sessions, and the list of revocations for applications that verify tokens themselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::stream::{self, Stream, StreamExt as _};

use super::{Caller, Query, Result, SessionPath, Watcher};
use crate::api::app::App;
use crate::api::json::Json;
use crate::api::native::error::Problem;
use crate::api::native::responses::{
    BadQuery, BadUserId, NeedsRead, NoStream, NoSuchSession, ServiceNeedsRead, Unauthenticated,
};
use crate::api::native::wire;
use crate::model::{FieldError, SessionId, UserId};
use crate::sessions::{Error, EventStream, FeedItem, MAX_WAIT, Termination, Watch, Watched};
use crate::tokens::fingerprint;

/// The interval of keep-alive comments: proxies close silent connections, often after a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The lifetime of a signed list: short, because a verifier should soon have a newer one.
const SIGNED_LIFETIME: TimeDelta = TimeDelta::minutes(1);
const SIGNED_TYPE: &str = "revocations+jwt";

/// Watch a session
///
/// Streams server-sent events about one of the caller's own sessions, or with `sessions:read` about any session. The
/// first event is `session`, with the session as `getSession` returns it. The last event is `ended`, with `session_id`,
/// `reason` (an end reason, or `expired` or `idle_expired`) and `ended_at`. A session that is not active has only the
/// event `ended`. Watching does not count as use of the session.
///
/// The stream also closes, without `ended`, when the caller's own session or service key ends, and when the server
/// stops. The expiry of an access token does not close it.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/watch", tag = "Live", operation_id = "watchSession",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        Unauthenticated, ServiceNeedsRead, NoSuchSession, NoStream,
    ),
)]
pub(crate) async fn watch_session(State(app): State<Arc<App>>, caller: Watcher, id: SessionPath) -> Result<Response> {
    let watch = app.sessions.watch(&caller, *id).await?;
    let (core, viewer) = (Arc::clone(&app), wire::Viewer::of(&caller));
    let show = move |watched| match watched {
        Watched::Session(session) => event("session", &wire::Session::new(*session, viewer, core.sessions.now())),
        Watched::Ended(over) => ended(*id, over),
    };
    let events = stream::unfold(watch, async |mut watch: Watch| watch.next().await.map(|watched| (watched, watch)));
    Ok(stream_of(&app, events.map(show)))
}

fn ended(id: SessionId, over: Termination) -> Event {
    event("ended", &wire::SessionOver::new(id, over))
}

/// Listen for ended sessions
///
/// Streams server-sent events about the ended sessions of all users, or of one. `session.ended` reports one session,
/// with `session_id`, `user_id`, `reason` and `ended_at`. `sessions.ended` reports a bulk ending: it has no
/// `session_id`, and no `user_id` if it may concern every user. Sessions that expire are not reported.
///
/// Each event has an `id`. A request with the last `id` as `Last-Event-ID` continues the stream after that event, for
/// two hours at least, and may repeat an ending. If the stream cannot be continued, the first event is `missed`.
///
/// The stream closes when the client does not keep up, when the client's session or service key ends, and when the
/// server stops. The expiry of an access token does not close it.
#[utoipa::path(
    get, path = "/v1/events", tag = "Live", operation_id = "listen",
    params(wire::Listen, ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "`id` of the last event received")),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        Unauthenticated, BadQuery, NeedsRead, BadUserId, NoStream,
    ),
)]
pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    caller: Watcher,
    query: Query<wire::Listen>,
    headers: HeaderMap,
) -> Result<Response> {
    let user = query.into_inner().user_id.map(UserId::parse).transpose()?;
    // A header that is not text is not a cursor of ours, just as an empty one.
    let after = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let events = app.sessions.events(&caller, user, after).await?;
    let events = stream::unfold(events, async |mut events: EventStream| events.next().await.map(|told| (told, events)));
    let show = |told| match told {
        FeedItem::Ended(ending, cursor) => {
            let name = if ending.session_id.is_some() { "session.ended" } else { "sessions.ended" };
            event(name, &wire::SessionEnded::from(ending.as_ref())).id(cursor)
        }
        FeedItem::Missed(cursor) => Event::default().event("missed").data("{}").id(cursor),
        // Clients ignore an event without data, but remember its id.
        FeedItem::Nothing(cursor) => Event::default().id(cursor),
    };
    Ok(stream_of(&app, events.map(show)))
}

fn event(name: &str, data: &impl serde::Serialize) -> Event {
    match Event::default().event(name).json_data(data) {
        Ok(event) => event,
        Err(error) => {
            tracing::error!(%error, "an event cannot be written");
            Event::default().event("error").data("{}")
        }
    }
}

/// Completes when the server is about to stop.
fn stopped(app: &App) -> impl Future<Output = ()> + Send + use<> {
    let mut stopping = app.stopping.clone();
    async move { drop(stopping.wait_for(|stopping| *stopping).await) }
}

/// The stream as an answer. It ends when the server stops, so that the client reconnects to another replica.
fn stream_of(app: &App, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.take_until(Box::pin(stopped(app))).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would buffer the events.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// List revocations
///
/// Returns the sessions that ended within the maximum lifetime of an access token, for applications that verify access
/// tokens themselves. Without `since` the list is complete. With the `cursor` of the previous answer as `since` it has
/// only what is new, and `wait` delays the answer until there is something new. `complete` tells whether the list
/// replaces the client's list or is added to it. With `Accept: application/jwt` the list is a signed JWT of type
/// `revocations+jwt`.
///
/// The answer is 503 when this server does not know which sessions ended recently. Clients should refuse all tokens
/// once their last list is older than they can accept.
#[utoipa::path(
    get, path = "/v1/revocations", tag = "Live", operation_id = "listRevocations",
    params(wire::ListRevocations, ("If-None-Match" = Option<String>, Header, nullable = false, description = "`ETag` of an earlier answer")),
    responses(
        (status = 200, description = "The list of revocations", content(
            (wire::Revocations = "application/json"),
            (String = "application/jwt"),
        ), headers(("ETag" = String, description = "Tag of the JSON answer; changes only with the listed sessions"))),
        (status = 304, description = "The list still has the same sessions as the answer with that `ETag`"),
        (status = 422, description = "`wait` is too long", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server does not know which sessions ended recently", body = Problem, content_type = "application/problem+json"),
        Unauthenticated, BadQuery, NeedsRead,
    ),
)]
pub(crate) async fn list_revocations(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: Query<wire::ListRevocations>,
    headers: HeaderMap,
) -> Result<Response> {
    if query.wait > MAX_WAIT.as_secs() {
        let message = format!("must be at most {}", MAX_WAIT.as_secs());
        return Err(FieldError::new("wait", message).into());
    }
    let since = query.since.as_deref();
    let revocations = tokio::select! {
        revocations = app.sessions.revocations(&caller, since, Duration::from_secs(query.wait)) => Some(revocations?),
        () = stopped(&app) => None,
    };
    // When the server stops, clients that wait get the list as it is.
    let revocations = match revocations {
        Some(revocations) => revocations,
        None => app.sessions.revocations(&caller, since, Duration::ZERO).await?,
    };
    let revocations = wire::Revocations::from(revocations);
    let mut response =
        if wants_jwt(&headers) { signed(&app, &revocations)? } else { unless_known(&headers, revocations) };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

fn wants_jwt(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/jwt")
    })
}

fn signed(app: &App, revocations: &wire::Revocations) -> Result<Response> {
    let (tokens, now) = (app.sessions.access_tokens(), app.sessions.now());
    let claims = wire::SignedRevocations::new(tokens.issuer(), revocations, SIGNED_LIFETIME, now);
    let token = tokens.sign(SIGNED_TYPE, &claims, now).map_err(|error| Error::Internal(error.into()))?;
    Ok(([(header::CONTENT_TYPE, "application/jwt")], token).into_response())
}

/// The list, or 304 if the client has it. The tag is weak, because the cursor and the instant change all the time.
fn unless_known(headers: &HeaderMap, revocations: wire::Revocations) -> Response {
    let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(fingerprint(&revocations.identity())));
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|value| value.split(',')).any(|value| value.trim() == tag);
    let tags = [(header::ETAG, tag)];
    if known { (StatusCode::NOT_MODIFIED, tags).into_response() } else { (tags, Json(revocations)).into_response() }
}
