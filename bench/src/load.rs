//! Load over many connections: raw sockets, prepared requests, and a minimal HTTP parser. The load shares the cores
//! with the server, so it must take little of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Writes a connection's next request into an empty buffer; `false` when there is none.
pub type Source = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// The end of the load, unless the requests run out before.
#[derive(Debug, Clone)]
pub enum Until {
    /// A duration.
    Elapsed(Duration),
    /// A flag, set by another task.
    FeedItem(Arc<AtomicBool>),
    /// The end of the requests.
    Exhausted,
}

/// The result of the load.
#[derive(Debug)]
pub struct Outcome {
    /// The time from the first request to the last answer.
    pub elapsed: Duration,
    /// Durations of answers, in microseconds.
    pub times: Histogram<u64>,
    /// Answers other than success, by status.
    pub failures: BTreeMap<u16, u64>,
}

impl Outcome {
    /// Successful answers a second.
    pub fn rate(&self) -> f64 {
        let failures: u64 = self.failures.values().sum();
        self.times.len().saturating_sub(failures) as f64 / self.elapsed.as_secs_f64()
    }

    /// The percentile of durations, in milliseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.times.value_at_percentile(percent) as f64 / 1000.0
    }
}

/// Sends each source's requests over its own connection, one after the other.
pub async fn load(address: SocketAddr, sources: Vec<Source>, until: Until) -> Result<Outcome> {
    let stop = match &until {
        Until::FeedItem(stop) => Arc::clone(stop),
        Until::Elapsed(_) | Until::Exhausted => Arc::default(),
    };
    let mut connections = Vec::with_capacity(sources.len());
    for source in sources {
        connections.push((Connection::open(address).await?, source));
    }
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (connection, source) in connections {
        tasks.spawn(drive(connection, source, Arc::clone(&stop)));
    }
    if let Until::Elapsed(duration) = until {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            stop.store(true, Ordering::Relaxed);
        });
    }
    let mut times = Histogram::new(3)?;
    let mut failures = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        let (own_times, own_failures) = done??;
        times.add(&own_times)?;
        for (status, count) in own_failures {
            *failures.entry(status).or_default() += count;
        }
    }
    Ok(Outcome { elapsed: begin.elapsed(), times, failures })
}

async fn drive(
    mut connection: Connection,
    mut next: Source,
    stop: Arc<AtomicBool>,
) -> Result<(Histogram<u64>, BTreeMap<u16, u64>)> {
    let mut times = Histogram::new(3)?;
    let mut failures = BTreeMap::new();
    let mut request = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        request.clear();
        if !next(&mut request) {
            break;
        }
        let begin = Instant::now();
        let status = connection.ask(&request).await?;
        times.record(u64::try_from(begin.elapsed().as_micros())?)?;
        if !(200..300).contains(&status) {
            *failures.entry(status).or_default() += 1;
        }
    }
    Ok((times, failures))
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// A request in bytes. Empty `authorization` leaves the header out; a body comes with its type.
pub fn request(method: &str, path: &str, authorization: &str, body: Option<(&str, &str)>) -> Vec<u8> {
    let credential =
        if authorization.is_empty() { String::new() } else { format!("Authorization: {authorization}\r\n") };
    let (kind, body) = body.unwrap_or_default();
    let content = if kind.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len())
    };
    format!("{method} {path} HTTP/1.1\r\nHost: bench\r\n{credential}{content}\r\n{body}").into_bytes()
}

/// Sends one request over a new connection.
pub async fn ask(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut connection = Connection::open(address).await?;
    let status = connection.ask(request).await?;
    Ok(Answer { status, body: connection.received.split_off(connection.body_start) })
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body_start: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(16 * 1024), body_start: 0 })
    }

    /// Sends a request, receives the whole answer, and returns its status.
    async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let mut expected = None;
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the server closed the connection");
            }
            if expected.is_none() {
                expected = head(&self.received)?;
            }
            if let Some((status, start, length)) = expected
                && self.received.len() >= start + length
            {
                self.body_start = start;
                return Ok(status);
            }
        }
    }
}

/// The status of an answer, the start of its body and the body's length; `None` while the head is incomplete.
fn head(received: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(received)? else { return Ok(None) };
    let header = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if header("transfer-encoding").is_some() {
        bail!("an answer came in chunks");
    }
    let length = match header("content-length") {
        Some(header) => std::str::from_utf8(header.value)?.parse()?,
        None => 0,
    };
    Ok(Some((response.code.context("an answer without a status")?, start, length)))
}
