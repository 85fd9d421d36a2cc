//! The OpenAPI documents: one a family, and all of them in one.
//!
//! A family's document keeps its original's operation ids, tags and schema names, so that generators make the same SDK.
//! In the merged document these names are qualified by the family's, because two families may use the same one.

use serde_json::{Map, Value};
use utoipa::openapi::{OpenApi, ServerBuilder};

use super::description::{Description, LOCALHOST, bearer};
use super::native;
use super::openapi_3_0::converted;
use super::registry::FAMILIES;

/// A document that cannot be written: a defect that the tests find.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The merged document is invalid for utoipa's types, or no JSON.
    #[error("the document is invalid: {0}")]
    Json(#[from] serde_json::Error),
    /// A document cannot be written as YAML.
    #[error("the document cannot be written: {0}")]
    Yaml(String),
}

/// The form in which a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentForm {
    /// OpenAPI 3.1 as YAML.
    Yaml,
    /// OpenAPI 3.1 as JSON.
    Json,
    /// OpenAPI 3.0 as JSON.
    Json30,
}

impl DocumentForm {
    /// Every form.
    pub(super) const ALL: [Self; 3] = [Self::Yaml, Self::Json, Self::Json30];

    /// The end of a file's name, after that of the document.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Yaml => ".yaml",
            Self::Json => ".json",
            Self::Json30 => "-3.0.json",
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Yaml => "application/yaml",
            Self::Json | Self::Json30 => "application/json",
        }
    }

    fn write(self, document: &OpenApi) -> Result<String, DocumentError> {
        let pretty = |document: &Value| Ok(serde_json::to_string_pretty(document)? + "\n");
        match self {
            Self::Yaml => document.to_yaml().map_err(|error| DocumentError::Yaml(error.to_string())),
            Self::Json => pretty(&serde_json::to_value(document)?),
            Self::Json30 => pretty(&converted(serde_json::to_value(document)?)),
        }
    }
}

/// The document of one family as YAML; `None` for an unknown name.
pub fn family_document(name: &str) -> Result<Option<String>, DocumentError> {
    document_as(Some(name), DocumentForm::Yaml)
}

/// The document of all families as YAML.
pub fn document() -> Result<String, DocumentError> {
    DocumentForm::Yaml.write(&merged()?)
}

/// The document of one family, or of all, in any form; `None` for an unknown name.
pub fn document_as(family: Option<&str>, form: DocumentForm) -> Result<Option<String>, DocumentError> {
    let document = match family {
        Some(name) => one(name),
        None => Some(merged()?),
    };
    document.map(|document| form.write(&document)).transpose()
}

/// As [`document_as`], with a server where this one is. A relative one is resolved against the document's own address.
pub(super) fn served_document(family: Option<&str>, form: DocumentForm) -> Result<Option<String>, DocumentError> {
    let Some(mut document) = family.map_or_else(|| merged().map(Some), |name| Ok(one(name)))? else { return Ok(None) };
    if family.is_some() {
        let path = server_path(&document);
        document.servers = Some(vec![ServerBuilder::new().url(format!("..{path}")).build()]);
    }
    form.write(&document).map(Some)
}

fn one(name: &str) -> Option<OpenApi> {
    let family = FAMILIES.iter().find(|family| family.name == name);
    family.map(|family| below_its_server((family.document)()))
}

fn merged() -> Result<OpenApi, DocumentError> {
    let about = "Opens sessions, issues and refreshes tokens, verifies them, and ends sessions.";
    let description = Description { title: "Sojourn", about, server: LOCALHOST, security: bearer() };
    let mut all = serde_json::to_value(description.of(OpenApi::default()))?;
    for family in FAMILIES {
        let mut document = serde_json::to_value((family.document)())?;
        if family.name != native::MOUNT.name {
            qualify(&mut document, family.name);
        }
        merge(&mut all, &document);
    }
    let mut all: OpenApi = serde_json::from_value(all)?;
    let here = ServerBuilder::new().url(".").description(Some("Where this document comes from"));
    let default = ServerBuilder::new().url(LOCALHOST).description(Some("The default address"));
    all.servers = Some(vec![here.build(), default.build()]);
    Ok(all)
}

/// Strips the path of the document's server from its paths, because an original whose server has a path writes its
/// paths relative to it.
fn below_its_server(mut document: OpenApi) -> OpenApi {
    let prefix = server_path(&document);
    if !prefix.is_empty() {
        let below = |path: String| path.strip_prefix(&prefix).map(ToOwned::to_owned).unwrap_or(path);
        let paths = std::mem::take(&mut document.paths.paths);
        document.paths.paths = paths.into_iter().map(|(path, item)| (below(path), item)).collect();
    }
    document
}

/// The path of the document's server, without a slash at the end.
fn server_path(document: &OpenApi) -> String {
    let server = document.servers.iter().flatten().next().map(|server| server.url.as_str()).unwrap_or_default();
    let path = server.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.map(|(_, path)| format!("/{path}")).unwrap_or_default()
}

/// Prefixes operation ids, schema names and tags by the family's name.
fn qualify(document: &mut Value, family: &str) {
    const SCHEMAS: &str = "#/components/schemas/";
    let title = capitalised(family);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        *schemas =
            std::mem::take(schemas).into_iter().map(|(name, schema)| (format!("{title}{name}"), schema)).collect();
    }
    visit(document, &mut |member, value| {
        if let Value::String(text) = value {
            match member {
                "$ref" => {
                    if let Some(name) = text.strip_prefix(SCHEMAS) {
                        *text = format!("{SCHEMAS}{title}{name}");
                    }
                }
                "operationId" => *text = format!("{family}_{text}"),
                _ => {}
            }
        } else if let ("tags", Value::Array(tags)) = (member, value) {
            for tag in tags {
                if let Value::String(tag) = tag {
                    *tag = format!("{title}: {tag}");
                }
            }
        }
    });
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Calls `change` for every member of every object, outermost first.
fn visit(value: &mut Value, change: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                change(name, member);
                visit(member, change);
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| visit(element, change)),
        _ => {}
    }
}

/// Adds the paths, schemas and security schemes of one document to another.
fn merge(into: &mut Value, from: &Value) {
    for part in ["/paths", "/components/schemas", "/components/securitySchemes"] {
        let members = from.pointer(part).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(target) = object_at(into, part) {
            target.extend(members);
        }
    }
}

/// The object at a path of members, inserted where it is missing.
fn object_at<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Map<String, Value>> {
    path.split('/').filter(|name| !name.is_empty()).try_fold(value.as_object_mut()?, |object, name| {
        object.entry(name).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
    })
}
