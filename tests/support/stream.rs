//! Server-sent events, as they arrive.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::Value;

/// A timeout far longer than any event takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// One message; absent fields are empty.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Message {
    pub event: String,
    pub id: String,
    pub data: String,
}

impl Message {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An open stream, closed when it is dropped.
pub struct Stream {
    pub response: reqwest::Response,
    text: String,
}

impl Stream {
    /// Opens a stream.
    pub async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        for (name, value) in
            [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
        {
            assert_eq!(response.headers()[name], value);
        }
        Self { response, text: String::new() }
    }

    /// The next message; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(message) = read(&block) {
                    return Some(message);
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("nothing comes");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The next message of that name.
    pub async fn next_event(&mut self, name: &str) -> Message {
        loop {
            let message = self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if message.event == name {
                return message;
            }
            assert!(message.data.is_empty(), "{message:?}");
        }
    }

    /// Waits until the stream ends, which must happen without another message.
    pub async fn expect_end(mut self) {
        while let Some(message) = self.next().await {
            assert!(message.data.is_empty(), "{message:?}");
        }
    }
}

/// Parses one block; `None` for a comment.
fn read(block: &str) -> Option<Message> {
    let mut message = Message::default();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut message.event),
            "id" => value.clone_into(&mut message.id),
            "data" => message.data.push_str(value),
            _ => {}
        }
    }
    (message != Message::default()).then_some(message)
}
