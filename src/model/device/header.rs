//! The syntax of a User-Agent header (RFC 9110 section 10.1.5): products with versions, and comments.

const MAX_VERSION_CHARS: usize = 32;

/// A product: a name, perhaps with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Product<'a> {
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
}

/// A header in slices of its text. They do not overlap, so that reading and searching them is linear in its length.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    /// The products, with the entries of lists in square brackets, in which apps name themselves.
    pub(super) products: Vec<Product<'a>>,
    /// The comments, split at their semicolons.
    pub(super) comments: Vec<Vec<&'a str>>,
}

impl<'a> Product<'a> {
    /// `name/version`, or a name alone.
    fn of_word(word: &'a str) -> Self {
        match word.split_once('/') {
            Some((name, version)) => Self { name, version: Some(version) },
            None => Self { name: word, version: None },
        }
    }

    /// A part of a comment: `name/version` or `name version`.
    pub(super) fn of_part(part: &'a str) -> Self {
        match part.rsplit_once(' ') {
            Some((name, version)) if !part.contains('/') && is_version(version) => {
                Self { name, version: Some(version) }
            }
            _ => Self::of_word(part),
        }
    }
}

impl<'a> Header<'a> {
    /// Reads any text. A bracket that is not closed reaches to the end.
    pub(super) fn read(text: &'a str) -> Self {
        let mut header = Self::default();
        let mut rest = text;
        loop {
            let start = rest.find(['(', '[']).unwrap_or(rest.len());
            let Some((words, bracket)) = rest.split_at_checked(start) else { return header };
            header.add_products(words);
            let Some((inside, after)) = bracketed(bracket) else { return header };
            let parts = inside.split(';').map(str::trim).filter(|part| !part.is_empty());
            if bracket.starts_with('[') {
                header.products.extend(parts.map(Product::of_word));
            } else {
                header.comments.push(parts.collect());
            }
            rest = after;
        }
    }

    fn add_products(&mut self, words: &'a str) {
        for word in words.split_whitespace() {
            match self.products.last_mut() {
                // Some apps separate name and version by a space.
                Some(last @ Product { version: None, .. }) if is_version(word) => last.version = Some(word),
                _ => self.products.push(Product::of_word(word)),
            }
        }
    }

    /// All parts of all comments.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'a str> {
        self.comments.iter().flatten().copied()
    }

    /// The product of this name.
    pub(super) fn product(&self, name: &str) -> Option<Product<'a>> {
        self.products.iter().copied().find(|product| product.name == name)
    }

    /// Whether there is a product or a part of a comment of this name.
    pub(super) fn says(&self, name: &str) -> bool {
        self.product(name).is_some() || self.parts().any(|part| part == name)
    }
}

/// The version at the beginning of a text, without zeros at its end: `142` of `142.0.0.0`, `18.1` of `18_1 like Mac OS X`.
pub(super) fn version(text: &str) -> Option<String> {
    let is_inside = |character: &char| character.is_ascii_digit() || ['.', '_'].contains(character);
    let numbers: String = text.chars().take_while(is_inside).take(MAX_VERSION_CHARS).collect();
    let dotted = numbers.replace('_', ".");
    let mut version = dotted.trim_end_matches('.');
    while let Some(shorter) = version.strip_suffix(".0") {
        version = shorter;
    }
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}

/// The first row whose text one of the names begins with.
pub(super) fn first_row<'a, R>(
    rows: &'static [R],
    text: impl Fn(&R) -> &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Option<&'static R> {
    let mut found = None;
    for name in names {
        let before = rows.get(..found.unwrap_or(rows.len()))?;
        found = before.iter().position(|row| name.starts_with(text(row))).or(found);
    }
    rows.get(found?)
}

fn is_version(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit()) && !word.contains('/')
}

/// The text in the bracket that `text` starts with, and the text after it.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let open = text.chars().next()?;
    let close = if open == '(' { ')' } else { ']' };
    let inside = text.get(open.len_utf8()..)?;
    let mut depth = 1_usize;
    for (at, character) in inside.char_indices() {
        if character == open {
            depth += 1;
        } else if character == close {
            depth -= 1;
            if depth == 0 {
                return Some((inside.get(..at)?, inside.get(at + close.len_utf8()..)?));
            }
        }
    }
    Some((inside, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of all slices together, in bytes.
    fn bytes_in_slices(header: &Header<'_>) -> usize {
        let of = |product: &Product<'_>| product.name.len() + product.version.map_or(0, str::len);
        header.products.iter().map(of).sum::<usize>() + header.parts().map(str::len).sum::<usize>()
    }

    #[test]
    fn products_and_comments_are_told_apart() {
        let header = Header::read("Mozilla/5.0 (Linux; Android 11; moto g(60)) App 3.1 [FBAN/FBIOS;FBAV/4.0] x");
        let product = |name, version| Product { name, version };
        assert_eq!(header.comments, [["Linux", "Android 11", "moto g(60)"]]);
        assert_eq!(
            header.products,
            [
                product("Mozilla", Some("5.0")),
                product("App", Some("3.1")),
                product("FBAN", Some("FBIOS")),
                product("FBAV", Some("4.0")),
                product("x", None),
            ]
        );
        assert_eq!(Product::of_part("MSIE 10.0"), product("MSIE", Some("10.0")));
        assert_eq!(Product::of_part("Opera Mini/36.2"), product("Opera Mini", Some("36.2")));
        assert_eq!(Product::of_part("like Mac OS X"), product("like Mac OS X", None));
    }

    #[test]
    fn a_version_is_the_number_at_the_beginning() {
        for (text, expected) in [
            ("142.0.0.0", Some("142")),
            ("18_1 like Mac OS X", Some("18.1")),
            ("8.0.49(0x18003128)", Some("8.0.49")),
            ("0.0", Some("0")),
            ("10.", Some("10")),
            ("v8", None),
            (".1", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "{text}");
        }
        assert!(version(&"1".repeat(512)).is_some_and(|version| version.len() == MAX_VERSION_CHARS));
    }

    #[test]
    fn no_byte_of_a_hostile_header_is_in_two_slices() {
        let fill = |piece: &str| piece.chars().cycle().take(512).collect::<String>();
        for piece in ["(", ")", "[", "[(", "(;", "()", "([)]", "a/", "a ", "1 ", "/", ";", "((a;)", "a/1 (b;c) [d;e] "]
        {
            let text = fill(piece);
            let header = Header::read(&text);
            assert!(bytes_in_slices(&header) <= text.len(), "{piece}");
            assert!(header.products.len() + header.parts().count() <= text.len(), "{piece}");
        }
    }
}
