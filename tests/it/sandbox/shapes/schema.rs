//! The shapes of everything: the schema of 2021.2, what came since, and what real bodies teach about null and about links.

use super::types::{Definition, LinkNames, Presence, Property, Slot, Type};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, path::PathBuf};

/// Says which body an endpoint answers with.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub method: String,
    pub segments: Vec<String>,
    pub status: u16,
    /// None when the schema says nothing about the body.
    pub body: Option<Slot>,
}

/// All definitions and endpoints.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    pub definitions: BTreeMap<String, Definition>,
    pub endpoints: Vec<Endpoint>,
}

/// `tests/…` of this crate.
pub fn at(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A JSON file of the repository.
pub fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(at(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub fn members(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}

/// The type a fragment of the schema describes; what is described in place becomes a definition named `Owner.Property`.
fn slot(shapes: &mut Shapes, name: &str, fragment: &Value) -> Slot {
    if let Some(target) = fragment["$ref"].as_str() {
        let target = target.rsplit('/').next().unwrap_or_default();
        return Slot::new(target.strip_suffix("ResourceCollection").map_or_else(
            || Type::Named(target.to_owned()),
            |item| Type::Page(Box::new(Slot::new(Type::Named(format!("{item}Resource"))))),
        ));
    }
    Slot::new(match (fragment["type"].as_str(), fragment["format"].as_str()) {
        _ if fragment["enum"].is_array() => {
            Type::OneOf(fragment["enum"].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect())
        }
        (Some("string"), Some("date-time")) => Type::Date,
        (Some("string"), Some("date-span")) => Type::Span,
        (Some("string"), Some("uuid")) => Type::Uuid,
        (Some("string"), Some("binary")) => Type::Any,
        (Some("string"), _) => Type::Text,
        (Some("integer"), _) => Type::Integer,
        (Some("number"), _) => Type::Number,
        (Some("boolean"), _) => Type::Boolean,
        (Some("array"), _) => Type::List(Box::new(slot(shapes, name, &fragment["items"]))),
        _ if fragment["properties"].is_object() => {
            define(shapes, name, fragment);
            Type::Named(name.to_owned())
        }
        _ if fragment["additionalProperties"].is_object() => {
            Type::Map("*".into(), Box::new(slot(shapes, name, &fragment["additionalProperties"])))
        }
        _ => Type::Any,
    })
}

fn define(shapes: &mut Shapes, name: &str, fragment: &Value) {
    let mut definition = Definition::default();
    if fragment["properties"].is_object() {
        for (property, fragment) in members(&fragment["properties"]) {
            let slot = slot(shapes, &format!("{name}.{property}"), fragment);
            definition.properties.insert(property.clone(), Property { slot, presence: Presence::Always, stated: false });
        }
    } else {
        definition.alias = Some(slot(shapes, &format!("{name}.value"), fragment));
    }
    shapes.definitions.insert(name.to_owned(), definition);
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// Path segments in lower case; `{…}` stands for any.
pub fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|s| !s.is_empty()).map(str::to_lowercase).collect()
}

/// Whether two paths are the same but for what their variable parts are called.
fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a == b || (a.starts_with('{') && b.starts_with('{')))
}

impl Shapes {
    /// The schema alone.
    pub fn of_schema() -> Self {
        let schema = read("tests/payloads/openapi-pruned.json");
        let mut shapes = Self::default();
        for (name, fragment) in members(&schema["definitions"]) {
            define(&mut shapes, name, fragment);
        }
        for (path, verbs) in members(&schema["paths"]) {
            // The same again with a space before it, and version-controlled projects, which are not simulated.
            if path.starts_with("/{baseSpaceId}") || path.contains("{gitRef}") {
                continue;
            }
            for (method, operation) in members(verbs) {
                for (status, response) in members(&operation["responses"]) {
                    let Ok(status) = status.parse::<u16>() else { continue };
                    if !(200..300).contains(&status) {
                        continue;
                    }
                    let body = response.get("schema").map(|s| slot(&mut shapes, &format!("{method} {path}"), s));
                    shapes.endpoints.push(Endpoint { method: method.to_uppercase(), segments: segments(path), status, body });
                }
            }
        }
        shapes
    }

    /// Adds what `additions.json` says.
    pub fn add(&mut self, additions: &Value) {
        for (name, said) in members(&additions["definitions"]) {
            if let Some(copied) = said["like"].as_str() {
                let copy = self.definitions.get(copied).unwrap_or_else(|| panic!("{name} is like {copied}, which is unknown")).clone();
                self.definitions.insert(name.clone(), copy);
            }
            let definition = self.definitions.entry(name.clone()).or_default();
            if let Some(alias) = said["is"].as_str() {
                *definition = Definition { alias: Some(Slot::parse(alias)), ..Definition::default() };
            }
            if let Some(more) = said.get("values") {
                let Some(Slot { ty: Type::OneOf(values), .. }) = &mut definition.alias else { panic!("{name} has no list of values") };
                values.extend(words(more));
            }
            if let Some(by) = said["union"].as_str() {
                let of = members(&said["of"]).iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect();
                *definition = Definition { union: Some((by.to_owned(), of)), ..Definition::default() };
            }
            for (property, about) in members(&said["properties"]) {
                let mut old = definition.properties.get(property).cloned();
                let mut new =
                    old.take().unwrap_or_else(|| Property { slot: Slot::new(Type::Any), presence: Presence::Always, stated: false });
                if let Some(ty) = about["type"].as_str() {
                    new.slot = Slot::parse(ty);
                    new.stated = true;
                }
                if let Some(nullable) = about["nullable"].as_bool() {
                    new.slot.nullable = nullable;
                    new.stated = true;
                }
                match about["there"].as_str() {
                    Some("always") => new.presence = Presence::Always,
                    Some("sometimes") => new.presence = Presence::Sometimes,
                    Some("never") => new.presence = Presence::Never,
                    Some(other) => panic!("{name}.{property}: `{other}`"),
                    None => {}
                }
                definition.properties.insert(property.clone(), new);
            }
            if let Some(links) = said.get("links") {
                definition.links = Some(LinkNames { always: words(&links["always"]), sometimes: words(&links["sometimes"]) });
            }
            if let Some(item) = said["item_type"].as_str() {
                definition.item_type = Some(item.to_owned());
            }
        }
        for e in additions["endpoints"].as_array().into_iter().flatten() {
            let text = |key: &str| e[key].as_str().unwrap_or_default();
            let status = u16::try_from(e["status"].as_u64().unwrap_or(200)).expect("a status");
            let (method, segments) = (text("method").to_owned(), segments(text("path")));
            if e["also"] != true {
                self.endpoints.retain(|o| o.method != method || !same(&o.segments, &segments));
            }
            self.endpoints.push(Endpoint { method, segments, status, body: Some(Slot::parse(text("body"))) });
        }
    }

    /// Schema, additions, and what real bodies teach.
    pub fn load() -> Self {
        let mut shapes = Self::of_schema();
        let additions = read("tests/shapes/additions.json");
        shapes.add(&additions);
        super::learn::teach(&mut shapes, &additions);
        shapes
    }

    /// The endpoint a path belongs to; the one with most words of its own when several fit.
    pub fn endpoint(&self, method: &str, path: &[String]) -> Vec<&Endpoint> {
        let fits = |e: &&Endpoint| {
            e.method == method
                && e.segments.len() == path.len()
                && e.segments.iter().zip(path).all(|(s, p)| match s.as_str() {
                    // The root of a space is no root of everything.
                    "{spaceid}" => p.to_lowercase().starts_with("spaces-"),
                    _ => s.starts_with('{') || *s == p.to_lowercase(),
                })
        };
        let own = |e: &Endpoint| e.segments.iter().map(|s| u8::from(!s.starts_with('{'))).collect::<Vec<_>>();
        let Some(best) = self.endpoints.iter().filter(fits).map(own).max() else { return Vec::new() };
        self.endpoints.iter().filter(fits).filter(|e| own(e) == best).collect()
    }
}
