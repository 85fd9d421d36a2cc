//! `sojourn console`: the way into the console without a key.

use std::net::SocketAddr;

use clap::Subcommand;

use super::{CommandError, print};
use crate::config::{self, ConsoleAddress, HttpConfig, Source, TokenConfig, listen_address};
use crate::sessions::Sessions;
use crate::setup::Assembled;

#[derive(Debug, Subcommand)]
pub(super) enum ConsoleCommand {
    /// Print a link that signs in to the console as an administrator: once, within 15 minutes
    Link,
}

pub(super) async fn console(
    command: &ConsoleCommand,
    page: Option<String>,
    assembled: &Assembled,
) -> Result<(), CommandError> {
    let ConsoleCommand::Link = command;
    match page {
        Some(page) => print(&link(&page, &assembled.sessions).await?),
        None => Err(CommandError::Other("SOJOURN_CONSOLE is off".to_owned())),
    }
}

/// The console's page as the settings tell it; `None`: there is no console.
pub(super) fn configured_page(source: &Source) -> Result<Option<String>, CommandError> {
    Ok(match HttpConfig::read(source)?.console {
        ConsoleAddress::None => None,
        ConsoleAddress::Own(address) => Some(page(None, &address)),
        ConsoleAddress::Main => {
            let issuer = if config::has_issuer(source) { Some(TokenConfig::read(source)?.issuer) } else { None };
            Some(page(issuer.as_deref(), &listen_address(source)?))
        }
    })
}

/// The URL of the console's page: below the issuer, which is the URL of the server, or else where the server listens, as a
/// browser on the same machine reaches it.
pub(super) fn page(issuer: Option<&str>, address: &str) -> String {
    match (issuer, address.parse::<SocketAddr>()) {
        (Some(issuer), _) => format!("{}/admin", issuer.trim_end_matches('/')),
        (None, Ok(all)) if all.ip().is_unspecified() => format!("http://localhost:{}/admin", all.port()),
        (None, _) => format!("http://{address}/admin"),
    }
}

/// The URL of the page with a new one-time link.
pub(super) async fn link(page: &str, sessions: &Sessions) -> Result<String, CommandError> {
    Ok(format!("{page}#{}", sessions.make_console_link().await?.expose()))
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn the_page_is_below_the_issuer_or_where_the_server_listens() {
        assert_eq!(page(Some("https://auth.example/sojourn/"), "0.0.0.0:8080"), "https://auth.example/sojourn/admin");
        assert_eq!(page(None, "0.0.0.0:8080"), "http://localhost:8080/admin");
        assert_eq!(page(None, "[::]:8080"), "http://localhost:8080/admin");
        assert_eq!(page(None, "127.0.0.1:8080"), "http://127.0.0.1:8080/admin");
        assert_eq!(page(None, "db.internal:8080"), "http://db.internal:8080/admin");
    }
}
