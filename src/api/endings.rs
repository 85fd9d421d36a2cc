//! Requests that only end sessions: people must be able to sign out even when the server is overloaded.

use axum::http::Method;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;

use super::family::Family;
use crate::model::SessionId;

/// The mark of requests on a reserved connection, where only health checks and requests that end sessions are answered.
#[derive(Debug, Clone, Copy)]
pub struct Reserved;

/// Whether a request does nothing but end sessions.
pub(super) fn only_ends_sessions<F: Family>(method: &Method, path: &str) -> bool {
    match *method {
        // Gateways check with the method of the request that they guard.
        Method::DELETE => !is_check(path) && !F::OTHER_DELETIONS.iter().any(|other| path.starts_with(other)),
        Method::POST => F::is_ending_post(path),
        _ => false,
    }
}

/// Whether a path is that of a gateway's check, which has the method of the request that the gateway guards.
pub(super) fn is_check(path: &str) -> bool {
    path == "/v1/verify" || ["/v1/verify/", "/v1/require/"].iter().any(|check| path.starts_with(check))
}

/// Whether a request ends the very session that it comes with, so that it cannot be repeated.
pub(super) fn ends_own_session<F: Family>(parts: &Parts, own: SessionId) -> bool {
    let uri = &parts.uri;
    let path = uri.path().strip_suffix("/end").unwrap_or(uri.path());
    let is_named = path.rsplit('/').next().is_some_and(|last| last == own.to_string());
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    uri.query().is_none() && is_named || F::ENDS_OWN_SESSION.contains(&target)
}

/// Whether a request with this head only ends sessions.
pub(super) fn is_ending<F: Family>(parts: &Parts) -> bool {
    only_ends_sessions::<F>(&parts.method, parts.uri.path())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::blackbox::Blackbox;
    use crate::api::native::Native;
    use crate::api::native::oauth::OAuth;

    /// The answer of [`only_ends_sessions`] in the family of the path, or in Blackbox for paths of the others.
    fn only_ends(method: &Method, path: &str) -> bool {
        match path {
            _ if path.starts_with("/v1") => only_ends_sessions::<Native>(method, path),
            _ if path.starts_with("/oauth2") => only_ends_sessions::<OAuth>(method, path),
            _ => only_ends_sessions::<Blackbox>(method, path),
        }
    }

    #[test]
    fn every_operation_that_ends_sessions_is_known_and_no_other() {
        let document = crate::api::document().unwrap();
        let (mut path, mut method, mut others) = (String::new(), Method::GET, BTreeSet::new());
        for line in document.lines() {
            let key = line.trim().trim_end_matches(':');
            if line.starts_with("  /") {
                path = key.replace(['{', '}'], "");
            } else if let Ok(found) = key.to_uppercase().parse()
                && [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(&found)
            {
                method = found;
            } else if let Some(operation) = key.strip_prefix("operationId: ")
                && method != Method::GET
                && !only_ends(&method, &path)
            {
                others.insert(operation.to_owned());
            }
        }
        let expected = [
            "authenticateSession",
            "blackbox_cleanup_expired_sessions",
            "blackbox_extend_session",
            "changeApplication",
            "changeSession",
            "cleanUp",
            "createAccountLink",
            "createApplication",
            "createKey",
            "deleteApplication",
            "extendSession",
            "introspectToken",
            "openSession",
            "putUser",
            "refreshToken",
            "rotateSigningKeys",
            "setSessionCookie",
            "unbanUser",
        ];
        assert_eq!(others, expected.map(str::to_owned).into());
    }

    #[test]
    fn a_gateway_s_check_of_a_deletion_is_a_check() {
        for check in ["/v1/verify", "/v1/verify/orders/7", "/v1/require/scope=a/orders/7"] {
            assert!(!only_ends(&Method::DELETE, check));
        }
        assert!(!only_ends(&Method::POST, "/v1/verify/v1/sessions/revoke"));
    }
}
