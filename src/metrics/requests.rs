//! The metrics of requests, by route.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use metrics::{Counter, Histogram};

use super::table::{REQUEST_SECONDS, REQUESTS};
use super::words::{Method, StatusClass};

/// A route, as the metrics name it.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    /// The family of the route, or [`Route::NO_FAMILY`].
    pub family: &'static str,
    /// The template of the path.
    pub path: &'a str,
}

impl Route<'_> {
    /// The word for a route of no family.
    pub const NO_FAMILY: &'static str = "none";
    /// The place of requests that no route takes.
    const UNMATCHED: Route<'static> = Route { family: Self::NO_FAMILY, path: "unmatched" };
}

/// The classes of status of every operation.
const ANSWERS: [StatusClass; 3] = [StatusClass::Success, StatusClass::ClientError, StatusClass::ServerError];

/// The metrics of one route. The handles are kept, because a look-up by labels costs much more than a record.
struct Series {
    durations: Histogram,
    answers: Vec<((Method, StatusClass), Counter)>,
}

impl Series {
    fn new(route: Route<'_>) -> Self {
        let durations = REQUEST_SECONDS.histogram_of_route([route.family.into(), route.path.to_owned().into()]);
        Self { durations, answers: Vec::new() }
    }

    fn takes(&self, method: Method) -> bool {
        self.answers.iter().any(|((taken, _), _)| *taken == method)
    }

    fn counter(&self, answer: (Method, StatusClass)) -> Option<&Counter> {
        self.answers.iter().find(|(known, _)| *known == answer).map(|(_, counter)| counter)
    }
}

/// The metrics of all routes, by path.
#[derive(Default)]
pub(super) struct Routes(RwLock<BTreeMap<String, Series>>);

impl Routes {
    /// The metrics of requests that no route takes.
    pub(super) fn new() -> Self {
        let routes = Self::default();
        for method in Method::ALL {
            routes.announce(Route::UNMATCHED, *method, false);
        }
        routes
    }

    /// Lets the series of an operation begin at 0.
    pub(super) fn announce(&self, route: Route<'_>, method: Method, redirects: bool) {
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let series = routes.entry(route.path.to_owned()).or_insert_with(|| Series::new(route));
        let redirection = redirects.then_some(StatusClass::Redirection);
        for class in ANSWERS.into_iter().chain(redirection) {
            if series.counter((method, class)).is_none() {
                let labels = [route.family, method.as_str(), class.as_str()];
                let [family, method_word, class_word] = labels.map(Into::into);
                let counter =
                    REQUESTS.counter_of_route([family, route.path.to_owned().into(), method_word, class_word]);
                series.answers.push(((method, class), counter));
            }
        }
    }

    /// Records an answer. One to a method that the route does not take counts as unmatched.
    pub(super) fn answered(&self, path: Option<&str>, method: Method, class: StatusClass, took: Duration) {
        let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let matched = path.and_then(|path| routes.get(path));
        debug_assert!(path.is_none() || matched.is_some(), "the route {path:?} is not announced");
        let takes = |method: Method| matched.filter(|series| series.takes(method)).map(|series| (series, method));
        let unmatched = || routes.get(Route::UNMATCHED.path).map(|series| (series, method));
        let Some((series, method)) = takes(method).or_else(|| takes(Method::Other)).or_else(unmatched) else { return };
        series.durations.record(took.as_secs_f64());
        let counter = series.counter((method, class));
        debug_assert!(counter.is_some(), "{path:?} answers {method:?} by {class:?}, which is not announced");
        if let Some(counter) = counter {
            counter.increment(1);
        }
    }
}
