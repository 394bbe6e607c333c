//! What a build server says about the build a package came from (octopus-api.md §24).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text},
    collection::{self, Noun, noun_of, page, present},
    packages::Overwrite,
    state::{State, stamp},
    versions::compare,
};
use serde_json::{Map, Value, json};

/// What a build server sends as text.
const TEXTS: [&str; 7] = ["BuildEnvironment", "BuildNumber", "BuildUrl", "Branch", "VcsType", "VcsRoot", "VcsCommitNumber"];

fn noun() -> Result<&'static Noun, Refusal> {
    noun_of("build-information").ok_or_else(|| Refusal::missing("build-information"))
}

/// A document as it goes out: that of a package does not say which space it is in.
fn show(noun: &Noun, doc: &Value) -> Value {
    let mut doc = present(noun, doc);
    if let Some(doc) = doc.as_object_mut() {
        doc.shift_remove("SpaceId");
    }
    doc
}

fn stored<'s>(state: &'s State, space: &str, package: &str, version: &str) -> Option<&'s Value> {
    state.store.of("build-information").iter().find(|d| {
        str_of(d, "SpaceId") == space
            && str_of(d, "PackageId").eq_ignore_ascii_case(package)
            && str_of(d, "Version").eq_ignore_ascii_case(version)
    })
}

/// The build information of a package, or null.
pub(crate) fn of(state: &State, space: &str, package: &str, version: &str) -> Value {
    noun().ok().zip(stored(state, space, package, version)).map_or(Value::Null, |(noun, doc)| show(noun, doc))
}

/// The same as a release shows it: a part of the release, no document of its own.
pub(crate) fn of_release(state: &State, space: &str, package: &str, version: &str) -> Option<Value> {
    let mut doc = stored(state, space, package, version)?.clone();
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| !matches!(k.as_str(), "Id" | "SpaceId" | "Created" | "IncompleteDataWarning"));
    }
    Some(doc)
}

/// `build-information…`
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    let noun = noun()?;
    match (ask.method.as_str(), rest) {
        ("POST", []) => push(state, ask, noun),
        ("GET", []) => {
            state.demand("FeedView", &Thing::default())?;
            let filter = ask.query("filter").map(str::to_lowercase);
            let mut found = collection::select(state, noun, ask, |d| {
                ask.query("packageId").is_none_or(|p| str_of(d, "PackageId").eq_ignore_ascii_case(p))
                    && filter.as_ref().is_none_or(|f| ["PackageId", "Version"].iter().any(|k| str_of(d, k).to_lowercase().contains(f)))
            });
            found.sort_by(|a, b| {
                let names = str_of(a, "PackageId").to_lowercase().cmp(&str_of(b, "PackageId").to_lowercase());
                names.then_with(|| compare(str_of(b, "Version"), str_of(a, "Version")))
            });
            if ask.flag("latest") == Some(true) {
                found.dedup_by(|b, a| str_of(a, "PackageId").eq_ignore_ascii_case(str_of(b, "PackageId")));
            }
            Answer::ok(page(ask, noun.item, &found, |d| show(noun, d)))
        }
        ("DELETE", ["bulk"]) => {
            state.demand("BuildInformationAdminister", &Thing::default())?;
            for id in ask.list("ids") {
                // Unknown ids are no mistake: what shall not be there is not there.
                if let Ok(doc) = collection::get(state, ask, noun, &id) {
                    let id = str_of(doc, "Id").to_owned();
                    state.store.of_mut(noun.path).remove(&id);
                }
            }
            Answer::ok(json!({}))
        }
        ("GET", [id]) => {
            state.demand("FeedView", &Thing::default())?;
            Answer::ok(show(noun, collection::get(state, ask, noun, id)?))
        }
        ("DELETE", [id]) => {
            state.demand("BuildInformationAdminister", &Thing::default())?;
            collection::route(state, ask, noun, &[id]).and_then(|_| Answer::ok(json!({})))
        }
        _ => Err(Refusal::wrong_verb(&ask.method)),
    }
}

fn push(state: &mut State, ask: &Ask, noun: &Noun) -> Handled {
    state.demand("BuildInformationPush", &Thing::default())?;
    let mode = Overwrite::of(ask)?;
    let need = |name: &str| ask.text(name).ok_or_else(|| Refusal::invalid(format!("The {name} field is required.")));
    let (package, version) = (need("PackageId")?, need("Version")?);
    let said = ask.field("OctopusBuildInformation");
    if !said.is_object() {
        return Err(Refusal::invalid("The OctopusBuildInformation field is required."));
    }
    let space = state.space_of(ask);
    let old = stored(state, &space, &package, &version).map(|d| str_of(d, "Id").to_owned());
    if let Some(id) = &old {
        match mode {
            Overwrite::Fail => return Err(Overwrite::conflict("Metadata for the specified Package ID and version")),
            Overwrite::Ignore => return Answer::ok(state.store.of(noun.path).get(id).map_or(Value::Null, |d| show(noun, d))),
            Overwrite::Replace => state.demand("BuildInformationAdminister", &Thing::default())?,
        }
    }
    let mut doc = Map::new();
    let id = old.unwrap_or_else(|| state.store.next_id(noun.prefix));
    doc.insert("Id".into(), json!(id));
    doc.insert("SpaceId".into(), json!(space));
    doc.insert("PackageId".into(), json!(package));
    doc.insert("Version".into(), json!(version));
    for name in TEXTS {
        doc.insert(name.into(), json!(text(said, name)));
    }
    let commits = field(said, "Commits").as_array().cloned().unwrap_or_default();
    let commits: Vec<Value> =
        commits.iter().map(|c| json!({"Id": text(c, "Id"), "Comment": text(c, "Comment"), "LinkUrl": null})).collect();
    // Links into version control and work items are what extensions of a server add; there are none here.
    doc.insert("VcsCommitUrl".into(), Value::Null);
    doc.insert("IssueTrackerName".into(), Value::Null);
    doc.insert("WorkItems".into(), json!([]));
    doc.insert("Commits".into(), json!(commits));
    doc.insert("Created".into(), json!(stamp(state.now)));
    doc.insert("IncompleteDataWarning".into(), Value::Null);
    let doc = Value::Object(doc);
    let answer = show(noun, &doc);
    state.event("Created", &ask.user, format!("Build information of {package} {version} was pushed"), vec![id], Some(space));
    state.store.of_mut(noun.path).put(doc);
    Answer::ok(answer)
}
