//! The issuer of access tokens, which must lead to the server.

use std::time::Duration;

use crate::support::database::TestDatabase;
use crate::support::process::{Folder, Process, SECRET};

fn warnings_of(server: &Process) -> Vec<String> {
    server.log().lines().filter(|line| line.contains("SOJOURN_ISSUER")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn a_default_issuer_that_leads_elsewhere_is_warned_of_in_one_line() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let told = warnings_of(&server);
    assert_eq!(told.len(), 1, "{}", server.log());
    let address = server.base.trim_start_matches("http://");
    assert!(
        told[0].contains("WARN") && told[0].contains("http://localhost:8080") && told[0].contains(address),
        "{told:?}"
    );

    let folder = Folder::new();
    let chosen = folder.serve(&[("SOJOURN_ISSUER", "http://localhost:8080")]);
    assert_eq!(warnings_of(&chosen), Vec::<String>::new(), "whoever sets it knows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_differ_in_issuer_or_audience_warn_of_each_other_once() {
    let database = TestDatabase::postgres().await;
    let serve = |folder: &Folder, issuer: &str, audience: &str| {
        folder.serve(&[
            ("DATABASE_URL", database.url()),
            ("SOJOURN_SECRET", SECRET),
            ("SOJOURN_ISSUER", issuer),
            ("SOJOURN_AUDIENCE", audience),
        ])
    };
    let folders: Vec<Folder> = (0..4).map(|_| Folder::new()).collect();
    let servers = [
        serve(&folders[0], "https://id.example", "apps"),
        serve(&folders[1], "https://id.example", "apps"),
        serve(&folders[2], "https://other.example", "apps"),
        serve(&folders[3], "https://id.example", "others"),
    ];
    let all_heard = async {
        while servers.iter().any(|server| warnings_of(server).len() < 2) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_heard).await.expect("they do not hear of each other");
    // Each has heard of all others by now, and hears them again every second.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    for (of, server) in servers.iter().enumerate() {
        let told = warnings_of(server);
        assert_eq!(told.len(), 2, "{told:#?}");
        let is_of_first = |line: &String| line.contains(" issuer=\"https://id.example\" audience=\"apps\"");
        assert_eq!(told.iter().filter(|line| is_of_first(line)).count(), usize::from(of >= 2), "{told:#?}");
    }
}
