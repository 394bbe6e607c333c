//! Channels: their rules about versions, and their releases.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{self, noun_of},
    releases,
    state::State,
    versions::{in_range, tag_fits},
};
use serde_json::{Value, json};

/// The rule of a channel that the version of a release breaks, in words. Rules about packages are not about releases.
pub(crate) fn broken_rule(channel: &Value, version: &str) -> Option<String> {
    let name = str_of(channel, "Name");
    let about_packages = |rule: &&Value| ["ActionPackages", "Actions"].iter().any(|k| rule[*k].as_array().is_some_and(|a| !a.is_empty()));
    channel["Rules"].as_array()?.iter().filter(|rule| !about_packages(rule)).find_map(|rule| {
        let (range, tag) = (str_of(rule, "VersionRange"), str_of(rule, "Tag"));
        if !in_range(range, version) {
            Some(format!("The version '{version}' does not satisfy the version range '{range}' of the channel '{name}'."))
        } else if !tag_fits(tag, version) {
            Some(format!("The version '{version}' does not satisfy the pre-release tag '{tag}' of the channel '{name}'."))
        } else {
            None
        }
    })
}

/// `channels…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    match (ask.method.as_str(), rest) {
        ("GET" | "POST", ["rule-test"]) => {
            let of = |a: &str, b: &str| ask.query(a).map(str::to_owned).or_else(|| ask.text(b)).unwrap_or_default();
            let (version, range, tag) =
                (of("version", "Version"), of("versionRange", "VersionRange"), of("preReleaseTag", "PreReleaseTag"));
            Some(Answer::ok(
                json!({"SatisfiesVersionRange": in_range(&range, &version), "SatisfiesPreReleaseTag": tag_fits(&tag, &version), "IsValid": true, "Errors": [], "Links": {}}),
            ))
        }
        ("GET", [id, "releases"]) => Some((|| {
            let noun = noun_of("channels").ok_or_else(|| Refusal::missing(id))?;
            let channel = collection::get(state, ask, noun, id)?;
            Answer::ok(releases::list(state, ask, Some(str_of(channel, "ProjectId")), |r| r.channel == str_of(channel, "Id")))
        })()),
        _ => None,
    }
}
