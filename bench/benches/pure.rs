//! Computation for a request, without a socket and without a database: `cargo bench` in this folder.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be prepared cannot go on")]

use std::collections::BTreeSet;
use std::hint::black_box;

use chrono::TimeDelta;
use criterion::{Criterion, criterion_group, criterion_main};
use sojourn::api::native::wire;
use sojourn::clock::{Clock, SystemClock, SystemEntropy, uuid_v7};
use sojourn::model::{
    Algorithm, ClientHints, Criteria, Metadata, Owner, Position, Scope, ServiceKeyId, Session, SessionId, Sort, UserId,
    recognise_device,
};
use sojourn::sessions::{Cursor, Page};
use sojourn::tokens::{
    AccessTokens, Algorithms, KeySet, Keyring, MasterSecret, RefreshToken, SealedSigningKey, ServiceKey, SessionToken,
};

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

fn keyring() -> Keyring {
    Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap())
}

fn session() -> Session {
    let now = SystemClock.now();
    Session {
        id: SessionId::from_uuid(uuid_v7(now, &SystemEntropy).unwrap()),
        user_id: UserId::parse("user-123456".to_owned()).unwrap(),
        created_at: now,
        last_seen_at: now,
        expires_at: now + TimeDelta::days(30),
        absolute_expires_at: now + TimeDelta::days(30),
        idle_timeout: Some(TimeDelta::days(7)),
        ended: None,
        refresh_counter: 0,
        confirmed_counter: 0,
        client_id: Some("web".to_owned()),
        ip_address: Some("203.0.113.7".parse().unwrap()),
        location: Some("Lisbon, PT".to_owned()),
        user_agent: Some(USER_AGENT.to_owned()),
        device: recognise_device(Some(USER_AGENT), &ClientHints::default()),
        scope: Scope::parse("profile").unwrap(),
        acr: None,
        amr: vec!["pwd".to_owned(), "otp".to_owned()],
        metadata: Metadata::from_json("{}".to_owned()).unwrap(),
        opened_by: None,
        authenticated_at: now,
        least_counter: 0,
        claims: None,
        place: None,
        last_seen_from: None,
    }
}

fn opaque_tokens(criterion: &mut Criterion) {
    let (keys, id) = (keyring(), session().id);
    let mut group = criterion.benchmark_group("opaque");
    group
        .bench_function("mint a session token", |bencher| bencher.iter(|| SessionToken::mint(&keys, black_box(id), 0)));
    let token = SessionToken::mint(&keys, id, 0);
    group.bench_function("check a session token", |bencher| {
        bencher.iter(|| SessionToken::verify(&keys, black_box(token.expose())));
    });
    group
        .bench_function("mint a refresh token", |bencher| bencher.iter(|| RefreshToken::mint(&keys, black_box(id), 7)));
    let token = RefreshToken::mint(&keys, id, 7);
    group.bench_function("check a refresh token", |bencher| {
        bencher.iter(|| RefreshToken::verify(&keys, black_box(token.expose())));
    });
    let new = ServiceKey::generate(
        ServiceKeyId(id.as_uuid()),
        "web".to_owned(),
        Scope::everything(),
        SystemClock.now(),
        None,
        &SystemEntropy,
    );
    let new = new.unwrap();
    group.bench_function("check a service key", |bencher| {
        bencher.iter(|| ServiceKey::parse(black_box(new.key.expose())).unwrap().matches(&new.stored));
    });
    group.finish();
}

fn access_tokens(criterion: &mut Criterion) {
    let (keys, session, now) = (keyring(), session(), SystemClock.now());
    let mut group = criterion.benchmark_group("access");
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let name = algorithm.as_str();
        let sealed = SealedSigningKey::generate(&keys, algorithm, 1, now, now, &SystemEntropy).unwrap();
        let stored = [sealed];
        let tokens = || {
            let algorithms = Algorithms { server: algorithm, of_applications: BTreeSet::new() };
            let keys = KeySet::open(&stored, algorithms, &keys, now).unwrap();
            AccessTokens::new("http://localhost:8080".to_owned(), "sojourn".to_owned(), keys)
        };
        let mint = |tokens: &AccessTokens| {
            let jti = uuid_v7(now, &SystemEntropy).unwrap();
            tokens.mint(&session, jti, TimeDelta::minutes(5), now).unwrap().0
        };
        let minting = tokens();
        group.bench_function(format!("mint, {name}"), |bencher| bencher.iter(|| mint(&minting)));
        // Each token comes from another instance, so that it is in no cache.
        let token = mint(&minting);
        group.bench_function(format!("check one never seen, {name}"), |bencher| {
            bencher.iter_batched(
                tokens,
                |checking| checking.verify(black_box(token.expose()), now).unwrap(),
                criterion::BatchSize::SmallInput,
            );
        });
        minting.verify(token.expose(), now).unwrap();
        group.bench_function(format!("check one seen before, {name}"), |bencher| {
            bencher.iter(|| minting.verify(black_box(token.expose()), now).unwrap());
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read");
    let query =
        "user_id=1001&state=active&device_type=mobile&created_from=2026-01-01T00:00:00Z&sort=-created_at&limit=50";
    group.bench_function("a search's filter", |bencher| {
        bencher
            .iter(|| serde_urlencoded::from_str::<wire::SearchSessions>(black_box(query)).unwrap().criteria().unwrap());
    });
    let body = r#"{"user_id":"1001","client_id":"web","ip_address":"203.0.113.7","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0","scope":"profile","amr":["pwd","otp"],"metadata":{"tenant":"blue"}}"#;
    group.bench_function("a session to be opened", |bencher| {
        bencher.iter(|| serde_json::from_str::<wire::OpenSession>(black_box(body)).unwrap().into_draft(None).unwrap());
    });
    group.bench_function("a User-Agent", |bencher| {
        let hints = ClientHints::default();
        bencher.iter(|| recognise_device(black_box(Some(USER_AGENT)), &hints));
    });
    let (keys, criteria, sort) = (keyring(), Criteria::default(), Sort::default());
    let position = Position { at: session().created_at, id: session().id };
    let cursor = Cursor::write(&keys, Owner::Anyone, &criteria, sort, position);
    group.bench_function("a cursor", |bencher| {
        bencher.iter(|| Cursor::read(&keys, Owner::Anyone, &criteria, sort, black_box(&cursor)).unwrap());
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let (one, now) = (session(), SystemClock.now());
    let mut group = criterion.benchmark_group("write");
    group.bench_function("a session", |bencher| {
        bencher.iter(|| {
            serde_json::to_vec(&wire::Session::new(black_box(one.clone()), wire::Viewer::SERVICE, now)).unwrap()
        });
    });
    group.bench_function("a page of 50", |bencher| {
        bencher.iter(|| {
            let page = Page { sessions: vec![one.clone(); 50], next_cursor: None };
            serde_json::to_vec(&wire::SessionPage::new(black_box(page), wire::Viewer::SERVICE, now)).unwrap()
        });
    });
    group.finish();
}

criterion_group!(pure, opaque_tokens, access_tokens, reading, writing);
criterion_main!(pure);
