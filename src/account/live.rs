//! The stream of endings of the user's own sessions, by which the page's script takes them off the list.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::family::Account;
use crate::api::{App, Refused, extract};
use crate::model::{Caller, SignedIn};
use crate::sessions::{Error, EventStream, FeedItem, Refusal};

/// The interval of keep-alive comments: proxies close silent connections, often after a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The pause of a browser before it connects again: a session of its own that is over shall be seen at once.
const RETRY: Duration = Duration::from_millis(500);

/// The user in a session. Listening is no use of it.
pub(super) struct Listener(SignedIn);

impl FromRequestParts<Arc<App>> for Listener {
    type Rejection = Refused<Account>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let watcher = extract::Watcher::<Account>::from_request_parts(parts, app).await?;
        match watcher.into_inner() {
            Caller::User(me) => Ok(Self(*me)),
            Caller::Service(_) => Err(Error::from(Refusal::NotAUser).into()),
        }
    }
}

/// The events: `ended`, with the `session_id` of the ended session, or without where many were ended together.
pub(super) async fn events(State(app): State<Arc<App>>, Listener(me): Listener) -> Result<Response, Refused<Account>> {
    let events = app.sessions.account_events(me).await?;
    let events = stream::unfold(events, async |mut events: EventStream| events.next().await.map(|item| (item, events)));
    let first = stream::once(std::future::ready(Event::default().retry(RETRY)));
    let shown = first.chain(events.filter_map(|item| std::future::ready(shown(&item))));
    let mut stopping = app.stopping.clone();
    let stopped = Box::pin(async move { drop(stopping.wait_for(|stopping| *stopping).await) });
    let events = shown.take_until(stopped).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would buffer the events.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn shown(item: &FeedItem) -> Option<Event> {
    match item {
        FeedItem::Ended(ending, _) => {
            let data = ending.session_id.map_or_else(|| json!({}), |id| json!({ "session_id": id.to_string() }));
            Some(Event::default().event("ended").data(data.to_string()))
        }
        FeedItem::Missed(_) => Some(Event::default().event("ended").data("{}")),
        FeedItem::Nothing(_) => None,
    }
}
