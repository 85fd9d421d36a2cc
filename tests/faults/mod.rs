//! Promises under faults: real server processes, with a database that is killed, halted, cut off or slow.
//!
//! | room | what lives there |
//! |---|---|
//! | [`cluster`] | a PostgreSQL of a test's own, which it may kill |
//! | [`standby`] | a standby of it, and writers that do not wait for the disk |
//! | [`replicas`] | server processes, and a client for them |
//! | [`load`] | clients that open, check and end sessions meanwhile |
//! | [`history`], [`checker`] | a record of requests and answers, and whether ended sessions stayed ended |
//! | [`flaw`] | deliberate defects |
//! | [`verdict`] | whether a promise was kept, and the figures |
//!
//! The other files hold the scenarios, called FT-01 and so on. PR-1 and so on are the promises, spelled out in the verdicts.
//! A scenario runs at least twice: without a flaw, when the promise must be kept, and with each flaw that it is there to
//! find, when the promise must be broken. The quick ones run with all other tests; the slow ones are in modules `slow`, and
//! `scripts/faults` runs everything and prints the figures.
//!
//! | fault | where |
//! |---|---|
//! | FT-01 to FT-03, a server or database that is killed or restarted | [`crashes`], [`counting`] |
//! | FT-02, FT-11, numbers given out again | [`renumbering`] |
//! | FT-04, FT-20, many rows at once | [`cleaning`] |
//! | FT-05, FT-09, FT-12, FT-14, no database, no standby, a slow one | [`outages`], [`failover`] |
//! | FT-06 to FT-08, notices that do not come | [`notices`] |
//! | FT-10, FT-11, standbys and failover | [`failover`], [`counting`] |
//! | FT-13, FT-21, too few connections | [`overload`] |
//! | FT-15, a full disk | [`operation`], by the error that PostgreSQL then raises |
//! | FT-16, FT-34, a full file, a row that cannot be read | `tests/store/failures.rs` |
//! | FT-17, clocks | `tests/api/native/replicas.rs` |
//! | FT-18, FT-22 to FT-24, requests in each other's way | [`races`] |
//! | FT-19, tables altered meanwhile | [`operation`]; what each version left: `tests/store/migrations.rs` |
//! | FT-25, the stop | [`stopping`] |
//! | FT-26, slow clients | `src/server/tests.rs`, by a clock that the tests move |
//! | FT-27, clients that hang up | [`operation`]; while refreshing: `tests/api/native/refresh/lost.rs` |
//! | FT-31, notices as a bottleneck | [`notices`], with ten thousand ends |
//! | FT-32, FT-33, the embedded database | [`embedded`] |
//! | FT-36, steadiness | [`soak`] |
//! | a log that was restored, that cannot settle, that many want | [`long_logs`] |
//!
//! Tests that do not apply:
//!
//! * FT-28, a handler that breaks down: no request is known that makes one do so.
//! * FT-29, receivers of events that are down: nothing is sent to anybody who does not ask.
//! * FT-30, a pooler that changes connections between transactions: a server refuses to start behind one.
//! * FT-35, simulation: the promises rest on what real databases do, and chance has a seed here.

mod checker;
mod cleaning;
pub mod cluster;
mod counting;
mod crashes;
mod embedded;
mod failover;
mod flaw;
mod history;
mod load;
mod long_logs;
mod notices;
mod operation;
mod outages;
mod overload;
mod races;
mod renumbering;
mod replicas;
mod soak;
mod standby;
mod stopping;
mod verdict;

/// Makes tests of a scenario: without a flaw the promise must be kept, with one it must be seen to be broken.
macro_rules! fault_tests {
    ($($name:ident: $scenario:expr, $flaw:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let flaw = $flaw;
            let scenario = $scenario;
            scenario(flaw).await.settle(&flaw);
        }
    )+};
}
use fault_tests;

/// Makes tests that take long or need strace. Test runners recognise them by the module's name: only `scripts/faults` and
/// nextest's profile `faults` include them.
macro_rules! slow_fault_tests {
    ($($tests:tt)+) => {
        mod slow {
            use super::*;
            use crate::faults::fault_tests;

            fault_tests! { $($tests)+ }
        }
    };
}
use slow_fault_tests;
