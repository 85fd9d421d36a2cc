//! The cases: requests, the limit that they are compared with, and the goal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use chrono::TimeDelta;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sojourn::clock::{Clock as _, SystemClock};
use sojourn::model::{Criteria, Filter, Owner, Position, Sort, State};
use sojourn::sessions::Cursor;
use sojourn::tokens::Keyring;

use crate::database::LimitScript;
use crate::fixture::{AskedFor, Fixture};
use crate::load::{Source, request};
use crate::population::{EXAMPLE_USER, Population};

/// The number of connections of a case, unless it says otherwise.
pub const CONNECTIONS: usize = 32;
/// The numbers of clients with which pgbench reads and commits fastest on two cores.
const READING: u64 = 16;
const WRITING: u64 = 32;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The goals of a case; none by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Goal {
    /// At least this share of pgbench's rate.
    pub of_limit: Option<f64>,
    /// At least this share of the bare server's rate.
    pub of_hello: Option<f64>,
    /// At most this many milliseconds for half of the answers.
    pub p50: Option<f64>,
    /// At most this many milliseconds for 99 in a hundred answers.
    pub p99: Option<f64>,
    /// At most this many microseconds of the server's processor time.
    pub server_time: Option<f64>,
    /// At least this rate on SQLite.
    pub on_sqlite: Option<f64>,
}

/// A kind of request to measure.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The name, also on the command line.
    pub name: &'static str,
    /// The request in words.
    pub asks: &'static str,
    /// The number of concurrent connections.
    pub connections: usize,
    /// The limit to compare with.
    pub limit: Option<LimitScript>,
    /// Whether the bare server is measured too.
    pub hello: bool,
    /// Whether rows change and must be restored afterwards.
    pub writes: bool,
    /// The goals.
    pub goal: Goal,
    /// The constructor of the requests.
    pub requests: fn(&Fixture) -> Result<Requests>,
}

/// The requests of a case.
pub enum Requests {
    /// Requests to be repeated in any order.
    Any(Vec<Vec<u8>>),
    /// Requests to be sent once each.
    Each {
        /// The place of the next request.
        next: Arc<AtomicU64>,
        /// The number of places.
        places: u64,
        /// The constructor of a place's request.
        make: Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
    },
    /// Refreshes of every session in turn, each with its current token.
    Refresh(Vec<AskedFor>, Vec<Keyring>),
}

impl Requests {
    /// A source of requests for each connection.
    pub fn sources(self, connections: usize) -> Vec<Source> {
        match self {
            Self::Any(requests) => {
                let requests = Arc::new(requests);
                let one = |_| -> Source {
                    let requests = Arc::clone(&requests);
                    Box::new(move |out| {
                        fastrand::choice(requests.iter()).is_some_and(|request| {
                            out.extend_from_slice(request);
                            true
                        })
                    })
                };
                (0..connections).map(one).collect()
            }
            Self::Each { next, places, make } => {
                let one = |_| -> Source {
                    let (next, make) = (Arc::clone(&next), Arc::clone(&make));
                    Box::new(move |out| {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        if place < places {
                            out.extend_from_slice(&make(place));
                        }
                        place < places
                    })
                };
                (0..connections).map(one).collect()
            }
            Self::Refresh(sessions, keyrings) => {
                let share = sessions.len().div_ceil(keyrings.len().max(1)).max(1);
                let one = |(sessions, keyring): (&[AskedFor], Keyring)| -> Source {
                    let mut own = sessions.to_vec();
                    let mut turn = 0;
                    Box::new(move |out| {
                        let place = turn % own.len();
                        turn += 1;
                        own.get_mut(place).is_some_and(|session| {
                            let token = Fixture::refresh_token(&keyring, session.id, session.counter);
                            session.counter += 1;
                            let form = format!("grant_type=refresh_token&refresh_token={token}");
                            out.extend_from_slice(&request("POST", "/oauth2/token", "", Some((FORM, &form))));
                            true
                        })
                    })
                };
                sessions.chunks(share).zip(keyrings).map(one).collect()
            }
        }
    }

    /// One pass over all requests that are repeated, spread over the connections, so that the server's cache is warm.
    pub fn warming(&self, connections: usize) -> Option<Vec<Source>> {
        let Self::Any(requests) = self else { return None };
        let share = requests.len().div_ceil(connections);
        let one = |requests: &[Vec<u8>]| -> Source {
            let mut requests = Vec::from(requests).into_iter();
            Box::new(move |out| {
                let request = requests.next();
                request.as_ref().inspect(|request| out.extend_from_slice(request)).is_some()
            })
        };
        Some(requests.chunks(share).map(one).collect())
    }

    /// A sample request, for a first check of the answer.
    pub fn first(&self) -> Option<&[u8]> {
        let Self::Any(requests) = self else { return None };
        requests.first().map(Vec::as_slice)
    }
}

/// Every case, in the order in which they are measured.
pub const CASES: &[Case] = &[
    Case {
        name: "verify-strict",
        asks: "GET /v1/verify?freshness=strict, access token",
        goal: Goal { of_limit: Some(0.9), server_time: Some(50.0), on_sqlite: Some(10_000.0), ..NO_GOAL },
        ..reading("select_by_key", |fixture| {
            Ok(of_each(fixture, |session| get("/v1/verify?freshness=strict", &bearer(&session.access))))
        })
    },
    Case {
        name: "verify-strict-opaque",
        asks: "GET /v1/verify?freshness=strict, session token",
        goal: Goal { of_limit: Some(0.9), server_time: Some(50.0), on_sqlite: Some(10_000.0), ..NO_GOAL },
        ..reading("select_by_key", |fixture| {
            Ok(of_each(fixture, |session| get("/v1/verify?freshness=strict", &bearer(&session.session))))
        })
    },
    Case {
        name: "verify-fresh",
        asks: "GET /v1/verify, access token",
        hello: true,
        goal: Goal { of_limit: Some(1.6), of_hello: Some(0.6), on_sqlite: Some(10_000.0), ..NO_GOAL },
        ..reading("select_by_key", |fixture| {
            Ok(of_each(fixture, |session| get("/v1/verify", &bearer(&session.access))))
        })
    },
    Case {
        name: "verify-fresh-opaque",
        asks: "GET /v1/verify, session token",
        hello: true,
        goal: Goal { of_limit: Some(1.6), of_hello: Some(0.6), on_sqlite: Some(10_000.0), ..NO_GOAL },
        ..reading("select_by_key", |fixture| {
            Ok(of_each(fixture, |session| get("/v1/verify", &bearer(&session.session))))
        })
    },
    Case {
        name: "introspect",
        asks: "POST /oauth2/introspect, access token",
        ..reading("select_by_key", |fixture| {
            Ok(of_each(fixture, |session| {
                let form = format!("token={}", session.access);
                request("POST", "/oauth2/introspect", &fixture.service, Some((FORM, &form)))
            }))
        })
    },
    Case {
        name: "list-quiika",
        asks: "GET /auth/sessions, session token",
        goal: Goal { of_limit: Some(0.5), ..NO_GOAL },
        ..reading("list_of_user", |fixture| {
            Ok(of_each(fixture, |session| get("/auth/sessions", &bearer(&session.session))))
        })
    },
    Case {
        name: "list-cumulonimbus",
        asks: "GET /api/user/{id}/sessions, session token",
        goal: Goal { of_limit: Some(0.5), ..NO_GOAL },
        ..reading("list_of_user", |fixture| {
            Ok(of_each(fixture, |session| get(&format!("/api/user/{}/sessions", session.user), &session.session)))
        })
    },
    Case {
        name: "open",
        asks: "POST /v1/sessions",
        goal: Goal { of_limit: Some(0.75), on_sqlite: Some(1000.0), ..NO_GOAL },
        ..writing("insert", |fixture| Ok(of_each(fixture, |session| open(fixture, &session.user))))
    },
    Case {
        name: "refresh",
        asks: "POST /oauth2/token",
        goal: Goal { of_limit: Some(0.7), ..NO_GOAL },
        ..writing("rotate", |fixture| {
            let keyrings = (0..CONNECTIONS).map(|_| fixture.own_keyring()).collect::<Result<_>>()?;
            Ok(Requests::Refresh(fixture.asked_for.clone(), keyrings))
        })
    },
    Case {
        name: "extend",
        asks: "POST /v1/sessions/{id}/extend",
        goal: Goal { of_limit: Some(0.7), ..NO_GOAL },
        ..writing("extend", |fixture| {
            Ok(of_each(fixture, |session| {
                let body = Some((JSON, r#"{"extend_by":1}"#));
                request("POST", &format!("/v1/sessions/{}/extend", session.id), &fixture.service, body)
            }))
        })
    },
    Case {
        name: "revoke-one",
        asks: "DELETE /v1/sessions/{id}",
        limit: Some(LimitScript { name: "end", clients: WRITING, places: Some(Population::to_be_ended_by_limit) }),
        goal: Goal { of_limit: Some(0.7), ..NO_GOAL },
        ..writing("end", |fixture| {
            let (population, service) = (fixture.population, fixture.service.clone());
            Ok(Requests::Each {
                next: Arc::clone(&fixture.ended),
                places: population.to_be_ended(),
                make: Arc::new(move |place| {
                    let id = population.id(population.ended(place));
                    request("DELETE", &format!("/v1/sessions/{id}"), &service, None)
                }),
            })
        })
    },
    Case {
        name: "revoke-all",
        asks: "DELETE /v1/users/{id}/sessions",
        limit: Some(LimitScript { name: "end_all_of_user", clients: WRITING, places: Some(Population::to_lose_all) }),
        ..writing("end_all_of_user", |fixture| {
            let (population, service) = (fixture.population, fixture.service.clone());
            Ok(Requests::Each {
                next: Arc::clone(&fixture.losing_all),
                places: population.to_lose_all(),
                make: Arc::new(move |place| {
                    let user = population.losing_all(place);
                    request("DELETE", &format!("/v1/users/{user}/sessions"), &service, None)
                }),
            })
        })
    },
    Case {
        name: "janssen-example",
        asks: "Janssen search: one user, by expirationDate from and to",
        ..reading("list_of_user", |fixture| {
            let day = |days| (SystemClock.now() + TimeDelta::days(days)).format("%F");
            let pairs = format!("userDn={EXAMPLE_USER},expirationDate>{},expirationDate<{}", day(-30), day(350));
            Ok(Requests::Any(vec![janssen(fixture, &format!("fieldValuePair={}", encoded(&pairs)))]))
        })
    },
    Case {
        name: "janssen-user",
        asks: "Janssen search: any one user",
        ..reading("list_of_user", |fixture| {
            Ok(of_each(fixture, |session| {
                janssen(fixture, &format!("fieldValuePair={}", encoded(&format!("userDn={}", session.user))))
            }))
        })
    },
    Case {
        name: "janssen-sorted",
        asks: "Janssen search: 50 by creationDate, latest first, of the first 1000",
        goal: Goal { p99: Some(25.0), ..NO_GOAL },
        ..reading("page", |fixture| {
            let page = |start| format!("limit=50&sortBy=creationDate&sortOrder=descending&startIndex={start}");
            Ok(Requests::Any((0..1000).step_by(50).map(|start| janssen(fixture, &page(start))).collect()))
        })
    },
    Case {
        name: "search-depth",
        asks: "GET /v1/sessions?state=active&limit=50&cursor=…, at any depth",
        goal: Goal { of_limit: Some(0.6), p99: Some(25.0), ..NO_GOAL },
        ..reading("page", |fixture| {
            let filter = Filter { state: Some(State::Active), ..Filter::default() };
            let criteria = Criteria { filter, ..Criteria::default() };
            let Population { sessions, .. } = fixture.population;
            let page = |place| {
                // Places from 5 to 100 in a hundred: the first sessions have no 50 before them.
                let number = sessions / 20 + place * (sessions - sessions / 20 - 1) / 1000;
                let population = fixture.population;
                let position = Position { at: population.opened_at(number), id: population.id(number) };
                let cursor = Cursor::write(fixture.keyring(), Owner::Anyone, &criteria, Sort::default(), position);
                get(&format!("/v1/sessions?state=active&limit=50&cursor={cursor}"), &fixture.service)
            };
            Ok(Requests::Any((0..1000).map(page).collect()))
        })
    },
    Case {
        name: "stats",
        asks: "GET /v1/stats, one at a time",
        connections: 1,
        limit: None,
        goal: Goal { p50: Some(50.0), ..NO_GOAL },
        ..reading("", |fixture| Ok(Requests::Any(vec![get("/v1/stats", &fixture.service)])))
    },
];

const NO_GOAL: Goal = Goal { of_limit: None, of_hello: None, p50: None, p99: None, server_time: None, on_sqlite: None };

const fn reading(limit: &'static str, requests: fn(&Fixture) -> Result<Requests>) -> Case {
    Case {
        name: "",
        asks: "",
        connections: CONNECTIONS,
        limit: Some(LimitScript { name: limit, clients: READING, places: None }),
        hello: false,
        writes: false,
        goal: NO_GOAL,
        requests,
    }
}

const fn writing(limit: &'static str, requests: fn(&Fixture) -> Result<Requests>) -> Case {
    Case {
        limit: Some(LimitScript { name: limit, clients: WRITING, places: None }),
        writes: true,
        ..reading(limit, requests)
    }
}

/// The case of that name.
pub fn named(name: &str) -> Result<Case> {
    let found = CASES.iter().find(|case| case.name == name).copied();
    found.ok_or_else(|| anyhow::anyhow!("there is no case {name}"))
}

fn of_each(fixture: &Fixture, make: impl Fn(&AskedFor) -> Vec<u8>) -> Requests {
    Requests::Any(fixture.asked_for.iter().map(make).collect())
}

fn get(path: &str, authorization: &str) -> Vec<u8> {
    request("GET", path, authorization, None)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn janssen(fixture: &Fixture, query: &str) -> Vec<u8> {
    get(&format!("/api/v1/jans-auth-server/session/search?{query}"), &fixture.service)
}

fn open(fixture: &Fixture, user: &str) -> Vec<u8> {
    let body = serde_json::json!({
        "user_id": user,
        "client_id": "web",
        "ip_address": "203.0.113.7",
        "location": "Lisbon, PT",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "scope": "profile",
        "amr": ["pwd", "otp"],
    });
    request("POST", "/v1/sessions", &fixture.service, Some((JSON, &body.to_string())))
}
