//! Channels: what their rules let in, and their releases (octopus-api.md §10.6).

use super::{
    answer::{Answer, Ask, Handled, Refusal, field, is_called, str_of, texts},
    faults,
    git::is_in_git,
    nouns::{Noun, named},
    releases,
    routing::{Endpoint, Of, Whole, get, post},
    state::State,
    versions::{MOST_RECENT, VersionRule, fits, in_range, tag_fits, wrong_pattern},
    world::server_version::Generation,
};
use serde_json::{Map, Value, json};

/// The rule of a channel that the version of a release breaks, in words. Rules about packages are not about releases.
pub(crate) fn broken_rule(channel: &Value, version: &str) -> Option<String> {
    let name = str_of(channel, "Name");
    let about_packages = |rule: &&Value| ["ActionPackages", "Actions"].iter().any(|k| rule[*k].as_array().is_some_and(|a| !a.is_empty()));
    channel["Rules"].as_array()?.iter().filter(|rule| !about_packages(rule)).find_map(|rule| {
        let VersionRule { range, tag, whole, .. } = VersionRule::of(rule);
        let broken = [
            (!in_range(range, version), "version range", range),
            (!tag_fits(tag, version), "pre-release tag", tag),
            (!fits(whole, version), "version tag", whole),
        ];
        let (_, what, wanted) = broken.into_iter().find(|(is_broken, ..)| *is_broken)?;
        Some(format!("The version '{version}' does not satisfy the {what} '{wanted}' of the channel '{name}'."))
    })
}

/// Whether a reference in Git fits one of the patterns; `*` stands for anything, and no pattern lets everything through.
pub(crate) fn reference_fits(patterns: &[String], reference: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| faults::glob(pattern, reference))
}

/// The custom fields that a release of a channel must have and has not.
pub(crate) fn missing_fields(channel: &Value, given: &Value) -> Vec<String> {
    let defined = channel["CustomFieldDefinitions"].as_array().into_iter().flatten().map(|one| str_of(one, "FieldName"));
    let has = |name: &str| field(given, name).as_str().is_some_and(|value| !value.trim().is_empty());
    let (missing, of) = (defined.filter(|name| !has(name)), str_of(channel, "Name"));
    missing.map(|name| format!("The custom field '{name}' is required for releases of the channel '{of}'.")).collect()
}

const CHANNELS: &Noun = named("channels");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/channels/rule-test", "", &Whole(|_, ask| rule_test(ask, false))),
    post("S/channels/rule-test", "", &Whole(|_, ask| rule_test(ask, false))),
    get("S/channels/rule-test/v1", "", &Whole(|_, ask| rule_test(ask, true))).since(Generation::V2026_3),
    get("S/channels/{id}/releases", "ReleaseView", &Of(CHANNELS, |state, ask, channel| {
        Answer::ok(releases::list(state, ask, Some(str_of(&channel, "ProjectId")), |r| r.channel == str_of(&channel, "Id")))
    })),
];

/// What is wrong with the rules that a client sends for a channel of a project.
pub(crate) fn check_rules(state: &State, ask: &Ask, project: &str) -> Result<(), Refusal> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for rule in ask.field("Rules").as_array().into_iter().flatten() {
        let strategy = field(rule, "VersioningStrategy").as_str().unwrap_or("SemVer");
        if !["SemVer", MOST_RECENT].contains(&strategy) {
            return Err(Refusal::invalid(format!("The value '{strategy}' is not valid for VersioningStrategy.")));
        }
        for pattern in ["Tag", "VersionTagRegex"] {
            if let Some(wrong) = field(rule, pattern).as_str().and_then(wrong_pattern) {
                return Err(Refusal::invalid(wrong));
            }
        }
        for package in field(rule, "ActionPackages").as_array().into_iter().flatten() {
            let text = |name: &str| field(package, name).as_str().unwrap_or_default().to_lowercase();
            let one = (text("DeploymentAction"), text("PackageReference"));
            if seen.contains(&one) {
                return Err(Refusal::invalid(format!("The package of the step '{}' stands in more than one rule.", one.0)));
            }
            seen.push(one);
        }
    }
    let by_reference =
        ["GitReferenceRules", "GitResourceRules"].into_iter().find(|key| ask.field(key).as_array().is_some_and(|l| !l.is_empty()));
    if by_reference == Some("GitReferenceRules") && !state.store.of("projects").get(project).is_some_and(is_in_git) {
        return Err(Refusal::invalid("Only channels of version controlled projects have GitReferenceRules."));
    }
    Ok(())
}

/// The patterns for the reference of a repository that a step takes files from.
pub(crate) fn resource_rules<'c>(channel: &'c Value, action: &str, slug: &str, name: &str) -> impl Iterator<Item = Vec<String>> + 'c {
    let (action, slug, name) = (action.to_owned(), slug.to_owned(), name.to_owned());
    let all = channel["GitResourceRules"].as_array().into_iter().flatten();
    all.filter(move |rule| {
        let is_it = |one: &Value| {
            [&action, &slug].iter().any(|a| is_called(one, &["DeploymentActionSlug"], a)) && is_called(one, &["GitDependencyName"], &name)
        };
        rule["GitDependencyActions"].as_array().into_iter().flatten().any(is_it)
    })
    .map(|rule| texts(&rule["Rules"]))
}

/// Tells of a version whether it would fit; all is said in the query, also by POST.
fn rule_test(ask: &Ask, is_newer: bool) -> Handled {
    let of = |name: &str| ask.query(name).unwrap_or_default();
    let version = of("version");
    let tag = of(if is_newer { "preReleaseTagPattern" } else { "preReleaseTag" });
    let whole = of("versionTagRegex");
    let missing = version.is_empty().then(|| "The version is required.".to_owned());
    let errors: Vec<String> = missing.into_iter().chain([tag, whole].into_iter().filter_map(wrong_pattern)).collect();
    let mut answer = Map::new();
    answer.insert("Errors".into(), json!(errors));
    answer.insert("SatisfiesVersionRange".into(), json!(in_range(of("versionRange"), version)));
    answer.insert("SatisfiesPreReleaseTag".into(), json!(tag_fits(tag, version)));
    if is_newer {
        answer.insert("SatisfiesVersionTagRegex".into(), json!(fits(whole, version)));
    }
    Answer::ok(answer)
}
