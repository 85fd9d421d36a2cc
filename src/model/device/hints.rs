//! User-Agent Client Hints: headers that a browser based on Chromium sends beside its User-Agent.

use super::header::version;

/// The maximum length of a hint, in bytes; a longer one is ignored, because a part of it would mean something else.
const MAX_HINT_BYTES: usize = 512;

/// The headers as they came. One that is not a structured field (RFC 9651) of its type is ignored, as the standard has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHints {
    /// `Sec-CH-UA`.
    pub brands: Option<String>,
    /// `Sec-CH-UA-Full-Version-List`.
    pub full_version_list: Option<String>,
    /// `Sec-CH-UA-Mobile`.
    pub mobile: Option<String>,
    /// `Sec-CH-UA-Platform`.
    pub platform: Option<String>,
    /// `Sec-CH-UA-Platform-Version`.
    pub platform_version: Option<String>,
    /// `Sec-CH-UA-Model`.
    pub model: Option<String>,
    /// `Sec-CH-UA-Form-Factors`.
    pub form_factors: Option<String>,
}

/// A string of a list, with its parameter `v`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    text: String,
    version: Option<String>,
}

impl ClientHints {
    /// The brand that tells most, with its version.
    pub(super) fn brand(&self) -> Option<(String, Option<String>)> {
        let brands = list(self.full_version_list.as_ref()).or_else(|| list(self.brands.as_ref()))?;
        // Chromium adds a brand that does not exist, in changing spellings, so that nobody relies on the list's order.
        let is_made_up = |text: &str| {
            let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
            letters.starts_with("Not") && letters.ends_with("Brand")
        };
        let mut real: Vec<Item> = brands.into_iter().filter(|item| !is_made_up(&item.text)).collect();
        // Chromium is named beside the browser that is made of it.
        real.sort_by_key(|item| match item.text.as_str() {
            "Chromium" => 2,
            "Google Chrome" => 1,
            _ => 0,
        });
        let Item { text, version: told } = real.into_iter().next()?;
        Some((text, told.as_deref().and_then(version)))
    }

    /// Whether the browser prefers what is made for phones.
    pub(super) fn is_mobile(&self) -> Option<bool> {
        match short(self.mobile.as_ref())?.trim() {
            "?1" => Some(true),
            "?0" => Some(false),
            _ => None,
        }
    }

    pub(super) fn platform(&self) -> Option<String> {
        string(self.platform.as_ref())
    }

    pub(super) fn platform_version(&self) -> Option<String> {
        string(self.platform_version.as_ref())
    }

    pub(super) fn model(&self) -> Option<String> {
        string(self.model.as_ref())
    }

    pub(super) fn form_factors(&self) -> Vec<String> {
        list(self.form_factors.as_ref()).unwrap_or_default().into_iter().map(|item| item.text).collect()
    }
}

fn short(hint: Option<&String>) -> Option<&str> {
    hint.map(String::as_str).filter(|text| text.len() <= MAX_HINT_BYTES)
}

/// A string that is not empty.
fn string(hint: Option<&String>) -> Option<String> {
    let (text, rest) = quoted(short(hint)?.trim())?;
    (rest.is_empty() && !text.is_empty()).then_some(text)
}

/// A list of strings with parameters. `None` when a part of it is something else.
fn list(hint: Option<&String>) -> Option<Vec<Item>> {
    let mut rest = short(hint)?.trim();
    let mut items = Vec::new();
    loop {
        let (text, after) = quoted(rest)?;
        let mut item = Item { text, version: None };
        rest = after.trim_start();
        while let Some(parameter) = rest.strip_prefix(';') {
            let parameter = parameter.trim_start();
            let end = parameter.find(|letter: char| !is_of_token(letter)).unwrap_or(parameter.len());
            let (key, after) = parameter.split_at_checked(end)?;
            rest = after;
            if let Some(value) = after.strip_prefix('=') {
                let (value, after) = quoted(value).or_else(|| bare(value))?;
                if key == "v" {
                    item.version = Some(value);
                }
                rest = after;
            }
            rest = rest.trim_start();
        }
        items.push(item);
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None => return rest.is_empty().then_some(items),
        }
    }
}

fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-.*?:/".contains(letter)
}

/// A token or a number, and the text after it.
fn bare(text: &str) -> Option<(String, &str)> {
    let end = text.find(|letter: char| !is_of_token(letter)).unwrap_or(text.len());
    let (value, rest) = text.split_at_checked(end)?;
    (!value.is_empty()).then(|| (value.to_owned(), rest))
}

/// A string in quotation marks, without its escapes, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, letter) in inside.char_indices() {
        match letter {
            '"' | '\\' if is_escaped => {
                value.push(letter);
                is_escaped = false;
            }
            _ if is_escaped => return None,
            '\\' => is_escaped = true,
            '"' => return Some((value, inside.get(at + 1..)?)),
            ' '..='~' => value.push(letter),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(text: &str) -> Option<(String, Option<String>)> {
        ClientHints { brands: Some(text.to_owned()), ..ClientHints::default() }.brand()
    }

    #[test]
    fn the_brand_that_exists_and_tells_most_counts() {
        for (text, name, version) in [
            (r#""Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24""#, "Brave", Some("131")),
            (r#""Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126""#, "Google Chrome", Some("126")),
            (r#"" Not A;Brand";v="99", "Chromium";v="96""#, "Chromium", Some("96")),
            (r#""\\Not\"A;Brand";v="99","Opera";v="112.0.5197.25";x=1;y"#, "Opera", Some("112.0.5197.25")),
            (r#""Microsoft Edge""#, "Microsoft Edge", None),
        ] {
            assert_eq!(brand(text), Some((name.to_owned(), version.map(str::to_owned))), "{text}");
        }
    }

    #[test]
    fn what_is_no_structured_field_is_ignored_as_a_whole() {
        let long = format!(r#""{}""#, "a".repeat(MAX_HINT_BYTES));
        let escapes = format!(r#""{}"#, r"\".repeat(MAX_HINT_BYTES - 1));
        for text in
            ["", "Brave", r#""Brave"#, r#""Brave" x"#, r#""Brave","#, r#""a\b""#, "\"ä\"", r#""a";v="#, &long, &escapes]
        {
            assert_eq!(brand(text), None, "{text}");
        }
        let hints = |text: &str| ClientHints { model: Some(text.to_owned()), ..ClientHints::default() };
        assert_eq!(hints(r#""Pixel 8""#).model().as_deref(), Some("Pixel 8"));
        for text in [r#""""#, "Pixel 8", r#""Pixel 8";x"#, r#""Pixel 8", "x""#] {
            assert_eq!(hints(text).model(), None, "{text}");
        }
    }
}
