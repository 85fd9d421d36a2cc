//! Minting and verifying tokens.
//!
//! The four kinds each have a form of their own: access tokens (JWT), refresh tokens (`sjr_`), session tokens (`sjs_`)
//! and service keys (`sjk_`). Whether the session behind a token is active is not decided here. One-time links (`sjl_`)
//! are no tokens: each opens a page once.

mod access;
mod error;
mod extra_claims;
mod form;
mod key_set;
mod keyring;
mod lifetime;
mod master_secret;
mod one_time_link;
mod opaque;
mod secret;
mod service_key;
mod signing;

pub use access::{AccessClaims, AccessTokens, client_id_of};
pub use error::TokenError;
pub use extra_claims::{ClaimMembers, MAX_EXTRA_CLAIMS_BYTES, ReadClaims, check_claim_name};
pub use form::Form;
pub use key_set::{Algorithms, KeyInUse, KeySet, NoSigningKey, PUBLICATION_LEAD, WANTED_FOR};
pub use keyring::{Keyring, fingerprint};
pub use lifetime::{MAX_ACCESS_TOKEN_LIFETIME, MIN_ACCESS_TOKEN_LIFETIME};
pub use master_secret::{MasterSecret, MasterSecretError, SecretId, is_weak};
pub use one_time_link::LinkText;
pub use opaque::{Derived, RefreshToken, SessionToken};
pub use secret::Secret;
pub use service_key::{BootstrapKey, NewServiceKey, ServiceKey, StoredServiceKey};
pub use signing::{SealedSigningKey, SigningKeyError};
