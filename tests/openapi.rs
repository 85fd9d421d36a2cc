//! The documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sojourn::api;

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.yaml");
    let committed = fs::read_to_string(path).unwrap();
    assert!(committed == api::document().unwrap(), "run: cargo run -- openapi > openapi.yaml");
}

#[test]
fn operation_ids_are_unique_in_the_merged_document() {
    let document = api::document().unwrap();
    let ids: Vec<&str> = document.lines().filter_map(|line| line.trim().strip_prefix("operationId: ")).collect();
    let unique: BTreeSet<&&str> = ids.iter().collect();
    assert!(ids.len() > 20);
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
}

#[test]
fn every_family_has_a_document_and_nothing_else_has() {
    for family in api::FAMILIES {
        assert!(api::family_document(family.name).unwrap().unwrap().starts_with("openapi: 3.1"), "{}", family.name);
    }
    assert!(api::family_document("nobody").unwrap().is_none());
}
