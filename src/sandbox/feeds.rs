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
    versions::{MOST_RECENT, VersionRule, is_pre_release, wrong_pattern},
};
use serde_json::json;
use std::sync::Arc;

const FEEDS: &Noun = named("feeds");
const KNOWN: &str = "the built-in feed and those of the world; what others hold is answered with 501";
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
    get("S/feeds/{id}/packages/search", "FeedView", &Of(known, search)).partly(KNOWN),
    get("S/feeds/{id}/packages/versions", "FeedView", &Of(known, versions)).partly(KNOWN),
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

/// The same, also for a feed of the world.
fn known(state: &State, ask: &Ask, id: &str) -> Result<Arc<Document>, Refusal> {
    let feed = FEEDS.find(state, ask, id)?;
    if packages::images(state, str_of(&feed, "Id")).next().is_some() { Ok(feed) } else { built_in(state, ask, id) }
}

fn search(state: &mut State, ask: &Ask, feed: Arc<Document>) -> Handled {
    let template = &present(FEEDS, &feed)["Links"]["SearchPackageVersionsTemplate"];
    let term = ask.query("term").unwrap_or_default().to_lowercase();
    let all = if is_builtin(&feed) {
        packages::newest_of_each(state, str_of(&feed, "SpaceId"))
    } else {
        let mut ids: Vec<&str> = packages::images(state, str_of(&feed, "Id")).map(|p| p.id.as_str()).collect();
        ids.dedup();
        ids.into_iter().filter_map(|id| packages::in_feed(state, str_of(&feed, "Id"), id, false).into_iter().next()).collect()
    };
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
    let found = wanted(state, ask, &feed, ask.need_query("packageId")?)?;
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
fn wanted<'s>(state: &'s State, ask: &Ask, feed: &Document, id: &str) -> Result<Vec<&'s Package>, Refusal> {
    let of = |name: &str| ask.query(name).unwrap_or_default();
    let strategy = of("versioningStrategy");
    if !["", "SemVer", MOST_RECENT].contains(&strategy) {
        return Err(Refusal::invalid(format!("The value '{strategy}' is not valid for versioningStrategy.")));
    }
    if let Some(wrong) = ["preReleaseTag", "versionTagRegex"].into_iter().find_map(|name| wrong_pattern(of(name))) {
        return Err(Refusal::invalid(wrong));
    }
    let rule =
        VersionRule { range: of("versionRange"), tag: of("preReleaseTag"), whole: of("versionTagRegex"), by_date: strategy == MOST_RECENT };
    let (filter, pre_releases) = (of("filter").to_lowercase(), ask.flag("includePreRelease") != Some(false));
    let mut found = packages::in_feed(state, str_of(feed, "Id"), id, rule.by_date);
    found.retain(|p| {
        (pre_releases || !is_pre_release(&p.version)) && rule.lets_in(&p.version) && p.version.to_lowercase().contains(&filter)
    });
    Ok(found)
}
