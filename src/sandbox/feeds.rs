//! Feeds, and what the built-in one can be asked: packages by name, and their versions (octopus-api.md §24).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    builtin_feed::{Package, add_builtin, is_builtin},
    collection,
    nouns::{Noun, named},
    packages,
    pages::page,
    routing::{Endpoint, Find, Of, Whole, delete, get, post, put},
    state::{State, stamp},
    store::{Document, present},
    versions::{in_range, tag_fits},
};
use serde_json::json;
use std::sync::Arc;

const FEEDS: &Noun = named("feeds");
const BUILT_IN: &str = "the built-in feed only; what others hold is answered with 501";

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    post("S/feeds", "FeedEdit", &Whole(create)).like(FEEDS).keeps(),
    put("S/feeds/{id}", "FeedEdit", &Of(FEEDS, change)).like(FEEDS).keeps(),
    delete("S/feeds/{id}", "FeedEdit", &Of(FEEDS, remove)).like(FEEDS),
    post("/api/spaces", "SpaceCreate", &Whole(|state, ask| collection::create(state, ask, named("spaces"), |store, _, id| add_builtin(store, id)))).keeps(),
    get("S/feeds/stats", "FeedView", &Whole(|state, ask| Answer::ok(
        json!({"Id": "feeds-stats", "TotalPackages": packages::newest_of_each(state, &state.space_of(ask)).len(), "Links": {}}),
    ))),
    get("S/feeds/{id}/packages/search", "FeedView", &Of(built_in, search)).partly(BUILT_IN),
    get("S/feeds/{id}/packages/versions", "FeedView", &Of(built_in, versions)).partly(BUILT_IN),
    get("S/feeds/{id}/packages/notes", "FeedView", &Of(built_in, notes)).partly(BUILT_IN),
];

fn create(state: &mut State, ask: &Ask) -> Handled {
    if ask.text("FeedType").is_none_or(|t| t == "BuiltIn") {
        return Err(Refusal::invalid("The FeedType field is required, and a space has one built-in feed only."));
    }
    collection::create(state, ask, FEEDS, |_, _, _| {})
}

fn change(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    if is_builtin(&feed) && ask.text("FeedType").as_deref() != Some("BuiltIn") {
        return Err(Refusal::invalid("The type of the built-in feed cannot be changed."));
    }
    collection::replace(state, ask, FEEDS, feed)
}

fn remove(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    if is_builtin(&feed) {
        return Err(Refusal::invalid("The built-in feed cannot be deleted."));
    }
    collection::remove(state, ask, FEEDS, feed)
}

/// A feed whose packages can be asked for. Others are other people's servers: what they hold cannot be known here.
fn built_in(state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
    let feed = FEEDS.find(state, ask, id)?;
    if is_builtin(&feed) { Ok(feed) } else { Err(Refusal::not_simulated(&ask.method, &ask.path)) }
}

fn search(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    let template = &present(FEEDS, &feed)["Links"]["SearchPackageVersionsTemplate"];
    let term = ask.query("term").unwrap_or_default().to_lowercase();
    let all = packages::newest_of_each(state, str_of(&feed, "SpaceId"));
    let found: Vec<&Package> = all.into_iter().filter(|p| p.id.to_lowercase().contains(&term)).collect();
    Answer::ok(page(
        ask,
        "PackageDescription",
        &found,
        |p| json!({"Id": p.id, "Name": p.id, "Description": null, "LatestVersion": p.version, "Links": {"SearchPackageVersionsTemplate": template}}),
    ))
}

fn versions(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    let space = str_of(&feed, "SpaceId");
    let found = wanted(state, ask, space, ask.need_query("packageId")?);
    Answer::ok(page(ask, "PackageVersion", &found, |p| {
        json!({
            "Id": p.document_id(), "PackageId": p.id, "FeedId": feed["Id"], "Title": p.id, "Version": p.version, "Published": stamp(p.published),
            "ReleaseNotes": null, "SizeBytes": p.size(), "Links": {"Self": format!("/api/{space}/packages/{}", p.document_id())},
        })
    }))
}

/// Packages here bring no release notes.
fn notes(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    let (id, version) = (ask.need_query("packageId")?, ask.need_query("version")?);
    let place = packages::place(state, str_of(&feed, "SpaceId"), id, version);
    place.ok_or_else(|| Refusal::missing(&format!("packages-{id}.{version}")))?;
    Answer::plain(String::new())
}

/// The versions of a package that a query asks for, newest first.
fn wanted<'s>(state: &'s State, ask: &Ask, space: &str, id: &str) -> Vec<&'s Package> {
    let filter = ask.query("filter").map(str::to_lowercase);
    let (range, tag) = (ask.query("versionRange").unwrap_or_default(), ask.query("preReleaseTag").unwrap_or_default());
    packages::offered(state, space, id, ask.flag("includePreRelease") != Some(false), |version| {
        in_range(range, version) && tag_fits(tag, version) && filter.as_ref().is_none_or(|f| version.to_lowercase().contains(f))
    })
}
