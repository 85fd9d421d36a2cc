//! An empty store, and helpers to describe cases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use sojourn::model::ServiceKeyId;
use sojourn::model::{
    Device, DeviceType, ExtraClaims, Filter, Metadata, Opener, Owner, Scope, Search, Session, SessionId, SessionLimit,
    Sort,
};
use sojourn::model::{Place, UserDetails, UserId, Whereabouts};
use sojourn::store::{self, EndedAtOnce, Idempotency, NewSession, Opening, RefreshAttempt, Store};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use uuid::Uuid;

use crate::support::database::TestDatabase;

/// Makes two tests of each case: `case::postgres` and `case::sqlite`. The compiler warns of a case that is not listed.
macro_rules! on_both_stores {
    ($($case:ident),* $(,)?) => {
        $(
            mod $case {
                use super::super::fixture::Fixture;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    super::$case(&Fixture::postgres().await).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::$case(&Fixture::sqlite().await).await;
                }
            }
        )*
    };
}

pub(crate) const CONNECTIONS: u32 = 8;

pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) raw: Raw,
    /// The last field, because fields are dropped in order.
    pub(crate) database: TestDatabase,
}

/// A connection to the database past the store.
pub(crate) enum Raw {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

impl Fixture {
    pub(crate) async fn postgres() -> Self {
        let database = TestDatabase::postgres().await;
        let store = store::open(database.url(), CONNECTIONS).await.unwrap();
        let raw = Raw::Postgres(PgPool::connect_lazy(database.url()).unwrap());
        Self { store, raw, database }
    }

    pub(crate) async fn sqlite() -> Self {
        let database = TestDatabase::sqlite().await;
        let store = store::open(database.url(), CONNECTIONS).await.unwrap();
        let raw = Raw::Sqlite(SqlitePoolOptions::new().max_connections(1).connect_lazy(database.url()).unwrap());
        Self { store, raw, database }
    }

    /// Opens a session without a limit or an idempotency key.
    pub(crate) async fn open(&self, session: Session) -> Session {
        match self.store.open_session(&new(&session)).await.unwrap() {
            Opening::Opened { .. } => session,
            other => panic!("{other:?}"),
        }
    }

    /// A session as stored, whoever its owner is.
    pub(crate) async fn stored(&self, id: SessionId) -> Session {
        self.store.session(id, Owner::Anyone).await.unwrap().unwrap()
    }

    pub(crate) async fn active_ids(&self, user: &UserId, now: DateTime<Utc>) -> Vec<SessionId> {
        ids(&self.store.active_sessions_of(user, now).await.unwrap())
    }

    /// Calls `act` from `tasks` tasks at once, and collects the results.
    pub(crate) async fn race<T, F>(&self, tasks: usize, act: impl Fn(usize, Arc<dyn Store>) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let start = Arc::new(tokio::sync::Barrier::new(tasks));
        let running: Vec<_> = (0..tasks)
            .map(|task| {
                let (start, acting) = (start.clone(), act(task, self.store.clone()));
                tokio::spawn(async move {
                    start.wait().await;
                    acting.await
                })
            })
            .collect();
        let mut answers = Vec::with_capacity(tasks);
        for task in running {
            answers.push(task.await.unwrap());
        }
        answers
    }
}

#[expect(clippy::disallowed_methods, reason = "tests write SQL of their own")]
impl Raw {
    /// Runs SQL whose values are written into it by [`Raw::id`] and [`Raw::time`].
    pub(crate) async fn run(&self, sql: &str) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(sql.to_owned());
        Ok(match self {
            Self::Postgres(pool) => sqlx::query(sql).execute(pool).await?.rows_affected(),
            Self::Sqlite(pool) => sqlx::query(sql).execute(pool).await?.rows_affected(),
        })
    }

    /// Runs several statements.
    pub(crate) async fn run_all(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Postgres(pool) => drop(sql.execute(pool).await.unwrap()),
            Self::Sqlite(pool) => drop(sql.execute(pool).await.unwrap()),
        }
    }

    /// The one number that a query answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    pub(crate) fn id(&self, id: SessionId) -> String {
        match self {
            Self::Postgres(_) => format!("'{id}'"),
            Self::Sqlite(_) => format!("x'{}'", id.as_uuid().simple()),
        }
    }

    pub(crate) fn time(&self, time: DateTime<Utc>) -> String {
        match self {
            Self::Postgres(_) => format!("'{}'", time.to_rfc3339()),
            Self::Sqlite(_) => time.timestamp_micros().to_string(),
        }
    }
}

/// `seconds` seconds after the start of the tests' time.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
}

pub(crate) const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

/// The next id, of the time `at(0)`: later ones are greater.
pub(crate) fn new_id() -> SessionId {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    SessionId::from_uuid(Uuid::from_u128(0x019b_76da_a800_7000_8000_0000_0000_0000 + u128::from(number)))
}

/// A session opened at `at(0)`, for a day at first, thirty at most, an hour unused; everything optional unset.
pub(crate) fn session_of(user_id: &str) -> Session {
    session_at(user_id, 0)
}

/// As [`session_of`], opened at `at(seconds)`.
pub(crate) fn session_at(user_id: &str, seconds: i64) -> Session {
    Session {
        id: new_id(),
        user_id: user(user_id),
        created_at: at(seconds),
        last_seen_at: at(seconds),
        expires_at: at(seconds) + TimeDelta::days(1),
        absolute_expires_at: at(seconds) + TimeDelta::days(30),
        idle_timeout: Some(TimeDelta::hours(1)),
        ended: None,
        refresh_counter: 0,
        confirmed_counter: 0,
        client_id: None,
        ip_address: None,
        location: None,
        place: None,
        last_seen_from: None,
        user_agent: None,
        device: Device::default(),
        scope: Scope::default(),
        acr: None,
        amr: Vec::new(),
        metadata: Metadata::default(),
        claims: None,
        opened_by: None,
        authenticated_at: at(seconds),
        least_counter: 0,
    }
}

/// A place with unusual texts.
pub(crate) fn place(number: u32) -> Place {
    Place {
        city: Some(format!("Zürich \"{number}\", 瑞士")),
        region: Some("Ż\\".to_owned()),
        country: Some("CH".to_owned()),
        country_name: Some("Switzerland".to_owned()),
        asn: Some(u32::MAX),
        organization: Some("{NULL}".to_owned()),
    }
}

/// A session with every field set to an unusual value.
pub(crate) fn full_session(user_id: &str) -> Session {
    let moment = |micros| at(0) + TimeDelta::microseconds(micros);
    Session {
        created_at: moment(1),
        last_seen_at: moment(123_457),
        expires_at: moment(999_999),
        absolute_expires_at: moment(1_000_001),
        idle_timeout: Some(TimeDelta::seconds(i32::MAX.into())),
        refresh_counter: 7,
        confirmed_counter: 5,
        client_id: Some("wéb 'app' \"1\" %_\\".to_owned()),
        ip_address: Some("2001:db8::7".parse().unwrap()),
        location: Some("Zürich, 瑞士".to_owned()),
        place: Some(place(1)),
        last_seen_from: Some(Whereabouts { ip_address: "203.0.113.9".parse().unwrap(), place: Some(place(2)) }),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0)".to_owned()),
        device: Device {
            kind: DeviceType::Tablet,
            name: Some("Ann's 📱".to_owned()),
            model: Some("Pixel \\ Tablet".to_owned()),
            os: Some("Linux".to_owned()),
            os_version: Some("6.8".to_owned()),
            browser: Some("Firefox".to_owned()),
            browser_version: Some("145.0.1".to_owned()),
        },
        scope: Scope::parse("profile sessions:read").unwrap(),
        acr: Some("aal2".to_owned()),
        amr: vec!["pwd".to_owned(), "o\"t,p\\".to_owned(), "{NULL}".to_owned(), String::new()],
        metadata: Metadata::from_json(r#"{"b": 1.0,  "a":["\u0000", null], "b": 2}"#.to_owned()).unwrap(),
        opened_by: Some(Opener::Key(ServiceKeyId(Uuid::from_u128(0xf)))),
        authenticated_at: moment(-7),
        least_counter: 3,
        claims: Some(ExtraClaims::from_json("{\"https://example.org/ü\":[1,{\"a\":null}],\"roles\":\"x\"}".to_owned())),
        ..session_of(user_id)
    }
}

pub(crate) fn new(session: &Session) -> NewSession {
    NewSession {
        session: session.clone(),
        user: UserDetails::default(),
        limit: None,
        limit_by_application: false,
        idempotency: None,
        replaces: None,
    }
}

pub(crate) fn limited(session: &Session, limit: SessionLimit) -> NewSession {
    NewSession { limit: Some(limit), ..new(session) }
}

/// A session to open with an idempotency key of service `web`. Keys a day older than the session are forgotten.
pub(crate) fn keyed(session: &Session, key: &str, fingerprint: &[u8]) -> NewSession {
    let idempotency = Idempotency {
        service: "web".to_owned(),
        key: key.to_owned(),
        fingerprint: fingerprint.to_vec(),
        forget_before: session.created_at - TimeDelta::hours(24),
    };
    NewSession { idempotency: Some(idempotency), ..new(session) }
}

pub(crate) fn details(name: Option<&str>, email: Option<&str>) -> UserDetails {
    UserDetails { name: name.map(str::to_owned), email: email.map(str::to_owned) }
}

/// Time in which a spent refresh token is answered again.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(30);

/// A search over everybody's sessions, newest first.
pub(crate) fn search_for(filter: &Filter, limit: u32, now: DateTime<Utc>) -> Search<'_> {
    Search { owner: Owner::Anyone, filter, sort: Sort::default(), after: None, limit, now, may_lag: false }
}

/// A refresh by a client that has not used an access token since, on a server without sliding.
pub(crate) fn attempt(id: SessionId, presented: u32, now: DateTime<Utc>) -> RefreshAttempt {
    RefreshAttempt { id, presented, seen_counter: 0, seen_at: None, now, grace: GRACE, slide: None }
}

pub(crate) fn ids(sessions: &[Session]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

pub(crate) fn sorted(mut ids: Vec<SessionId>) -> Vec<SessionId> {
    ids.sort_unstable();
    ids
}

/// The ids of the ended sessions, which must not be too many to list.
pub(crate) fn all(ended: EndedAtOnce) -> Vec<SessionId> {
    match ended {
        EndedAtOnce::Ended(ids) => ids,
        EndedAtOnce::TooMany => panic!("too many"),
    }
}
