//! Which versions of packages a release takes: what its process needs, what was asked for, what is newest
//! (octopus-api.md §12.2, §12.3, §16.1).

use super::{
    answer::{Ask, Refusal, field, str_of, text, texts},
    build_information, builtin_feed, packages, processes,
    state::{Release, State, What},
    versions::{VersionRule, tag_fits},
};
use serde_json::{Value, json};

/// A place in a process that takes a package.
pub(crate) struct Slot {
    action: String,
    reference: String,
    package: String,
    feed: String,
    /// The process itself says which version.
    fixed: Option<String>,
}

impl Slot {
    fn is_resolvable(&self) -> bool {
        !self.package.contains("#{") && !self.feed.contains("#{")
    }
    fn is(&self, action: &str, reference: &str) -> bool {
        self.action.eq_ignore_ascii_case(action) && self.reference.eq_ignore_ascii_case(reference)
    }
}

/// The actions of a process that are carried out in a channel.
pub(crate) fn actions<'d>(process: &'d Value, channel: Option<&'d str>) -> impl Iterator<Item = &'d Value> {
    let steps = process["Steps"].as_array().into_iter().flatten();
    steps.flat_map(|s| s["Actions"].as_array().into_iter().flatten()).filter(move |a| {
        let only = texts(&a["Channels"]);
        a["IsDisabled"] != true && (only.is_empty() || channel.is_none_or(|c| only.iter().any(|o| o.eq_ignore_ascii_case(c))))
    })
}

/// What the process with this id needs in this channel.
fn slots(state: &State, process: &str, channel: Option<&str>) -> Vec<Slot> {
    let Ok(doc) = processes::process(state, process) else { return Vec::new() };
    actions(&doc, channel)
        .flat_map(|a| a["Packages"].as_array().into_iter().flatten().map(move |p| (a, p)))
        .filter_map(|(a, p)| {
            // A package that a parameter names is known only to the step that sets the parameter.
            Some(Slot {
                action: str_of(a, "Name").to_owned(),
                reference: text(p, "Name").unwrap_or_default(),
                package: text(p, "PackageId")?,
                feed: text(p, "FeedId")?,
                fixed: text(p, "Version"),
            })
        })
        .collect()
}

/// The version in a list of selected packages for a place in the process.
fn selected<'v>(list: &'v Value, slot: &Slot) -> Option<&'v str> {
    let named = |p: &Value| text(p, "ActionName").or_else(|| text(p, "StepName")).unwrap_or_default();
    let of = |p: &&Value| slot.is(&named(p), &text(p, "PackageReferenceName").unwrap_or_default());
    list.as_array()?.iter().find(of).and_then(|p| field(p, "Version").as_str()).map(str::trim).filter(|v| !v.is_empty())
}

/// The version that the release or snapshot of an execution took for a package of a step.
pub(crate) fn taken(state: &State, execution: usize, action: &str, reference: &str) -> Option<String> {
    let list = match &state.executions[execution].what {
        What::Deploy { release, .. } => state.release(*release)?.extra.get("SelectedPackages")?,
        What::Runbook { snapshot, .. } => &state.store.of("runbookSnapshots").get(snapshot)?["SelectedPackages"],
    };
    let slot =
        Slot { action: action.to_owned(), reference: reference.to_owned(), package: String::new(), feed: String::new(), fixed: None };
    selected(list, &slot).map(str::to_owned)
}

fn entry(action: &str, reference: &str, version: &str) -> Value {
    json!({"ActionName": action, "StepName": action, "PackageReferenceName": reference, "Version": version})
}

/// `Packages` of the template of a release or a runbook's snapshot; `last` is what was selected the time before.
pub(crate) fn template(state: &State, process: &str, channel: Option<&str>, last: &Value) -> Vec<Value> {
    slots(state, process, channel)
        .iter()
        .map(|s| {
            let feed = state.store.name("feeds", &s.feed);
            json!({
                "StepName": s.action, "ActionName": s.action, "PackageReferenceName": s.reference, "PackageId": s.package, "FeedId": s.feed,
                "FeedName": feed, "NuGetPackageId": s.package, "NuGetFeedId": s.feed, "NuGetFeedName": feed, "ProjectName": null,
                "VersionSelectedLastRelease": selected(last, s), "FixedVersion": s.fixed, "IsResolvable": s.is_resolvable(),
            })
        })
        .collect()
}

fn process_of(project: &str) -> String {
    format!("deploymentprocess-{project}")
}

/// The rules of a channel for one place in the process.
fn rules<'c>(channel: &'c Value, slot: &Slot) -> Vec<VersionRule<'c>> {
    let about = |rule: &&Value| {
        let packages = rule["ActionPackages"].as_array().into_iter().flatten();
        let by_package = packages.into_iter().any(|p| slot.is(str_of(p, "DeploymentAction"), str_of(p, "PackageReference")));
        by_package || texts(&rule["Actions"]).iter().any(|a| slot.is(a, ""))
    };
    let all = channel["Rules"].as_array().into_iter().flatten();
    all.filter(about).map(VersionRule::of).collect()
}

/// A refusal for several reasons.
pub(crate) fn no(errors: Vec<String>) -> Refusal {
    Refusal { errors, ..Refusal::invalid("") }
}

/// Whose packages are selected: a process, and the channel whose rules count; null is none.
#[derive(Clone, Copy)]
pub(crate) struct Selecting<'s> {
    pub(crate) process: &'s str,
    pub(crate) channel: &'s Value,
    pub(crate) by_rules: bool,
}

impl Selecting<'_> {
    /// The channel's id.
    pub(crate) fn channel_id(&self) -> Option<&str> {
        Some(str_of(self.channel, "Id")).filter(|id| !id.is_empty())
    }

    /// Why the rules refuse a version.
    fn broken(&self, slot: &Slot, version: &str) -> Option<String> {
        (self.by_rules && !rules(self.channel, slot).iter().all(|rule| rule.lets_in(version))).then(|| {
            format!(
                "The package version '{version}' of the step '{}' does not satisfy the version rules of the channel '{}'.",
                slot.action,
                str_of(self.channel, "Name")
            )
        })
    }
}

/// What a client selected, made whole: every place that takes a package has its version.
pub(crate) fn check(state: &State, of: Selecting<'_>, given: &Value) -> Result<Vec<Value>, Refusal> {
    let slots = slots(state, of.process, of.channel_id());
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for slot in slots.iter().filter(|s| s.fixed.is_none()) {
        let Some(version) = selected(given, slot) else {
            let of = if slot.reference.is_empty() { String::new() } else { format!(" and its package '{}'", slot.reference) };
            errors.push(format!("No package version was specified for the step '{}'{of}", slot.action));
            continue;
        };
        errors.extend(of.broken(slot, version));
        list.push(entry(&slot.action, &slot.reference, version));
    }
    // What the process does not ask for is kept, as the client sent it.
    for other in given.as_array().into_iter().flatten().filter(|g| !slots.iter().any(|s| selected(&json!([g]), s).is_some())) {
        let action = text(other, "ActionName").or_else(|| text(other, "StepName")).unwrap_or_default();
        list.push(entry(&action, &text(other, "PackageReferenceName").unwrap_or_default(), &text(other, "Version").unwrap_or_default()));
    }
    if errors.is_empty() { Ok(list) } else { Err(no(errors)) }
}

/// A version asked for by step, package or reference name; an empty part stands for any.
struct Wish {
    whose: String,
    reference: String,
    version: String,
}

impl Wish {
    /// `step:version`, `package:version`, `step:reference:version`, `*:version`; a backslash keeps a sign from separating.
    fn read(text: &str) -> Result<Self, Refusal> {
        let mut parts = vec![String::new()];
        let mut signs = text.chars().peekable();
        while let Some(sign) = signs.next() {
            let literal = if sign == '\\' { signs.next_if(|next| ":/=\\".contains(*next)) } else { None };
            if literal.is_none() && ":/=".contains(sign) {
                parts.push(String::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(literal.unwrap_or(sign));
            }
        }
        let any = |part: &str| if part.trim() == "*" { String::new() } else { part.trim().to_owned() };
        let wish = match parts.as_slice() {
            [whose, version] => Self { whose: any(whose), reference: String::new(), version: version.trim().to_owned() },
            [whose, reference, version] => Self { whose: any(whose), reference: any(reference), version: version.trim().to_owned() },
            _ => Self { whose: String::new(), reference: String::new(), version: String::new() },
        };
        if wish.version.is_empty() {
            return Err(Refusal::invalid(format!(
                "The package version specification '{text}' is not written as 'step:version', 'package:version' or 'step:package reference:version'."
            )));
        }
        Ok(wish)
    }

    /// How closely it speaks of a place: the step counts more than the package, and most who names the reference too.
    fn fits(&self, slot: &Slot) -> Option<u8> {
        let reference = self.reference.eq_ignore_ascii_case(&slot.reference);
        if self.whose.is_empty() {
            return match (self.reference.is_empty(), reference) {
                (false, true) => Some(3),
                (true, _) => Some(0),
                (false, false) => None,
            };
        }
        let any = self.reference.is_empty();
        if self.whose.eq_ignore_ascii_case(&slot.action) {
            return if reference { Some(5) } else { any.then_some(2) };
        }
        let package = self.whose.eq_ignore_ascii_case(&slot.package);
        if package && reference { Some(4) } else { (package && any).then_some(1) }
    }
}

/// The versions for `create/v1`: as wished, else the default version, else the newest that the channel takes.
pub(crate) fn resolve(state: &State, ask: &Ask, of: Selecting<'_>) -> Result<Vec<Value>, Refusal> {
    let wishes = ask.texts("packages").iter().map(|w| Wish::read(w)).collect::<Result<Vec<_>, _>>()?;
    let (default, tag) = (ask.text("packageVersion"), ask.text("packagePrerelease").unwrap_or_default());
    let slots = slots(state, of.process, of.channel_id());
    let (mut list, mut errors) = (Vec::new(), Vec::new());
    for slot in slots.iter().filter(|s| s.fixed.is_none()) {
        let wished = wishes.iter().filter_map(|w| Some((w.fits(slot)?, w))).max_by_key(|(closeness, _)| *closeness);
        let rules = rules(of.channel, slot);
        let newest = || {
            slot.is_resolvable().then_some(())?;
            let keep = |v: &str| tag_fits(&tag, v) && rules.iter().all(|rule| rule.lets_in(v));
            let all = packages::in_feed(state, &slot.feed, &slot.package, rules.iter().any(|rule| rule.by_date));
            all.into_iter().find(|p| keep(&p.version)).map(|p| p.version.clone())
        };
        match wished.map(|(_, w)| w.version.clone()).or_else(|| default.clone()).or_else(newest) {
            Some(version) => {
                errors.extend(of.broken(slot, &version));
                list.push(entry(&slot.action, &slot.reference, &version));
            }
            None => errors.push(format!(
                "No version of the package '{}' for the step '{}' could be found in the feed '{}'.",
                slot.package,
                slot.action,
                state.store.name("feeds", &slot.feed)
            )),
        }
    }
    if errors.is_empty() { Ok(list) } else { Err(no(errors)) }
}

/// The step and reference whose package gives releases their version, when the project is set up so.
pub(crate) fn donor(state: &State, project: &str) -> Option<(String, String)> {
    let settings = processes::settings(state, project);
    let donor = &settings["VersioningStrategy"]["DonorPackage"];
    text(donor, "DeploymentAction").map(|action| (action, text(donor, "PackageReference").unwrap_or_default()))
}

/// The version a release gets from its donor package.
pub(crate) fn donated(state: &State, project: &str, list: &[Value]) -> Option<String> {
    let (action, reference) = donor(state, project)?;
    let same = |p: &&Value| str_of(p, "ActionName").eq_ignore_ascii_case(&action) && str_of(p, "PackageReferenceName") == reference;
    list.iter().find(same).map(|p| str_of(p, "Version").to_owned())
}

/// What build servers said about the packages of a release.
pub(crate) fn builds(state: &State, space: &str, project: &str, list: &[Value]) -> Vec<Value> {
    let list = json!(list);
    let all = slots(state, &process_of(project), None);
    all.iter().filter_map(|s| build_information::of_release(state, space, &s.package, selected(&list, s)?)).collect()
}

/// `GET releases/{id}/missingpackages`: what the release takes from the built-in feed and is not there.
pub(crate) fn missing(state: &State, release: &Release) -> Vec<Value> {
    let none = json!([]);
    let list = release.extra.get("SelectedPackages").unwrap_or(&none);
    let feed = builtin_feed::builtin(&state.store, &release.space);
    let mut gone: Vec<Value> = slots(state, &process_of(&release.project), Some(&release.channel))
        .iter()
        .filter(|s| s.feed.eq_ignore_ascii_case(feed))
        .filter_map(|s| {
            let version = s.fixed.as_deref().or_else(|| selected(list, s))?;
            let there = packages::place(state, &release.space, &s.package, version).is_some();
            (!there).then(|| json!({"Id": s.package, "Version": version}))
        })
        .collect();
    gone.dedup();
    gone
}

/// Releases that a world begins with took the package version of their own number, or else the newest.
pub(crate) fn of_the_past(state: &mut State) {
    if state.plan.packages.is_empty() {
        return;
    }
    for index in 0..state.releases.len() {
        let Some(r) = state.release(index) else { continue };
        let list: Vec<Value> = slots(state, &process_of(&r.project), Some(&r.channel))
            .iter()
            .filter_map(|s| {
                let all = packages::in_feed(state, &s.feed, &s.package, false);
                let chosen = all.iter().find(|p| p.version == r.version).or_else(|| all.first())?;
                Some(entry(&s.action, &s.reference, &chosen.version))
            })
            .collect();
        if let Some(Some(release)) = state.releases.get_mut(index)
            && !list.is_empty()
        {
            release.extra.insert("SelectedPackages".into(), json!(list));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closeness(wish: &str) -> Option<u8> {
        let slot =
            Slot { action: "Deploy web".into(), reference: "tools".into(), package: "Acme:Web".into(), feed: String::new(), fixed: None };
        Wish::read(wish).expect("a good wish").fits(&slot)
    }

    #[test]
    fn the_closest_wish_counts() {
        let ordered = ["*:1.0", "Acme\\:Web:1.0", "deploy web:1.0", "*:tools:1.0", "Acme\\:Web/tools/1.0", "Deploy web=tools=1.0"];
        assert_eq!(ordered.map(closeness), [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!([closeness("Other:1.0"), closeness("*:other:1.0"), closeness("Deploy web:other:1.0")], [None, None, None]);
    }

    #[test]
    fn wishes_without_a_version() {
        assert!(["", "1.0", "a:", "a:b:", "a:b:c:1.0"].iter().all(|w| Wish::read(w).is_err()));
    }
}
