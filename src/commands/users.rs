//! `sojourn user`: finding users.

use clap::Subcommand;

use super::CommandError;
use super::administration::{operator, print_json};
use super::arguments::{limit, of_arguments};
use crate::api::native::wire;
use crate::sessions::UserQuery;
use crate::setup::Assembled;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Print users, in the order of their ids
    List {
        /// Only users with an id, a name or an email address that begins with this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// Only users with this email address
        #[arg(long)]
        email: Option<String>,
        /// Only banned users, or with false only users who are not banned
        #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
        banned: Option<bool>,
        /// The maximum number of users, from 1 to 200
        #[arg(long, default_value_t = 50, value_parser = limit)]
        limit: u32,
        /// The next_cursor of the previous page
        #[arg(long)]
        cursor: Option<String>,
    },
}

pub(super) async fn user(command: UserCommand, assembled: &Assembled) -> Result<(), CommandError> {
    let UserCommand::List { search, email, banned, limit, cursor } = command;
    let query = UserQuery { text: search, email, banned };
    let page = assembled.sessions.find_users(&operator(), &query, limit, cursor.as_deref()).await;
    print_json(&wire::UserPage::from(page.map_err(of_arguments)?))
}
