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
/// One's own, or anybody's with `sessions:read`: server-sent events. The first is `session` with the session as
/// `getSession` answers it; the last is `ended` with `session_id`, `reason` (an end reason, or `expired` or
/// `idle_expired`) and `ended_at`. A session that is over has only the last. Watching is no use of a session. The
/// stream also closes, without `ended`, when the caller's own session or key does, and when the server stops. An access
/// token's end closes nothing: the stream lasts as long as the session.
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

/// Listen
///
/// Every ending of a session, or those of one user's: server-sent events `session.ended` with `session_id`, `user_id`,
/// `reason` and `ended_at`, and `sessions.ended` where many were ended together. Sessions that expire by themselves are not
/// told. Each event has an `id`; with the last one as `Last-Event-ID` the stream goes on where it broke off, for two hours at least, and an ending may be told twice. When
/// that is not possible, the first event is `missed`. The stream closes when the listener does not keep up, when its
/// session or key ends (not when an access token runs out), and when the server stops.
#[utoipa::path(
    get, path = "/v1/events", tag = "Live", operation_id = "listen",
    params(wire::Listen, ("Last-Event-ID" = Option<String>, Header, nullable = false, description = "The `id` of the last event that arrived")),
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
/// For applications that verify access tokens themselves: the sessions ended within the longest life of an access token.
/// Without `since` all of them; with the `cursor` of the answer before only what is new, and `wait` holds the answer back
/// until there is something. `complete` tells whether to replace or to add. With `Accept: application/jwt` the same as
/// a signed JWT of type `revocations+jwt`. 503 when this server does not know what was ended lately: then nobody may take
/// the last answer for the truth much longer.
#[utoipa::path(
    get, path = "/v1/revocations", tag = "Live", operation_id = "listRevocations",
    params(wire::ListRevocations, ("If-None-Match" = Option<String>, Header, nullable = false, description = "The `ETag` of an answer")),
    responses(
        (status = 200, description = "The sessions", content(
            (wire::Revocations = "application/json"),
            (String = "application/jwt"),
        ), headers(("ETag" = String, description = "Of the JSON answer: names the sessions in it"))),
        (status = 304, description = "The same sessions as then, and no others, up to now"),
        (status = 422, description = "`wait` is too long", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "What was ended lately is not known", body = Problem, content_type = "application/problem+json"),
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
