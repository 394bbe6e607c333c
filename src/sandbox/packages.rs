//! The built-in feed's packages: pushed, listed, read, deleted (octopus-api.md §24).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    build_information,
    builtin_feed::{self, Overwrite, Package},
    pages::page,
    routing::{Endpoint, Of, Whole, absent, delete, get, post},
    state::{State, stamp},
    store::slug,
    upload,
    versions::compare,
};
use crate::clock::later;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A package as it goes out.
fn render(state: &State, package: &Package) -> Value {
    let (space, id) = (&package.space, package.document_id());
    let feed = builtin_feed::builtin(&state.store, space);
    let own = format!("/api/{space}/packages/{id}");
    json!({
        "Id": id, "PackageSizeBytes": package.size(), "Hash": package.hash, "NuGetPackageId": package.id, "PackageId": package.id,
        "NuGetFeedId": feed, "FeedId": feed, "Title": package.id, "Summary": null, "Version": package.version, "Description": null,
        "Published": stamp(package.published), "ReleaseNotes": null, "FileExtension": package.extension,
        "PackageVersionBuildInformation": build_information::of(state, space, &package.id, &package.version),
        "Links": {
            "Self": own, "AllVersions": format!("/api/{space}/packages?nuGetPackageId={}", package.id),
            "Feed": format!("/api/{space}/feeds/{feed}"), "Raw": format!("{own}/raw"),
        },
    })
}

/// All versions of a package in a space, newest first.
pub(crate) fn versions<'s>(state: &'s State, space: &str, id: &str) -> Vec<&'s Package> {
    let mut found: Vec<&Package> = state.packages.iter().filter(|p| p.space == space && p.id.eq_ignore_ascii_case(id)).collect();
    newest_first(&mut found);
    found
}

fn newest_first(packages: &mut [&Package]) {
    packages.sort_by(|a, b| compare(&b.version, &a.version));
}

/// Of every package of a space its newest version, in the order of their ids.
pub(crate) fn newest_of_each<'s>(state: &'s State, space: &str) -> Vec<&'s Package> {
    let mut found: Vec<&Package> = state.packages.iter().filter(|p| p.space == space).collect();
    newest_first(&mut found);
    found.sort_by_key(|p| p.id.to_lowercase());
    found.dedup_by(|b, a| a.id.eq_ignore_ascii_case(&b.id));
    found
}

/// The place of exactly this version.
pub(crate) fn place(state: &State, space: &str, id: &str, version: &str) -> Option<usize> {
    state.packages.iter().position(|p| p.space == space && p.id.eq_ignore_ascii_case(id) && p.version.eq_ignore_ascii_case(version))
}

/// The place of the package with this document id; `Acme.Web.1.0.0` without the head is one too.
fn find(state: &State, ask: &Ask, wanted: &str) -> Result<usize, Refusal> {
    let space = state.space_of(ask);
    let bare = wanted.get(..9).filter(|head| head.eq_ignore_ascii_case("packages-")).map_or(wanted, |_| &wanted[9..]);
    let is = |p: &Package, name: &str| {
        p.space == space
            && name.len() == p.id.len() + 1 + p.version.len()
            && name.is_char_boundary(p.id.len())
            && name[..p.id.len()].eq_ignore_ascii_case(&p.id)
            && name[p.id.len()..].strip_prefix('.').is_some_and(|v| v.eq_ignore_ascii_case(&p.version))
    };
    let at = state.packages.iter().position(|p| is(p, bare)).or_else(|| state.packages.iter().position(|p| is(p, wanted)));
    at.ok_or_else(|| Refusal::missing(wanted))
}

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/packages", "FeedView", &Whole(|state, ask| list(state, ask))),
    get("S/packages/notes", "FeedView", &Whole(|state, ask| notes(state, ask))),
    post("S/packages/raw", "BuiltInFeedPush", &Whole(push)).of_file(),
    delete("S/packages/bulk", "BuiltInFeedAdminister", &Whole(remove_all)),
    get("S/packages/{id}", "FeedView", &Of(find, |state, _, at| Answer::ok(render(state, &state.packages[at])))),
    get("S/packages/{id}/raw", "BuiltInFeedDownload", &Of(find, |state, _, at| Ok(Answer::Bytes(200, "application/octet-stream".into(), state.packages[at].bytes.clone())))),
    delete("S/packages/{id}", "BuiltInFeedAdminister", &Of(find, |state, ask, at| {
        remove(state, ask, at);
        Answer::ok(json!({}))
    })),
    absent("GET", "S/packages/{id}/{version}/delta-signature", SENT_WHOLE),
    absent("POST", "S/packages/{id}/{version}/delta", SENT_WHOLE),
];
const SENT_WHOLE: &str = "packages are sent whole";

fn remove_all(state: &mut State, ask: &Ask) -> Handled {
    for id in ask.list("ids") {
        // Unknown ids are no mistake: what shall not be there is not there.
        if let Ok(at) = find(state, ask, &id) {
            remove(state, ask, at);
        }
    }
    Answer::ok(json!({}))
}

fn push(state: &mut State, ask: &Ask) -> Handled {
    let mode = Overwrite::of(ask)?;
    let (file, bytes) = upload::file(&ask.content_type, &ask.raw)?;
    let (id, version, extension) = upload::identity(&file)?;
    if bytes.is_empty() {
        return Err(Refusal::invalid(format!("The file '{file}' is empty.")));
    }
    let space = state.space_of(ask);
    let package = Package::new(&space, id, version, extension, bytes, state.now);
    let id = package.document_id();
    let at = match (place(state, &space, &package.id, &package.version), mode) {
        (Some(_), Overwrite::Fail) => return Err(Overwrite::conflict("A package with the same name and version")),
        (Some(at), Overwrite::Ignore) => return Answer::ok(render(state, &state.packages[at])),
        (Some(at), Overwrite::Replace) => {
            state.demand("BuiltInFeedAdminister", &Thing::default())?;
            state.event("Modified", &ask.user, format!("Package {} {} was replaced", package.id, package.version), vec![id], Some(space));
            state.packages[at] = package;
            at
        }
        (None, _) => {
            state.event("Created", &ask.user, format!("Package {} {} was pushed", package.id, package.version), vec![id], Some(space));
            state.packages.push(package);
            state.packages.len() - 1
        }
    };
    Answer::created(render(state, &state.packages[at]))
}

fn remove(state: &mut State, ask: &Ask, at: usize) {
    let gone = state.packages.remove(at);
    let said = format!("Package {} {} was deleted", gone.id, gone.version);
    state.event("Deleted", &ask.user, said, vec![gone.document_id()], Some(gone.space));
}

/// Of one package its versions; of all packages the newest version each, unless `latest` says otherwise.
fn list(state: &State, ask: &Ask) -> Handled {
    let space = state.space_of(ask);
    let filter = ask.query("filter").map(str::to_lowercase);
    let fits = |text: &str| filter.as_ref().is_none_or(|f| text.to_lowercase().contains(f));
    let found: Vec<&Package> = match (ask.query("nuGetPackageId"), ask.flag("latest")) {
        (Some(id), latest) => {
            let all = versions(state, &space, id).into_iter().filter(|p| fits(&p.version));
            all.take(if latest == Some(true) { 1 } else { usize::MAX }).collect()
        }
        (None, Some(false)) => {
            let mut all: Vec<&Package> = state.packages.iter().filter(|p| p.space == space && fits(&p.id)).collect();
            newest_first(&mut all);
            all.sort_by_key(|p| p.id.to_lowercase());
            all
        }
        (None, _) => newest_of_each(state, &space).into_iter().filter(|p| fits(&p.id)).collect(),
    };
    Answer::ok(page(ask, "Package", &found, |p| render(state, p)))
}

/// `packages/notes?packageIds=feed:package:version,…`; packages here bring no release notes.
fn notes(state: &State, ask: &Ask) -> Handled {
    let space = state.space_of(ask);
    let all = ask
        .list("packageIds")
        .iter()
        .map(|wanted| {
            let decoded = percent_encoding::percent_decode_str(wanted).decode_utf8_lossy();
            let parts: Vec<&str> = decoded.split(':').collect();
            let [feed, id, version] = parts.as_slice() else {
                return Err(Refusal::invalid(format!("The package '{decoded}' is not written as feed:package:version.")));
            };
            let here =
                builtin_feed::builtin(&state.store, &space).eq_ignore_ascii_case(feed) && place(state, &space, id, version).is_some();
            let why = (!here).then(|| format!("The package '{id}' version '{version}' was not found in the feed '{feed}'."));
            let result = json!({"Succeeded": here, "Notes": null, "DisplayMessage": why, "FailureReason": why});
            Ok(json!({"FeedId": feed, "PackageId": id, "Version": version, "Notes": result}))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Answer::ok(json!({"Packages": all, "Links": {}}))
}

/// The versions of a package in a feed, the newest first: by number, or by when they were published.
pub(crate) fn in_feed<'s>(state: &'s State, feed: &str, id: &str, by_date: bool) -> Vec<&'s Package> {
    let Some(doc) = state.store.of("feeds").get(feed) else { return Vec::new() };
    let mut found = if builtin_feed::is_builtin(doc) {
        versions(state, str_of(doc, "SpaceId"), id)
    } else {
        let mut found: Vec<&Package> = images(state, feed).filter(|p| p.id.eq_ignore_ascii_case(id)).collect();
        newest_first(&mut found);
        found
    };
    if by_date {
        found.sort_by_key(|p| std::cmp::Reverse(p.published));
    }
    found
}

/// What is in a feed that is not the built-in one.
pub(crate) fn images<'s>(state: &'s State, feed: &str) -> impl Iterator<Item = &'s Package> {
    state.images.iter().filter(move |(of, _)| of.eq_ignore_ascii_case(feed)).map(|(_, package)| package)
}

/// The feed that a package of the world is in.
pub(crate) fn feed_of(state: &State, space: &str, package: &str) -> String {
    let plan = state.plan.packages.iter().find(|p| p.id.get_ref().eq_ignore_ascii_case(package));
    let feed = plan.and_then(|p| p.feed.as_ref()).and_then(|feed| state.store.named("feeds", space, feed.get_ref()));
    feed.map_or_else(|| builtin_feed::builtin(&state.store, space).to_owned(), |doc| str_of(doc, "Id").to_owned())
}

/// The feed of a world that is not the built-in one, made when it is named first: a registry of images.
fn registry(state: &mut State, space: &str, name: &str) -> String {
    if let Some(known) = state.store.named("feeds", space, name) {
        return str_of(known, "Id").to_owned();
    }
    let id = state.store.next_id("Feeds-");
    state.store.of_mut("feeds").put(json!({
        "Id": id, "SpaceId": space, "Name": name, "Slug": slug(name), "FeedType": "Docker", "FeedUri": "https://registry.example", "ApiVersion": null,
        "RegistryPath": null, "Username": null, "Password": {"HasValue": false, "NewValue": null},
        "PackageAcquisitionLocationOptions": ["ExecutionTarget", "NotAcquired"],
    }));
    id
}

/// Puts the packages of the world on the shelf, each version a week older than the next.
pub(crate) fn stock(state: &mut State) {
    let plan = state.plan.clone();
    for p in &plan.packages {
        let space = match &p.space {
            Some(name) => state.store.of("spaces").iter().find(|s| str_of(s, "Name").eq_ignore_ascii_case(name.get_ref())),
            None => state.store.of("spaces").iter().next(),
        };
        let space = space.map_or("Spaces-1", |s| str_of(s, "Id")).to_owned();
        let feed = p.feed.as_ref().map(|name| registry(state, &space, name.get_ref()));
        for (i, version) in p.versions.iter().enumerate() {
            let weeks = i64::try_from(p.versions.len() - i).unwrap_or(1);
            let published = later(plan.start.0, SignedDuration::from_hours(-24 * 7 * weeks));
            let package = Package::empty(&space, p.id.get_ref(), version.get_ref(), published);
            match &feed {
                Some(feed) => state.images.push((feed.clone(), package)),
                None => state.packages.push(package),
            }
        }
    }
}
