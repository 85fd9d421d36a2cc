//! The device behind a User-Agent header.
//!
//! The header is the client's own word: good for showing people their sessions, never for a decision.

/// The maximum length of a stored User-Agent, in characters; the rest is cut off.
pub const MAX_USER_AGENT_CHARS: usize = 512;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceType {
    /// A computer on a desk or a lap.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// A program, not a person.
    Bot,
    /// An unrecognised device.
    #[default]
    Unknown,
}

impl DeviceType {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Desktop, Self::Mobile, Self::Tablet, Self::Bot, Self::Unknown];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Bot => "bot",
            Self::Unknown => "unknown",
        }
    }

    /// The kind of a stored word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A device, as shown to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The kind.
    pub kind: DeviceType,
    /// The name that its user or the opener gave it.
    pub name: Option<String>,
    /// The operating system, such as `macOS`.
    pub os: Option<String>,
    /// The browser or program, such as `Chrome`.
    pub browser: Option<String>,
}

impl Device {
    /// Parses a User-Agent header. `name` is stored unchanged.
    pub fn from_user_agent(user_agent: Option<&str>, name: Option<String>) -> Self {
        let Some(user_agent) = user_agent else {
            return Self { name, ..Self::default() };
        };
        let Some(parsed) = woothee::parser::Parser::new().parse(user_agent) else {
            return Self { kind: DeviceType::Unknown, name, os: None, browser: product(user_agent) };
        };
        Self {
            kind: kind(parsed.category, user_agent),
            name,
            os: known(operating_system(parsed.os)),
            browser: known(parsed.name).or_else(|| product(user_agent)),
        }
    }

    /// The label for people: the given name, else something like `Chrome on Windows`; `None` when nothing is known.
    pub fn label(&self) -> Option<String> {
        match (&self.name, &self.browser, &self.os) {
            (Some(name), _, _) => Some(name.clone()),
            (None, Some(browser), Some(os)) => Some(format!("{browser} on {os}")),
            (None, Some(one), None) | (None, None, Some(one)) => Some(one.clone()),
            (None, None, None) => None,
        }
    }
}

/// The parser has no category for tablets. An iPad is recognised by its name, an Android tablet by the missing
/// `Mobile`.
fn kind(category: &str, user_agent: &str) -> DeviceType {
    let tablet = user_agent.contains("iPad") || (user_agent.contains("Android") && !user_agent.contains("Mobile"));
    match category {
        "pc" | "smartphone" if tablet => DeviceType::Tablet,
        "pc" => DeviceType::Desktop,
        "smartphone" | "mobilephone" => DeviceType::Mobile,
        "crawler" => DeviceType::Bot,
        _ => DeviceType::Unknown,
    }
}

/// Browsers freeze the version of the system (every Windows since 10 says 10), so only the name is stored, as its maker
/// writes it.
fn operating_system(name: &str) -> &str {
    match name {
        "Mac OSX" => "macOS",
        "iPhone" | "iPod" => "iOS",
        "iPad" => "iPadOS",
        windows if windows.starts_with("Windows ") && windows != "Windows Phone OS" => "Windows",
        other => other,
    }
}

/// `None` for the parser's placeholder for an unknown name.
fn known(name: &str) -> Option<String> {
    (name != "UNKNOWN" && !name.is_empty()).then(|| name.to_owned())
}

/// The first product of the header (RFC 9110 section 10.1.5): `okhttp` of `okhttp/4.12.0`, as programs name themselves.
fn product(user_agent: &str) -> Option<String> {
    let first = user_agent.split([' ', '/']).next()?;
    let is_token = first.chars().all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character));
    (is_token && !first.is_empty() && first.len() <= 64 && first != "Mozilla").then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(user_agent: &str) -> (DeviceType, String, String) {
        let device = Device::from_user_agent(Some(user_agent), None);
        (device.kind, device.os.unwrap_or_default(), device.browser.unwrap_or_default())
    }

    #[test]
    fn common_browsers_and_programs_are_told_apart() {
        let rows = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                DeviceType::Desktop,
                "Windows",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                DeviceType::Desktop,
                "Windows",
                "Edge",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
                DeviceType::Desktop,
                "macOS",
                "Safari",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                DeviceType::Desktop,
                "Linux",
                "Firefox",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                DeviceType::Mobile,
                "iOS",
                "Safari",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                DeviceType::Tablet,
                "iPadOS",
                "Safari",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                DeviceType::Mobile,
                "Android",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                DeviceType::Tablet,
                "Android",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                DeviceType::Bot,
                "",
                "Googlebot",
            ),
            ("okhttp/4.12.0", DeviceType::Unknown, "", "okhttp"),
            ("python-requests/2.32.3", DeviceType::Unknown, "", "python-requests"),
        ];
        for (user_agent, kind, os, browser) in rows {
            assert_eq!(read(user_agent), (kind, os.to_owned(), browser.to_owned()), "{user_agent}");
        }
    }

    #[test]
    fn nonsense_is_unknown_and_harmless() {
        for user_agent in ["", " ", "\u{202e}evil", "<script>alert(1)</script>", "Mozilla/5.0"] {
            assert_eq!(read(user_agent).0, DeviceType::Unknown, "{user_agent}");
        }
        assert_eq!(Device::from_user_agent(None, None).label(), None);
    }

    #[test]
    fn a_given_name_wins_over_what_the_browser_says() {
        let user_agent = Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0");
        assert_eq!(Device::from_user_agent(user_agent, None).label().as_deref(), Some("Firefox on Linux"));
        let named = Device::from_user_agent(user_agent, Some("Ann's laptop".to_owned()));
        assert_eq!(named.label().as_deref(), Some("Ann's laptop"));
    }
}
