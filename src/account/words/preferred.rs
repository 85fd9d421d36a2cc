//! The choice of a language.

use super::texts::Words;
use super::{ar, de, en};

/// The languages, the default one first.
const ALL: [&Words; 3] = [&en::WORDS, &de::WORDS, &ar::WORDS];

/// The words of the language that a browser prefers (RFC 9110 section 12.5.4) among those that there are.
pub(in crate::account) fn preferred(accept_language: Option<&str>) -> &'static Words {
    let mut best = (0.0, &en::WORDS);
    for range in accept_language.unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let tag = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let primary = tag.split('-').next().unwrap_or_default();
        let known = ALL.into_iter().find(|words| primary.eq_ignore_ascii_case(words.lang) || tag == "*");
        if let Some(words) = known
            && weight > best.0
        {
            best = (weight, words);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::words::texts::{Done, Unit};
    use crate::model::{EndReason, State};

    #[test]
    fn a_browser_gets_the_language_that_it_likes_best_of_those_that_there_are() {
        for (header, expected) in [
            (None, "en"),
            (Some(""), "en"),
            (Some("de"), "de"),
            (Some("de-AT,en;q=0.7"), "de"),
            (Some("fr, en;q=0.8, DE;q=0.9"), "de"),
            (Some("ar-EG;q=0.9,en;q=0.8"), "ar"),
            (Some("fr,*;q=0.1"), "en"),
            (Some("de;q=0"), "en"),
            (Some("de;q=x, \u{fffd};;="), "de"),
        ] {
            assert_eq!(preferred(header).lang, expected, "{header:?}");
        }
    }

    #[test]
    fn every_reason_has_words_of_its_own_in_every_language() {
        for words in ALL {
            let reasons = EndReason::ALL.map(EndReason::as_str);
            let states = [State::Expired.as_str(), State::IdleExpired.as_str()];
            let other = (words.reason)("a word of a later version");
            let all: Vec<&str> = reasons.into_iter().chain(states).map(words.reason).collect();
            assert!(!other.is_empty() && all.iter().all(|text| !text.is_empty() && *text != other), "{}", words.lang);
        }
    }

    #[test]
    fn numbers_have_the_plurals_of_their_language() {
        let ended = |lang, number| (preferred(Some(lang)).done)(Done::EndedOthers(number));
        let ago = |lang, number| (preferred(Some(lang)).ago)(Unit::Day, number);
        assert_eq!([1, 2].map(|number| ago("en", number)), ["1 day ago", "2 days ago"]);
        assert_eq!([1, 2].map(|number| ago("de", number)), ["vor 1 Tag", "vor 2 Tagen"]);
        let arabic = [1, 2, 3, 10, 11, 100, 102, 103].map(|number| ago("ar", number));
        assert_eq!(
            arabic,
            [
                "قبل يوم واحد",
                "قبل يومين",
                "قبل 3 أيام",
                "قبل 10 أيام",
                "قبل 11 يومًا",
                "قبل 100 يوم",
                "قبل 102 يوم",
                "قبل 103 أيام"
            ]
        );
        for lang in ["en", "de", "ar"] {
            let all: std::collections::BTreeSet<String> = [0, 1, 2, 3, 11].map(|number| ended(lang, number)).into();
            assert_eq!(all.len(), 5, "{lang}");
            assert_ne!(ago(lang, 0), ago(lang, 1));
        }
    }
}
