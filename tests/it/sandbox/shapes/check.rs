//! Compares an answer with the shape it must have.

use super::{
    schema::Shapes,
    types::{Presence, Slot, Type, is_date, is_span, is_uuid, key_fits},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// A request and what was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub method: String,
    pub path: String,
    pub status: u16,
    /// None when it was not JSON.
    pub body: Option<Value>,
}

/// One way in which an answer is not what a real server sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub definition: String,
    pub property: String,
    pub what: String,
}

pub type Differences = BTreeSet<Difference>;

struct Check<'s> {
    shapes: &'s Shapes,
    found: Differences,
}

/// The path of a request without what says where: `/api`, the space, the query.
pub fn place(path: &str) -> Vec<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut all: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    if let Some(api) = all.iter().position(|s| s.eq_ignore_ascii_case("api")) {
        all.drain(..=api);
    }
    let is_space = |s: &String| s.get(..7).is_some_and(|p| p.eq_ignore_ascii_case("spaces-"));
    if all.len() > 1 && is_space(&all[0]) {
        all.remove(0);
    } else if all.len() > 2 && all[0].eq_ignore_ascii_case("spaces") && !matches!(all[2].to_lowercase().as_str(), "logo" | "search") {
        all.drain(..2);
    }
    all
}

/// How an endpoint is called in reports: `GET /projects/{id}`.
pub fn pattern(shapes: &Shapes, exchange: &Exchange) -> String {
    let place = place(&exchange.path);
    let shown = shapes.endpoint(&exchange.method, &place).first().map_or_else(
        // Ids do not belong into the name of an endpoint.
        || {
            place
                .iter()
                .map(|s| if s.ends_with(|c: char| c.is_ascii_digit()) && s.contains('-') { "{id}" } else { s })
                .collect::<Vec<_>>()
                .join("/")
        },
        |e| e.segments.join("/"),
    );
    format!("{} /{shown}", exchange.method)
}

/// The shape the body of an answer must have: none when the answer may be anything but JSON.
pub fn expected(shapes: &Shapes, exchange: &Exchange) -> Result<Option<Slot>, String> {
    if exchange.status >= 400 {
        let name = if exchange.status == 400 { "Error" } else { "ErrorMessage" };
        return Ok(Some(Slot::parse(name)));
    }
    let found = shapes.endpoint(&exchange.method, &place(&exchange.path));
    if found.is_empty() {
        return Err("no shape is known for this endpoint".into());
    }
    if let Some(e) = found.iter().find(|e| e.status == exchange.status) {
        return Ok(e.body.clone());
    }
    let known: Vec<String> = found.iter().map(|e| e.status.to_string()).collect();
    Err(format!("answered with {}, a real server with {}", exchange.status, known.join(" or ")))
}

/// Everything in which an answer differs from what a real server sends.
pub fn check(shapes: &Shapes, exchange: &Exchange) -> Differences {
    let mut check = Check { shapes, found: Differences::new() };
    match (expected(shapes, exchange), &exchange.body) {
        (Err(why), _) => check.note(&pattern(shapes, exchange), "", why),
        (Ok(Some(slot)), Some(body)) => check.value(&slot, body, &pattern(shapes, exchange), ""),
        (Ok(Some(Slot { ty: Type::Any, .. })), None) | (Ok(None), _) => {}
        (Ok(Some(_)), None) => check.note(&pattern(shapes, exchange), "", "is not JSON".into()),
    }
    check.found
}

/// Everything in which a value differs from a shape.
pub fn against(shapes: &Shapes, slot: &Slot, value: &Value) -> Differences {
    let mut check = Check { shapes, found: Differences::new() };
    check.value(slot, value, "", "");
    check.found
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.is_f64() => "a fraction",
        Value::Number(_) => "an integer",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Check<'_> {
    fn note(&mut self, definition: &str, property: &str, what: String) {
        self.found.insert(Difference { definition: definition.to_owned(), property: property.to_owned(), what });
    }

    /// `definition` and `property` say where the value stands.
    fn value(&mut self, slot: &Slot, value: &Value, definition: &str, property: &str) {
        if value.is_null() {
            if !slot.nullable && slot.ty != Type::Any {
                self.note(definition, property, "is null, and never null on a real server".into());
            }
            return;
        }
        let text = value.as_str();
        let (fits, wanted) = match &slot.ty {
            Type::Any => (true, ""),
            Type::Text => (text.is_some(), "a text"),
            Type::Integer => (value.is_i64() || value.is_u64(), "an integer"),
            Type::Number => (value.is_number(), "a number"),
            Type::Boolean => (value.is_boolean(), "a boolean"),
            Type::Date => (text.is_some_and(is_date), "a date with three digits of a second and +00:00"),
            Type::Span => (text.is_some_and(is_span), "a time span"),
            Type::Uuid => (text.is_some_and(is_uuid), "a UUID"),
            Type::OneOf(words) => (text.is_some_and(|t| words.iter().any(|w| w == t)), "one of the values a real server knows"),
            Type::List(_) => (value.is_array(), "a list"),
            Type::Map(..) | Type::Page(_) => (value.is_object(), "an object"),
            Type::Named(name) => return self.named(name, value, definition, property),
        };
        if !fits {
            return self.note(definition, property, format!("is {}, and must be {wanted}", kind(value)));
        }
        match &slot.ty {
            Type::List(inner) => value.as_array().into_iter().flatten().for_each(|v| self.value(inner, v, definition, property)),
            Type::Map(keys, inner) => {
                for (key, v) in value.as_object().into_iter().flatten() {
                    if !self.key_fits(keys, key) {
                        self.note(definition, property, format!("has the key `{key}`, which is none of {keys}"));
                    }
                    self.value(inner, v, definition, property);
                }
            }
            Type::Page(inner) => self.page(inner, value, definition),
            _ => {}
        }
    }

    fn key_fits(&self, keys: &str, key: &str) -> bool {
        match self.shapes.definitions.get(keys).and_then(|d| d.alias.as_ref()) {
            Some(Slot { ty: Type::OneOf(words), .. }) => words.iter().any(|w| w == key),
            _ => key_fits(keys, key),
        }
    }

    fn named(&mut self, name: &str, value: &Value, definition: &str, property: &str) {
        let Some(shape) = self.shapes.definitions.get(name) else {
            return self.note(definition, property, format!("must be a {name}, of which nothing is known"));
        };
        if let Some(alias) = &shape.alias {
            return self.value(alias, value, definition, property);
        }
        let Some(object) = value.as_object() else {
            return self.note(definition, property, format!("is {}, and must be a {name}", kind(value)));
        };
        if let Some((by, of)) = &shape.union {
            match object.get(by).and_then(Value::as_str).and_then(|v| of.get(v)) {
                Some(one) => self.named(one, value, definition, property),
                None => self.note(name, by, "says of which kind it is, and says none that is known".into()),
            }
            return;
        }
        for (key, v) in object {
            match shape.properties.get(key) {
                None => self.note(name, key, "is sent, and no real server sends it".into()),
                Some(p) if p.presence == Presence::Never => self.note(name, key, "is sent, and real servers no longer send it".into()),
                Some(p) if key == "Links" && !(v.is_null() && p.slot.nullable) => self.links(name, v),
                Some(p) => self.value(&p.slot, v, name, key),
            }
        }
        for (key, p) in &shape.properties {
            if p.presence == Presence::Always && !object.contains_key(key) {
                self.note(name, key, "is missing".into());
            }
        }
    }

    fn links(&mut self, name: &str, value: &Value) {
        let names = self.shapes.definitions.get(name).and_then(|d| d.links.clone()).unwrap_or_default();
        let Some(links) = value.as_object() else { return self.note(name, "Links", format!("is {}, and must be an object", kind(value))) };
        for (link, to) in links {
            if !names.always.contains(link) && !names.sometimes.contains(link) {
                self.note(name, &format!("Links.{link}"), "is sent, and no real server sends it".into());
            }
            if !to.is_string() {
                self.note(name, &format!("Links.{link}"), format!("is {}, and must be a text", kind(to)));
            }
        }
        for link in names.always.iter().filter(|l| !links.contains_key(*l)) {
            self.note(name, &format!("Links.{link}"), "is missing".into());
        }
    }

    fn page(&mut self, inner: &Slot, value: &Value, pattern: &str) {
        let item = match &inner.ty {
            Type::Named(item) => item.as_str(),
            _ => pattern,
        };
        // Tasks come with counts.
        let own = format!("{item}Page");
        let name = if self.shapes.definitions.contains_key(&own) { own } else { "Page".to_owned() };
        self.named(&name, value, pattern, "");
        let known = self.shapes.definitions.get(item).and_then(|d| d.item_type.clone());
        if let (Some(sent), Some(known)) = (value["ItemType"].as_str(), known)
            && sent != known
        {
            self.note(item, "ItemType", format!("is `{sent}`, and `{known}` on a real server"));
        }
        for v in value["Items"].as_array().into_iter().flatten() {
            self.value(inner, v, pattern, "Items");
        }
    }
}
