//! The text of a token: header, encoding, signature and length.

use super::*;

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
fn enormous_tokens_are_refused_before_they_are_read() {
    let fixture = Fixture::new(Algorithm::EdDsa);
    for token in [".".repeat(1_000_000), "a".repeat(1_000_000), format!("{}.{}.{}", "a".repeat(9000), "b", "c")] {
        assert_eq!(fixture.refusal(&token), TokenError::Malformed);
    }
}
