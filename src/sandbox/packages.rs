//! The built-in feed's packages: pushed, listed, read, deleted (octopus-api.md §24).

use super::{
    access::Thing,
    answer::{Answer, Ask, Handled, Refusal, str_of},
    build_information,
    collection::page,
    feeds,
    state::{State, stamp},
    upload,
    versions::{compare, is_pre_release},
};
use crate::clock::later;
use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// One version of a package, in the built-in feed of one space.
pub(crate) struct Package {
    pub(crate) space: String,
    pub(crate) id: String,
    pub(crate) version: String,
    extension: String,
    bytes: Bytes,
    /// SHA-1, as servers send it.
    pub(crate) hash: String,
    pub(crate) published: Timestamp,
}

impl Package {
    pub(crate) fn new(space: &str, id: String, version: String, extension: String, bytes: Bytes, published: Timestamp) -> Self {
        let hash = hex::encode(Sha1::digest(&bytes));
        Self { space: space.to_owned(), id, version, extension, bytes, hash, published }
    }

    /// A package of a world: an archive with nothing in it but its own name.
    pub(crate) fn empty(space: &str, id: &str, version: &str, published: Timestamp) -> Self {
        let name = format!("{id} {version}");
        let mut bytes = b"PK\x05\x06".to_vec();
        bytes.resize(20, 0);
        bytes.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(name.bytes());
        Self::new(space, id.to_owned(), version.to_owned(), ".zip".into(), bytes.into(), published)
    }

    pub(crate) fn document_id(&self) -> String {
        format!("packages-{}.{}", self.id, self.version)
    }

    /// What was pushed, and how its file ends: `.zip`.
    pub(crate) fn content(&self) -> (Bytes, &str) {
        (self.bytes.clone(), &self.extension)
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// What happens to a package or its build information when there is one already.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Fail,
    Replace,
    Ignore,
}

impl Overwrite {
    /// From the query or the body; servers before 2019.8 knew `replace` only.
    pub(crate) fn of(ask: &Ask) -> Result<Self, Refusal> {
        match ask.query("overwriteMode").map(str::to_owned).or_else(|| ask.text("OverwriteMode")) {
            None if ask.flag("replace") == Some(true) => Ok(Self::Replace),
            None => Ok(Self::Fail),
            Some(mode) => match mode.to_lowercase().as_str() {
                "failifexists" => Ok(Self::Fail),
                "overwriteexisting" => Ok(Self::Replace),
                "ignoreifexists" => Ok(Self::Ignore),
                _ => Err(Refusal::invalid(format!(
                    "The value '{mode}' is not valid for overwriteMode. It is one of FailIfExists, OverwriteExisting and IgnoreIfExists."
                ))),
            },
        }
    }

    /// 409 with the server's words.
    pub(crate) fn conflict(what: &str) -> Refusal {
        let message = format!("{what} already exists. To proceed anyway, specify an overwriteMode of OverwriteExisting or IgnoreIfExists.");
        Refusal { status: 409, message, errors: Vec::new() }
    }
}

/// A package as it goes out.
fn render(state: &State, package: &Package) -> Value {
    let (space, id) = (&package.space, package.document_id());
    let feed = feeds::builtin(state, space);
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

/// `packages…`
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Handled {
    match (ask.method.as_str(), rest) {
        ("POST", ["raw"]) => push(state, ask),
        ("GET", []) => list(state, ask),
        ("GET", ["notes"]) => notes(state, ask),
        ("GET", ["raw" | "bulk"]) => Err(Refusal::wrong_verb(&ask.method)),
        ("DELETE", ["bulk"]) => {
            // Unknown ids are no mistake: what shall not be there is not there.
            let doomed: Vec<String> =
                ask.list("ids").iter().filter_map(|id| find(state, ask, id).ok()).map(|at| state.packages[at].document_id()).collect();
            for id in doomed {
                delete(state, ask, &id)?;
            }
            Answer::ok(json!({}))
        }
        ("GET", [id]) => {
            let at = find(state, ask, id)?;
            Answer::ok(render(state, &state.packages[at]))
        }
        ("GET", [id, "raw"]) => {
            let at = find(state, ask, id)?;
            Ok(Answer::Bytes(200, "application/octet-stream".into(), state.packages[at].bytes.clone()))
        }
        ("DELETE", [id]) => {
            delete(state, ask, id)?;
            Answer::ok(json!({}))
        }
        (_, [] | [_] | [_, "raw"]) => Err(Refusal::wrong_verb(&ask.method)),
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
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

fn delete(state: &mut State, ask: &Ask, id: &str) -> Result<(), Refusal> {
    let gone = find(state, ask, id).map(|at| state.packages.remove(at))?;
    let said = format!("Package {} {} was deleted", gone.id, gone.version);
    state.event("Deleted", &ask.user, said, vec![gone.document_id()], Some(gone.space));
    Ok(())
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
            let here = feeds::builtin(state, &space).eq_ignore_ascii_case(feed) && place(state, &space, id, version).is_some();
            let why = (!here).then(|| format!("The package '{id}' version '{version}' was not found in the feed '{feed}'."));
            let result = json!({"Succeeded": here, "Notes": null, "DisplayMessage": why, "FailureReason": why});
            Ok(json!({"FeedId": feed, "PackageId": id, "Version": version, "Notes": result}))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Answer::ok(json!({"Packages": all, "Links": {}}))
}

/// The versions a feed offers to who asks with these rules, newest first.
pub(crate) fn offered<'s>(state: &'s State, space: &str, id: &str, pre_releases: bool, keep: impl Fn(&str) -> bool) -> Vec<&'s Package> {
    versions(state, space, id).into_iter().filter(|p| (pre_releases || !is_pre_release(&p.version)) && keep(&p.version)).collect()
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
        for (i, version) in p.versions.iter().enumerate() {
            let weeks = i64::try_from(p.versions.len() - i).unwrap_or(1);
            let published = later(plan.start.0, SignedDuration::from_hours(-24 * 7 * weeks));
            state.packages.push(Package::empty(&space, p.id.get_ref(), version.get_ref(), published));
        }
    }
}
