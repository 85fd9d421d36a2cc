//! Decides from a history whether ended sessions stayed ended.
//!
//! Each acknowledged end is *stable* (refused by every check that began after it), *stale* (accepted by a check for
//! longer than allowed, but not by the last one), or *lost* (accepted by the last check). An end of unknown outcome may
//! have happened or not, but a token that was refused once must not be accepted by a later check. A history without
//! ends or without checks proves nothing and counts as a failure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::history::{Event, Operation, Outcome, Seen};

/// Longest time after an acknowledged end for which a token may still be accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    /// The bound on replicas other than the one that acknowledged the end.
    pub elsewhere: Duration,
}

/// The ends of a history, sorted by outcome.
#[derive(Debug, Default)]
pub struct Findings {
    pub acknowledged: usize,
    pub unknown: usize,
    pub checks: usize,
    pub stable: usize,
    pub stale: usize,
    pub lost: usize,
    /// Ends that were acknowledged and never checked again.
    pub unread: usize,
    /// Ends of unknown outcome whose token was refused and later accepted again.
    pub resurrected: usize,
    /// Sessions that were refused although nobody had asked to end them.
    pub accidents: usize,
    /// The longest time between an end and the beginning of a check that still accepted the token.
    pub longest: Duration,
}

impl Findings {
    /// The broken promises in words; empty if all were kept.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut none = |count: usize, what: &str| {
            if count > 0 {
                problems.push(format!("{count} {what}"));
            }
        };
        none(self.lost, "lost");
        none(self.stale, "stale");
        none(self.unread, "acknowledged and never checked again");
        none(self.resurrected, "resurrected");
        none(self.accidents, "refused although nobody had ended them");
        none(usize::from(self.acknowledged == 0), "history in which nothing was acknowledged");
        none(usize::from(self.checks == 0), "history in which nothing was checked");
        problems
    }
}

/// Sorts the ends of a history.
pub fn check(operations: &[Operation], allowed: Allowed) -> Findings {
    let mut findings = Findings::default();
    let mut sessions: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        sessions.entry(operation.session).or_default().push(*operation);
    }
    for operations in sessions.values_mut() {
        operations.sort_by_key(|operation| operation.began);
        check_session(operations, allowed, &mut findings);
    }
    findings
}

/// `operations` in the order in which they began.
fn check_session(operations: &[Operation], allowed: Allowed, findings: &mut Findings) {
    let saw = |seen: Seen| operations.iter().filter(move |operation| operation.event == Event::Check(seen));
    findings.checks += saw(Seen::Stands).count() + saw(Seen::Refused).count();

    let mut attempts = operations.iter().filter(|operation| matches!(operation.event, Event::Revoke(_)));
    let first_attempt = attempts.next().map(|attempt| attempt.began);
    if saw(Seen::Refused).any(|check| first_attempt.is_none_or(|first| check.ended < first)) {
        findings.accidents += 1;
    }

    let acknowledgements = operations.iter().filter(|operation| operation.event == Event::Revoke(Outcome::Done));
    let Some(end) = acknowledgements.min_by_key(|operation| operation.ended) else {
        check_unknown(operations, allowed, findings);
        return;
    };
    findings.acknowledged += 1;
    let after = |check: &&Operation| check.began >= end.ended;
    let allowance = |check: &Operation| if check.replica == end.replica { Duration::ZERO } else { allowed.elsewhere };
    let standing: Vec<&Operation> = saw(Seen::Stands).filter(after).collect();
    let longest = standing.iter().map(|check| check.began.saturating_sub(end.ended)).max().unwrap_or_default();
    findings.longest = findings.longest.max(longest);
    let last_standing = standing
        .iter()
        .filter(|check| check.began.saturating_sub(end.ended) >= allowance(check))
        .map(|check| check.began)
        .max();
    let last_refused = saw(Seen::Refused).filter(after).map(|check| check.began).max();
    match (last_standing, last_refused) {
        (None, None) => findings.unread += 1,
        (None, Some(_)) => findings.stable += 1,
        (Some(standing), Some(refused)) if refused > standing => findings.stale += 1,
        (Some(_), _) => findings.lost += 1,
    }
}

fn check_unknown(operations: &[Operation], allowed: Allowed, findings: &mut Findings) {
    if operations.iter().any(|operation| operation.event == Event::Revoke(Outcome::Unknown)) {
        findings.unknown += 1;
        let refused = operations.iter().filter(|operation| operation.event == Event::Check(Seen::Refused));
        let Some(refused) = refused.map(|check| check.ended).min() else { return };
        let again = operations.iter().filter(|operation| operation.event == Event::Check(Seen::Stands));
        findings.resurrected +=
            usize::from(again.map(|check| check.began).any(|began| began > refused + allowed.elsewhere));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Operations of one second each, one every two seconds, on replica 0.
    fn one_after_another(events: &[Event]) -> Vec<Operation> {
        let operation = |(position, event): (usize, &Event)| {
            let began = SECOND * u32::try_from(2 * position).unwrap();
            Operation { session: 0, replica: 0, event: *event, began, ended: began + SECOND }
        };
        events.iter().enumerate().map(operation).collect()
    }

    fn problems(events: &[Event]) -> Vec<String> {
        check(&one_after_another(events), Allowed::default()).problems()
    }

    const STANDS: Event = Event::Check(Seen::Stands);
    const REFUSED: Event = Event::Check(Seen::Refused);
    const NOTHING: Event = Event::Check(Seen::Nothing);
    const ENDED: Event = Event::Revoke(Outcome::Done);
    const UNKNOWN: Event = Event::Revoke(Outcome::Unknown);
    const NOT_DONE: Event = Event::Revoke(Outcome::NotDone);

    #[test]
    fn an_end_that_every_later_check_refuses_is_stable() {
        let findings = check(&one_after_another(&[STANDS, ENDED, NOTHING, REFUSED]), Allowed::default());
        assert_eq!((findings.acknowledged, findings.stable, findings.checks), (1, 1, 2));
        assert!(findings.problems().is_empty());
        assert!(problems(&[UNKNOWN, REFUSED, ENDED, REFUSED]).is_empty(), "a repeat that succeeds");
    }

    #[test]
    fn a_token_accepted_after_its_end_is_stale_and_lost_if_it_stays_accepted() {
        assert_eq!(problems(&[ENDED, STANDS, REFUSED]), ["1 stale"]);
        assert_eq!(problems(&[ENDED, REFUSED, STANDS]), ["1 lost"]);
        assert_eq!(problems(&[ENDED, STANDS]), ["1 lost"]);
    }

    #[test]
    fn a_check_that_began_before_the_answer_may_go_either_way() {
        let mut operations = one_after_another(&[ENDED, STANDS, REFUSED]);
        operations[1].began = SECOND / 2;
        assert!(check(&operations, Allowed::default()).problems().is_empty());
    }

    #[test]
    fn another_replica_has_the_time_it_is_allowed_and_the_same_one_has_none() {
        let mut operations = one_after_another(&[ENDED, STANDS, REFUSED]);
        let allowed = Allowed { elsewhere: SECOND * 3 / 2 };
        assert_eq!(check(&operations, allowed).problems(), ["1 stale"]);
        operations[1].replica = 1;
        let findings = check(&operations, allowed);
        assert!(findings.problems().is_empty());
        assert_eq!(findings.longest, SECOND, "what was allowed is measured all the same");
        operations[1].began = SECOND * 3;
        assert_eq!(check(&operations, allowed).problems(), ["1 stale"]);
    }

    #[test]
    fn what_is_unknown_may_go_either_way_but_not_back() {
        for fine in [&[ENDED, REFUSED, UNKNOWN][..], &[UNKNOWN, STANDS, REFUSED], &[UNKNOWN, STANDS, STANDS]] {
            let mut operations = one_after_another(fine);
            operations.extend(one_after_another(&[ENDED, REFUSED]).into_iter().map(|mut operation| {
                operation.session = 1;
                operation
            }));
            assert!(check(&operations, Allowed::default()).problems().is_empty(), "{fine:?}");
        }
        assert!(problems(&[UNKNOWN, REFUSED, STANDS]).contains(&"1 resurrected".to_owned()));
    }

    #[test]
    fn a_session_that_nobody_has_ended_must_stay_valid() {
        let expected = "1 refused although nobody had ended them".to_owned();
        assert!(problems(&[REFUSED, ENDED, REFUSED]).contains(&expected));
        assert!(problems(&[STANDS, REFUSED]).contains(&expected));
    }

    #[test]
    fn a_history_that_proves_nothing_is_a_failure() {
        assert_eq!(problems(&[]).len(), 2);
        assert_eq!(problems(&[NOT_DONE, STANDS]), ["1 history in which nothing was acknowledged"]);
        assert_eq!(
            problems(&[ENDED, NOTHING]),
            ["1 acknowledged and never checked again", "1 history in which nothing was checked"]
        );
    }
}
