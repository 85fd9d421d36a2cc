//! HTTP/1.1 as bytes: libraries send and show no headers and paths that an attacker would choose.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A timeout far longer than any answer takes, so that a failing test ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The first line.
    pub line: String,
    /// Names as they were sent, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Message {
    /// The values of a header, joined by commas; empty without one.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let values: Vec<_> = values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
        values.join(", ")
    }

    /// The status of an answer.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {self:?}")).parse().unwrap()
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    /// The target of a request, as it was sent.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// Fails the test unless this is an answer of that status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status(), status, "{} {:?} {text}", self.line, self.headers);
        self
    }
}

/// A connection, and the bytes that were read beyond the last message.
pub struct Connection {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Connects to a port of this machine, from one of its addresses.
    pub async fn open(from: Ipv4Addr, port: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((from, 0))).unwrap();
        Self::new(socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap())
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &Request) -> Message {
        self.send(request).await;
        self.message().await.unwrap_or_else(|| panic!("no answer to {request:?}"))
    }

    /// Sends a request.
    pub async fn send(&mut self, request: &Request) {
        // A gateway may answer, and close, before it has read the whole body.
        drop(self.stream.write_all(&request.bytes()).await);
    }

    /// The next message; `None` when the connection was closed.
    pub async fn message(&mut self) -> Option<Message> {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break self.read.drain(..end + 4).collect::<Vec<_>>();
            }
            self.more().await?;
        };
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let line = String::from_utf8(lines.next()?.to_vec()).unwrap();
        let headers = lines.map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            (String::from_utf8(line[..colon].to_vec()).unwrap(), line[colon + 1..].trim_ascii().to_vec())
        });
        let mut message = Message { line, headers: headers.collect(), body: Vec::new() };
        message.body = if message.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            self.chunks().await?
        } else {
            let length = message.header("content-length");
            self.exactly(if length.is_empty() { 0 } else { length.parse().unwrap() }).await?
        };
        Some(message)
    }

    /// The bytes that come next; `None` when the connection was closed.
    pub async fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.read.is_empty() {
            self.more().await?;
        }
        Some(std::mem::take(&mut self.read))
    }

    /// That many bytes.
    pub async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.read.len() < count {
            self.more().await?;
        }
        Some(self.read.drain(..count).collect())
    }

    /// A body in chunks.
    async fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.read.windows(2).position(|bytes| bytes == b"\r\n") {
                    break self.exactly(end + 2).await?;
                }
                self.more().await?;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim_end(), 16).unwrap();
            let chunk = self.exactly(size + 2).await?;
            body.extend(&chunk[..size]);
            if size == 0 {
                return Some(body);
            }
        }
    }

    async fn more(&mut self) -> Option<()> {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
        matches!(read.expect("nothing comes"), Ok(1..)).then_some(())
    }
}

/// A request to a gateway.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    target: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: &'static str, target: &str) -> Self {
        Self { method, target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a line to the head.
    pub fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header(format!("Authorization: Bearer {token}"))
    }

    /// Adds a body of known length.
    pub fn body(mut self, body: &[u8]) -> Self {
        body.clone_into(&mut self.body);
        let length = format!("Content-Length: {}", body.len());
        self.header(length)
    }

    /// Adds a body of unknown length, in two chunks.
    pub fn chunked(mut self, body: &[u8]) -> Self {
        let (first, second) = body.split_at(body.len() / 3);
        for part in [first, second, &[]] {
            self.body.extend(format!("{:x}\r\n", part.len()).bytes());
            self.body.extend(part);
            self.body.extend(b"\r\n");
        }
        self.header("Transfer-Encoding: chunked")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: app.example\r\n", self.method, self.target);
        for line in &self.headers {
            head += line;
            head += "\r\n";
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}
