//! What the promises are worth when something breaks: real server processes, with a database that is killed, halted, cut
//! off or slow.
//!
//! | room | what lives there |
//! |---|---|
//! | [`cluster`] | a PostgreSQL of a test's own, which it may kill |
//! | [`replicas`] | server processes, and what a client can do with them |
//! | [`load`] | clients that open, check and end sessions meanwhile |
//! | [`history`], [`checker`] | what was answered when, and whether ended sessions stayed ended |
//! | [`flaw`] | what is made wrong on purpose |
//! | [`verdict`] | whether a promise was kept, and the figures |
//!
//! The others hold the scenarios, called FT-01 and so on; PR-1 and so on are the promises, which the verdicts spell out. A
//! scenario runs at least twice: as it is, when it must come to
//! the verdict that the promise is kept, and with each flaw that it is there to find, when it must not. The quick ones run
//! with all other tests; `scripts/faults` runs everything and prints the figures.

mod checker;
mod cleaning;
pub mod cluster;
mod crashes;
mod embedded;
mod failover;
mod flaw;
mod history;
mod load;
mod notices;
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
    ($($(#[$attribute:meta])* $name:ident: $scenario:expr, $flaw:expr;)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$attribute])*
        async fn $name() {
            let flaw = $flaw;
            let scenario = $scenario;
            scenario(flaw).await.settle(&flaw);
        }
    )+};
}
use fault_tests;
