//! `sojourn audit`: reading the audit trail.

use clap::Args;

use super::CommandError;
use super::administration::{operator, print_json};
use super::arguments::{limit, of_arguments};
use super::conditions::read_parameters;
use crate::api::native::wire;
use crate::setup::Assembled;

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// Only entries of the service key or session with this id
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only entries of this action, such as session.ended
    #[arg(long)]
    action: Option<String>,
    /// Only entries about the session, user, service key or application with this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only entries of this time or later, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The maximum number of entries, from 1 to 200
    #[arg(long, default_value_t = 50, value_parser = limit)]
    limit: u32,
    /// The next_cursor of the previous page
    #[arg(long)]
    cursor: Option<String>,
}

pub(super) async fn audit(arguments: AuditArguments, assembled: &Assembled) -> Result<(), CommandError> {
    let AuditArguments { actor, action, target, from, to, limit, cursor } = arguments;
    let search: wire::SearchAudit =
        read_parameters(&[("actor", &actor), ("action", &action), ("target", &target), ("from", &from), ("to", &to)])?;
    let filter = search.filter().map_err(|error| of_arguments(error.into()))?;
    let page = assembled.sessions.audit(&operator(), &filter, limit, cursor.as_deref()).await;
    print_json(&wire::AuditPage::from(page.map_err(of_arguments)?))
}
