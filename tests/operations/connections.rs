//! As many connections as there is room for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use sojourn::config::ServerConfig;

use crate::support::database::TestDatabase;
use crate::support::process::Folder;
use crate::support::server::{Options, Server, answer};

fn connect(base: &str) -> TcpStream {
    TcpStream::connect(base.trim_start_matches("http://")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn above_the_most_connections_a_client_waits_until_another_has_gone() {
    let serving = ServerConfig { drain_delay: Duration::ZERO, most_connections: 1 };
    let options = Options { serving, ..Options::default() };
    let server = Server::start_with(TestDatabase::sqlite().await, options).await;
    let mut first = connect(&server.base);
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_ne!(first.read(&mut [0; 1024]).unwrap(), 0);

    let second = tokio::spawn(answer(server.request("GET", "/healthz")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!second.is_finished());
    drop(first);
    second.await.unwrap().expect(200);
}

/// O-11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_file_descriptors_it_waits_without_haste_and_goes_on_when_there_are_some_again() {
    let folder = Folder::new();
    let mut program = Command::new("sh");
    program.args(["-c", "ulimit -n 64 && exec \"$0\"", env!("CARGO_BIN_EXE_sojourn")]);
    let server = folder.serve_by(program, &[("SOJOURN_MAX_CONNECTIONS", "1000")]);
    let complaints = || server.log().matches("cannot accept connections").count();
    let connections: Vec<_> = (0..100).map(|_| connect(&server.base)).collect();
    while complaints() == 0 {
        tokio::task::yield_now().await;
    }
    let waited = std::time::Instant::now();
    while complaints() < 3 {
        tokio::task::yield_now().await;
    }
    assert!(waited.elapsed() > Duration::from_millis(300), "it tries again and again");
    drop(connections);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = client.get(format!("{}/readyz", server.base)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
}
