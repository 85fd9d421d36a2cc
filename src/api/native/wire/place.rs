//! Places of sessions.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model;

/// Place of an address. Names are in English; what is unknown is absent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Place {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Berlin")]
    city: Option<String>,
    /// Largest division of the country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Land Berlin")]
    region: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "DE")]
    country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Germany")]
    country_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    network: Option<Network>,
}

/// Autonomous system that announces an address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 64500)]
    asn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
}

impl From<model::Place> for Place {
    fn from(place: model::Place) -> Self {
        let model::Place { city, region, country, country_name, asn, organization } = place;
        let has_network = asn.is_some() || organization.is_some();
        let network = has_network.then_some(Network { asn, organization });
        Self { city, region, country, country_name, network }
    }
}
