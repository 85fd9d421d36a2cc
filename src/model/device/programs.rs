//! The names of programs in User-Agent headers, and the names that people know them by.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A class of programs. Of several in one header the smallest names it: browsers pose as others for the sake of old sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// Not used by a person.
    Bot,
    /// Not a browser, or one that is a part of an app.
    App,
    /// A browser that nobody poses as.
    Browser,
    /// A browser that some others pose as, and that poses as Chrome.
    Copied,
    /// Chrome and Firefox: most others pose as one of them.
    Common,
    /// Safari: all but Firefox pose as it.
    Safari,
    /// Not a program: an engine, a library, a system.
    Part,
}

/// A known name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) class: Class,
}

/// The name of an embedded browser whose app does not name itself.
pub(super) const IN_APP_BROWSER: &str = "In-app browser";

type Rows = &'static [(&'static str, &'static str)];

/// Programs whose names do not tell that they are bots.
const BOTS: Rows = &[
    ("BingPreview", "Bing Preview"),
    ("ChatGPT-User", "ChatGPT-User"),
    ("Chrome-Lighthouse", "Lighthouse"),
    ("Claude-User", "Claude-User"),
    ("Google-InspectionTool", "Google Inspection Tool"),
    ("HeadlessChrome", "Headless Chrome"),
    ("Mediapartners-Google", "Google AdSense"),
    ("Perplexity-User", "Perplexity-User"),
    ("PhantomJS", "PhantomJS"),
    ("Slurp", "Yahoo Slurp"),
    ("Yahoo! Slurp", "Yahoo Slurp"),
    ("bingbot", "Bingbot"),
    ("facebookcatalog", "Facebook Catalog"),
    ("facebookexternalhit", "Facebook link preview"),
    ("meta-externalagent", "Meta-ExternalAgent"),
];

const APPS: Rows = &[
    ("Barcelona", "Threads"),
    ("BytedanceWebview", "TikTok"),
    ("Code", "Visual Studio Code"),
    ("FBAN", "Facebook"),
    ("FB_IAB", "Facebook"),
    ("GSA", "Google app"),
    ("GitHubDesktop", "GitHub Desktop"),
    ("KAKAOTALK", "KakaoTalk"),
    ("Line", "LINE"),
    ("LinkedInApp", "LinkedIn"),
    ("MicroMessenger", "WeChat"),
    ("Microsoft Outlook", "Outlook"),
    ("Office", "Microsoft Office"),
    ("Outlook-Android", "Outlook"),
    ("Outlook-iOS", "Outlook"),
    ("PostmanRuntime", "Postman"),
    ("Signal-Android", "Signal"),
    ("Signal-Desktop", "Signal"),
    ("Signal-iOS", "Signal"),
    ("Slack", "Slack"),
    ("Slack_SSB", "Slack"),
    ("Steam", "Steam"),
    ("Teams", "Microsoft Teams"),
    ("Telegram-Android", "Telegram"),
    ("Thunderbird", "Thunderbird"),
    ("TwitterAndroid", "X"),
    ("Twitter", "X"),
    ("Valve Steam Client", "Steam"),
    ("Valve Steam GameOverlay", "Steam"),
    ("WindowsPowerShell", "PowerShell"),
    ("Wget", "Wget"),
    ("ZoomWebKit", "Zoom"),
    ("com.google.android.apps.youtube.music", "YouTube Music"),
    ("com.google.android.youtube", "YouTube"),
    ("com.google.ios.youtube", "YouTube"),
    ("com.google.ios.youtubemusic", "YouTube Music"),
    ("com.zhiliaoapp.musically", "TikTok"),
    ("curl", "curl"),
    ("musical_ly", "TikTok"),
    ("trill", "TikTok"),
];

/// Apps that go by the name that is known of them.
const PLAIN_APPS: &[&str] = &[
    "Discord",
    "Figma",
    "Instagram",
    "Messenger",
    "Notion",
    "Pinterest",
    "PowerShell",
    "Snapchat",
    "Spotify",
    "TikTok",
    "VLC",
    "WhatsApp",
];

const BROWSERS: Rows = &[
    ("AlohaBrowser", "Aloha"),
    ("Avast", "Avast Secure Browser"),
    ("AvastSecureBrowser", "Avast Secure Browser"),
    ("Brave", "Brave"),
    ("Ddg", "DuckDuckGo"),
    ("DuckDuckGo", "DuckDuckGo"),
    ("Ecosia", "Ecosia"),
    ("Epiphany", "GNOME Web"),
    ("Falkon", "Falkon"),
    ("Focus", "Firefox Focus"),
    ("HeyTapBrowser", "HeyTap Browser"),
    ("HuaweiBrowser", "Huawei Browser"),
    ("Iceweasel", "Iceweasel"),
    ("K-Meleon", "K-Meleon"),
    ("Klar", "Firefox Klar"),
    ("Konqueror", "Konqueror"),
    ("MQQBrowser", "QQ Browser"),
    ("MSIE", "Internet Explorer"),
    ("Maxthon", "Maxthon"),
    ("MiuiBrowser", "Mi Browser"),
    ("NintendoBrowser", "Nintendo Browser"),
    ("OPR", "Opera"),
    ("OPRGX", "Opera GX"),
    ("OPT", "Opera"),
    ("OPX", "Opera GX"),
    ("OPiOS", "Opera Mini"),
    ("OculusBrowser", "Meta Quest Browser"),
    ("Opera Mini", "Opera Mini"),
    ("PaleMoon", "Pale Moon"),
    ("PicoBrowser", "Pico Browser"),
    ("Puffin", "Puffin"),
    ("QQBrowser", "QQ Browser"),
    ("Quark", "Quark"),
    ("SeaMonkey", "SeaMonkey"),
    ("Silk", "Amazon Silk"),
    ("Sleipnir", "Sleipnir"),
    ("Trident", "Internet Explorer"),
    ("UBrowser", "UC Browser"),
    ("UCBrowser", "UC Browser"),
    ("Vivaldi", "Vivaldi"),
    ("VivoBrowser", "Vivo Browser"),
    ("Waterfox", "Waterfox"),
    ("Whale", "Whale"),
    ("Wolvic", "Wolvic"),
    ("YaBrowser", "Yandex Browser"),
    ("coc_coc_browser", "Cốc Cốc"),
    ("konqueror", "Konqueror"),
];

const COPIED: Rows = &[
    ("ArkWeb", "Huawei Browser"),
    ("Edg", "Edge"),
    ("EdgA", "Edge"),
    ("Edge", "Edge"),
    ("EdgiOS", "Edge"),
    ("Opera", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
];

const COMMON: Rows = &[
    ("Chrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("CriOS", "Chrome"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
];

const PARTS: &[&str] = &[
    "",
    "Alamofire",
    "Android",
    "AppleCoreMedia",
    "AppleWebKit",
    "CFNetwork",
    "Cronet",
    "Dalvik",
    "Darwin",
    "Electron",
    "FBAV",
    "FBDV",
    "Gecko",
    "HbbTV",
    "KAIOS",
    "KHTML",
    "Linux",
    "Mobile",
    "Mozilla",
    "NF",
    "Presto",
    "TV",
    "VR",
    "Version",
    "Windows",
    "iOS",
    "iPad",
    "iPhone",
    "like",
    "macOS",
];

/// Brands in client hints that have another name than the product in the header.
const BRANDS: Rows = &[
    ("Android WebView", IN_APP_BROWSER),
    ("Google Chrome", "Chrome"),
    ("HeadlessChrome", "Headless Chrome"),
    ("Meta Quest Browser", "Meta Quest Browser"),
    ("Microsoft Edge", "Edge"),
    ("Microsoft Edge WebView2", IN_APP_BROWSER),
    ("Oculus Browser", "Meta Quest Browser"),
    ("Samsung Internet", "Samsung Internet"),
    ("Yandex", "Yandex Browser"),
    ("YaBrowser", "Yandex Browser"),
];

static PROGRAMS: LazyLock<HashMap<&str, Program>> = LazyLock::new(|| rows().collect());

fn rows() -> impl Iterator<Item = (&'static str, Program)> {
    let tables = [
        (Class::Bot, BOTS),
        (Class::App, APPS),
        (Class::Browser, BROWSERS),
        (Class::Copied, COPIED),
        (Class::Common, COMMON),
    ];
    let plain = [(Class::App, PLAIN_APPS), (Class::Safari, &["Safari"]), (Class::Part, PARTS)];
    let row = |class| move |(token, name): &(&'static str, &'static str)| (*token, Program { name, class });
    let plain_row = |class| move |name: &&'static str| (*name, Program { name, class });
    tables
        .into_iter()
        .flat_map(move |(class, rows)| rows.iter().map(row(class)))
        .chain(plain.into_iter().flat_map(move |(class, names)| names.iter().map(plain_row(class))))
}

/// The program of a product's name.
pub(super) fn find(product: &str) -> Option<Program> {
    PROGRAMS.get(product).copied()
}

/// The name of a brand in client hints.
pub(super) fn of_brand(brand: &str) -> &str {
    BRANDS.iter().find(|(known, _)| *known == brand).map_or(brand, |(_, name)| name)
}

/// Whether the program of this name, as people know it, is a browser. The version of a browser tells sessions apart; the
/// version of an app tells people nothing.
pub(super) fn is_browser(name: &str) -> bool {
    name == "Safari" || [BROWSERS, COPIED, COMMON].into_iter().flatten().any(|(_, known)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_has_two_meanings() {
        assert_eq!(PROGRAMS.len(), rows().count());
    }
}
