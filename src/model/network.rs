//! Networks of IP addresses, by which sessions are found.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::field_error::FieldError;

/// A network, of a single address at least. IPv4-mapped IPv6 addresses count as IPv4, as they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpNet);

/// The length of the prefix below which all IPv4-mapped addresses are.
const MAPPED_PREFIX: u8 = 96;

impl Network {
    /// The network of that many leading bits around an address; a network of fewer addresses than that stays as it is.
    #[must_use]
    pub fn widened(self, prefix_of_v4: u8, prefix_of_v6: u8) -> Self {
        let most = if self.0.addr().is_ipv4() { prefix_of_v4 } else { prefix_of_v6 };
        IpNet::new(self.0.addr(), self.0.prefix_len().min(most)).map_or(self, |network| Self(network.trunc()))
    }

    /// The network from one address to another; `None` when they are not its first and its last.
    pub fn between(first: IpAddr, last: IpAddr) -> Option<Self> {
        let prefix = match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
            (IpAddr::V6(first), IpAddr::V6(last)) => (first.to_bits() ^ last.to_bits()).leading_zeros(),
            _ => return None,
        };
        let network = Self(IpNet::new(first, u8::try_from(prefix).ok()?).ok()?);
        (network.first() == first && network.last() == last).then_some(network)
    }

    /// The first address.
    pub fn first(self) -> IpAddr {
        self.0.network()
    }

    /// The last address.
    pub fn last(self) -> IpAddr {
        self.0.broadcast()
    }

    /// The address, if there is only one.
    pub fn only_address(self) -> Option<IpAddr> {
        (self.0.prefix_len() == self.0.max_prefix_len()).then(|| self.0.addr())
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().into())
    }
}

impl FromStr for Network {
    type Err = FieldError;

    /// Reads an address or, in CIDR notation, a network. A network is refused when it is written with another address
    /// than its first, because a digit may be missing.
    fn from_str(text: &str) -> Result<Self, FieldError> {
        let message = "must be an IPv4 or IPv6 address, or a network such as 198.51.100.0/24 or 2001:db8::/32";
        let invalid = || FieldError::new("ip_address", message);
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| invalid());
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        if prefix.is_empty() || prefix.len() > 3 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let prefix: u8 = prefix.parse().map_err(|_| invalid())?;
        let (address, prefix) = match address.to_canonical() {
            canonical if canonical == address => (address, prefix),
            mapped if prefix >= MAPPED_PREFIX => (mapped, prefix - MAPPED_PREFIX),
            _ => (address, prefix),
        };
        let network = Self(IpNet::new(address, prefix).map_err(|_| invalid())?);
        if network.first() != address {
            let message = format!("has bits beyond its prefix: the network is {}", Self(network.0.trunc()));
            return Err(FieldError::new("ip_address", message));
        }
        Ok(network)
    }
}

/// CIDR notation; a single address without its prefix.
impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.only_address() {
            Some(address) => address.fmt(formatter),
            None => self.0.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, FieldError> {
        text.parse()
    }

    #[test]
    fn a_network_is_read_and_written_in_one_form() {
        for (text, shown, first, last) in [
            ("198.51.100.0/24", "198.51.100.0/24", "198.51.100.0", "198.51.100.255"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.7"),
            ("198.51.100.7/32", "198.51.100.7", "198.51.100.7", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7", "198.51.100.7", "198.51.100.7"),
            ("::ffff:198.51.100.0/120", "198.51.100.0/24", "198.51.100.0", "198.51.100.255"),
            ("2001:DB8:0::1", "2001:db8::1", "2001:db8::1", "2001:db8::1"),
            ("0.0.0.0/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("::/0", "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let network = network(text).unwrap();
            assert_eq!((network.to_string().as_str(), network.first()), (shown, first.parse().unwrap()), "{text}");
            assert_eq!(network.last(), last.parse::<IpAddr>().unwrap(), "{text}");
            assert_eq!(Network::between(network.first(), network.last()), Some(network));
        }
        let between = |first: &str, last: &str| Network::between(first.parse().unwrap(), last.parse().unwrap());
        for (first, last) in [("192.0.2.1", "192.0.2.2"), ("192.0.2.0", "192.0.2.2"), ("0.0.0.0", "::")] {
            assert_eq!(between(first, last), None, "{first} {last}");
        }
    }

    #[test]
    fn a_network_with_a_slip_of_the_pen_is_refused() {
        for text in [
            "",
            "/",
            "198.51.100.0/",
            "198.51.100.0/33",
            "198.51.100.0/+8",
            "198.51.100.0/2 4",
            "198.51.100/24",
            "::/129",
            "198.51.100.0/24/24",
            "198.51.100.0-198.51.100.9",
            "198.51.100.0/0024",
            "fe80::1%eth0",
            "all",
        ] {
            assert!(network(text).is_err(), "{text}");
        }
        for (text, meant) in [
            ("198.51.100.7/24", "198.51.100.0/24"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:198.51.100.7/120", "198.51.100.0/24"),
            ("::ffff:0.0.0.0/80", "::/80"),
        ] {
            assert!(network(text).unwrap_err().message.ends_with(meant), "{text}");
        }
    }

    #[test]
    fn a_network_is_widened_to_what_is_stored_and_never_narrowed() {
        let widened = |text| network(text).unwrap().widened(24, 48).to_string();
        assert_eq!(widened("198.51.100.128/25"), "198.51.100.0/24");
        assert_eq!(widened("198.51.0.0/16"), "198.51.0.0/16");
        assert_eq!(widened("2001:db8:1:2::/64"), "2001:db8:1::/48");
    }
}
