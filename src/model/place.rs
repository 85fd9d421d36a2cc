//! Places, as a file of networks knows them for an address.

use std::net::IpAddr;

/// The place and the network of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The city, in English.
    pub city: Option<String>,
    /// The largest division of the country, in English.
    pub region: Option<String>,
    /// The country, by ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// The country, in English.
    pub country_name: Option<String>,
    /// The number of the autonomous system that announces the address.
    pub asn: Option<u32>,
    /// The organization that runs the autonomous system.
    pub organization: Option<String>,
}

impl Place {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The place for display, such as `Berlin, Germany`; `None` when only the network is known.
    pub fn display(&self) -> Option<String> {
        let country = self.country_name.as_deref().or(self.country.as_deref());
        let parts: Vec<&str> = self.city.as_deref().or(self.region.as_deref()).into_iter().chain(country).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The network without the place.
    #[must_use]
    pub fn network_only(self) -> Option<Self> {
        let Self { asn, organization, .. } = self;
        Some(Self { asn, organization, ..Self::default() }).filter(|place| !place.is_empty())
    }

    /// The bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        let Self { city, region, country, country_name, asn: _, organization } = self;
        [city, region, country, country_name, organization].into_iter().flatten().map(String::len).sum()
    }
}

/// The address that a session was used from, and the place of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// The address, or the part of it that the policy stores.
    pub ip_address: IpAddr,
    /// The place of the whole address; `None`: unknown.
    pub place: Option<Place>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_displayed_by_its_narrowest_part_and_its_country() {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (city, region, country, name, expected) in [
            ("Berlin", "Land Berlin", "DE", "Germany", Some("Berlin, Germany")),
            ("", "Bavaria", "DE", "Germany", Some("Bavaria, Germany")),
            ("", "", "DE", "Germany", Some("Germany")),
            ("", "", "DE", "", Some("DE")),
            ("Berlin", "", "", "", Some("Berlin")),
            ("", "", "", "", None),
        ] {
            let place = Place {
                city: text(city),
                region: text(region),
                country: text(country),
                country_name: text(name),
                asn: Some(64500),
                organization: text("Example Net"),
            };
            assert_eq!(place.display().as_deref(), expected);
        }
    }
}
