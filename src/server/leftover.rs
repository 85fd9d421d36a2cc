//! The rest of a request's body after an early answer, for a body that is too long or of the wrong kind.
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

/// The maximum number of bytes read from an unwanted body.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The time limit for the rest of a body.
const TIME: Duration = Duration::from_secs(2);

/// A request's body that is read to its end, even if it is dropped before.
pub(super) struct ReadToTheEnd {
    /// Present until the drop.
    body: Option<Incoming>,
    /// Whether the client has not been asked for the body, so that none comes (RFC 9110 section 10.1.1).
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
    while read < MAX_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        read += frame.data_ref().map_or(0, Bytes::len);
    }
}
