//! The documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use sojourn::api::{self, DocumentForm};

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

/// Every schema in a value, with the names that lead to it.
fn schemas<'a>(value: &'a Value, path: &str, found: &mut Vec<(String, &'a Map<String, Value>)>) {
    match value {
        Value::Object(members) => {
            found.push((path.to_owned(), members));
            members.iter().for_each(|(name, member)| schemas(member, &format!("{path}/{name}"), found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| schemas(element, path, found)),
        _ => {}
    }
}

fn parsed(form: DocumentForm) -> Value {
    serde_json::from_str(&api::document_as(None, form).unwrap().unwrap()).unwrap()
}

/// Generators make up names such as `MeOneOf1` for what has none, and lose a reference with something beside it.
#[test]
fn a_choice_is_between_schemas_that_have_names() {
    for form in [DocumentForm::Json, DocumentForm::Json30] {
        let document = parsed(form);
        let (mut found, mut choices) = (Vec::new(), 0);
        schemas(&document, "", &mut found);
        for (path, schema) in found {
            let of = ["oneOf", "anyOf"].iter().find_map(|of| schema.get(*of)?.as_array());
            let choice = of.into_iter().flatten().filter(|one| one["type"] != "null").collect::<Vec<_>>();
            if choice.len() > 1 {
                choices += 1;
                assert!(choice.iter().all(|one| one.as_object().unwrap().keys().eq(["$ref"])), "{path}: {choice:?}");
            }
        }
        assert!(choices > 0);
    }
}

/// The tag is the name of a class in a generated SDK, and `OAuth20Api` is none.
#[test]
fn tags_are_words() {
    let document = parsed(DocumentForm::Json);
    let mut found = Vec::new();
    schemas(&document, "", &mut found);
    let tags: BTreeSet<&str> = found
        .iter()
        .filter_map(|(_, members)| members.get("tags")?.as_array())
        .flatten()
        .map(|tag| tag.as_str().unwrap())
        .collect();
    assert!(tags.contains("Tokens") && tags.contains("Sessions"), "{tags:?}");
    let is_word =
        |tag: &&str| tag.chars().all(|letter| letter.is_ascii_alphabetic() || matches!(letter, ' ' | ':' | '-'));
    assert!(tags.iter().all(is_word), "{tags:?}");
}

#[test]
fn the_document_for_older_generators_has_the_same_operations() {
    let [new, old] = [parsed(DocumentForm::Json), parsed(DocumentForm::Json30)];
    let operations = |document: &Value| {
        let paths = document["paths"].as_object().unwrap().clone();
        let methods = |item: Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        paths.into_iter().map(|(path, item)| (path, methods(item))).collect::<Vec<_>>()
    };
    assert_eq!(operations(&new), operations(&old));
    let names = |document: &Value| -> Vec<String> {
        document["components"]["schemas"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&new), names(&old));
    let device = &old["components"]["schemas"]["RevocationFilter"]["properties"]["device_type"];
    assert_eq!(
        (&device["nullable"], &device["allOf"][0]["$ref"]),
        (&true.into(), &"#/components/schemas/DeviceKind".into())
    );
}

#[test]
fn every_family_has_a_document_and_nothing_else_has() {
    for family in api::FAMILIES {
        assert!(api::family_document(family.name).unwrap().unwrap().starts_with("openapi: 3.1"), "{}", family.name);
    }
    assert!(api::family_document("nobody").unwrap().is_none());
}
