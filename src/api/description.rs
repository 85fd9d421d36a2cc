//! The descriptions of documents: their words besides the operations.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Response, ResponseBuilder, ServerBuilder,
};

/// The words of a family's document besides its operations.
pub(super) struct Description {
    /// The title.
    pub(super) title: &'static str,
    /// The description, in a sentence or two.
    pub(super) about: &'static str,
    /// The URL of the server.
    pub(super) server: &'static str,
    /// The name of the security scheme, and the scheme.
    pub(super) security: (&'static str, SecurityScheme),
}

impl Description {
    /// The document with these operations.
    pub(super) fn of(self, mut operations: OpenApi) -> OpenApi {
        let Self { title, about, server, security: (name, scheme) } = self;
        operations.components.get_or_insert_with(Components::new).add_security_scheme(name, scheme);
        add_rate_limits(&mut operations);
        let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
        let info = InfoBuilder::new()
            .title(title)
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(about))
            .license(Some(license));
        let server = ServerBuilder::new().url(server).build();
        OpenApiBuilder::from(operations).info(info.build()).servers(Some([server])).build()
    }

    /// The document with these operations, each of which takes the security scheme without naming scopes.
    pub(super) fn of_secured(self, mut operations: OpenApi) -> OpenApi {
        secure(&mut operations, self.security.0);
        self.of(operations)
    }
}

/// The default server of a document.
pub(super) const LOCALHOST: &str = "http://localhost:8080";
/// The name of [`bearer`].
pub(super) const BEARER: &str = "bearerAuth";

/// The security scheme of most families.
pub(super) fn bearer() -> (&'static str, SecurityScheme) {
    (BEARER, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)))
}

/// The security scheme of OAuth clients: any name, and a service key as the password.
pub(super) fn client_basic() -> (&'static str, SecurityScheme) {
    ("clientBasic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)))
}

/// Gives every operation a security scheme, without scopes.
pub(super) fn secure(document: &mut OpenApi, scheme: &str) {
    for (_, operation) in operations(document) {
        operation.security = Some(vec![SecurityRequirement::new(scheme, [""; 0])]);
    }
}

/// Adds 429, which a rate limit answers for the handlers, to every operation that counts its callers.
fn add_rate_limits(document: &mut OpenApi) {
    for (path, operation) in operations(document) {
        if operation.security.is_some() || path.starts_with("/oauth2/") {
            let mut response = ResponseBuilder::new().description("Too many requests").build();
            // Every family has one form for all of its refusals.
            response.content = refusal(operation).map(|refusal| refusal.content.clone()).unwrap_or_default();
            operation.responses.responses.entry("429".to_owned()).or_insert(RefOr::T(response));
        }
    }
}

/// The first refusal that an operation documents.
fn refusal(operation: &Operation) -> Option<&Response> {
    let mut responses = operation.responses.responses.iter();
    responses.find_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('4') => Some(response),
        _ => None,
    })
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = (&str, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        operations.into_iter().flatten().map(|operation| (path.as_str(), operation))
    })
}
