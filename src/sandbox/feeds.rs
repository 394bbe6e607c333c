//! Feeds, and what the built-in one can be asked: packages by name, and their versions (octopus-api.md §24).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{self, Store, noun_of, page},
    packages::{self, Package},
    state::{State, stamp},
    versions::{in_range, tag_fits},
};
use serde_json::{Value, json};

/// The built-in feed of a space, as a document.
pub(crate) fn builtin_document(id: &str, space: &str) -> Value {
    json!({
        "Id": id, "SpaceId": space, "Name": "Octopus Server (built-in)", "Slug": "octopus-server-built-in", "FeedType": "BuiltIn",
        "DownloadAttempts": 5, "DownloadRetryBackoffSeconds": 10, "DeleteUnreleasedPackagesAfterDays": null,
        "DeletePackagesAssociatedWithReleases": false, "IsBuiltInRepoSyncEnabled": false, "PackageAcquisitionLocationOptions": ["Server"],
    })
}

/// Gives a new space its built-in feed: `feeds-builtin` is the first space's, further ones are numbered.
pub(crate) fn add_builtin(store: &mut Store, space: &str) {
    let id = if store.of("feeds").get("feeds-builtin").is_none() { "feeds-builtin".to_owned() } else { store.next_id("Feeds-") };
    store.of_mut("feeds").put(builtin_document(&id, space));
}

fn is_builtin(feed: &Value) -> bool {
    str_of(feed, "FeedType") == "BuiltIn"
}

/// The id of a space's built-in feed.
pub(crate) fn builtin<'s>(state: &'s State, space: &str) -> &'s str {
    state.store.of("feeds").iter().find(|f| is_builtin(f) && str_of(f, "SpaceId") == space).map_or("feeds-builtin", |f| str_of(f, "Id"))
}

/// `feeds…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let noun = noun_of("feeds")?;
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let found = collection::select(state, noun, ask, |f| {
                ask.query("feedType").is_none_or(|t| t.split(',').any(|t| t.trim().eq_ignore_ascii_case(str_of(f, "FeedType"))))
            });
            Some(Answer::ok(page(ask, noun.item, &found, |f| f.shown())))
        }
        ("GET", ["stats"]) => Some(Answer::ok(
            json!({"Id": "feeds-stats", "TotalPackages": packages::newest_of_each(state, &state.space_of(ask)).len(), "Links": {}}),
        )),
        ("POST", []) => {
            let refusal = state.demand("FeedEdit", &Thing::default()).err().or_else(|| {
                ask.text("FeedType")
                    .is_none_or(|t| t == "BuiltIn")
                    .then(|| Refusal::invalid("The FeedType field is required, and a space has one built-in feed only."))
            });
            refusal.map(Err)
        }
        ("PUT" | "DELETE", [id]) => {
            let builtin = match collection::get(state, ask, noun, id) {
                Ok(feed) => is_builtin(feed),
                Err(refusal) => return Some(Err(refusal)),
            };
            match state.demand("FeedEdit", &Thing::default()) {
                Err(refusal) => Some(Err(refusal)),
                Ok(()) if builtin && ask.method == "DELETE" => Some(Err(Refusal::invalid("The built-in feed cannot be deleted."))),
                Ok(()) if builtin && ask.text("FeedType").as_deref() != Some("BuiltIn") => {
                    Some(Err(Refusal::invalid("The type of the built-in feed cannot be changed.")))
                }
                Ok(()) => None,
            }
        }
        ("GET", [id, "packages", tail @ ..]) => Some((|| {
            state.demand("FeedView", &Thing::default())?;
            let feed = collection::get(state, ask, noun, id)?;
            if !is_builtin(feed) {
                // Other feeds are other people's servers: what they hold cannot be known here.
                return Err(Refusal::not_simulated(&ask.method, &ask.path));
            }
            ask_packages(state, ask, feed, tail)
        })()),
        _ => None,
    }
}

fn ask_packages(state: &State, ask: &Ask, feed: &Value, tail: &[&str]) -> Handled {
    let (space, feed) = (str_of(feed, "SpaceId"), str_of(feed, "Id"));
    let at = format!("/api/{space}/feeds/{feed}/packages");
    let versions_template =
        format!("{at}/versions{{?packageId,take,skip,includePreRelease,versionRange,preReleaseTag,filter,includeReleaseNotes}}");
    match tail {
        ["search"] => {
            let term = ask.query("term").unwrap_or_default().to_lowercase();
            let found: Vec<&Package> =
                packages::newest_of_each(state, space).into_iter().filter(|p| p.id.to_lowercase().contains(&term)).collect();
            Answer::ok(page(
                ask,
                "PackageDescription",
                &found,
                |p| json!({"Id": p.id, "Name": p.id, "Description": null, "LatestVersion": p.version, "Links": {"SearchPackageVersionsTemplate": versions_template}}),
            ))
        }
        ["versions"] => {
            let id = ask.query("packageId").ok_or_else(|| Refusal::invalid("The packageId parameter is required."))?;
            let found = wanted(state, ask, space, id);
            Answer::ok(page(ask, "PackageVersion", &found, |p| {
                json!({
                    "Id": p.document_id(), "PackageId": p.id, "FeedId": feed, "Title": p.id, "Version": p.version, "Published": stamp(p.published),
                    "ReleaseNotes": null, "SizeBytes": p.size(), "Links": {"Self": format!("/api/{space}/packages/{}", p.document_id())},
                })
            }))
        }
        ["notes"] => {
            let need = |name: &str| ask.query(name).ok_or_else(|| Refusal::invalid(format!("The {name} parameter is required.")));
            let (id, version) = (need("packageId")?, need("version")?);
            packages::place(state, space, id, version).ok_or_else(|| Refusal::missing(&format!("packages-{id}.{version}")))?;
            // Packages here bring no release notes.
            Answer::plain(String::new())
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}

/// The versions of a package that a query asks for, newest first.
fn wanted<'s>(state: &'s State, ask: &Ask, space: &str, id: &str) -> Vec<&'s Package> {
    let filter = ask.query("filter").map(str::to_lowercase);
    let (range, tag) = (ask.query("versionRange").unwrap_or_default(), ask.query("preReleaseTag").unwrap_or_default());
    packages::offered(state, space, id, ask.flag("includePreRelease") != Some(false), |version| {
        in_range(range, version) && tag_fits(tag, version) && filter.as_ref().is_none_or(|f| version.to_lowercase().contains(f))
    })
}
