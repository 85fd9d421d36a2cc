//! Layout rules, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

use sojourn::api::FAMILIES;

use crate::imports::Modules;

/// All Rust files below a folder, with their text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    assert!(!files.is_empty(), "{folder} has no sources");
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

/// Fails when code (not a comment) below `folder` names one of the crates.
fn assert_free_of(folder: &str, crates: &[&str], except: &[&str]) {
    for (path, text) in sources(folder) {
        if except.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for name in crates {
                let named =
                    line.contains(&format!("{name}::")) || line.trim_start().starts_with(&format!("use {name}"));
                assert!(!named, "{} knows {name}: {}", path.display(), line.trim());
            }
        }
    }
}

#[test]
fn no_file_imports_itself_in_a_circle() {
    let modules = Modules::read();
    assert!(modules.paths().count() > 150, "the sources were not found");
    assert_eq!(modules.circle(), None);
}

/// The rooms that a room may reach, by itself or by what it imports.
const REACHES: &[(&str, &[&str])] = &[
    ("model", &["clock"]),
    ("tokens", &["clock", "model"]),
    ("store", &["clock", "model", "tokens", "metrics", "failpoints"]),
    (
        "sessions",
        &["clock", "model", "tokens", "store::contract", "store::batching", "metrics", "failpoints", "error_chain"],
    ),
];

#[test]
fn the_core_reaches_neither_the_wire_nor_a_database_nor_a_dialect() {
    let modules = Modules::read();
    let is_in = |module: &str, room: &str| module == room || module.starts_with(&format!("{room}::"));
    for (room, others) in REACHES {
        for module in modules.paths().filter(|module| is_in(module, room)) {
            for reached in modules.reached(module) {
                let allowed = is_in(&reached, room) || others.iter().any(|other| is_in(&reached, other));
                assert!(allowed, "{module} reaches {reached}");
            }
        }
    }
}

#[test]
fn the_core_knows_neither_http_nor_sql_nor_json() {
    assert_free_of("src/model", &["axum", "sqlx", "serde", "serde_json", "hyper", "tokio"], &[]);
    assert_free_of("src/sessions", &["axum", "sqlx", "serde", "serde_json", "hyper"], &[]);
    assert_free_of("src/store/contract", &["axum", "sqlx", "serde", "serde_json", "hyper"], &[]);
    // A JWT's claims are JSON, so the files that read them may use serde_json, and so may their tests.
    assert_free_of("src/tokens", &["axum", "sqlx", "hyper"], &[]);
    assert_free_of(
        "src/tokens",
        &["serde", "serde_json"],
        &[
            "tokens/access.rs",
            "tokens/extra_claims.rs",
            "access/tests.rs",
            "access/tests/claims.rs",
            "access/tests/form.rs",
            "access/tests/keys.rs",
            "access/tests/minting.rs",
        ],
    );
}

#[test]
fn the_families_do_not_know_the_database_and_the_stores_do_not_know_http() {
    assert_free_of("src/api", &["sqlx", "crate::store"], &[]);
    assert_free_of("src/store", &["axum", "hyper", "crate::api"], &[]);
}

#[test]
fn no_family_knows_another() {
    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    for family in &names {
        let others: Vec<String> =
            names.iter().filter(|other| *other != family).map(|other| format!("crate::api::{other}")).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_free_of(&format!("src/api/{family}"), &others, &[]);
    }
}

#[test]
fn the_account_page_is_a_room_of_its_own() {
    assert_free_of("src/account", &["sqlx", "crate::store", "crate::metrics"], &[]);
    for room in ["src/api", "src/sessions", "src/store", "src/model", "src/tokens"] {
        assert_free_of(room, &["crate::account"], &[]);
    }
}

/// Files outside a family's folder that name it, and why.
const MENTIONS: &[(&str, &str, &str)] = &[
    ("src/config.rs", "janssen", "a setting has its type from there"),
    ("src/config/settings.rs", "janssen", "--help lists every setting, whatever it is for"),
    ("src/api/native/handlers/sessions.rs", "janssen", "openSession documents the scopes that give rights here"),
    ("src/api/endings.rs", "blackbox", "a test asks every family that ends sessions by POST"),
];

#[test]
fn a_family_is_its_folder_and_its_line_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The native family is no dialect: the rest of the server answers in its words.
    for family in FAMILIES.iter().map(|family| family.name).filter(|name| *name != "native") {
        for (path, text) in sources("src") {
            let path = path.strip_prefix(root).unwrap();
            if path.starts_with(format!("src/api/{family}")) {
                continue;
            }
            let lines: Vec<&str> = text.lines().filter(|line| line.to_lowercase().contains(family)).collect();
            let path = path.to_str().unwrap();
            let is_right = match path {
                // The `mod` line, and the entry of the list.
                "src/api/mod.rs" | "src/api/registry.rs" => lines.len() == 1,
                path => MENTIONS.iter().any(|row| (row.0, row.1) == (path, family)) != lines.is_empty(),
            };
            assert!(is_right, "{path} names {family}: {lines:#?}");
        }
    }
}

#[test]
fn sql_never_asks_the_database_for_the_time() {
    for (path, text) in sources("src/store") {
        // Rust's `Instant::now()` measures durations.
        let text = text.to_lowercase().replace("::now()", "");
        // The shared clock follows the database's clock and queries it in this one place.
        let text = if path.ends_with("postgres/log_reader.rs") {
            text.replacen("clock_timestamp() as time", "", 1)
        } else {
            text
        };
        for word in ["now()", "current_timestamp", "clock_timestamp", "datetime('now", "unixepoch"] {
            assert!(!text.contains(word), "{} says {word}", path.display());
        }
    }
}

/// The SQL of a file, without comments and the seams of `concat!`, in one line.
fn sql_of(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.map(|line| line.trim_end_matches('\\').trim_matches([',', '"'])).collect::<Vec<_>>().join(" ")
}

/// Citus, which spreads tables over several databases, cannot plan these.
#[test]
fn sql_has_no_form_that_a_spread_database_cannot_plan() {
    for (path, text) in sources("src/store") {
        let (path, sql) = (path.display(), sql_of(&text));
        assert!(!sql.contains("+ idle_timeout *"), "{path}: a time plus an interval is not immutable");
        assert!(!sql.contains("public."), "{path}: tables are reached through the search path");
        for case in sql.split("CASE ").skip(1) {
            assert!(case.trim_start().starts_with("WHEN "), "{path}: CASE {}", case.split(" END").next().unwrap());
        }
    }
    for (path, text) in ["src/store/postgres", "src/store/statements"].into_iter().flat_map(sources) {
        let sql = sql_of(&text);
        for (at, _) in sql.match_indices("INSERT INTO ") {
            let (before, after) = sql.split_at(at);
            let selected = !after.split("SELECT").next().unwrap().to_lowercase().contains("values");
            let within = before.trim_end().ends_with("AS (");
            assert!(within || !selected, "{}: {}", path.display(), after.split('(').next().unwrap());
        }
    }
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    let names = |folder: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert!(!names("postgres").is_empty());
    assert_eq!(names("postgres"), names("sqlite"));
}
