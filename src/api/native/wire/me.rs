//! The caller.

use serde::Serialize;
use utoipa::ToSchema;

use super::answers::{Session, User};
use crate::model::Service;

/// The caller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(discriminator(
    property_name = "type",
    mapping(("user" = "#/components/schemas/MeUser"), ("service" = "#/components/schemas/MeService"))
))]
#[expect(missing_docs, reason = "a description beside a reference makes generators lose the type")]
pub enum Me {
    User(Box<MeUser>),
    Service(MeService),
}

/// A user in a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeUser {
    #[schema(inline)]
    r#type: UserType,
    /// The user.
    user: User,
    /// The session.
    session: Session,
}

/// A program with a service key.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeService {
    #[schema(inline)]
    r#type: ServiceType,
    /// Name of the service key.
    name: String,
    /// Scope of the service key.
    scope: String,
    /// The application that the key is bound to; absent for a key that is bound to none.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UserType {
    User,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ServiceType {
    Service,
}

impl Me {
    /// A user in a session.
    pub fn user(user: User, session: Session) -> Self {
        Self::User(Box::new(MeUser { r#type: UserType::User, user, session }))
    }

    /// A program with a service key.
    pub fn service(service: Service) -> Self {
        let Service { id: _, name, scope, application } = service;
        Self::Service(MeService { r#type: ServiceType::Service, name, scope: scope.into(), client_id: application })
    }
}
