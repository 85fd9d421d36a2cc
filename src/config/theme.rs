//! The look of the account page, as settings say it: colours, a name, and the way back.

use std::fmt;

use super::setting::expected;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 60;
/// The least contrast of text (WCAG 2.2, success criterion 1.4.3).
const LEAST_CONTRAST: f64 = 4.5;
/// What text stands on in the light and in the dark theme, as in `src/account/assets/account.css`.
const LIGHT_SURFACE: Colour = Colour { red: 0xff, green: 0xff, blue: 0xff };
const DARK_SURFACE: Colour = Colour { red: 0x19, green: 0x1a, blue: 0x1c };

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

impl Colour {
    const WHITE: Self = LIGHT_SURFACE;
    const BLACK: Self = Self { red: 0, green: 0, blue: 0 };

    fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self { red: part(0)?, green: part(2)?, blue: part(4)? })
    }

    /// The relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The contrast with another colour, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn is_readable_on(self, surface: Self) -> bool {
        self.contrast(surface) >= LEAST_CONTRAST
    }

    /// The colour, mixed with as little white as makes it readable on the dark surface.
    fn lightened(self) -> Self {
        let mixed = |white: u16| {
            let part =
                |part: u8| u8::try_from((u16::from(part) * (100 - white) + 255 * white) / 100).unwrap_or(u8::MAX);
            Self { red: part(self.red), green: part(self.green), blue: part(self.blue) }
        };
        (0..=100).map(mixed).find(|colour| colour.is_readable_on(DARK_SURFACE)).unwrap_or(Self::WHITE)
    }

    /// White or black, whichever is read better on this colour.
    #[must_use]
    pub fn text_on_it(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }
}

/// `#` and six hexadecimal digits.
impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { red, green, blue } = self;
        write!(formatter, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// The colour of links and of what matters, in both themes. It is readable in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    /// In the light theme.
    pub light: Colour,
    /// In the dark theme.
    pub dark: Colour,
}

impl Accent {
    /// Parses `#rrggbb` for the light theme, and after a comma another for the dark one, which is else a lighter shade.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (light, dark) = text.split_once(',').map_or((text, None), |(light, dark)| (light, Some(dark.trim())));
        let parsed = |text| expected("a colour such as #0f6a70, or two separated by a comma", Colour::parse(text));
        let light = parsed(light.trim())?;
        let dark = dark.map(parsed).transpose()?.unwrap_or_else(|| light.lightened());
        for (colour, surface, theme) in [(light, LIGHT_SURFACE, "light"), (dark, DARK_SURFACE, "dark")] {
            if !colour.is_readable_on(surface) {
                let contrast = (colour.contrast(surface) * 10.0).floor() / 10.0;
                return Err(format!(
                    "a colour with a contrast of {LEAST_CONTRAST} at least on {surface}, which is behind it in the {theme} \
                     theme; that of {colour} is {contrast}"
                ));
            }
        }
        Ok(Self { light, dark })
    }
}

impl Default for Accent {
    fn default() -> Self {
        Self {
            light: Colour { red: 0x0f, green: 0x6a, blue: 0x70 },
            dark: Colour { red: 0x5c, green: 0xc0, blue: 0xc4 },
        }
    }
}

/// The address that people come from and go back to: an `https` URL, or a path at the same origin.
pub(super) fn way_back(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    let is_url = url::Url::parse(text).is_ok_and(|url| url.scheme() == "https" && url.has_host());
    let plain = !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    expected("an https URL, or a path that begins with /", (plain && (is_path || is_url)).then(|| text.to_owned()))
}

/// A name for people.
pub(super) fn name(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control);
    expected(format_args!("a text of at most {MAX_NAME_CHARS} characters"), fits.then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_readable_in_both_themes_or_refused() {
        let shown = |text: &str| Accent::parse(text).map(|Accent { light, dark }| format!("{light} {dark}"));
        assert_eq!(shown("#0f6a70, #5cc0c4").as_deref(), Ok("#0f6a70 #5cc0c4"));
        assert_eq!(shown("#000000").as_deref(), Ok("#000000 #828282"));
        for own in ["#0f6a70", "#5b21b6", "#b3261e", "#1d4ed8"] {
            let Accent { light, dark } = Accent::parse(own).unwrap();
            assert!(light.is_readable_on(LIGHT_SURFACE) && dark.is_readable_on(DARK_SURFACE), "{own}");
            assert!(light.is_readable_on(light.text_on_it()) && dark.is_readable_on(dark.text_on_it()), "{own}");
        }
        for (wrong, part) in [
            ("#ffcc00", "the light theme; that of #ffcc00 is 1.5"),
            ("#0f6a70,#0f6a70", "the dark theme"),
            ("0f6a70", "a colour such as"),
            ("#0f6", "a colour such as"),
            ("#0f6a7g", "a colour such as"),
            ("#+f+f+f", "a colour such as"),
            ("teal", "a colour such as"),
            ("#0f6a70,", "a colour such as"),
        ] {
            let refused = Accent::parse(wrong).unwrap_err();
            assert!(refused.contains(part), "{wrong}: {refused}");
        }
    }

    #[test]
    fn the_default_colour_is_readable_in_both_themes() {
        let Accent { light, dark } = Accent::default();
        assert_eq!(Accent::parse(&format!("{light},{dark}")), Ok(Accent::default()));
    }

    #[test]
    fn the_way_back_is_a_path_or_a_secure_url() {
        for right in ["/", "/settings?tab=security#top", "https://shop.example/account"] {
            assert_eq!(way_back(right).as_deref(), Ok(right));
        }
        for wrong in
            ["", "//evil.example", "/\\evil.example", "http://shop.example", "javascript:alert(1)", "/a b", "shop"]
        {
            assert!(way_back(wrong).is_err(), "{wrong}");
        }
    }
}
