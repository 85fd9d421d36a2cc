//! What is left of a request's body when its answer is there already, because it was too long or of the wrong kind.
//!
//! A connection that is closed while the client still sends is reset, and the reset may overtake the answer: the client
//! would be told of a broken connection and not of what was wrong. So the rest is read and thrown away, within limits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;

use super::patience::Progress;

/// How much of a body that nobody wants is read, in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How long the rest of a body is waited for.
const TIME: Duration = Duration::from_secs(2);

/// A request's body that is read to its end, whoever drops it before.
pub(super) struct ReadToTheEnd {
    /// There until this is dropped.
    body: Option<Incoming>,
    /// The client has not been asked for the body, so none comes (RFC 9110 section 10.1.1).
    held_back: bool,
    progress: Progress,
}

impl ReadToTheEnd {
    /// The body of `request`, which keeps its head.
    pub(super) fn of(request: Request<Incoming>, progress: Progress) -> Request<Self> {
        let held_back = request.headers().contains_key(EXPECT);
        request.map(|body| Self { body: Some(body), held_back, progress })
    }
}

impl Body for ReadToTheEnd {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.held_back = false;
        let frame = self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context));
        if frame.is_pending() {
            self.progress.body_is_awaited();
        } else {
            self.progress.body_came();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for ReadToTheEnd {
    fn drop(&mut self) {
        self.progress.body_came();
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
            && !self.held_back
        {
            tokio::spawn(tokio::time::timeout(TIME, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut read = 0;
    while read < MOST_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
