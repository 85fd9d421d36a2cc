//! Access tokens that are refused. Each is signed with a current key, unless the case is about the key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};

use super::*;
use crate::clock::SystemEntropy;
use crate::model::{Algorithm, Device, ExtraClaims, Metadata, Scope};
use crate::tokens::keyring::Keyring;
use crate::tokens::master_secret::MasterSecret;
use crate::tokens::signing::{Algorithms, SealedSigningKey};

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

#[test]
fn a_minted_token_says_whose_it_is_with_every_algorithm() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let fixture = Fixture::new(algorithm);
        let claims = fixture.tokens.verify(&fixture.mint(), fixture.now).unwrap();
        assert_eq!(claims.session_id, SessionId::from_uuid(Uuid::from_u128(7)));
        assert_eq!(claims.user_id.as_str(), "1001");
        assert_eq!(claims.refresh_counter, 3);
        assert_eq!(claims.expires_at, fixture.now + TimeDelta::minutes(5));
        let by_hand = fixture.with_claims(|_| ());
        assert!(fixture.tokens.verify(&by_hand, fixture.now).is_ok(), "what the other cases start from is good");
    }
}

#[test]
fn a_token_never_outlives_its_session() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let mut session = fixture.session();
    session.expires_at = fixture.now + TimeDelta::seconds(42);
    let (token, lifetime) =
        fixture.tokens.mint(&session, Uuid::from_u128(1), TimeDelta::minutes(5), fixture.now).unwrap();
    assert_eq!(lifetime, TimeDelta::seconds(42));
    let claims = fixture.tokens.verify(token.expose(), fixture.now).unwrap();
    assert_eq!(claims.expires_at, session.expires_at);
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for name in ["none", "None", "nOnE", "NONE"] {
        let header = json!({ "typ": "at+jwt", "alg": name, "kid": fixture.kid() }).to_string();
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(fixture.claims().to_string()));
        assert_eq!(fixture.refusal(&format!("{message}.")), TokenError::Malformed);
        assert_eq!(fixture.refusal(&format!("{message}.AAAA")), TokenError::Malformed);
    }
    let token = fixture.mint();
    let unsigned = &token[..=token.rfind('.').unwrap()];
    assert_eq!(fixture.refusal(unsigned), TokenError::Signature);
}

#[test]
fn a_public_key_is_no_hmac_secret_and_no_algorithm_passes_for_another() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let fixture = Fixture::new(algorithm);
        let public = serde_json::to_string(&fixture.tokens.published(fixture.now).keys[0]).unwrap();
        for secret in [public.as_bytes(), b"".as_slice()] {
            for name in ["HS256", "HS512", "hs256", "RS256", "ES256", "EdDSA"] {
                if name == algorithm.as_str() {
                    continue;
                }
                let header = json!({ "typ": "at+jwt", "alg": name, "kid": fixture.kid() }).to_string();
                let message = format!(
                    "{}.{}",
                    URL_SAFE_NO_PAD.encode(header),
                    URL_SAFE_NO_PAD.encode(fixture.claims().to_string())
                );
                let key = EncodingKey::from_secret(secret);
                let code =
                    jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
                let refusal = fixture.refusal(&format!("{message}.{code}"));
                assert!(matches!(refusal, TokenError::Signature | TokenError::Malformed), "{name}: {refusal:?}");
            }
        }
    }
}

#[test]
fn times_must_be_there_whole_and_sensible() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let now = fixture.now.timestamp();
    let refused = |name: &str, value: Value| fixture.refusal(&fixture.with_claims(|claims| claims[name] = value));
    for name in ["exp", "iat"] {
        for value in [Value::Null, json!("1800000300"), json!(1.8e9), json!([now]), json!(1e300), json!(i64::MAX)] {
            assert_eq!(refused(name, value.clone()), TokenError::Claims, "{name} {value}");
        }
        assert_eq!(
            fixture.refusal(&fixture.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)))),
            TokenError::Claims
        );
    }
    for exp in ["1e400", "18446744073709551615", "-1e400"] {
        let payload =
            fixture.claims().to_string().replace(&format!("\"exp\":{}", now + 300), &format!("\"exp\":{exp}"));
        assert!(payload.contains(exp));
        assert_eq!(
            fixture.refusal(&fixture.sign(&fixture.header().to_string(), payload.as_bytes())),
            TokenError::Claims
        );
    }
    assert_eq!(refused("exp", json!(-1)), TokenError::Expired);
    assert_eq!(refused("exp", json!(now)), TokenError::Expired);
    assert_eq!(refused("exp", json!(now - 1)), TokenError::Expired);
    assert_eq!(refused("exp", json!(now - 59)), TokenError::Expired);
    assert_eq!(refused("exp", json!(253_402_300_799_i64)), TokenError::Claims, "the year 9999");
    assert_eq!(refused("exp", json!(now + 3601)), TokenError::Claims, "longer than any token of ours lives");
    assert_eq!(refused("nbf", json!(now + 6)), TokenError::Premature);
    assert_eq!(refused("nbf", json!("soon")), TokenError::Claims);
    assert_eq!(refused("iat", json!(now + 6)), TokenError::Premature);
    let nearly = fixture.with_claims(|claims| claims["iat"] = json!(now + 5));
    assert!(fixture.tokens.verify(&nearly, fixture.now).is_ok(), "clocks of replicas differ a little");
}

#[test]
fn a_token_that_expired_can_still_be_given_back() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = fixture.mint();
    let later = fixture.now + TimeDelta::minutes(10);
    assert_eq!(fixture.tokens.verify(&token, later), Err(TokenError::Expired));
    assert!(fixture.tokens.verify_owner(&token, later).is_ok());
}

#[test]
fn issuer_and_audience_must_be_ours_and_nothing_like_them() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for (name, ours, refusal) in [("iss", ISSUER, TokenError::Issuer), ("aud", AUDIENCE, TokenError::Audience)] {
        let refused = |value: Value| fixture.refusal(&fixture.with_claims(|claims| claims[name] = value));
        assert_eq!(refused(json!("https://elsewhere.example.org")), refusal);
        assert_eq!(refused(json!("")), refusal);
        assert_eq!(refused(json!(ours.to_uppercase())), refusal);
        assert_eq!(refused(json!({ "is": ours })), TokenError::Claims);
        assert_eq!(refused(Value::Null), TokenError::Claims);
        let without = fixture.with_claims(|claims| drop(claims.as_object_mut().unwrap().remove(name)));
        assert_eq!(fixture.refusal(&without), TokenError::Claims);
    }
    assert_eq!(fixture.refusal(&fixture.with_claims(|claims| claims["iss"] = json!([ISSUER]))), TokenError::Claims);
}

/// RFC 7519 section 4.1.3.
#[test]
fn one_of_several_audiences_must_be_ours_or_an_application_s() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = |value: Value| fixture.with_claims(|claims| claims["aud"] = value);
    assert_eq!(fixture.refusal(&token(json!([]))), TokenError::Audience);
    assert_eq!(fixture.refusal(&token(json!(["shop", "elsewhere"]))), TokenError::Audience);
    assert!(fixture.tokens.verify(&token(json!(["elsewhere", AUDIENCE])), fixture.now).is_ok());
    fixture.tokens.accept_audiences(["shop".to_owned()].into());
    for accepted in [json!("shop"), json!(["elsewhere", "shop"]), json!(AUDIENCE)] {
        assert!(fixture.tokens.verify(&token(accepted), fixture.now).is_ok());
    }
}

#[test]
fn the_subject_must_be_a_user_id() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for value in [json!(""), json!(1001), json!("a\u{0}b"), json!("a\nb"), json!("x".repeat(300)), Value::Null] {
        let token = fixture.with_claims(|claims| claims["sub"] = value.clone());
        assert_eq!(fixture.refusal(&token), TokenError::Claims, "{value}");
    }
    let huge = fixture.with_claims(|claims| claims["sub"] = json!("x".repeat(200_000)));
    assert_eq!(fixture.refusal(&huge), TokenError::Malformed, "too long to be looked at");
    for value in [json!("not-a-uuid"), json!(7), Value::Null] {
        let token = fixture.with_claims(|claims| claims["sid"] = value.clone());
        assert_eq!(fixture.refusal(&token), TokenError::Claims, "{value}");
    }
}

#[test]
fn only_an_access_token_is_an_access_token() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for typ in [json!("JWT"), json!("logout+jwt"), json!("secevent+jwt"), json!("rt+jwt"), json!(""), Value::Null] {
        let token = fixture.with_header(|header| header["typ"] = typ.clone());
        assert_eq!(fixture.refusal(&token), TokenError::WrongType, "{typ}");
    }
    for typ in ["AT+JWT", "application/at+jwt"] {
        let token = fixture.with_header(|header| header["typ"] = json!(typ));
        assert!(fixture.tokens.verify(&token, fixture.now).is_ok(), "{typ} is the same (RFC 9068 section 4)");
    }
    for text in ["", "sjr_", "sjs_", "sjk_", "a.b.c", "...", "..", "Bearer x"] {
        assert!(matches!(fixture.refusal(text), TokenError::Malformed), "{text}");
    }
}

#[test]
fn an_unknown_critical_header_is_refused() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for crit in [json!(["x"]), json!([]), json!(["exp"]), json!(["b64"])] {
        let token = fixture.with_header(|header| {
            header["crit"] = crit.clone();
            header["x"] = json!("y");
        });
        assert_eq!(fixture.refusal(&token), TokenError::Critical, "{crit}");
    }
    let as_text = fixture.with_header(|header| header["crit"] = json!("x"));
    assert_eq!(fixture.refusal(&as_text), TokenError::Malformed);
    let unencoded = fixture.with_header(|header| header["b64"] = json!(false));
    assert_eq!(fixture.refusal(&unencoded), TokenError::Critical);
}

#[test]
fn the_key_is_found_by_its_exact_name_among_ours() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for kid in ["", "' or 1=1--", "../../etc/passwd", "a\u{0}b", &"k".repeat(65), &fixture.kid().to_uppercase()] {
        let token = fixture.with_header(|header| header["kid"] = json!(kid));
        assert_eq!(fixture.refusal(&token), TokenError::UnknownKey, "{kid}");
    }
    let without = fixture.with_header(|header| drop(header.as_object_mut().unwrap().remove("kid")));
    assert_eq!(fixture.refusal(&without), TokenError::UnknownKey);
    let long = fixture.with_header(|header| header["kid"] = json!("k".repeat(100_000)));
    assert_eq!(fixture.refusal(&long), TokenError::Malformed);
}

#[test]
fn a_key_that_the_token_brings_along_is_not_looked_at() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let stranger = Fixture::new(Algorithm::EdDsa);
    let their_key = serde_json::to_value(&stranger.tokens.published(stranger.now).keys[0]).unwrap();
    let token = stranger.with_header(|header| {
        header["kid"] = json!(fixture.kid());
        header["jwk"] = their_key;
        header["jku"] = json!("http://127.0.0.1:9/keys");
        header["x5u"] = json!("http://127.0.0.1:9/chain");
    });
    assert_eq!(fixture.refusal(&token), TokenError::Signature);
}

#[test]
fn no_changed_character_of_the_signature_passes() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = fixture.mint();
    let signature = token.rfind('.').unwrap() + 1;
    for index in signature..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        assert_eq!(fixture.refusal(std::str::from_utf8(&changed).unwrap()), TokenError::Signature, "{index}");
    }
    for cut in 1..40 {
        assert_eq!(fixture.refusal(&token[..token.len() - cut]), TokenError::Signature, "{cut}");
    }
}

#[test]
fn no_changed_bit_of_the_payload_passes() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = fixture.mint();
    let parts: Vec<&str> = token.split('.').collect();
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    for index in 0..payload.len() {
        let mut changed = payload.clone();
        changed[index] ^= 1;
        let changed = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(changed), parts[2]);
        assert_eq!(fixture.refusal(&changed), TokenError::Signature, "{index}");
    }
}

#[test]
fn a_token_written_in_another_way_is_another_token() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = fixture.mint();
    let ways = [
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}\u{0}"),
        format!("{token}.{token}"),
        format!("{token}.a"),
        token.replace('.', ".."),
        format!("{{\"payload\":\"{token}\"}}"),
        format!("\u{feff}{token}"),
    ];
    for way in &ways {
        assert!(matches!(fixture.refusal(way), TokenError::Malformed | TokenError::Signature), "{way:?}");
    }
}

#[test]
fn a_payload_that_is_not_one_plain_object_is_refused() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let good = fixture.claims().to_string();
    let twice = good.replacen('{', "{\"sub\":\"2002\",", 1);
    let nested = format!("{}{}", "[".repeat(1500), "]".repeat(1500));
    let payloads: [&[u8]; 7] =
        [b"", b"[]", b"null", twice.as_bytes(), nested.as_bytes(), b"{\"sub\":\"\xff\"}", b"\xef\xbb\xbf{}"];
    for payload in payloads {
        let token = fixture.sign(&fixture.header().to_string(), payload);
        assert_eq!(fixture.refusal(&token), TokenError::Claims, "{} bytes", payload.len());
    }
}

#[test]
fn enormous_tokens_are_refused_before_they_are_read() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for token in [".".repeat(1_000_000), "a".repeat(1_000_000), format!("{}.{}.{}", "a".repeat(9000), "b", "c")] {
        assert_eq!(fixture.refusal(&token), TokenError::Malformed);
    }
}

#[test]
fn a_token_of_a_retired_key_dies_with_the_overlap() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let token = fixture.mint();
    let first =
        SealedSigningKey::generate(&fixture.keyring, Algorithm::EdDsa, 1, fixture.now, fixture.now, &SystemEntropy);
    let turn = fixture.now + TimeDelta::minutes(1);
    let second = SealedSigningKey::generate(&fixture.keyring, Algorithm::EdDsa, 2, fixture.now, turn, &SystemEntropy);
    let both = [first.unwrap(), second.unwrap()];
    fixture.tokens.replace_keys(open(&both, &fixture.keyring, fixture.now));
    assert_eq!(fixture.refusal(&token), TokenError::UnknownKey, "its key is not among them any more");

    let token = fixture.mint();
    let last = turn + MAX_ACCESS_TOKEN_LIFETIME + TimeDelta::minutes(1);
    let shortly_before = last - TimeDelta::seconds(1);
    assert!(fixture.tokens.verify_owner(&token, shortly_before).is_ok());
    assert_eq!(fixture.tokens.verify_owner(&token, last), Err(TokenError::UnknownKey));
}

/// RFC 8725 section 3.1: the key alone decides the algorithm.
#[test]
fn a_token_of_one_line_is_never_taken_with_a_key_of_another() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let generate = |algorithm, sequence| {
        SealedSigningKey::generate(&fixture.keyring, algorithm, sequence, fixture.now, fixture.now, &SystemEntropy)
    };
    let [first, second] = [(Algorithm::EdDsa, 1), (Algorithm::Es256, 2)].map(|(algorithm, sequence)| {
        let key = generate(algorithm, sequence).unwrap();
        (key.kid.clone(), key)
    });
    fixture.tokens.replace_keys(open(&[first.1, second.1], &fixture.keyring, fixture.now));
    let shop = ApplicationSettings { signing_algorithm: Some(Algorithm::Es256), ..ApplicationSettings::default() };
    let mint = |settings| {
        let minted =
            fixture.tokens.mint_for(settings, &fixture.session(), Uuid::nil(), TimeDelta::minutes(5), fixture.now);
        minted.unwrap().0.expose().to_owned()
    };
    let header = |token: &str| jsonwebtoken::decode_header(token).unwrap();
    for (settings, kid, other, algorithm) in [
        (None, &first.0, &second.0, jsonwebtoken::Algorithm::EdDSA),
        (Some(&shop), &second.0, &first.0, jsonwebtoken::Algorithm::ES256),
    ] {
        let token = mint(settings);
        assert_eq!((header(&token).kid.as_ref(), header(&token).alg), (Some(kid), algorithm));
        assert!(fixture.tokens.verify(&token, fixture.now).is_ok());
        let (payload, signature) = token.split_once('.').unwrap().1.split_once('.').unwrap();
        for (kid, alg) in [(other, json!(algorithm)), (kid, json!("HS256")), (other, json!("none"))] {
            let forged = json!({ "typ": "at+jwt", "alg": alg, "kid": kid }).to_string();
            let forged = format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(forged));
            fixture.refusal(&forged);
        }
    }
}

#[test]
fn extra_claims_are_those_that_the_application_allows_and_never_one_of_ours() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    let mut session = fixture.session();
    session.claims = Some(ExtraClaims::from_json(r#"{"roles":["a"],"secret":1,"sub":"mallory"}"#.to_owned()));
    let payload = |names: &[&str]| -> Value {
        let claims = names.iter().map(|name| (*name).to_owned()).collect();
        let settings = ApplicationSettings { claims, ..ApplicationSettings::default() };
        let lifetime = TimeDelta::minutes(5);
        let token = fixture.tokens.mint_for(Some(&settings), &session, Uuid::nil(), lifetime, fixture.now).unwrap().0;
        assert!(fixture.tokens.verify(token.expose(), fixture.now).is_ok());
        let payload = token.expose().split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    };
    // As if a later version reserved a name that is listed.
    let claims = payload(&["roles", "sub"]);
    assert_eq!((&claims["roles"], &claims["sub"], claims.get("secret")), (&json!(["a"]), &json!("1001"), None));
    assert_eq!(payload(&[]).get("roles"), None);
}
