//! The URL of a database: libpq's form, with several hosts, read into connection options for each host.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything: the server must take writes.
    Write,
    /// Searches alone: the server must be a standby.
    Read,
}

impl Access {
    /// The values of `target_session_attrs` that demand what is checked anyway.
    fn target_session_attrs(self) -> [&'static str; 2] {
        match self {
            Self::Write => ["read-write", "primary"],
            Self::Read => ["standby", "read-only"],
        }
    }
}

/// One host of a URL.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// The host and the port, or the path of the socket: for messages.
    pub(super) place: String,
    pub(super) options: PgConnectOptions,
}

/// The reason why a URL is refused. Its text never quotes what may belong to a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum UrlError {
    #[error("{0}")]
    Syntax(#[from] url::ParseError),
    #[error("a password's special characters must be percent-encoded (# is %23, / is %2F, ? is %3F)")]
    Fragment,
    #[error(
        "each host must be a name, an address, [an IPv6 address] or the path of a socket, and may have a port after a colon"
    )]
    Host,
    #[error("a port must be a number from 1 to 65535")]
    Port,
    #[error("it has {hosts} hosts and {ports} ports: there must be one port for all hosts, or one for each")]
    Ports { hosts: usize, ports: usize },
    #[error("{0} is not valid UTF-8")]
    Text(&'static str),
    #[error("it has the parameter {0} twice")]
    Twice(String),
    #[error("it has the parameter {0}, which this server does not know")]
    Unknown(String),
    #[error("target_session_attrs must be {} or {} here, or be left out", .0[0], .0[1])]
    TargetSessionAttrs([&'static str; 2]),
    #[error("{0}")]
    Options(#[from] sqlx::Error),
}

/// The parameters that are passed to sqlx unchanged.
const PARAMETERS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "application_name",
    "options",
    "user",
    "password",
    "dbname",
    "hostaddr",
];

/// The hosts of a URL in their order, at least one.
pub(super) fn parse(text: &str, access: Access) -> Result<Vec<Address>, UrlError> {
    let (url, authority) = without_hosts(text)?;
    let mut hosts = hosts_of(authority)?;
    let mut ports = None;
    let mut parameters = Vec::new();
    let text = |name, encoded| percent_decode_str(encoded).decode_utf8().map_err(|_| UrlError::Text(name));
    let user = text("the user", url.username())?;
    let password = text("the password", url.password().unwrap_or_default())?;
    let database = text("the database's name", url.path().trim_start_matches('/'))?;
    for (name, value) in [("user", user), ("password", password), ("dbname", database)] {
        if !value.is_empty() {
            parameters.push((name.to_owned(), value.into_owned()));
        }
    }
    let mut seen = BTreeSet::new();
    for (name, value) in url.query_pairs() {
        if name.starts_with("options[") {
            parameters.push((name.into_owned(), value.into_owned()));
            continue;
        }
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'-');
        if !is_name {
            return Err(UrlError::Fragment);
        }
        if !seen.insert(name.clone()) {
            return Err(UrlError::Twice(name.into_owned()));
        }
        match &*name {
            "host" => hosts = value.split(',').map(named_host).collect::<Result<_, _>>()?,
            "hostaddr" => hosts = value.split(',').map(address).collect::<Result<_, _>>()?,
            "port" => ports = Some(value.split(',').map(port).collect::<Result<Vec<_>, _>>()?),
            "target_session_attrs" => {
                let met = access.target_session_attrs();
                if !met.contains(&&*value) {
                    return Err(UrlError::TargetSessionAttrs(met));
                }
            }
            known if PARAMETERS.contains(&known) => parameters.push((name.into_owned(), value.into_owned())),
            _ => return Err(UrlError::Unknown(name.into_owned())),
        }
    }
    if let Some(ports) = ports {
        share(&ports, &mut hosts)?;
    }
    hosts.iter().map(|host| options(host, &parameters)).collect()
}

/// One item of a list of hosts. Without a name it is libpq's default, and so is the port.
#[derive(Debug, Clone, Default)]
struct Host {
    name: Option<String>,
    port: Option<u16>,
}

/// The URL with a placeholder for its hosts, and the text of the hosts.
fn without_hosts(text: &str) -> Result<(Url, &str), UrlError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(url::ParseError::RelativeUrlWithoutBase.into());
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (credentials, hosts) = authority.rsplit_once('@').map_or(("", authority), |(before, hosts)| (before, hosts));
    let url = Url::parse(&format!("{scheme}://{credentials}@host{rest}"))?;
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    Ok((url, hosts))
}

fn hosts_of(authority: &str) -> Result<Vec<Host>, UrlError> {
    if !authority.contains(',') {
        return Ok(vec![host(authority)?]);
    }
    let hosts = authority.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
    if hosts.iter().any(|host| host.name.is_none()) { Err(UrlError::Host) } else { Ok(hosts) }
}

/// `name`, `name:port`, `[address]:port`, or nothing.
fn host(text: &str) -> Result<Host, UrlError> {
    let decoded = |text| percent_decode_str(text).decode_utf8().map_err(|_| UrlError::Text("a host"));
    let (name, port_text) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
            let name = decoded(name)?;
            // A zone may follow the address (RFC 6874).
            name.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            (name, if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or(UrlError::Host)? })
        }
        None => {
            let (name, port_text) = text.split_once(':').unwrap_or((text, ""));
            let name = decoded(name)?;
            let plain = |c: char| c.is_alphanumeric() || "-._".contains(c);
            if !name.starts_with('/') && !name.chars().all(plain) {
                return Err(UrlError::Host);
            }
            (name, port_text)
        }
    };
    let name = Some(name.into_owned()).filter(|name| !name.is_empty());
    Ok(Host { name, port: port(port_text)? })
}

/// An item of the parameter `host`, which has its ports in a parameter of their own.
fn named_host(text: &str) -> Result<Host, UrlError> {
    if text.is_empty() {
        return Err(UrlError::Host);
    }
    Ok(Host { name: Some(text.to_owned()), port: None })
}

fn address(text: &str) -> Result<Host, UrlError> {
    text.parse::<IpAddr>().map_err(|_| UrlError::Host)?;
    named_host(text)
}

/// Parses a port; as in libpq, an empty text means the default.
fn port(text: &str) -> Result<Option<u16>, UrlError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().ok().filter(|port| *port != 0).map(Some).ok_or(UrlError::Port)
}

/// One port counts for all hosts; several count one for each.
fn share(ports: &[Option<u16>], hosts: &mut [Host]) -> Result<(), UrlError> {
    if ports.len() != 1 && ports.len() != hosts.len() {
        return Err(UrlError::Ports { hosts: hosts.len(), ports: ports.len() });
    }
    for (host, port) in hosts.iter_mut().zip(ports.iter().cycle()) {
        host.port = *port;
    }
    Ok(())
}

/// The connection options of one host. The URL for sqlx has everything in its parameters: only there it accepts an IPv6
/// address, and finds the line of the host in the password file.
fn options(host: &Host, parameters: &[(String, String)]) -> Result<Address, UrlError> {
    let mut url = Url::parse("postgres:///")?;
    {
        let mut pairs = url.query_pairs_mut();
        if let Some(name) = &host.name {
            pairs.append_pair("host", name);
        }
        if let Some(port) = host.port {
            pairs.append_pair("port", &port.to_string());
        }
        pairs.extend_pairs(parameters);
    }
    // PgBouncer refuses the parameter `extra_float_digits` by default, and no statement needs it.
    let options = PgConnectOptions::from_url(&url)?
        .application_name("sojourn")
        .disable_statement_logging()
        .extra_float_digits(None);
    let name = options.get_socket().map_or_else(|| options.get_host().into(), |path| path.to_string_lossy());
    let bracketed = name.contains(':');
    let place =
        if bracketed { format!("[{name}]:{}", options.get_port()) } else { format!("{name}:{}", options.get_port()) };
    Ok(Address { place, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Vec<Address> {
        parse(url, Access::Write).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    fn places(url: &str) -> Vec<String> {
        read(url).into_iter().map(|address| address.place).collect()
    }

    #[test]
    fn several_hosts_are_tried_in_their_order() {
        let rows: [(&str, &[&str]); 9] = [
            ("postgres://u:p@one:1,two:2/db?target_session_attrs=read-write", &["one:1", "two:2"]),
            ("postgresql://u@one,two:2/db?target_session_attrs=primary", &["one:5432", "two:2"]),
            ("postgres:///db?host=one,two&port=1,2", &["one:1", "two:2"]),
            ("postgres:///db?host=one,two&port=7", &["one:7", "two:7"]),
            ("postgres:///db?host=one,two&port=,2", &["one:5432", "two:2"]),
            ("postgres://one,two/db?port=3", &["one:3", "two:3"]),
            ("postgres://x/db?hostaddr=127.0.0.1,::1&port=1", &["127.0.0.1:1", "[::1]:1"]),
            ("postgres://u:p@[::1]:5433,127.0.0.1/db", &["[::1]:5433", "127.0.0.1:5432"]),
            ("postgres://%2Frun%2Fpg:5433,one/db", &["/run/pg:5433", "one:5432"]),
        ];
        for (url, expected) in rows {
            assert_eq!(places(url), expected, "{url}");
        }
    }

    #[test]
    fn names_and_passwords_are_decoded_for_every_host() {
        for address in read("postgres://us%40er:p%3A%2F%23%20@one,two/d%2Fb?sslmode=disable&options=-c%20geqo%3Doff") {
            assert_eq!(address.options.get_username(), "us@er");
            assert_eq!(address.options.get_database(), Some("d/b"));
            assert_eq!(address.options.get_options(), Some("-c geqo=off"));
            assert!(format!("{:?}", address.options).contains("\"p:/# \""));
        }
        let from_parameters = read("postgres:///?host=one&user=u&password=p%26q&dbname=d").remove(0).options;
        assert_eq!((from_parameters.get_username(), from_parameters.get_database()), ("u", Some("d")));
        assert!(format!("{from_parameters:?}").contains("\"p&q\""));
    }

    #[test]
    fn an_ipv6_address_is_passed_on_without_its_brackets() {
        assert_eq!(read("postgres://u@[::1]:5432/db").remove(0).options.get_host(), "::1");
        assert_eq!(read("postgres://u@[fe80::1%25eth0]/db").remove(0).options.get_host(), "fe80::1%eth0");
    }

    #[test]
    fn without_a_host_it_is_where_libpq_would_look() {
        let default = PgConnectOptions::new_without_pgpass();
        for url in ["postgres:///db", "postgres://u:p@/db", "postgres://"] {
            assert_eq!(read(url).remove(0).options.get_host(), default.get_host(), "{url}");
        }
        assert_eq!(read("postgres://u:p@:5433/db").remove(0).options.get_port(), 5433);
    }

    #[test]
    fn what_is_not_known_is_refused_in_one_line_without_the_password() {
        let urls = [
            "postgres:x",
            "postgres://[",
            "postgres://u:secret@[::g]/db",
            "postgres://u:secret@[::1]5/db",
            "postgres://u:secret@one,/db",
            "postgres://u:secret@one:0/db",
            "postgres://u:secret@one:70000/db",
            "postgres://u:secret@one:5432:6/db",
            "postgres://u:secret@o ne/db",
            "postgres://u:sec/ret@one/db",
            "postgres://u:sec#ret@one/db",
            "postgres://u:?secret@one/db",
            "postgres://u:123?secret@one/db",
            "postgres://u:secret@one,two,three/db?port=1,2",
            "postgres://u:secret@one/db?host=",
            "postgres://u:secret@one/db?hostaddr=one",
            "postgres://u:secret@one/db?sslmode=maybe",
            "postgres://u:secret@one/db?sslmode=require&sslmode=disable",
            "postgres://u:secret@one/db?connect_timeout=5",
            "postgres://u:secret@one/db?target_session_attrs=any",
            "postgres://u:secret@one/db?target_session_attrs=standby",
        ];
        for url in urls {
            let error = parse(url, Access::Write).expect_err(url).to_string();
            assert!(!error.contains("sec") && !error.contains('\n'), "{url}: {error}");
        }
        assert!(parse("postgres://one/db?target_session_attrs=standby", Access::Read).is_ok());
        assert!(parse("postgres://one/db?target_session_attrs=primary", Access::Read).is_err());
        let unknown = parse("postgres://one/db?connect_timeout=5", Access::Write).unwrap_err().to_string();
        assert!(unknown.contains("connect_timeout"), "{unknown}");
    }
}
