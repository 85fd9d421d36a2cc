//! A document of OpenAPI 3.1 as one of 3.0, for generators that know no other. Its schemas are those of JSON Schema in 3.1
//! and a dialect in 3.0; everything else that the documents use is the same.

use serde_json::{Map, Value, json};

/// The 3.0 document that says the same as `document`, a 3.1 one.
pub(super) fn converted(mut document: Value) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.insert("openapi".to_owned(), "3.0.3".into());
    }
    if let Some(license) = document.pointer_mut("/info/license").and_then(Value::as_object_mut)
        && let Some(Value::String(identifier)) = license.remove("identifier")
    {
        license.insert("url".to_owned(), format!("https://spdx.org/licenses/{identifier}.html").into());
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.values_mut().for_each(convert);
    }
    convert_below(&mut document);
    document
}

/// Converts the schemas of parameters, headers and contents below a value. Examples may hold anything.
fn convert_below(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "schema" => convert(member),
                    "example" | "examples" | "schemas" => {}
                    _ => convert_below(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(convert_below),
        _ => {}
    }
}

/// Converts a schema and those within it.
fn convert(schema: &mut Value) {
    if let Value::Bool(anything) = schema {
        *schema = if *anything { json!({}) } else { json!({ "not": {} }) };
    }
    let Some(members) = schema.as_object_mut() else { return };
    for (name, member) in &mut *members {
        match name.as_str() {
            "properties" => member.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(convert),
            "oneOf" | "anyOf" | "allOf" => member.as_array_mut().into_iter().flatten().for_each(convert),
            "items" | "not" => convert(member),
            "additionalProperties" if member.is_object() => convert(member),
            _ => {}
        }
    }
    convert_type(members);
    for of in ["oneOf", "anyOf"] {
        convert_null(members, of);
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        if let Some(limit) = members.remove(exclusive) {
            members.insert(bound.to_owned(), limit);
            members.insert(exclusive.to_owned(), true.into());
        }
    }
    // Names of members are texts anyway.
    if members.get("propertyNames").is_some_and(|names| *names == json!({ "type": "string" })) {
        members.remove("propertyNames");
    }
    if let Some(value) = members.remove("const") {
        members.insert("enum".to_owned(), vec![value].into());
    }
    if let Some(Value::Array(examples)) = members.remove("examples")
        && let Some(example) = examples.into_iter().next()
    {
        members.insert("example".to_owned(), example);
    }
    // A reference hides all that stands beside it.
    if members.len() > 1
        && let Some(reference) = members.remove("$ref")
    {
        members.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
}

/// A list of types is one type and `nullable`, or a choice of several.
fn convert_type(members: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = members.get("type") else { return };
    let is_null = |name: &Value| name == "null";
    let nullable = types.iter().any(is_null);
    let mut others: Vec<Value> = types.iter().filter(|name| !is_null(name)).cloned().collect();
    match (others.pop(), others.is_empty()) {
        (Some(only), true) => _ = members.insert("type".to_owned(), only),
        (Some(last), false) => {
            others.push(last);
            members.remove("type");
            members.insert("anyOf".to_owned(), others.into_iter().map(|name| json!({ "type": name })).collect());
        }
        (None, _) => _ = members.remove("type"),
    }
    if nullable {
        members.insert("nullable".to_owned(), true.into());
    }
}

/// A choice with `null` in it is `nullable`; a choice of one is that one.
fn convert_null(members: &mut Map<String, Value>, of: &str) {
    let Some(Value::Array(choices)) = members.get_mut(of) else { return };
    let before = choices.len();
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if choices.len() == before {
        return;
    }
    let only = if choices.len() == 1 { choices.pop() } else { None };
    if let Some(Value::Object(only)) = only {
        members.remove(of);
        for (name, member) in only {
            members.entry(name).or_insert(member);
        }
    }
    members.insert("nullable".to_owned(), true.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_converted(before: &Value, after: &Value) {
        let mut schema = before.clone();
        convert(&mut schema);
        assert_eq!(&schema, after, "{before}");
    }

    #[test]
    fn every_form_of_a_schema_that_is_new_in_3_1_has_one_in_3_0() {
        let named = json!({ "$ref": "#/components/schemas/A" });
        for (before, after) in [
            (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
            (
                json!({ "type": ["null", "array"], "items": { "type": ["integer", "null"] } }),
                json!({ "type": "array", "nullable": true, "items": { "type": "integer", "nullable": true } }),
            ),
            (
                json!({ "type": ["string", "integer"] }),
                json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            ),
            (json!({ "oneOf": [named, { "type": "null" }] }), json!({ "nullable": true, "allOf": [named] })),
            (
                json!({ "oneOf": [{ "$ref": "#/components/schemas/A", "description": "a" }, { "type": "null" }] }),
                json!({ "nullable": true, "description": "a", "allOf": [named] }),
            ),
            (
                json!({ "anyOf": [named, { "type": "string" }, { "type": "null" }], "description": "b" }),
                json!({ "nullable": true, "description": "b", "anyOf": [named, { "type": "string" }] }),
            ),
            (
                json!({ "$ref": "#/components/schemas/A", "description": "a" }),
                json!({ "description": "a", "allOf": [named] }),
            ),
            (named.clone(), named.clone()),
            (json!({ "const": 1 }), json!({ "enum": [1] })),
            (json!({ "examples": ["a", "b"] }), json!({ "example": "a" })),
            (json!({ "propertyNames": { "type": "string" } }), json!({})),
            (json!({ "exclusiveMinimum": 0 }), json!({ "minimum": 0, "exclusiveMinimum": true })),
            (
                json!({ "additionalProperties": { "type": ["string", "null"] } }),
                json!({ "additionalProperties": { "type": "string", "nullable": true } }),
            ),
            (
                json!({ "items": true, "not": false, "additionalProperties": false }),
                json!({ "items": {}, "not": { "not": {} }, "additionalProperties": false }),
            ),
        ] {
            assert_converted(&before, &after);
        }
    }

    #[test]
    fn a_property_is_no_keyword_whatever_it_is_called() {
        let named = json!({ "type": { "type": ["string", "null"] }, "const": { "const": 1 }, "$ref": true });
        let converted = json!({ "type": { "type": "string", "nullable": true }, "const": { "enum": [1] }, "$ref": {} });
        assert_converted(&json!({ "properties": named }), &json!({ "properties": converted }));
    }

    #[test]
    fn schemas_are_converted_wherever_they_stand_and_examples_are_left_alone() {
        let (old, new) = (json!({ "const": 1 }), json!({ "enum": [1] }));
        let document = |version: &str, license: Value, schema: &Value| {
            json!({
                "openapi": version,
                "info": { "license": license },
                "paths": { "/a": { "get": {
                    "parameters": [{ "schema": schema }],
                    "requestBody": { "content": { "a/b": { "schema": schema, "example": { "schema": old } } } },
                    "responses": { "200": { "headers": { "x": { "schema": schema } }, "content": { "a/b": { "schema": schema } } } },
                } } },
                "components": { "schemas": { "schema": schema, "examples": schema } },
            })
        };
        let before = document("3.1.0", json!({ "name": "A", "identifier": "Apache-2.0" }), &old);
        let license = json!({ "name": "A", "url": "https://spdx.org/licenses/Apache-2.0.html" });
        assert_eq!(converted(before), document("3.0.3", license, &new));
    }
}
