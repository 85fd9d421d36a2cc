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

/// Where browsers find the console; `None`: there is none.
pub(super) struct ConsoleUrl(Option<String>);

impl ConsoleUrl {
    /// The console at the issuer's URL, which is that of the server, or else where it listens.
    pub(super) fn read(source: &Source) -> Result<Self, CommandError> {
        let base = match HttpConfig::read(source)?.console {
            ConsoleAddress::None => return Ok(Self(None)),
            ConsoleAddress::Own(address) => local(&address),
            ConsoleAddress::Main if config::has_issuer(source) => TokenConfig::read(source)?.issuer,
            ConsoleAddress::Main => local(&listen_address(source)?),
        };
        Ok(Self(Some(base)))
    }

    /// The URL of a new one-time link. `None` without a console.
    pub(super) async fn link(&self, sessions: &Sessions) -> Result<Option<String>, CommandError> {
        let Self(Some(base)) = self else { return Ok(None) };
        let link = sessions.make_console_link().await?;
        Ok(Some(format!("{}/admin#{}", base.trim_end_matches('/'), link.expose())))
    }
}

/// The URL of an address that a server listens on, as a browser on the same machine reaches it.
fn local(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(all) if all.ip().is_unspecified() => format!("http://localhost:{}", all.port()),
        _ => format!("http://{address}"),
    }
}

pub(super) async fn console(
    command: &ConsoleCommand,
    url: &ConsoleUrl,
    assembled: &Assembled,
) -> Result<(), CommandError> {
    let ConsoleCommand::Link = command;
    match url.link(&assembled.sessions).await? {
        Some(link) => print(&link),
        None => Err(CommandError::Other("SOJOURN_CONSOLE is off".to_owned())),
    }
}
