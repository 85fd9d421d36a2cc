//! Access tokens that are minted, accepted and refused.

mod claims;
mod form;
mod keys;
mod minting;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;
use crate::clock::SystemEntropy;
use crate::model::{Algorithm, Device, ExtraClaims, Metadata, Scope};
use crate::tokens::key_set::Algorithms;
use crate::tokens::keyring::Keyring;
use crate::tokens::master_secret::MasterSecret;
use crate::tokens::signing::SealedSigningKey;

const ISSUER: &str = "https://sessions.example.org";
const AUDIENCE: &str = "applications";

/// The keys of a server with the algorithm of the first one, and an application with that of the last one.
fn open(sealed: &[SealedSigningKey], keyring: &Keyring, now: DateTime<Utc>) -> KeySet {
    let (first, last) = (sealed.first().unwrap().algorithm, sealed.last().unwrap().algorithm);
    let algorithms = Algorithms { server: first, of_applications: BTreeSet::from([last]) };
    KeySet::open(sealed, algorithms, keyring, now).unwrap()
}

struct Fixture {
    tokens: AccessTokens,
    keyring: Keyring,
    now: DateTime<Utc>,
}

impl Fixture {
    fn new(algorithm: Algorithm) -> Self {
        let keyring = Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap());
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let key = SealedSigningKey::generate(&keyring, algorithm, 1, now, now, &SystemEntropy).unwrap();
        let keys = open(&[key], &keyring, now);
        Self { tokens: AccessTokens::new(ISSUER.to_owned(), AUDIENCE.to_owned(), keys), keyring, now }
    }

    fn session(&self) -> Session {
        Session {
            id: SessionId::from_uuid(Uuid::from_u128(7)),
            user_id: UserId::parse("1001").unwrap(),
            created_at: self.now,
            last_seen_at: self.now,
            expires_at: self.now + TimeDelta::days(1),
            absolute_expires_at: self.now + TimeDelta::days(1),
            idle_timeout: None,
            ended: None,
            refresh_counter: 3,
            confirmed_counter: 0,
            client_id: None,
            ip_address: None,
            location: None,
            place: None,
            last_seen_from: None,
            user_agent: None,
            device: Device::default(),
            scope: Scope::default(),
            acr: None,
            amr: Vec::new(),
            metadata: Metadata::default(),
            opened_by: None,
            authenticated_at: self.now - TimeDelta::minutes(1),
            least_counter: 0,
            claims: None,
        }
    }

    fn mint(&self) -> String {
        let minted = self.tokens.mint(&self.session(), Uuid::from_u128(1), TimeDelta::minutes(5), self.now);
        minted.unwrap().0.expose().to_owned()
    }

    fn kid(&self) -> String {
        self.tokens.keys().signing(None, self.now).unwrap().kid.clone()
    }

    fn header(&self) -> Value {
        let algorithm = self.tokens.keys().signing(None, self.now).unwrap().algorithm.as_str();
        json!({ "typ": "at+jwt", "alg": algorithm, "kid": self.kid() })
    }

    fn claims(&self) -> Value {
        let now = self.now.timestamp();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "1001", "sid": Uuid::from_u128(7), "jti": "1", "iat": now,
            "exp": now + 300, "auth_time": now, "client_id": "web",
        })
    }

    /// A token with any header and payload and a right signature.
    fn sign(&self, header: &str, payload: &[u8]) -> String {
        let keys = self.tokens.keys();
        let key = keys.signing(None, self.now).unwrap();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(key.signer.sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }

    fn with_header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.sign(&header.to_string(), self.claims().to_string().as_bytes())
    }

    fn with_claims(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.claims();
        change(&mut claims);
        self.sign(&self.header().to_string(), claims.to_string().as_bytes())
    }

    fn refusal(&self, token: &str) -> TokenError {
        match self.tokens.verify(token, self.now) {
            Err(refusal) => refusal,
            Ok(claims) => panic!("{token} was taken: {claims:?}"),
        }
    }
}
