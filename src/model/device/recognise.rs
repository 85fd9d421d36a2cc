//! The device behind a User-Agent header and client hints. Both are the client's own word: good for showing people their
//! sessions, never for a decision.

use super::hardware;
use super::header::{Header, Product, version};
use super::hints::ClientHints;
use super::programs::{self, Class, IN_APP_BROWSER};
use super::systems::{self, System};
use super::{Device, DeviceType};

const MAX_PROGRAM_BYTES: usize = 64;

/// The program that a header names.
struct Named {
    name: Option<String>,
    version: Option<String>,
    class: Class,
}

/// Describes a device without a name. Client hints count for more than the User-Agent, which browsers freeze.
pub fn recognise(user_agent: Option<&str>, hints: &ClientHints) -> Device {
    let header = Header::read(user_agent.unwrap_or_default());
    let special = hardware::special(&header);
    let system = special.and_then(|(_, model)| system_of(model)).or_else(|| systems::system(&header));
    let named = bot(&header).or_else(|| program(&header, system.as_ref()));
    let named = with_brand(named, hints);
    let class = named.as_ref().map(|named| named.class);
    let (browser, browser_version) = named.map_or((None, None), |named| (named.name, named.version));
    if class == Some(Class::Bot) {
        // A bot poses as some device.
        return Device { kind: DeviceType::Bot, browser, browser_version, ..Device::default() };
    }
    if let Some((kind, model)) = special {
        let (os, os_version) = system.map_or((None, None), |system| (Some(system.name.to_owned()), system.version));
        // The device's own browser names itself by an engine.
        let is_own = class >= Some(Class::Common);
        let (browser, browser_version) = if is_own { (None, None) } else { (browser, browser_version) };
        return Device { kind, name: None, model: Some(model.to_owned()), os, os_version, browser, browser_version };
    }
    let (os, os_version) = operating_system(system, hints);
    let model = hints.model().and_then(|model| hardware::android_model(&model)).or_else(|| hardware::model(&header));
    let kind = form_factor(hints)
        .or_else(|| kind(&header, os.as_deref(), hints.is_mobile()))
        .or_else(|| (class == Some(Class::App)).then_some(DeviceType::App))
        .unwrap_or_default();
    Device { kind, name: None, model, os, os_version, browser, browser_version }
}

fn system_of(model: &str) -> Option<System> {
    let name = match model {
        "Fire TV" => "Fire OS",
        headset if headset.starts_with("Meta Quest") => "Android",
        _ => return None,
    };
    Some(System { name, version: None })
}

/// A bot: it says so in its name, or is known.
fn bot(header: &Header<'_>) -> Option<Named> {
    // A phone of the maker Cubot is none.
    let comments = header.comments.iter().filter(|parts| !parts.iter().any(|part| part.starts_with("Android")));
    let parts = comments.flatten().map(|part| Product::of_part(part));
    header.products.iter().copied().chain(parts).find_map(|product| {
        let known = programs::find(product.name);
        let is_known = known.is_some_and(|known| known.class == Class::Bot);
        let is_bot = is_known || (known.is_none() && is_called_bot(product.name));
        let name = known.map_or(product.name, |known| known.name);
        is_bot.then(|| named(name, product.version, Class::Bot)).filter(|named| named.name.is_some())
    })
}

fn is_called_bot(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let words = ["bot-", "crawler", "spider"];
    name.ends_with("bot") || words.iter().any(|word| name.contains(word))
}

fn program(header: &Header<'_>, system: Option<&System>) -> Option<Named> {
    let parts = header.parts().map(Product::of_part);
    let known = header.products.iter().copied().chain(parts).filter_map(|product| find(product).zip(Some(product)));
    let best = known.filter(|(program, _)| program.class < Class::Part).min_by_key(|(program, _)| program.class);
    let class = best.map_or(Class::Part, |(program, _)| program.class);
    if class >= Class::Copied && (is_embedded(header, system) || header.product("Electron").is_some()) {
        return Some(unknown(header).unwrap_or_else(|| named(IN_APP_BROWSER, None, Class::App)));
    }
    let Some((program, product)) = best else {
        return unknown(header).filter(|_| header.product("Mozilla").is_none());
    };
    Some(match program.name {
        "Safari" if system.is_some_and(|system| system.name == "Android") => named("Android Browser", None, class),
        "Safari" => named("Safari", version_of(header, "Version"), class),
        "Internet Explorer" => named("Internet Explorer", internet_explorer(header), class),
        "Opera" if product.name == "Opera" => named("Opera", version_of(header, "Version").or(product.version), class),
        "Facebook" => {
            let is_messenger = product.version.is_some_and(|app| app.contains("Messenger") || app.contains("Orca"));
            named(if is_messenger { "Messenger" } else { "Facebook" }, version_of(header, "FBAV"), class)
        }
        name => named(name, product.version, class),
    })
}

/// The program of a product. Some write a version behind an underscore.
fn find(product: Product<'_>) -> Option<programs::Program> {
    let before = || product.name.rsplit_once('_').and_then(|(name, _)| programs::find(name));
    programs::find(product.name).or_else(before)
}

fn version_of<'a>(header: &Header<'a>, product: &str) -> Option<&'a str> {
    header.product(product).and_then(|product| product.version)
}

/// Internet Explorer 11 has its version in a comment, and no name.
fn internet_explorer<'a>(header: &Header<'a>) -> Option<&'a str> {
    ["MSIE ", "rv:"].iter().find_map(|start| header.parts().find_map(|part| part.strip_prefix(start)))
}

/// Whether the browser is a part of an app: Android says so, and Apple's says nothing of Safari.
fn is_embedded(header: &Header<'_>, system: Option<&System>) -> bool {
    let is_apple = system.is_some_and(|system| ["iOS", "iPadOS"].contains(&system.name));
    header.says("wv")
        || (is_apple
            && header.product("AppleWebKit").is_some()
            && header.product("Safari").is_none()
            && !names_browser(header))
}

fn names_browser(header: &Header<'_>) -> bool {
    ["CriOS", "FxiOS", "EdgiOS"].iter().any(|name| header.product(name).is_some())
}

/// A program that is in no table, by the name that it gives itself.
fn unknown(header: &Header<'_>) -> Option<Named> {
    let is_unknown = |product: &&Product<'_>| find(**product).is_none() && !hardware::is_product(product.name);
    let named_so = |product: &Product<'_>| {
        let class = if product.version.is_some() { Class::App } else { Class::Part };
        Some(named(product.name, product.version, class)).filter(|named| named.name.is_some())
    };
    header.products.iter().filter(is_unknown).find_map(named_so)
}

/// A name of token characters (RFC 9110 section 5.6.2), and spaces in names of ours.
fn named(name: &str, told: Option<&str>, class: Class) -> Named {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.+! ".contains(letter);
    let is_name = name.len() <= MAX_PROGRAM_BYTES && name.contains(char::is_alphabetic) && name.chars().all(is_plain);
    Named { name: is_name.then(|| name.to_owned()), version: told.and_then(version), class }
}

/// The brand of the client hints, unless the header names an app: brands know only browsers.
fn with_brand(named: Option<Named>, hints: &ClientHints) -> Option<Named> {
    let class = named.as_ref().map_or(Class::Part, |named| named.class);
    let Some((brand, told)) = hints.brand().filter(|_| class > Class::App) else { return named };
    let name = programs::of_brand(&brand);
    let class = match name {
        IN_APP_BROWSER => Class::App,
        "Headless Chrome" => Class::Bot,
        _ => Class::Browser,
    };
    let branded = self::named(name, told.as_deref(), class);
    // Other browsers than Chrome may be known by their product and have no brand.
    let says_more =
        !["Chrome", "Chromium"].contains(&name) || named.as_ref().is_none_or(|named| named.class >= Class::Common);
    if branded.name.is_some() && says_more { Some(branded) } else { named }
}

fn operating_system(system: Option<System>, hints: &ClientHints) -> (Option<String>, Option<String>) {
    let named = system.map_or((None, None), |system| (Some(system.name), system.version));
    let platform = hints.platform();
    let name = match platform.as_deref() {
        Some("Chrome OS" | "Chromium OS") => Some("ChromeOS"),
        Some("Windows") => Some("Windows"),
        Some("macOS") => Some("macOS"),
        Some("Android") => Some("Android"),
        Some("Linux") => Some("Linux"),
        Some("iOS") => Some("iOS"),
        _ => named.0,
    };
    let told = hints.platform_version().filter(|_| platform.is_some()).as_deref().and_then(version);
    let hinted = match name {
        Some("Windows") => told.and_then(|told| windows(&told)).map(str::to_owned),
        Some("macOS" | "Android" | "iOS") => told,
        _ => None,
    };
    let version = hinted.or_else(|| named.1.filter(|_| name == named.0));
    (name.map(str::to_owned), version)
}

/// The hint counts the releases of an interface of Windows: 13 is the first Windows 11.
fn windows(told: &str) -> Option<&'static str> {
    match told {
        "0.1" => Some("7"),
        "0.2" => Some("8"),
        "0.3" => Some("8.1"),
        told => match told.split('.').next()?.parse::<u32>().ok()? {
            1..=10 => Some("10"),
            13.. => Some("11"),
            _ => None,
        },
    }
}

fn form_factor(hints: &ClientHints) -> Option<DeviceType> {
    hints.form_factors().iter().find_map(|word| match word.as_str() {
        "Desktop" => Some(DeviceType::Desktop),
        "Mobile" => Some(DeviceType::Mobile),
        "Tablet" | "EInk" => Some(DeviceType::Tablet),
        "XR" => Some(DeviceType::Headset),
        _ => None,
    })
}

/// The kind that a system runs on. A browser on an Android tablet is recognised by the missing `Mobile`, which other
/// programs never say.
fn kind(header: &Header<'_>, os: Option<&str>, is_mobile: Option<bool>) -> Option<DeviceType> {
    let is_browser = header.product("AppleWebKit").is_some() || header.product("Gecko").is_some();
    let says_mobile = header.says("Mobile") || header.says("Phone");
    Some(match os {
        Some("Windows" | "macOS" | "Linux" | "ChromeOS" | "FreeBSD" | "OpenBSD" | "NetBSD") => DeviceType::Desktop,
        Some("iPadOS") => DeviceType::Tablet,
        Some("iOS" | "KaiOS" | "Windows Phone" | "BlackBerry" | "watchOS") => DeviceType::Mobile,
        Some("Android" | "HarmonyOS") if header.says("PC") => DeviceType::Desktop,
        Some("Android" | "HarmonyOS") => {
            let is_phone = !header.says("Tablet") && is_mobile.unwrap_or(says_mobile || !is_browser);
            if is_phone { DeviceType::Mobile } else { DeviceType::Tablet }
        }
        Some("tvOS" | "webOS") => DeviceType::Tv,
        Some("Tizen") => {
            if says_mobile {
                DeviceType::Mobile
            } else {
                DeviceType::Tv
            }
        }
        Some("visionOS") => DeviceType::Headset,
        _ => return is_mobile.filter(|is_mobile| *is_mobile).map(|_| DeviceType::Mobile),
    })
}
