//! The guard against parameters that an operation does not document: unknown and empty query parameters, and unexpected
//! bodies. Without it, a misspelt name or an unset variable would silently widen a request.
//!
//! The rules are read from the OpenAPI documents, so that they cover every new operation.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

use super::failure::{MAX_BODY_BYTES, Rejection};
use super::family::{Family, Refused};
use crate::model::FieldError;

/// The parameters of a family's operations, from its OpenAPI document.
pub(super) struct Documented {
    operations: HashMap<(String, Method), Takes>,
}

/// The parameters of one operation.
struct Takes {
    query: Vec<String>,
    body: bool,
}

impl Documented {
    pub(super) fn new<F: Family>(document: &OpenApi) -> Self {
        let checked = document.paths.paths.iter().filter(|(path, _)| !F::IGNORING.contains(&path.as_str()));
        let operations = checked.flat_map(|(path, item)| {
            operations(item).map(|(method, operation)| ((path.clone(), method), Takes::new(operation)))
        });
        Self { operations: operations.collect() }
    }

    /// The parameters of a request's operation; `None` if the operation is undocumented or ignores unknown parameters.
    fn takes(&self, request: &Request) -> Option<&Takes> {
        let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        self.operations.get(&(path, method))
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let by_method = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    by_method.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

impl Takes {
    fn new(operation: &Operation) -> Self {
        let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        let query = parameters.filter(|parameter| parameter.parameter_in == ParameterIn::Query);
        Self { query: query.map(|parameter| parameter.name.clone()).collect(), body: operation.request_body.is_some() }
    }

    fn check_query<F: Family>(&self, query: &str) -> Result<(), Rejection> {
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !self.query.iter().any(|known| *known == name) {
                let known = if self.query.is_empty() { "none".to_owned() } else { self.query.join(", ") };
                return Err(Rejection::Malformed(format!("The query has an unknown parameter; known: {known}")));
            }
            if value.is_empty() && !F::BLANK_IS_DEFAULT.contains(&name.as_ref()) {
                return Err(Rejection::Invalid(FieldError::new(name.into_owned(), "must not be empty")));
            }
        }
        Ok(())
    }
}

/// Refuses requests with undocumented parameters in the family's words, and passes on the others.
pub(super) async fn only_documented<F: Family>(
    State(documented): State<Arc<Documented>>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().filter(|query| !query.is_empty());
    let has_body = has_body(&request);
    if query.is_none() && !has_body {
        return next.run(request).await;
    }
    let Some(takes) = documented.takes(&request) else { return next.run(request).await };
    if let Err(rejection) = takes.check_query::<F>(query.unwrap_or_default()) {
        return Refused::<F>::from(rejection).into_response();
    }
    if takes.body || !has_body {
        return next.run(request).await;
    }
    match without_body(request).await {
        Ok(request) => next.run(request).await,
        Err(rejection) => Refused::<F>::from(rejection).into_response(),
    }
}

fn has_body(request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0") || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// The request without its body, which must be empty or `{}`: client libraries send `{}` where no body is needed.
async fn without_body(request: Request) -> Result<Request, Rejection> {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Rejection::TooLarge)?;
    match bytes.trim_ascii() {
        b"" | b"{}" => Ok(Request::from_parts(parts, Body::empty())),
        _ => Err(Rejection::Malformed("The request must not have a body".to_owned())),
    }
}
