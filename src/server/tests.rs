//! Slow clients, on a clock that jumps ahead whenever every task waits.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::{Door, Progress, ServerConfig};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\n";

struct Client {
    stream: DuplexStream,
    served: JoinHandle<()>,
    start: Instant,
}

fn door(most_connections: usize) -> (Door, watch::Sender<bool>) {
    let beats = |count: u32, every: Duration| {
        Body::from_stream(futures_util::stream::unfold(0, move |beat| async move {
            sleep(every).await;
            (beat < count).then_some((Ok::<_, Infallible>(Bytes::from_static(b"beat\n")), beat + 1))
        }))
    };
    let router = Router::new()
        .route("/", get(async || "here"))
        .route("/slow", get(async || sleep(Duration::from_mins(5)).await))
        .route("/echo", post(async |body: Bytes| body))
        .route("/refuse", post(async || StatusCode::PAYLOAD_TOO_LARGE))
        .route("/stream", get(async move || beats(40, Duration::from_secs(15))))
        .route("/large", get(async || vec![b'x'; 1 << 20]));
    let config = ServerConfig::new(Duration::ZERO, most_connections);
    let (stop, stopping) = watch::channel(false);
    (Door::new(router, &config, stopping), stop)
}

fn connect(door: &Door) -> Client {
    connect_to(door, false)
}

fn connect_to(door: &Door, is_reserved: bool) -> Client {
    let (stream, end) = tokio::io::duplex(1024);
    let connection = door.connection(end, "127.0.0.1:1".parse().unwrap(), &Progress::new(), is_reserved);
    let served = tokio::spawn(async move { drop(connection.await) });
    Client { stream, served, start: Instant::now() }
}

impl Client {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next part of an answer.
    async fn receive(&mut self) -> String {
        let mut buffer = [0; 1024];
        let read = self.stream.read(&mut buffer).await.unwrap();
        String::from_utf8(buffer[..read].to_vec()).unwrap()
    }

    /// Waits until the server has closed, and returns the second since the start.
    async fn closed_after(&mut self) -> u64 {
        (&mut self.served).await.unwrap();
        self.start.elapsed().as_secs()
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_nothing_at_all_is_waited_for_ten_seconds() {
    assert_eq!(connect(&door(9).0).closed_after().await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_a_byte_at_a_time_has_ten_seconds_in_all() {
    let mut client = connect(&door(9).0);
    for byte in &GET[..8] {
        client.send(&[*byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(client.closed_after().await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_75_seconds_for_the_next_request_which_has_ten_seconds_from_its_first_byte() {
    let mut client = connect(&door(9).0);
    for second in [0, 70, 140] {
        assert_eq!(client.start.elapsed().as_secs(), second);
        client.send(GET).await;
        assert!(client.receive().await.starts_with(OK));
        sleep(Duration::from_secs(70)).await;
    }
    client.send(&GET[..4]).await;
    sleep(Duration::from_secs(9)).await;
    client.send(&GET[4..]).await;
    assert!(client.receive().await.starts_with(OK));
    assert_eq!(client.closed_after().await, 210 + 9 + 75);

    let mut client = connect(&door(9).0);
    client.send(GET).await;
    client.receive().await;
    sleep(Duration::from_secs(70)).await;
    client.send(&GET[..4]).await;
    assert_eq!(client.closed_after().await, 80);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time_and_so_may_a_body() {
    let mut client = connect(&door(9).0);
    client.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(client.receive().await.starts_with(OK));
    assert_eq!(client.start.elapsed().as_secs(), 300);

    let mut client = connect(&door(9).0);
    client.send(b"POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert!(client.receive().await.starts_with("HTTP/1.1 100"));
    sleep(Duration::from_secs(30)).await;
    client.send(b"a").await;
    sleep(Duration::from_secs(30)).await;
    client.send(b"b").await;
    assert!(client.receive().await.ends_with("\r\n\r\nab"));
}

#[tokio::test(start_paused = true)]
async fn who_sends_too_much_reads_why_and_then_is_served_again() {
    let mut client = connect(&door(9).0);
    client.send(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await;
    client.send(&[b'x'; 500]).await;
    assert!(client.receive().await.starts_with("HTTP/1.1 413"));
    sleep(Duration::from_secs(1)).await;
    client.send(&vec![b'x'; 99_500]).await;
    client.send(GET).await;
    assert!(client.receive().await.starts_with(OK));

    client.send(b"POST /refuse HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nxxxx\r\n").await;
    assert!(client.receive().await.starts_with("HTTP/1.1 413"));
    client.send(b"0\r\n\r\n").await;
    client.send(GET).await;
    assert!(client.receive().await.starts_with(OK));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_wants_is_waited_for_two_seconds_and_not_at_all_if_it_was_not_asked_for() {
    let mut client = connect(&door(9).0);
    client.send(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nx").await;
    assert!(client.receive().await.starts_with("HTTP/1.1 413"));
    assert_eq!(client.closed_after().await, 2);

    let mut client = connect(&door(9).0);
    client.send(b"POST /refuse HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n").await;
    assert!(client.receive().await.starts_with("HTTP/1.1 413"));
    assert_eq!(client.closed_after().await, 0);
}

#[tokio::test(start_paused = true)]
async fn of_a_body_that_nobody_wants_no_more_than_4_mib_are_read() {
    let mut client = connect(&door(9).0);
    client.send(b"POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: 99000000\r\n\r\n").await;
    assert!(client.receive().await.starts_with("HTTP/1.1 413"));
    let mut taken = 0;
    while client.stream.write_all(&[b'x'; 1024]).await.is_ok() {
        taken += 1;
    }
    assert!((4_096..5_000).contains(&taken), "{taken} KiB");
}

#[tokio::test(start_paused = true)]
async fn a_stream_lasts_as_long_as_it_is_taken() {
    let mut client = connect(&door(9).0);
    client.send(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut beats = 0;
    loop {
        let text = client.receive().await;
        beats += text.matches("beat").count();
        if text.ends_with("0\r\n\r\n") {
            break;
        }
    }
    assert_eq!((beats, client.start.elapsed().as_secs()), (40, 41 * 15));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_the_answer_is_waited_for_15_seconds() {
    let mut client = connect(&door(9).0);
    client.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.receive().await;
    sleep(Duration::from_secs(14)).await;
    client.receive().await;
    assert_eq!(client.closed_after().await, 14 + 15);
}

#[tokio::test(start_paused = true)]
async fn who_reads_slowly_gets_the_whole_answer() {
    let mut client = connect(&door(9).0);
    client.send(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut received = 0;
    while received < 1 << 20 {
        sleep(Duration::from_secs(5)).await;
        received += client.receive().await.matches('x').count();
    }
    assert!(client.start.elapsed() > Duration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn answers_close_the_connection_when_places_are_few_and_when_the_end_is_near() {
    let (door, stop) = door(8);
    let keeps = async |door: &Door| {
        let mut client = connect(door);
        client.send(GET).await;
        !client.receive().await.contains("connection: close\r\n")
    };
    let place = || door.places.admit("192.0.2.1:1".parse().unwrap(), &Progress::new());
    let other = door.places.admit("192.0.2.2:1".parse().unwrap(), &Progress::new());
    let places: Vec<_> = (0..4).map(|_| place()).collect();
    let one_more = door.places.admit("192.0.2.2:1".parse().unwrap(), &Progress::new());
    assert!(keeps(&door).await);
    let last = door.places.admit("192.0.2.2:1".parse().unwrap(), &Progress::new());
    assert!(!keeps(&door).await);
    drop((places, other, one_more, last));
    assert!(keeps(&door).await);
    stop.send_replace(true);
    assert!(!keeps(&door).await);
}

#[tokio::test(start_paused = true)]
async fn a_reserved_place_serves_one_request_however_few_are_taken_by_then() {
    let mut client = connect_to(&door(8).0, true);
    client.send(GET).await;
    assert!(client.receive().await.contains("connection: close\r\n"));
    assert_eq!(client.closed_after().await, 0);
}

#[tokio::test(start_paused = true)]
async fn above_the_most_connections_a_client_waits_until_another_has_gone() {
    let (door, _stop) = door(1);
    let peer = "192.0.2.1:1".parse().unwrap();
    let (first, progress) = door.place(peer).await.unwrap();
    progress.request_begins();
    let other = "192.0.2.2:1".parse().unwrap();
    assert!(tokio::time::timeout(Duration::from_mins(1), door.place(other)).await.is_err());
    assert!(door.place(peer).await.is_none(), "its address has as many as it may have");
    drop(first);
    door.place(other).await.unwrap();
}
