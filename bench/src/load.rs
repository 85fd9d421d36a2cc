//! Load over many connections: raw sockets, requests made beforehand, and no more of HTTP than the answers need, so that
//! the load takes as little as possible of the cores that it shares with what it measures.

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

/// Writes a connection's next request into an empty buffer; `false`: there are no more.
pub type Source = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// How long the load goes on, unless the requests end before.
#[derive(Debug, Clone)]
pub enum Until {
    /// For so long.
    Elapsed(Duration),
    /// Until somebody says so.
    Told(Arc<AtomicBool>),
    /// Until there are no more requests.
    Exhausted,
}

/// What the load came to.
#[derive(Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How long answers took, in microseconds.
    pub times: Histogram<u64>,
    /// How many answers were no success, by status.
    pub failures: BTreeMap<u16, u64>,
}

impl Outcome {
    /// Answers of success a second.
    pub fn rate(&self) -> f64 {
        let failures: u64 = self.failures.values().sum();
        self.times.len().saturating_sub(failures) as f64 / self.elapsed.as_secs_f64()
    }

    /// The time that so many in a hundred answers stayed below, in milliseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.times.value_at_percentile(percent) as f64 / 1000.0
    }
}

/// Sends each source's requests over a connection of its own, one after the other.
pub async fn load(address: SocketAddr, sources: Vec<Source>, until: Until) -> Result<Outcome> {
    let stop = match &until {
        Until::Told(stop) => Arc::clone(stop),
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

/// One answer, whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Asks once, over a connection of its own.
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

    /// Sends a request and receives the whole answer; answers its status.
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

/// The status of an answer, where its body begins and how long it is; `None` while the head is not all there.
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
