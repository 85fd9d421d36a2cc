//! Devices that a User-Agent header names: televisions, consoles, headsets, models of phones.

use super::DeviceType;
use super::header::{Header, first_row};

/// The maximum length of a model, in bytes.
const MAX_MODEL_BYTES: usize = 64;

type Rows = &'static [(&'static str, DeviceType, &'static str)];

/// The beginnings of parts of comments that name a device. The first row that fits counts: the particular ones stand
/// before the general ones.
const DEVICES: Rows = &[
    ("PlayStation 5", DeviceType::Console, "PlayStation 5"),
    ("PlayStation 4", DeviceType::Console, "PlayStation 4"),
    ("PLAYSTATION 3", DeviceType::Console, "PlayStation 3"),
    ("PlayStation Vita", DeviceType::Console, "PlayStation Vita"),
    ("PlayStation", DeviceType::Console, "PlayStation"),
    ("Xbox Series X", DeviceType::Console, "Xbox Series X"),
    ("XBOX_ONE", DeviceType::Console, "Xbox One"),
    ("Xbox One", DeviceType::Console, "Xbox One"),
    ("Xbox", DeviceType::Console, "Xbox"),
    ("Nintendo Switch 2", DeviceType::Console, "Nintendo Switch 2"),
    ("Nintendo Switch", DeviceType::Console, "Nintendo Switch"),
    ("Nintendo WiiU", DeviceType::Console, "Nintendo Wii U"),
    ("Nintendo Wii", DeviceType::Console, "Nintendo Wii"),
    ("Nintendo 3DS", DeviceType::Console, "Nintendo 3DS"),
    ("New Nintendo 3DS", DeviceType::Console, "Nintendo 3DS"),
    ("Quest 3S", DeviceType::Headset, "Meta Quest 3S"),
    ("Quest 3", DeviceType::Headset, "Meta Quest 3"),
    ("Quest 2", DeviceType::Headset, "Meta Quest 2"),
    ("Quest Pro", DeviceType::Headset, "Meta Quest Pro"),
    ("Quest", DeviceType::Headset, "Meta Quest"),
    ("Pico Neo 3", DeviceType::Headset, "Pico Neo 3"),
    ("PICO 4", DeviceType::Headset, "Pico 4"),
    ("Pico 4", DeviceType::Headset, "Pico 4"),
    ("Mobile VR", DeviceType::Headset, "VR headset"),
    ("Web0S", DeviceType::Tv, "LG TV"),
    ("webOS.TV", DeviceType::Tv, "LG TV"),
    ("NetCast", DeviceType::Tv, "LG TV"),
    ("LG NetCast", DeviceType::Tv, "LG TV"),
    ("SMART-TV", DeviceType::Tv, "Samsung TV"),
    ("SmartHub", DeviceType::Tv, "Samsung TV"),
    ("BRAVIA", DeviceType::Tv, "Sony TV"),
    ("Sony BRAVIA", DeviceType::Tv, "Sony TV"),
    ("Apple TV", DeviceType::Tv, "Apple TV"),
    ("AFT", DeviceType::Tv, "Fire TV"),
    ("Chromecast", DeviceType::Tv, "Chromecast"),
    ("SHIELD Android TV", DeviceType::Tv, "NVIDIA Shield TV"),
    ("MIBOX", DeviceType::Tv, "Xiaomi TV"),
    ("MiTV", DeviceType::Tv, "Xiaomi TV"),
];

/// The beginnings of products that name a device, looked for when no row of [`DEVICES`] fits.
const PRODUCTS: Rows = &[
    ("AppleTV", DeviceType::Tv, "Apple TV"),
    ("CrKey", DeviceType::Tv, "Chromecast"),
    ("OculusBrowser", DeviceType::Headset, "Meta Quest"),
    ("PHILIPSTV", DeviceType::Tv, "Philips TV"),
    ("PicoBrowser", DeviceType::Headset, "Pico"),
    ("PlayStation", DeviceType::Console, "PlayStation"),
    ("Roku", DeviceType::Tv, "Roku"),
    ("SmartCast", DeviceType::Tv, "Vizio TV"),
    ("VIDAA", DeviceType::Tv, "Hisense TV"),
    ("Viera", DeviceType::Tv, "Panasonic TV"),
    ("Wolvic", DeviceType::Headset, "VR headset"),
];

/// Names of televisions that tell nothing more, looked for when no other row fits.
const TELEVISIONS: &[&str] = &["Android TV", "GoogleTV", "Google TV", "HbbTV", "Smart TV", "SmartTV", "TV"];

/// The makers in the comment of HbbTV.
const TELEVISION_MAKERS: &[(&str, &str)] = &[
    ("Hisense", "Hisense TV"),
    ("LGE", "LG TV"),
    ("Loewe", "Loewe TV"),
    ("PHILIPS", "Philips TV"),
    ("Panasonic", "Panasonic TV"),
    ("Philips", "Philips TV"),
    ("Samsung", "Samsung TV"),
    ("Sony", "Sony TV"),
    ("TCL", "TCL TV"),
    ("TOSHIBA", "Toshiba TV"),
    ("Vestel", "Vestel TV"),
];

/// The beginnings of models that do not tell their makers.
const MAKERS: &[(&str, &str)] = &[
    ("2107", "Xiaomi"),
    ("2109", "Xiaomi"),
    ("22", "Xiaomi"),
    ("23", "Xiaomi"),
    ("24", "Xiaomi"),
    ("25", "Xiaomi"),
    ("CPH", "OPPO"),
    ("GT-", "Samsung"),
    ("KF", "Amazon"),
    ("LM-", "LG"),
    ("M200", "Xiaomi"),
    ("M210", "Xiaomi"),
    ("RMX", "realme"),
    ("SM-", "Samsung"),
    ("XQ-", "Sony"),
    ("XT", "Motorola"),
];

/// The makers that some browsers write before a model.
const WRITTEN_MAKERS: &[&str] = &["SAMSUNG ", "samsung ", "HUAWEI ", "Huawei ", "Xiaomi ", "OPPO ", "vivo "];

/// Parts of an Android comment that are no model.
const NO_MODELS: &[&str] =
    &["K", "U", "N", "wv", "Mobile", "Tablet", "HarmonyOS", "arm", "arm64", "arm_64", "x86", "x86_64", "unknown"];

/// A television, console or headset.
pub(super) fn special(header: &Header<'_>) -> Option<(DeviceType, &'static str)> {
    let products = || header.products.iter().map(|product| product.name);
    let in_comments = first_row(DEVICES, |row| row.0, header.parts());
    if let Some((_, kind, model)) = in_comments.or_else(|| first_row(PRODUCTS, |row| row.0, products())) {
        return Some((*kind, *model));
    }
    if header.product("VR").is_some() {
        return Some((DeviceType::Headset, "VR headset"));
    }
    let is_television =
        |name: &str| TELEVISIONS.contains(&name) || name.ends_with("/SmartTV") || name.starts_with("HbbTV/");
    header.parts().chain(products()).any(is_television).then(|| {
        let made = TELEVISION_MAKERS.iter().find(|(maker, _)| header.parts().any(|part| part == *maker));
        (DeviceType::Tv, made.map_or("TV", |(_, model)| model))
    })
}

/// Whether a product is a device and no program.
pub(super) fn is_product(name: &str) -> bool {
    PRODUCTS.iter().any(|(start, ..)| name.starts_with(start))
}

/// The model of a phone or a tablet.
pub(super) fn model(header: &Header<'_>) -> Option<String> {
    apple(header).or_else(|| header.comments.iter().find_map(|parts| android(parts)))
}

/// Apps write a number after the name of an Apple device, such as `iPhone14,5`.
fn apple(header: &Header<'_>) -> Option<String> {
    let is_apple = |name: &&str| ["iPhone", "iPad", "iPod"].iter().any(|device| name.starts_with(device));
    let in_app = header.product("FBDV").and_then(|product| product.version);
    let models = || header.parts().filter(|part| !part.contains(" OS ")).chain(in_app).filter(is_apple);
    let plain = |model: &str| (!model.contains(' ') || model == "iPod touch").then(|| cleaned(model)).flatten();
    models().find(|model| model.contains(',')).and_then(plain).or_else(|| models().find_map(plain))
}

/// The part after the system's: `SM-S918B` of `Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv`.
fn android(parts: &[&str]) -> Option<String> {
    let is_system = |part: &&str| part.starts_with("Android") || part.starts_with("Andr0id");
    let at = parts.iter().position(is_system)?;
    let first = parts.first()?;
    if at > 0 && !["Linux", "U"].contains(first) {
        return None;
    }
    let is_locale = |part: &str| {
        let (language, region) = part.split_once(['-', '_']).unwrap_or((part, "XX"));
        language.len() == 2 && region.len() == 2 && language.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    let is_model = |part: &&str| {
        !NO_MODELS.contains(part)
            && !is_locale(part)
            && !part.split(" Build/").next().is_some_and(|model| model.contains('/'))
            && !["rv:", "SDK", "API", "Build/", "HMSCore"].iter().any(|start| part.starts_with(start))
    };
    let part = parts.iter().skip(at + 1).copied().find(is_model)?;
    android_model(part.split(" Build/").next()?)
}

/// An Android model, with its maker where the model is only a number.
pub(super) fn android_model(text: &str) -> Option<String> {
    let plain = WRITTEN_MAKERS.iter().find_map(|maker| text.strip_prefix(maker)).unwrap_or(text);
    let written = text.strip_suffix(plain).map(str::trim).filter(|maker| !maker.is_empty());
    let is_number = |model: &str| model.contains(|letter: char| letter.is_ascii_digit()) && !model.contains(' ');
    let known = MAKERS.iter().find(|(start, _)| plain.starts_with(start)).map(|(_, maker)| *maker);
    let known = known.filter(|_| is_number(plain) || plain.starts_with("KF"));
    match known.or(written) {
        Some(maker) => cleaned(&format!("{} {plain}", capitalised(maker))),
        None => cleaned(plain),
    }
}

fn capitalised(maker: &str) -> &str {
    match maker {
        "SAMSUNG" | "samsung" => "Samsung",
        "HUAWEI" => "Huawei",
        other => other,
    }
}

/// A model without characters that could change how a line is shown.
fn cleaned(model: &str) -> Option<String> {
    let model = model.trim();
    let is_plain = model.chars().all(|character| character.is_ascii_graphic() || character == ' ');
    (is_plain && !model.is_empty() && model.len() <= MAX_MODEL_BYTES).then(|| model.to_owned())
}
