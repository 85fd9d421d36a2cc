//! The database cannot be reached (FT-09), loses an answer (FT-05), waits for a standby that is gone (FT-12), is slow or
//! hangs (FT-14).

use std::time::Duration;

use serde_json::json;
use sojourn::failpoints::Failpoint;
use sqlx::Executor as _;

use super::checker::{Allowed, check};
use super::cluster::Cluster;
use super::flaw::Flaw;
use super::history::{History, Outcome, Seen};
use super::load::read_all;
use super::replicas::{Replica, Reply, until};
use super::verdict::Verdict;
use super::{fault_tests, slow_fault_tests};
use sqlx::{Connection as _, PgConnection};

use crate::support::database::TestDatabase;
use crate::support::proxy::{Fault, Proxy};

/// Every use of a session counts as a confirmation of its refresh, so that a repeat is taken for theft.
const NO_REPEATS: Flaw = Flaw::Database(
    "NoRepeats",
    "CREATE FUNCTION confirm() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN NEW.confirmed_counter := NEW.refresh_counter; NEW.rotated_at := NEW.rotated_at - interval '1 hour'; RETURN NEW; END $$;
     CREATE TRIGGER confirm BEFORE UPDATE ON sessions FOR EACH ROW
     WHEN (NEW.refresh_counter > OLD.refresh_counter) EXECUTE FUNCTION confirm();",
);

fault_tests! {
    without_a_database_no_end_is_acknowledged: cut_off, Flaw::None;
    an_answer_before_the_write_is_noticed_without_a_database: cut_off, Flaw::Code(Failpoint::AnswerBeforeWrite);

    an_answer_that_is_lost_can_be_asked_for_again: lost_answers, Flaw::None;
    a_repeated_refresh_that_passes_for_theft_is_noticed: lost_answers, NO_REPEATS;
    an_outage_that_passes_for_a_defect_is_noticed_when_answers_are_lost:
        lost_answers, Flaw::Code(Failpoint::OutageIsDefect);
}

slow_fault_tests! {
    an_end_that_a_standby_has_not_confirmed_is_not_acknowledged: missing_standby, Flaw::None;
    an_answer_before_the_write_is_noticed_with_a_missing_standby:
        missing_standby, Flaw::Code(Failpoint::AnswerBeforeWrite);

    a_database_that_hangs_holds_nobody_up_for_long: hanging_database, Flaw::None;
    a_missing_deadline_is_noticed_when_the_database_hangs: hanging_database, Flaw::Code(Failpoint::NoDeadline);
}

async fn cut_off(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-09", "PR-7", "503 with Retry-After in 2 s, never success");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let replica = Replica::start(0, &through, flaw, &[]);
    let history = History::new();
    let mut subjects = Vec::new();
    for _ in 0..10 {
        subjects.push(replica.open("alice").await.unwrap());
    }
    let mut slowest = Duration::ZERO;
    proxy.cut();
    for subject in &subjects {
        let reply = replica.administer("DELETE", &format!("/v1/sessions/{}", subject.id), None).await;
        slowest = slowest.max(reply.took);
        verdict.must(reply.status == Some(503) && reply.retry_after.is_some(), format!("{reply:?}"));
        let seen = replica.check(&history, subject).await;
        verdict.must(seen == Seen::Nothing, format!("without a database a token is {seen:?}"));
    }
    verdict.within("refusal", slowest, Duration::from_secs(2));
    proxy.mend();
    verdict.within("service back", replica.until_ready().await, Duration::from_secs(5));
    for subject in &subjects {
        let outcome = replica.revoke(&history, subject).await;
        verdict.must(outcome == Outcome::Done, format!("the retry is {outcome:?}"));
    }
    read_all(&[replica], &history, &subjects).await;
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict
}

/// Each kind of change takes effect, its answer is lost, and the client retries.
async fn lost_answers(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-05", "PR-7, PR-8", "503, then the retry comes to the same end");
    let database = TestDatabase::postgres().await;
    let (proxy, through) = Proxy::start(database.url()).await;
    let replica = Replica::start(0, &through, flaw, &[]);
    flaw.apply(database.url()).await;
    let subject = replica.open_pair("alice").await.unwrap();
    let path = format!("/v1/sessions/{}", subject.id);

    let refused = lose(&proxy, &mut verdict, async || replica.refresh(&subject.refresh).await).await;
    verdict.must(refused.body["error"] == "temporarily_unavailable", format!("refresh: {refused:?}"));
    let (first, second) = (replica.refresh(&subject.refresh).await, replica.refresh(&subject.refresh).await);
    verdict.must(
        first.status == Some(200) && first.body["refresh_token"] == second.body["refresh_token"],
        format!("refreshed again: {first:?}, {second:?}"),
    );
    let next = replica.refresh(first.body["refresh_token"].as_str().unwrap_or_default()).await;
    verdict.must(next.status == Some(200), format!("the successor: {next:?}"));

    let hour = json!({ "extend_by": 3600 });
    lose(&proxy, &mut verdict, async || replica.administer("POST", &format!("{path}/extend"), Some(&hour)).await).await;
    let extended = replica.administer("POST", &format!("{path}/extend"), Some(&hour)).await;
    let end = |reply: &Reply| reply.body["expires_at"].as_str().map(str::to_owned);
    let absolute_end = extended.body["absolute_expires_at"].as_str().map(str::to_owned);
    verdict.must(extended.status == Some(200) && end(&extended) <= absolute_end, format!("extended: {extended:?}"));

    // A connection that broke before the statement reached the database ends nothing.
    let mut attempts = 0;
    while attempts < 10 && !is_ended(database.url(), &subject.id).await {
        lose(&proxy, &mut verdict, async || replica.administer("DELETE", &path, None).await).await;
        attempts += 1;
    }
    let seen = replica.verify(next.body["access_token"].as_str().unwrap_or_default()).await;
    verdict.must(seen.status == Some(401), format!("what was ended without an answer: {seen:?}"));
    let ended = replica.administer("DELETE", &path, None).await;
    verdict.must(ended.status == Some(204), format!("ended again: {ended:?}"));

    verdict.measured("lost answers", proxy.lost_answers());
    verdict.must(proxy.lost_answers() >= 3, "no answer was lost");
    verdict
}

async fn is_ended(url: &str, session: &str) -> bool {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let ended = sqlx::query_scalar("SELECT ended_at IS NOT NULL FROM sessions WHERE id::text = $1");
    ended.bind(session).fetch_one(&mut connection).await.unwrap()
}

/// Sends a request whose effect is committed, and whose answer is lost between the database and the server.
async fn lose(proxy: &Proxy, verdict: &mut Verdict, request: impl AsyncFn() -> Reply) -> Reply {
    let before = proxy.lost_answers();
    proxy.set(Fault::LosesAnswers);
    let reply = request().await;
    proxy.mend();
    verdict.must(proxy.lost_answers() > before, "the answer was not lost");
    verdict.must(reply.status == Some(503) && reply.retry_after.is_some(), format!("{reply:?}"));
    reply
}

/// A commit waits for a synchronous standby that does not confirm; no timeout of the database interrupts that wait.
async fn missing_standby(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-12", "PR-7", "503 in 5 s, never success; correct once the standby is back");
    let cluster = Cluster::start(&[]).await;
    let replica = Replica::start(0, &cluster.url(), flaw, &[]);
    let history = History::new();
    let subject = replica.open("alice").await.unwrap();
    let mut connection = cluster.connect().await.unwrap();
    let mut wait_for = async |standby: &str| {
        let setting = match standby {
            "" => "ALTER SYSTEM RESET synchronous_standby_names",
            _ => "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
        };
        connection.execute(setting).await.unwrap();
        connection.execute("SELECT pg_reload_conf()").await.unwrap();
    };
    wait_for("standby").await;
    let path = format!("/v1/sessions/{}", subject.id);
    // Backends read the new setting with a delay. Until then changes are acknowledged, and rightly so.
    until("the wait for the standby", async || replica.open("bob").await.is_none()).await;
    let began = history.now();
    let reply = replica.administer("DELETE", &path, None).await;
    verdict.within("refusal", history.since(began), Duration::from_secs(5));
    verdict.must(reply.status == Some(503) && reply.retry_after.is_some(), format!("{reply:?}"));
    wait_for("").await;
    let mut retried = Outcome::Unknown;
    let back = until("service", async || {
        retried = replica.revoke(&history, &subject).await;
        retried == Outcome::Done
    });
    let back = back.await;
    verdict.within("service back", back, Duration::from_secs(5));
    read_all(&[replica], &history, &[subject]).await;
    verdict.sessions(&check(&history.operations(), Allowed::default()));
    verdict
}

async fn hanging_database(flaw: Flaw) -> Verdict {
    let mut verdict = Verdict::new("FT-14", "PR-11", "answers in 5 s; back 2 s after the database; no connection more");
    let cluster = Cluster::start(&[]).await;
    let (proxy, through) = Proxy::start(&cluster.url()).await;
    let replica =
        Replica::start(0, &through, flaw, &[("SOJOURN_DATABASE_CONNECTIONS", "8"), ("SOJOURN_FRESHNESS", "strict")]);
    let subject = replica.open("alice").await.unwrap();

    proxy.set(Fault::Slow(Duration::from_millis(800)));
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        let reply = replica.verify(&subject.token).await;
        verdict.must(reply.is_success_or_outage(), format!("slow: {reply:?}"));
        slowest = slowest.max(reply.took);
    }
    proxy.mend();
    verdict.within("answer of a slow one", slowest, Duration::from_secs(5));

    // The backends need not be busy: a request meanwhile meets a halted backend.
    let before = cluster.count_backends();
    let frozen = cluster.freeze();
    let replies = futures_util::future::join_all((0..50).map(|_| replica.verify(&subject.token)));
    let health = replica.watch_health(100);
    // Without a timeout in the server, requests would wait until the backends go on.
    let thaw = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        drop(frozen);
    };
    let (replies, health, ()) = tokio::join!(replies, health, thaw);
    let slowest = replies.iter().map(|reply| reply.took).max().unwrap_or_default();
    verdict.within("answer of a hanging one", slowest, Duration::from_secs(5));
    let odd = replies.iter().find(|reply| reply.status != Some(503) && reply.status != Some(200));
    verdict.must(odd.is_none(), format!("hanging: {odd:?}"));
    verdict.usually_within("health", health, Duration::from_millis(100));
    let back = until("service", async || replica.verify(&subject.token).await.status == Some(200)).await;
    verdict.within("service back", back, Duration::from_secs(2));
    let connections = cluster.count_backends();
    verdict.must(connections <= before.max(8), format!("{connections} connections, {before} before"));
    verdict
}
