//! Connections up to the limit of the process.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::support::process::Folder;

fn connect(base: &str) -> TcpStream {
    TcpStream::connect(base.trim_start_matches("http://")).unwrap()
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
