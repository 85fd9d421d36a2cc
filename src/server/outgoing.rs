//! The body of an answer, which reports when nothing more will be added to it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body as Inner, Bytes};
use axum::response::Response;
use hyper::body::{Body, Frame, SizeHint};

use super::patience::Progress;

pub(super) struct Outgoing {
    body: Inner,
    progress: Progress,
}

impl Outgoing {
    /// The body of `response`, which keeps its head.
    pub(super) fn of(response: Response, progress: Progress) -> hyper::Response<Self> {
        response.map(|body| Self { body, progress })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.progress.answer_is_complete();
    }
}
