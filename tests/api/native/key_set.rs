//! `/.well-known/jwks.json` and its neighbours.

use serde_json::{Value, json};
use sojourn::config::TokenConfig;
use sojourn::model::Algorithm;

use crate::support::on_both_databases;
use crate::support::server::{Server, answer};

on_both_databases! {
    async fn anybody_can_check_an_access_token_with_the_published_key(database) {
        for_every_algorithm(database).await;
    }

    /// OpenID Connect Discovery 1.0 section 3 wants most of these; a login, which it wants too, is not here.
    async fn clients_of_openid_connect_find_the_same_metadata_and_no_login(database) {
        let tokens = TokenConfig { issuer: "https://example.org/sessions".to_owned(), ..TokenConfig::default() };
        let server = Server::builder().tokens(tokens).start(database).await;
        let metadata = answer(server.request("GET", "/.well-known/oauth-authorization-server")).await.expect(200);
        // A reverse proxy strips the issuer's path from the first.
        for path in ["/.well-known/openid-configuration", "/.well-known/openid-configuration/sessions"] {
            let found = answer(server.request("GET", path)).await.expect(200);
            assert_eq!(found.text, metadata.text);
            assert_eq!((found.header("content-type"), found.header("cache-control")), ("application/json", "public, max-age=300"));
        }
        answer(server.request("GET", "/.well-known/openid-configuration/other")).await.expect(404);
        let metadata = metadata.json();
        assert_eq!(metadata["response_types_supported"], json!(["none"]));
        assert_eq!(metadata["subject_types_supported"], json!(["public"]));
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!(["EdDSA"]));
        for absent in ["authorization_endpoint", "userinfo_endpoint", "end_session_endpoint", "registration_endpoint"] {
            assert!(metadata.get(absent).is_none(), "{absent}");
        }
        let empty = metadata.as_object().unwrap().values().find(|value| value.as_array().is_some_and(Vec::is_empty));
        assert_eq!(empty, None, "RFC 8414 section 3.2 wants empty lists left out");
    }

    async fn the_metadata_names_the_endpoints_below_the_issuer(database) {
        let tokens = TokenConfig { issuer: "https://sessions.example.org/".to_owned(), ..TokenConfig::default() };
        let server = Server::builder().tokens(tokens).start(database).await;
        let metadata = answer(server.request("GET", "/.well-known/oauth-authorization-server")).await.expect(200).json();
        assert_eq!(metadata["issuer"], "https://sessions.example.org/");
        assert_eq!(metadata["jwks_uri"], "https://sessions.example.org/.well-known/jwks.json");
        assert_eq!(metadata["token_endpoint"], "https://sessions.example.org/oauth2/token");
        let ways = ["client_secret_basic", "client_secret_post"];
        for (endpoint, more) in [("token", "none"), ("revocation", "none"), ("introspection", "Bearer")] {
            let supported = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
            assert_eq!(supported, &json!([ways[0], ways[1], more]), "{endpoint}");
        }
        let evil = server.request("GET", "/.well-known/oauth-authorization-server").header("host", "evil.example").header("x-forwarded-host", "evil.example");
        assert_eq!(answer(evil).await.expect(200).json(), metadata, "a request's host has no say");
        assert_eq!(answer(server.request("GET", "/.well-known/other")).await.expect(404).json()["error"], "invalid_request");
    }
}

async fn for_every_algorithm(database: crate::support::database::TestDatabase) {
    let mut database = Some(database);
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        let database = match database.take() {
            Some(database) => database,
            None => crate::support::database::TestDatabase::sqlite().await,
        };
        let tokens = TokenConfig { algorithm, ..TokenConfig::default() };
        let server = Server::builder().tokens(tokens).start(database).await;
        let opened = server.open("alice").await;
        let key_set = answer(server.request("GET", "/.well-known/jwks.json")).await.expect(200);
        assert_eq!(key_set.header("content-type"), "application/jwk-set+json");
        assert_eq!(key_set.header("cache-control"), "public, max-age=300");
        let key_set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&key_set.text).unwrap();
        let metadata = answer(server.request("GET", "/.well-known/openid-configuration")).await.expect(200).json();
        let header = jsonwebtoken::decode_header(&opened.access).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        let key = key_set.find(header.kid.as_deref().unwrap()).unwrap();
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!([header.alg]));
        let mut validation = jsonwebtoken::Validation::new(header.alg);
        validation.set_audience(&["sojourn"]);
        validation.set_issuer(&["http://localhost:8080"]);
        let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
        let claims = jsonwebtoken::decode::<Value>(&opened.access, &key, &validation).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["sid"]), (&Value::from("alice"), &Value::from(opened.id.as_str())));
        assert_eq!(claims["client_id"], "default", "RFC 9068 wants one");
    }
}
