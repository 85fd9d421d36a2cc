//! The refusals that several operations document, each in one wording. Refusals of one operation are in its annotation.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema as _};

use super::error::Problem;

/// Declares types for the list `responses(…)` of an annotation. The schema of [`Problem`] is collected from the
/// annotations that name it.
macro_rules! problems {
    ($($name:ident: $($status:literal $description:literal),+;)+) => {$(
        pub(super) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([$(problem($status, $description)),+])
            }
        }
    )+};
}

problems! {
    Unauthenticated: 401 "No valid credential";
    NotAUser: 401 "No valid credential of a user";
    NotValid: 401 "The token is missing or not valid, or is a service key";
    NeedsRead: 403 "`sessions:read` is needed";
    NeedsAdmin: 403 "`sessions:admin` is needed";
    NeedsRecent: 403 "`insufficient_user_authentication`, if the server wants a recent authentication of users for this";
    NeedsAdminRecent: 403 "`sessions:admin` is needed; or `insufficient_user_authentication`, if the server wants a recent authentication of users for this";
    ServiceNeedsRead: 403 "A service needs `sessions:read`";
    NoSuchSession: 404 "No such session, or another user's";
    NoSuchUser: 404 "No such user";
    NoSuchApplication: 404 "No such application";
    NoSuchKey: 404 "No such key";
    NotActive: 409 "The session has ended or expired";
    BadQuery: 400 "The query cannot be read";
    BadBody: 400 "The body cannot be read", 413 "Over 64 KiB", 415 "Not JSON";
    BadFields: 422 "Invalid fields";
    BadUserId: 422 "Invalid user id";
    NoStream: 503 "`too_many_streams`, or `unavailable`";
}

fn problem(status: u16, description: &str) -> (String, RefOr<Response>) {
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let response = ResponseBuilder::new().description(description).content("application/problem+json", content);
    (status.to_string(), RefOr::T(response.build()))
}
