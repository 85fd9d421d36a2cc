//! The documents name only what is there, lead only where something is, and agree with the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sojourn::metrics::{Kind, METRICS};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The Markdown files of a folder, with their text.
fn documents_of(folder: &str) -> Vec<(PathBuf, String)> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The text of every Rust file below a folder.
fn sources(folder: &str) -> Vec<String> {
    let (mut folders, mut texts) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// The text outside Markdown's fences of code.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Whether a text has a name, and not only as a part of a longer one.
fn has_word(text: &str, name: &str) -> bool {
    let is_outside = |character: Option<char>| !character.is_some_and(is_part_of_name);
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        is_outside(before.chars().next_back()) && is_outside(after.chars().next())
    })
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn every_file_and_every_test_that_a_document_names_is_there() {
    const FOLDERS: [&str; 8] = ["tests/", "src/", "docs/", "bench/", "examples/", "migrations/", "scripts/", ".ci/"];
    let mut named = 0;
    for (document, text) in documents_of(".").into_iter().chain(documents_of("docs")) {
        for quoted in prose(&text).split('`').skip(1).step_by(2) {
            if !FOLDERS.iter().any(|folder| quoted.starts_with(folder)) {
                continue;
            }
            let (file, name) = quoted.split_once(": ").unwrap_or((quoted, ""));
            let place = root().join(file.split(' ').next().unwrap());
            assert!(place.exists(), "{}: there is no {file}", document.display());
            if !name.is_empty() {
                let source = fs::read_to_string(place).unwrap();
                assert!(has_word(&source, name), "{}: {file} has no {name}", document.display());
                named += 1;
            }
        }
    }
    assert!(named > 100, "no document names a test");
}

/// The name that a link gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|character| is_part_of_name(*character) || matches!(character, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The targets of a document's links and pictures.
fn links(text: &str) -> Vec<String> {
    prose(text).split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect()
}

#[test]
fn every_link_in_a_document_leads_somewhere() {
    let mut followed = 0;
    for (document, text) in [".", "docs", "bench"].into_iter().flat_map(documents_of) {
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.clone() } else { document.with_file_name(file) };
            assert!(target.exists(), "{}: {link}", document.display());
            if !heading.is_empty() {
                let target = fs::read_to_string(target).unwrap();
                let mut headings = target.lines().filter(|line| line.starts_with('#'));
                let is_there = headings.any(|line| anchor(line.trim_start_matches('#').trim()) == heading);
                assert!(is_there, "{}: {link}", document.display());
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "no document has links");
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let linked = links(&read("README.md"));
    for (document, _) in documents_of("docs") {
        let name = format!("docs/{}", document.file_name().unwrap().display());
        assert!(linked.contains(&name), "{name}");
    }
}

/// The names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    // A database, in the steps of a restore.
    const OTHER: &str = "sojourn_before";
    let words = text.split(|character: char| !is_part_of_name(character));
    words.filter(|word| word.starts_with("sojourn_") && *word != OTHER).collect()
}

#[test]
fn every_metric_that_a_document_or_an_alert_names_is_there() {
    let rules = read("docs/alerts.yml");
    let is_known = |name: &str| {
        let parts_of_histogram = ["_bucket", "_sum", "_count"];
        METRICS.iter().any(|metric| {
            let rest = name.strip_prefix(metric.name);
            rest.is_some_and(|rest| {
                rest.is_empty() || metric.kind == Kind::Histogram && parts_of_histogram.contains(&rest)
            })
        })
    };
    let documents = ["docs", "."].into_iter().flat_map(documents_of).map(|(path, text)| (path, prose(&text)));
    let named = documents.chain([(PathBuf::from("docs/alerts.yml"), rules.clone())]);
    for (document, text) in named {
        for name in metrics_in(&text) {
            assert!(is_known(name), "{}: {name}", document.display());
        }
    }
    // The table of what wakes somebody is the list of the rules.
    let operating = read("docs/OPERATING.md");
    let table: String = operating.lines().filter(|line| line.starts_with("| `")).collect();
    let alarms: BTreeSet<&str> = metrics_in(&table);
    let in_rules: BTreeSet<&str> =
        rules.lines().filter(|line| !line.contains("summary:")).flat_map(metrics_in).collect();
    assert_eq!(alarms, in_rules);
    assert!(alarms.len() > 5, "{alarms:?}");
}

/// The tags of promises, faults and attacks in a text, such as `FT-01`.
fn tags(text: &str) -> BTreeSet<String> {
    const KINDS: [&str; 10] = ["T", "FT", "PR", "A", "B", "C", "D", "I", "L", "O"];
    let words = text.split(|character: char| !is_part_of_name(character) && character != '-');
    let is_tag = |word: &&str| {
        word.split_once('-').is_some_and(|(kind, number)| {
            KINDS.contains(&kind) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    words.filter(is_tag).map(ToOwned::to_owned).collect()
}

#[test]
fn every_tag_that_a_source_or_a_document_names_has_a_promise() {
    let promises = read("docs/PROMISES.md");
    let documents = documents_of("docs").into_iter().map(|(_, text)| text);
    let named = ["tests", "src", "bench/src"].into_iter().flat_map(sources).chain(documents);
    let named: BTreeSet<_> = named.flat_map(|text| tags(&text)).collect();
    assert!(named.len() > 50, "no test names a tag: {named:?}");
    for tag in named {
        let lines: Vec<_> = promises.lines().filter(|line| line.starts_with(&format!("| {tag} |"))).collect();
        assert_eq!(lines.len(), 1, "{tag}: {lines:?}");
        assert!(
            lines[0].contains("`tests/") || lines[0].contains("`src/") || lines[0].contains("Not applicable"),
            "{tag}"
        );
    }
}

/// The descriptions of the operations in the API document, each in one line.
fn descriptions(document: &str) -> Vec<String> {
    let mut descriptions: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in document.lines() {
        if let Some(text) = line.strip_prefix("      description: ") {
            is_inside = true;
            descriptions.push(text.trim_start_matches(['|', '>', '-', '\'']).to_owned());
        } else if is_inside && line.starts_with("        ") {
            let description = descriptions.last_mut().unwrap();
            description.push(' ');
            description.push_str(line.trim());
        } else {
            is_inside = is_inside && line.is_empty();
        }
    }
    descriptions.iter().map(|text| text.replace("''", "'").trim().to_owned()).collect()
}

#[test]
fn every_sentence_of_the_api_document_about_an_ending_has_a_test() {
    let promises = read("docs/PROMISES.md");
    let (_, table) = promises.split_once("## Sentences of the API document about endings").unwrap();
    let rows: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `")).collect();
    let is_about_an_ending = |sentence: &&str| {
        let mut words = sentence.split(|character: char| !is_part_of_name(character)).map(str::to_lowercase);
        words.any(|word| ["end", "ends", "ended", "ending"].contains(&word.as_str()) || word.starts_with("revo"))
    };
    let descriptions = descriptions(between(&read("openapi.yaml"), "\npaths:\n", "\ncomponents:\n"));
    let sentences: Vec<_> = descriptions.iter().flat_map(|text| text.split(". ")).filter(is_about_an_ending).collect();
    assert!(sentences.len() > 15, "{sentences:?}");
    for sentence in &sentences {
        assert!(rows.iter().any(|(words, _)| sentence.starts_with(words)), "no test of: {sentence}");
    }
    for (words, tests) in &rows {
        assert!(sentences.iter().any(|sentence| sentence.starts_with(words)), "no sentence begins with: {words}");
        assert!(tests.contains(": "), "{words}");
    }
}

#[test]
fn the_map_of_rooms_has_every_room() {
    let map = read("docs/ARCHITECTURE.md");
    let library = read("src/lib.rs");
    let rooms: Vec<_> = library.lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    for room in rooms {
        let room = room.trim_end_matches(';');
        assert!(map.contains(&format!("`src/{room}`")) || map.contains(&format!("`src/{room}.rs`")), "{room}");
    }
}

/// The text between two marks, where they come first.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).unwrap().0
}

#[test]
fn every_file_names_the_same_compiler() {
    let oldest = |manifest: &str| between(&read(manifest), "\nrust-version = \"", "\"").to_owned();
    assert_eq!(oldest("Cargo.toml"), oldest("bench/Cargo.toml"));
    assert_eq!(oldest("Cargo.toml"), between(&read("README.md"), "You need Rust (", " or newer)"));

    let (toolchain, image) = (read("rust-toolchain.toml"), read("Dockerfile"));
    let used = between(&toolchain, "channel = \"", "\"");
    assert!(used.starts_with(&format!("{}.", between(&image, "FROM rust:", "-"))), "{used}");
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    assert!(minor(&oldest("Cargo.toml")) <= minor(used), "{used}");
}

#[test]
fn colours_of_one_name_are_the_same_on_all_pages() {
    let colours = |file: &str| -> Vec<(String, String)> {
        let text = read(file);
        let named = text.lines().filter_map(|line| line.trim().split_once(": light-dark("));
        named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let console = colours("src/console/assets/console.css");
    let mut shared = 0;
    for (name, value) in colours("src/api/docs.css") {
        // The console has a name once more where people want more contrast.
        let of_console: Vec<&String> =
            console.iter().filter(|(known, _)| *known == name).map(|(_, value)| value).collect();
        assert!(of_console.is_empty() || of_console.contains(&&value), "{name}: {value} is none of {of_console:?}");
        shared += usize::from(!of_console.is_empty());
    }
    assert!(shared > 15, "{shared}");
}
