//! Connections that ask for a place when all are taken.

use std::time::Duration;

use super::*;

const PLACES: usize = 40;

fn places() -> Arc<Places> {
    let config = ServerConfig::new(Duration::ZERO, PLACES).trusting(vec!["192.0.2.0/24".parse().unwrap()]);
    Places::new(&config)
}

/// A connection, and its place if it got one.
struct Client {
    progress: Progress,
    admission: Admission,
}

fn connect(places: &Arc<Places>, address: &str) -> Client {
    let progress = Progress::new();
    let admission = places.admit(SocketAddr::new(address.parse().unwrap(), 1), &progress);
    Client { progress, admission }
}

impl Client {
    /// The client sends a whole request, and the answer takes time.
    fn asks(self) -> Self {
        self.progress.request_begins();
        self
    }

    fn place(&self) -> &Place {
        match &self.admission {
            Admission::Place(place) => place,
            _ => panic!("it has no place"),
        }
    }

    fn is_given_up(&self) -> bool {
        self.progress.is_given_up()
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_been_waited_for_longest_makes_room_and_nobody_who_is_being_answered() {
    let places = places();
    let asking: Vec<_> = (0..20).map(|_| connect(&places, "192.0.2.1").asks()).collect();
    let kept = connect(&places, "192.0.2.1").asks();
    kept.progress.request_is_answered();
    kept.progress.answer_is_complete();
    let mut half_heads = Vec::new();
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        half_heads.push(connect(&places, "192.0.2.1"));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let newcomer = connect(&places, "192.0.2.2").asks();
    assert!(!newcomer.place().is_reserved);
    let given_up: Vec<_> = half_heads.iter().map(Client::is_given_up).collect();
    assert_eq!(given_up, [[true; 3].as_slice(), &[false; 12]].concat(), "the oldest, some at once");
    assert!(!kept.is_given_up(), "unfinished requests go first");
    assert!(asking.iter().all(|client| !client.is_given_up()));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_worth_as_little_as_a_head_that_does_not() {
    let places = places();
    let slow: Vec<_> = (0..36).map(|_| connect(&places, "192.0.2.1").asks()).collect();
    slow[7].progress.body_is_awaited();
    assert!(!connect(&places, "192.0.2.2").place().is_reserved);
    assert!(slow[7].is_given_up());
    assert!(!slow[8].is_given_up());
}

#[tokio::test]
async fn one_address_has_half_of_the_places_and_trusted_proxies_any_number() {
    let places = places();
    let half_heads: Vec<_> = (0..100).map(|_| connect(&places, "2001:db8::1")).collect();
    assert_eq!(half_heads.iter().filter(|client| !client.is_given_up()).count(), PLACES / 2);
    let same_network: Vec<_> = (0..20).map(|_| connect(&places, "2001:db8::ffff:2").asks()).collect();
    assert!(half_heads.iter().all(Client::is_given_up), "its newcomers take their places from it");
    assert!(matches!(connect(&places, "2001:db8::3").admission, Admission::Refused));
    let proxy: Vec<_> = (0..16).map(|_| connect(&places, "::ffff:192.0.2.1").asks()).collect();
    assert!(proxy.iter().all(|client| !client.place().is_reserved));
    drop(same_network);
    connect(&places, "2001:db8::3").place();
}

#[tokio::test]
async fn the_last_tenth_is_reserved_and_then_it_is_full() {
    let places = places();
    let mut clients: Vec<_> = (0..PLACES).map(|_| connect(&places, "192.0.2.1").asks()).collect();
    let reserved = clients.iter().filter(|client| client.place().is_reserved).count();
    assert_eq!(reserved, PLACES / SHARE_KEPT);
    assert!(matches!(connect(&places, "192.0.2.2").admission, Admission::Full));
    clients.pop();
    places.left().await;
    assert!(connect(&places, "192.0.2.2").place().is_reserved);
}
