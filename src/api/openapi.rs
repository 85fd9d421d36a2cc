//! The OpenAPI documents: one a family, and all of them in one.
//!
//! A family's document keeps its original's operation ids, tags and schema names, so that generators make the SDK that
//! people know. In the merged document two families may want the same name, so there each name carries its family's.

use serde_json::{Map, Value};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityRequirement,
    SecurityScheme,
};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, ResponseBuilder, ServerBuilder,
};
use utoipa_axum::router::OpenApiRouter;

use super::{blackbox, cumulonimbus, janssen, native, quiika, vault};

/// The families that have a document of their own.
pub const FAMILIES: [&str; 6] = ["native", "quiika", "vault", "blackbox", "cumulonimbus", "janssen"];

/// A document that cannot be written: a defect that the tests find.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It does not fit the types.
    #[error("the document does not fit: {0}")]
    Json(#[from] serde_json::Error),
    /// It cannot be written as YAML.
    #[error("the document cannot be written: {0}")]
    Yaml(String),
}

/// The document of one family as YAML; `None` for a name that is none.
pub fn family_document(name: &str) -> Result<Option<String>, DocumentError> {
    family(name).map(|document| yaml(&below_its_server(document))).transpose()
}

/// The document of all families as YAML.
pub fn document() -> Result<String, DocumentError> {
    let about = "Opens sessions, hands out tokens, tells whether a token still stands, and ends sessions.";
    let mut merged = described(OpenApi::default(), "Sojourn", about, "http://localhost:8080", bearer());
    let mut all = serde_json::to_value(&merged)?;
    for name in FAMILIES {
        if let Some(document) = family(name) {
            let mut document = serde_json::to_value(document)?;
            if name != "native" {
                qualify(&mut document, name);
            }
            merge(&mut all, &document);
        }
    }
    merged = serde_json::from_value(all)?;
    yaml(&merged)
}

fn yaml(document: &OpenApi) -> Result<String, DocumentError> {
    document.to_yaml().map_err(|error| DocumentError::Yaml(error.to_string()))
}

fn family(name: &str) -> Option<OpenApi> {
    let paths = |router: OpenApiRouter<_>| router.into_openapi();
    Some(match name {
        "native" => described(
            secured(paths(native::router().merge(native::live_router())), "bearerAuth")
                .merge_from(paths(native::oauth::router())),
            "Sojourn: native API",
            "Sessions, users, and the OAuth 2.0 endpoints around them. Errors are RFC 9457 problems, or RFC 6749 errors below /oauth2.",
            "http://localhost:8080",
            bearer(),
        ),
        "quiika" => described(
            secured(paths(quiika::router()), "bearerAuth"),
            "Sojourn: Quiika",
            "The session management API of the Quiika app SDK.",
            "http://localhost:8080",
            bearer(),
        ),
        "vault" => described(
            secured(paths(vault::router()), "bearerAuth"),
            "Sojourn: Vault",
            "The session API of the FantasticAuth Vault SDK.",
            "https://api.vault.dev/api/v1",
            bearer(),
        ),
        "blackbox" => described(
            secured(paths(blackbox::router()), "bearerAuth"),
            "Sojourn: Blackbox",
            "The session management API of the Blackbox Labs SDK.",
            "http://localhost:8080",
            bearer(),
        ),
        "cumulonimbus" => described(
            secured(paths(cumulonimbus::router()), "token"),
            "Sojourn: Cumulonimbus",
            "The session endpoints of the Cumulonimbus administration API. The token is sent as it is, without a scheme.",
            "https://alekeagle.me/api",
            ("token", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("Authorization")))),
        ),
        "janssen" => described(
            paths(janssen::router()),
            "Sojourn: Janssen",
            "The session management API of the Janssen config-api.",
            "https://jans.local.io",
            ("oauth2", SecurityScheme::OAuth2(OAuth2::new([janssen_flow()]))),
        ),
        _ => return None,
    })
}

/// Cuts the path of the document's server from its paths: originals whose server has one write theirs below it.
fn below_its_server(mut document: OpenApi) -> OpenApi {
    let server = document.servers.iter().flatten().next().map(|server| server.url.clone()).unwrap_or_default();
    let path = server.split_once("://").and_then(|(_, rest)| rest.find('/').map(|start| rest[start..].to_owned()));
    if let Some(prefix) = path {
        let below = |path: String| path.strip_prefix(&prefix).map(ToOwned::to_owned).unwrap_or(path);
        let paths = std::mem::take(&mut document.paths.paths);
        document.paths.paths = paths.into_iter().map(|(path, item)| (below(path), item)).collect();
    }
    document
}

/// Where the original's clients get their tokens; here any token or service key of these scopes will do.
fn janssen_flow() -> Flow {
    let scopes = Scopes::from_iter([
        ("https://jans.io/oauth/jans-auth-server/session.readonly", "See sessions"),
        ("https://jans.io/oauth/jans-auth-server/session.delete", "End sessions"),
        ("revoke_session", "End sessions"),
    ]);
    Flow::ClientCredentials(ClientCredentials::new("https://jans.local.io/jans-auth/restv1/token", scopes))
}

/// How most families authenticate.
fn bearer() -> (&'static str, SecurityScheme) {
    ("bearerAuth", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
}

fn described(
    mut document: OpenApi,
    title: &str,
    about: &str,
    server: &str,
    (name, security): (&str, SecurityScheme),
) -> OpenApi {
    document.components.get_or_insert_with(Components::new).add_security_scheme(name, security);
    tell_limits(&mut document);
    let license = LicenseBuilder::new().name("Proprietary").identifier(Some("LicenseRef-Proprietary")).build();
    let info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .license(Some(license));
    OpenApiBuilder::from(document).info(info.build()).servers(Some([ServerBuilder::new().url(server).build()])).build()
}

/// Gives every operation the document's only security scheme, in which no scopes are named.
fn secured(mut document: OpenApi, scheme: &str) -> OpenApi {
    for (_, operation) in operations(&mut document) {
        operation.security = Some(vec![SecurityRequirement::new(scheme, [""; 0])]);
    }
    document
}

/// Adds 429, which a rate limit answers for the handlers, to every operation that counts its callers.
fn tell_limits(document: &mut OpenApi) {
    for (path, operation) in operations(document) {
        if operation.security.is_some() || path.starts_with("/oauth2/") {
            let response = ResponseBuilder::new().description("Too many requests").build();
            operation.responses.responses.entry("429".to_owned()).or_insert(RefOr::T(response));
        }
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        operations.into_iter().flatten().map(|operation| (path.as_str(), operation))
    })
}

/// Puts the family's name before its operation ids, schema names and tags.
fn qualify(document: &mut Value, family: &str) {
    const SCHEMAS: &str = "#/components/schemas/";
    let title = capitalised(family);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        *schemas =
            std::mem::take(schemas).into_iter().map(|(name, schema)| (format!("{title}{name}"), schema)).collect();
    }
    visit(document, &mut |member, value| {
        if let Value::String(text) = value {
            match member {
                "$ref" => {
                    if let Some(name) = text.strip_prefix(SCHEMAS) {
                        *text = format!("{SCHEMAS}{title}{name}");
                    }
                }
                "operationId" => *text = format!("{family}_{text}"),
                _ => {}
            }
        } else if let ("tags", Value::Array(tags)) = (member, value) {
            for tag in tags {
                if let Value::String(tag) = tag {
                    *tag = format!("{title}: {tag}");
                }
            }
        }
    });
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Calls `change` for every member of every object, outermost first.
fn visit(value: &mut Value, change: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                change(name, member);
                visit(member, change);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| visit(element, change)),
        _ => {}
    }
}

/// Adds the paths, schemas and security schemes of one document to another.
fn merge(into: &mut Value, from: &Value) {
    for part in ["/paths", "/components/schemas", "/components/securitySchemes"] {
        let members = from.pointer(part).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(target) = object_at(into, part) {
            target.extend(members);
        }
    }
}

/// The object at a path of members, made where it is missing.
fn object_at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    path.split('/').filter(|name| !name.is_empty()).try_fold(value.as_object_mut()?, |object, name| {
        object.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
    })
}
