//! The key of a token, and its algorithm.

use super::*;

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
fn a_published_key_has_no_private_part() {
    let keyring = Keyring::new(&MasterSecret::generate(&SystemEntropy).unwrap());
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let now = DateTime::UNIX_EPOCH;
        let sealed = SealedSigningKey::generate(&keyring, algorithm, 1, now, now, &SystemEntropy).unwrap();
        let published = serde_json::to_value(open(&[sealed], &keyring, now).published(now)).unwrap();
        let key = &published["keys"][0];
        assert_eq!(key["alg"], algorithm.as_str());
        assert_eq!(key["use"], "sig");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{algorithm:?} {private}");
        }
    }
}
