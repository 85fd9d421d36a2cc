//! One-time links: each opens a page once, before its end. Whoever has one needs no other credential, so a link lives for
//! minutes and opens nothing once its maker may do nothing any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::error::{Error, Refusal};
use super::facade::Sessions;
use super::freshness::Freshness;
use crate::model::{LinkPurpose, OneTimeLink, Opener, Session, SessionId, UserId};
use crate::tokens::LinkText;

/// A one-time link to be made.
#[derive(Debug, Clone)]
pub struct LinkDraft {
    /// The page that it opens.
    pub purpose: LinkPurpose,
    /// The user whose page it opens; `None`: it is nobody's.
    pub user: Option<UserId>,
    /// The application whose sessions alone the page shows; `None`: those of all.
    pub application: Option<String>,
    /// The credential that makes it.
    pub made_by: Opener,
    /// The time after which it opens nothing.
    pub lifetime: TimeDelta,
}

impl Sessions {
    /// Makes a one-time link, and answers its text and its end. The caller has decided that the maker may do so.
    pub async fn make_link(&self, draft: LinkDraft) -> Result<(LinkText, DateTime<Utc>), Error> {
        let LinkDraft { purpose, user, application, made_by, lifetime } = draft;
        let text = LinkText::generate(self.parts.entropy.as_ref())?;
        let expires_at = self.now() + lifetime;
        let link = OneTimeLink { purpose, user, application, made_by, expires_at };
        self.store().put_one_time_link(text.hash(), &link).await?;
        let user = link.user.as_ref().map(UserId::as_str);
        tracing::info!(purpose = purpose.as_str(), user, by = %made_by, "one-time link made");
        Ok((text, expires_at))
    }

    /// Takes a one-time link, which opens nothing afterwards. Whatever is wrong with it, the refusal is
    /// [`Refusal::Link`].
    pub async fn take_link(&self, text: &str, purpose: LinkPurpose) -> Result<OneTimeLink, Error> {
        let text = LinkText::parse(text).map_err(|_| Refusal::Link)?;
        let link = self.store().take_one_time_link(text.hash(), purpose, self.now()).await?.ok_or(Refusal::Link)?;
        if !self.may_still_act(link.made_by).await? {
            return Err(Refusal::Link.into());
        }
        let user = link.user.as_ref().map(UserId::as_str);
        tracing::info!(purpose = purpose.as_str(), user, made_by = %link.made_by, "one-time link taken");
        Ok(link)
    }

    /// Whether a credential that was good once has been neither revoked nor ended since, and has not expired.
    pub(super) async fn may_still_act(&self, credential: Opener) -> Result<bool, Error> {
        let now = self.now();
        match credential {
            Opener::CommandLine => Ok(true),
            Opener::BootstrapKey => Ok(self.parts.bootstrap_key.as_ref().is_some_and(|key| key.is_active(now))),
            Opener::Key(id) => {
                let key = self.service_key(id, Freshness::Strict).await?;
                Ok(key.is_some_and(|key| key.is_active(now)))
            }
            Opener::Session(id) => Ok(self.session_that_may_act(id).await?.is_some()),
        }
    }

    /// A session as it is stored now, if it is active.
    pub(super) async fn session_that_may_act(&self, id: SessionId) -> Result<Option<Session>, Error> {
        let found = self.session_loader.submit(id).await?;
        let active = found.filter(|found| self.check_active(found, self.now()).is_ok());
        Ok(active.map(|active| active.session))
    }
}
