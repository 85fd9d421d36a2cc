//! The handlers, one file a resource: extract, call the core, convert.

pub(super) mod applications;
pub(super) mod audit;
pub(super) mod cleaning;
pub(super) mod cookie;
pub(super) mod keys;
pub(super) mod live;
pub(super) mod me;
pub(super) mod operation;
pub(super) mod sessions;
pub(super) mod statistics;
pub(super) mod users;
pub(super) mod verify;

use super::error::Native;
use crate::api::extract;
use crate::api::family::Refused;

type Result<T> = std::result::Result<T, Refused<Native>>;
type Actor = extract::Actor<Native>;
type Caller = extract::Caller<Native>;
type Watcher = extract::Watcher<Native>;
type User = extract::User<Native>;
type SessionPath = extract::SessionPath<Native>;
type PathText = extract::PathText<Native>;
type Query<T> = extract::Query<Native, T>;
type Body<T> = extract::Body<Native, T>;
type BodyAndBytes<T> = extract::BodyAndBytes<Native, T>;
type OptionalBody<T> = extract::OptionalBody<Native, T>;
