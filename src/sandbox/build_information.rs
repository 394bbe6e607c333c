//! What a build server says about the build a package came from (octopus-api.md §24).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, field, str_of, text},
    builtin_feed::Overwrite,
    collection,
    nouns::{Noun, named},
    pages::page,
    routing::{Endpoint, Find, Of, Whole, delete, get, post},
    state::{State, stamp},
    store::present,
    versions::compare,
};
use serde_json::{Map, Value, json};

/// What a build server sends as text.
const TEXTS: [&str; 7] = ["BuildEnvironment", "BuildNumber", "BuildUrl", "Branch", "VcsType", "VcsRoot", "VcsCommitNumber"];

const BUILDS: &Noun = named("build-information");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/build-information", "FeedView", &Whole(|state, ask| list(state, ask))),
    post("S/build-information", "BuildInformationPush", &Whole(push)).takes(&[&["PackageId", "Version", "OctopusBuildInformation", "OverwriteMode"]]),
    delete("S/build-information/bulk", "BuildInformationAdminister", &Whole(remove_all)),
    delete("S/build-information/{id}", "BuildInformationAdminister", &Of(BUILDS, |state, ask, build| collection::remove(state, ask, BUILDS, build).and_then(|_| Answer::ok(json!({}))))),
];

fn stored<'s>(state: &'s State, space: &str, package: &str, version: &str) -> Option<&'s Value> {
    state.store.of("build-information").iter().find(|d| {
        str_of(d, "SpaceId") == space
            && str_of(d, "PackageId").eq_ignore_ascii_case(package)
            && str_of(d, "Version").eq_ignore_ascii_case(version)
    })
}

/// The build information of a package, or null.
pub(crate) fn of(state: &State, space: &str, package: &str, version: &str) -> Value {
    stored(state, space, package, version).map_or(Value::Null, |doc| present(BUILDS, doc))
}

/// The same as a release shows it: a part of the release, no document of its own.
pub(crate) fn of_release(state: &State, space: &str, package: &str, version: &str) -> Option<Value> {
    let mut doc = stored(state, space, package, version)?.clone();
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| !matches!(k.as_str(), "Id" | "SpaceId" | "Created" | "IncompleteDataWarning"));
    }
    Some(doc)
}

fn list(state: &State, ask: &Ask) -> Handled {
    let filter = ask.query("filter").map(str::to_lowercase);
    let mut found = collection::select(state, BUILDS, ask, |d| {
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
    Answer::ok(page(ask, BUILDS.item, &found, |d| d.shown()))
}

fn remove_all(state: &mut State, ask: &Ask) -> Handled {
    for id in ask.list("ids") {
        // Unknown ids are no mistake: what shall not be there is not there.
        if let Ok(doc) = BUILDS.find(state, ask, &id) {
            state.store.of_mut(BUILDS.path).remove(str_of(&doc, "Id"));
        }
    }
    Answer::ok(json!({}))
}

fn push(state: &mut State, ask: &Ask) -> Handled {
    let mode = Overwrite::of(ask)?;
    let (package, version) = (ask.need("PackageId")?, ask.need("Version")?);
    let said = ask.field("OctopusBuildInformation");
    if !said.is_object() {
        return Err(Refusal::required("OctopusBuildInformation"));
    }
    let space = state.space_of(ask);
    let old = stored(state, &space, &package, &version).map(|d| str_of(d, "Id").to_owned());
    if let Some(id) = &old {
        match mode {
            Overwrite::Fail => return Err(Overwrite::conflict("Metadata for the specified Package ID and version")),
            Overwrite::Ignore => return Answer::ok(BUILDS.find(state, ask, id)?.shown()),
            Overwrite::Replace => state.demand("BuildInformationAdminister", &Thing::default())?,
        }
    }
    let mut doc = Map::new();
    let id = old.unwrap_or_else(|| state.store.next_id(BUILDS.prefix));
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
    let answer = present(BUILDS, &doc);
    state.event("Created", &ask.user, format!("Build information of {package} {version} was pushed"), vec![id], Some(space));
    state.store.of_mut(BUILDS.path).put(doc);
    Answer::ok(answer)
}
