//! Minting.

use super::*;

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
