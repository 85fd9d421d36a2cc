//! The claims of a token with a right signature.

use super::*;

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
