//! Plain resources: kept as JSON documents, listed, paged, filtered and changed in one place for all of them.

use super::{
    access::Thing,
    answer::{All, Answer, Ask, Handled, Refusal, str_of, texts},
    clones,
    members::Accepts,
    nouns::{NameRule, Noun, Order},
    pages::page,
    routing::{Endpoint, Find, Handler, on},
    state::State,
    store::{Document, DocumentText, Store, present, project_of, slug, space_of},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// NameRule in the query that every list understands.
fn matches(ask: &Ask, doc: &Value) -> bool {
    let name = || str_of(doc, "Name").to_lowercase();
    ask.query("name").is_none_or(|n| n.to_lowercase() == name())
        && ask.query("partialName").is_none_or(|n| name().contains(&n.to_lowercase()))
}

/// The documents of a kind that the request asks for, sorted.
pub(crate) fn select<'s>(state: &'s State, noun: &'static Noun, ask: &Ask, keep: impl Fn(&Value) -> bool) -> Vec<&'s Arc<Document>> {
    select_among(state, noun, ask, None, keep)
}

/// The same, of those that belong to a project when one is named.
pub(crate) fn select_among<'s>(
    state: &'s State,
    noun: &'static Noun,
    ask: &Ask,
    project: Option<&str>,
    keep: impl Fn(&Value) -> bool,
) -> Vec<&'s Arc<Document>> {
    let docs = state.store.of(noun.path);
    let narrowed = project.map(|p| ("ProjectId", p)).or_else(|| ask.query("name").map(|n| ("Name", n)));
    let all = || narrowed.map_or_else(|| docs.places().collect(), |(member, value)| docs.places_with(member, value).to_vec());
    let space = match (&ask.space, noun.mixed) {
        (Some(space), _) => Some(space.as_str()),
        (None, true) => None,
        (None, false) => noun.spaced.then_some(state.default_space()),
    };
    let spaces = ask.list("spaces");
    let mut found: Vec<&Arc<Document>> = ask
        .places(|id| docs.place(id), all)
        .into_iter()
        .filter_map(|place| docs.at(place))
        .filter(|d| {
            let of = d.get("SpaceId").and_then(Value::as_str);
            space.is_none_or(|s| of.is_none_or(|x| x == s))
                && (spaces.is_empty() || spaces.iter().any(|s| s == "all" || of.is_none_or(|x| x.eq_ignore_ascii_case(s))))
                && project.is_none_or(|p| str_of(d, "ProjectId") == p)
                && matches(ask, d)
                && keep(d)
                && state.sees(noun, d)
        })
        .collect();
    match noun.order {
        Order::Name => found
            .sort_by_cached_key(|d| d.get("Name").or_else(|| d.get("Username")).and_then(Value::as_str).unwrap_or_default().to_lowercase()),
        Order::Position => found.sort_by_key(|d| d.get("SortOrder").and_then(Value::as_i64).unwrap_or(0)),
        Order::Newest if ask.query("order") == Some("asc") => {}
        Order::Newest => found.reverse(),
        Order::Oldest => {}
    }
    found
}

/// What is done with the documents of a kind, or with one of them.
#[derive(Clone, Copy)]
enum Generic {
    Kind(fn(&mut State, &Ask, &'static Noun) -> Handled),
    One(fn(&mut State, &Ask, &'static Noun, Arc<Document>) -> Handled),
}

/// Method and path behind that of the kind, and which of its permissions is needed.
const GENERIC: [(&str, usize, Generic); 6] = [
    ("GET", 0, Generic::Kind(|state, ask, noun| list(state, ask, noun, |_| true))),
    ("GET /all", 0, Generic::Kind(|state, ask, noun| Answer::ok(All(shown(&listed(state, ask, noun, |_| true)))))),
    ("GET /{id}", 0, Generic::One(|_, _, _, doc| Answer::ok(doc.shown()))),
    ("POST", 1, Generic::Kind(|state, ask, noun| create(state, ask, noun, |_, _, _| {}))),
    ("PUT /{id}", 2, Generic::One(replace)),
    ("DELETE /{id}", 3, Generic::One(remove)),
];

struct OfNoun(&'static Noun, Generic);

impl Handler for OfNoun {
    fn takes(&self) -> usize {
        usize::from(matches!(self.1, Generic::One(_)))
    }
    fn answer(&self, state: &mut State, ask: &Ask, ids: &[&str]) -> Handled {
        match self.1 {
            Generic::Kind(how) => how(state, ask, self.0),
            Generic::One(how) => {
                let doc = self.0.find(state, ask, ids.first().copied().unwrap_or_default())?;
                how(state, ask, self.0, doc)
            }
        }
    }
}

/// The endpoints of a kind that are like those of every other kind.
pub(crate) fn endpoints(noun: &'static Noun) -> impl Iterator<Item = Endpoint> {
    let base = if noun.spaced || noun.mixed { "S/" } else { "/api/" };
    GENERIC.into_iter().filter(|(verb, ..)| noun.verbs.contains(verb)).map(move |(verb, needs, generic)| {
        let (method, tail) = verb.split_once(' ').unwrap_or((verb, ""));
        // They are made once, and stay.
        let (route, handler) = (format!("{base}{}{tail}", noun.path).leak(), Box::leak(Box::new(OfNoun(noun, generic))));
        Endpoint { depth: noun.depth, accepts: Accepts::Document, ..on(method, route, noun.needs[needs], handler) }
    })
}

/// The documents of a kind that a list of it shows.
pub(crate) fn listed<'s>(state: &'s State, ask: &Ask, noun: &'static Noun, keep: impl Fn(&Value) -> bool) -> Vec<&'s Arc<Document>> {
    select(state, noun, ask, |doc| (noun.filter)(ask, doc) && keep(doc))
}

/// A page of the documents of a kind.
pub(crate) fn list(state: &State, ask: &Ask, noun: &'static Noun, keep: impl Fn(&Value) -> bool) -> Handled {
    Answer::ok(page(ask, noun.item, &listed(state, ask, noun, keep), |d| d.shown()))
}

pub(crate) fn shown(docs: &[&Arc<Document>]) -> Vec<DocumentText> {
    docs.iter().map(|d| d.shown()).collect()
}

/// The documents of a kind that belong to a project.
pub(crate) fn under(state: &State, ask: &Ask, noun: &'static Noun, project: &Value) -> Handled {
    let found = select_among(state, noun, ask, Some(str_of(project, "Id")), |_| true);
    Answer::ok(page(ask, noun.item, &found, |d| d.shown()))
}

/// `PUT …/sortorder`
pub(crate) fn sort(state: &mut State, ask: &Ask, noun: &'static Noun) -> Handled {
    for (i, id) in texts(&ask.body).iter().enumerate() {
        state.store.of_mut(noun.path).change(id, |doc| doc["SortOrder"] = json!(i));
    }
    Answer::ok(json!({}))
}

/// What a client sent takes the place of a document.
pub(crate) fn replace(state: &mut State, ask: &Ask, noun: &'static Noun, old: Arc<Document>) -> Handled {
    state.demand(noun.needs[2], &Thing::of(noun, &old))?;
    let mut new = clean(ask.body.clone())?;
    // What a document belongs to stays: runbooks, channels and triggers do not move to another project.
    for key in ["Id", "SpaceId", "ProjectId", "Slug"] {
        if let Some(value) = old.get(key)
            && (key != "Slug" || str_of(&new, "Slug").is_empty())
        {
            new[key] = value.clone();
        }
    }
    for (key, value) in old.as_object().into_iter().flatten().filter(|(k, _)| k.starts_with('_')) {
        new[key.as_str()] = value.clone();
    }
    state.complete(noun.path, &mut new);
    Answer::ok(put_changed(state, ask, noun, new))
}

/// Puts a document that a client has changed in the place of the old one, with an entry in the audit log, and gives it back as it goes out.
pub(crate) fn put_changed(state: &mut State, ask: &Ask, noun: &Noun, doc: Value) -> Value {
    let name = str_of(&doc, "Name");
    let (id, space) = (str_of(&doc, "Id").to_owned(), space_of(&doc));
    let related = [Some(id), project_of(&doc)].into_iter().flatten().collect();
    state.event("Modified", &ask.user, format!("{} {name} was changed", noun.item), related, space);
    let answer = present(noun, &doc);
    state.store.of_mut(noun.path).put(doc);
    answer
}

pub(crate) fn remove(state: &mut State, ask: &Ask, noun: &'static Noun, old: Arc<Document>) -> Handled {
    state.demand(noun.needs[3], &Thing::of(noun, &old))?;
    let id = str_of(&old, "Id");
    state.store.of_mut(noun.path).remove(id);
    let related = [Some(id.to_owned()), project_of(&old)].into_iter().flatten().collect();
    state.event("Deleted", &ask.user, format!("{} {} was deleted", noun.item, str_of(&old, "Name")), related, space_of(&old));
    Answer::ok(old.shown())
}

impl Find for &'static Noun {
    type Found = Arc<Document>;
    fn find(&self, state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
        get(state, ask, self, id).cloned()
    }
}

/// The document of an id or slug, or 404.
pub(crate) fn get<'s>(state: &'s State, ask: &Ask, noun: &Noun, id: &str) -> Result<&'s Arc<Document>, Refusal> {
    let found = state.store.find(noun.path, ask.space.as_deref().filter(|_| noun.spaced), id);
    // What the caller may not see is not there.
    found.filter(|d| state.sees(noun, d)).ok_or_else(|| Refusal::missing(id))
}

/// A body as a document: an object without links.
pub(crate) fn clean(body: Value) -> Result<Value, Refusal> {
    let Value::Object(mut object) = body else { return Err(Refusal::invalid("The request body must be a JSON object.")) };
    object.shift_remove("Links");
    let upper = |k: &str| k.chars().next().map_or_else(String::new, |c| c.to_uppercase().chain(k.chars().skip(1)).collect());
    Ok(Value::Object(object.into_iter().map(|(k, v)| (upper(&k), v)).collect()))
}

/// What the server gives to a new document, whatever the body says: clients copy a document by posting what they read.
const GIVEN: [&str; 6] = ["Id", "SpaceId", "VariableSetId", "DeploymentProcessId", "RunbookProcessId", "PublishedRunbookSnapshotId"];

/// The slug itself, or with a number behind it when somebody has it.
fn free_slug(state: &State, noun: &Noun, space: Option<&str>, wanted: String) -> String {
    let taken = |slug: &str| state.store.of(noun.path).with("Slug", slug).any(|d| space.is_none_or(|s| str_of(d, "SpaceId") == s));
    if noun.names == NameRule::Repeated || !taken(&wanted) {
        return wanted;
    }
    let most = state.store.of(noun.path).iter().count();
    (1..=most).map(|n| format!("{wanted}-{n}")).find(|s| !taken(s)).unwrap_or(wanted)
}

/// Makes a document, and what is made `beside` it: of the space and the id.
pub(crate) fn create(state: &mut State, ask: &Ask, noun: &'static Noun, beside: fn(&mut Store, &str, &str)) -> Handled {
    let source = ask.query("clone").filter(|_| noun.copies).map(|id| noun.find(state, ask, id)).transpose()?;
    let mut body = clean(ask.body.clone())?;
    if let Some(source) = &source {
        body = clones::body(noun, source, &body);
    }
    let space = noun.spaced.then(|| ask.space.clone().unwrap_or_else(|| state.default_space().to_owned()));
    let of_project = body.get("ProjectId").and_then(Value::as_str);
    state.demand(noun.needs[1], &Thing { space: space.as_deref(), project: of_project, ..Thing::default() })?;
    let name = str_of(&body, "Name").to_owned();
    if name.is_empty() && noun.names != NameRule::Optional {
        return Err(Refusal::required("Name"));
    }
    let taken = noun.names != NameRule::Repeated
        && !name.is_empty()
        && state.store.of(noun.path).with("Name", &name).any(|d| space.as_deref().is_none_or(|s| str_of(d, "SpaceId") == s));
    if taken {
        return Err(Refusal::invalid(format!("The name '{name}' is already in use. Please choose a different name.")));
    }
    let id = state.store.next_id(noun.prefix);
    let mut doc = json!({ "Id": id });
    if let Some(space) = &space {
        doc["SpaceId"] = json!(space);
    } else if noun.mixed {
        // A team or its role belongs to the space it names, or else to the system.
        doc["SpaceId"] = ask.text("SpaceId").or_else(|| ask.space.clone()).map_or(Value::Null, |s| json!(s));
    }
    if let (Value::Object(doc), Value::Object(body)) = (&mut doc, body) {
        for (k, v) in body {
            if !GIVEN.contains(&k.as_str()) {
                doc.insert(k, v);
            }
        }
    }
    if !name.is_empty() {
        let wanted = Some(str_of(&doc, "Slug")).filter(|s| !s.is_empty()).map_or_else(|| slug(&name), str::to_owned);
        doc["Slug"] = json!(free_slug(state, noun, space.as_deref(), wanted));
    }
    state.complete(noun.path, &mut doc);
    beside(&mut state.store, space.as_deref().unwrap_or_default(), &id);
    let answer = present(noun, &doc);
    state.event(
        "Created",
        &ask.user,
        format!("{} {name} was created", noun.item),
        [Some(id.clone()), project_of(&doc)].into_iter().flatten().collect(),
        space,
    );
    state.store.of_mut(noun.path).put(doc);
    if let Some(source) = &source {
        clones::below(state, noun, source, &id);
    }
    Answer::created(answer)
}
