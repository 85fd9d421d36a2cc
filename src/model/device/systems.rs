//! The operating system in a User-Agent header.

use super::header::{Header, Product, first_row, version};

/// The system's name, as its maker writes it, and its version where browsers do not freeze it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) version: Option<String>,
}

/// The beginnings of products and of parts of comments that name a system. The first row that fits counts: some systems
/// pose as others.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone", "Windows Phone"),
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("KAIOS", "KaiOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("AppleTV", "tvOS"),
    ("Apple TV", "tvOS"),
    ("tvOS", "tvOS"),
    ("Apple Watch", "watchOS"),
    ("watchOS", "watchOS"),
    ("visionOS", "visionOS"),
    ("Android", "Android"),
    ("Andr0id", "Android"),
    ("iPad", "iPadOS"),
    ("iPadOS", "iPadOS"),
    ("iPhone", "iOS"),
    ("iPod", "iOS"),
    ("iOS", "iOS"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("macOS", "macOS"),
    ("Mac OS X", "macOS"),
    ("Mac_PowerPC", "macOS"),
    ("Windows", "Windows"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("BB10", "BlackBerry"),
    ("BlackBerry", "BlackBerry"),
    ("Linux", "Linux"),
    ("Ubuntu", "Linux"),
    ("X11", "Linux"),
];

/// The system that a header names.
pub(super) fn system(header: &Header<'_>) -> Option<System> {
    let names = header.parts().chain(header.products.iter().map(|product| product.name));
    match first_row(SYSTEMS, |row| row.0, names) {
        Some((_, name)) => Some(System { name, version: version_of(name, header) }),
        None => darwin(header),
    }
}

fn version_of(name: &str, header: &Header<'_>) -> Option<String> {
    match name {
        "Windows" => windows(after(header, &["Windows NT "])?).map(str::to_owned),
        "iOS" | "iPadOS" => apple_mobile(header),
        "tvOS" => after(header, &["CPU OS ", "tvOS "])
            .or_else(|| header.products.iter().find(|product| product.name.starts_with("AppleTV"))?.version)
            .and_then(version),
        // Browsers say 10.15 for whatever came after it.
        "macOS" => after(header, &["Intel Mac OS X ", "PPC Mac OS X ", "Mac OS X Version ", "macOS ", "Mac OS X "])
            .and_then(version)
            .filter(|version| !version.starts_with("10.15")),
        "Android" => android(header),
        "HarmonyOS" => after(header, &["OpenHarmony "]).and_then(version),
        "Tizen" => after(header, &["Tizen "]).and_then(version),
        "KaiOS" => header.product("KAIOS").and_then(|product| version(product.version?)),
        _ => None,
    }
}

/// The text after one of these beginnings of a part, or the version of a product of this name.
fn after<'a>(header: &Header<'a>, starts: &[&str]) -> Option<&'a str> {
    let in_comments = |start: &&str| header.parts().find_map(|part| part.strip_prefix(*start));
    let in_products = |start: &&str| header.product(start.trim_end()).and_then(|product| product.version);
    starts.iter().find_map(in_comments).or_else(|| starts.iter().find_map(in_products))
}

/// Since version 26 the system's version is frozen in Safari, whose own has the same number.
fn apple_mobile(header: &Header<'_>) -> Option<String> {
    let starts = ["CPU iPhone OS ", "CPU OS ", "iPhone OS ", "iPadOS ", "iOS ", "CPU iOS "];
    let told = after(header, &starts).and_then(version);
    let safari =
        header.product("Version").filter(|_| header.product("Safari").is_some()).and_then(|product| product.version);
    let major = |version: &str| version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    safari.filter(|safari| major(safari) >= Some(26)).and_then(version).or(told)
}

/// Chrome says 10 for every version, with a placeholder for the model; Firefox says 10 for most, without one.
fn android(header: &Header<'_>) -> Option<String> {
    let told = after(header, &["Android ", "Andr0id "]).and_then(version)?;
    let is_frozen = told == "10" && (header.says("K") || header.product("Firefox").is_some());
    (!is_frozen).then_some(told)
}

/// The name of a Windows NT. From 10 on the number is frozen.
fn windows(kernel: &str) -> Option<&'static str> {
    match kernel.trim() {
        "5.1" | "5.2" => Some("XP"),
        "6.0" => Some("Vista"),
        "6.1" => Some("7"),
        "6.2" => Some("8"),
        "6.3" => Some("8.1"),
        _ => None,
    }
}

/// The system of an app that only its network library describes. On macOS the library adds the processor.
fn darwin(header: &Header<'_>) -> Option<System> {
    let Product { version: kernel, .. } = header.product("Darwin")?;
    if header.parts().any(|part| part == "x86_64") {
        return Some(System { name: "macOS", version: None });
    }
    let kernel = kernel.and_then(|kernel| kernel.split('.').next()?.parse::<u32>().ok());
    let version = match kernel {
        Some(major @ 15..=24) => Some((major - 6).to_string()),
        Some(major @ 25..=40) => Some((major + 1).to_string()),
        _ => None,
    };
    Some(System { name: "iOS", version })
}
