//! Channels: their rules about versions, and their releases.

use super::{
    answer::{Answer, Ask, Handled, str_of},
    nouns::{Noun, named},
    releases,
    routing::{Endpoint, Of, Whole, get, post},
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

const CHANNELS: &Noun = named("channels");

#[rustfmt::skip]
pub(crate) const ENDPOINTS: &[Endpoint] = &[
    get("S/channels/rule-test", "", &Whole(rule_test)),
    post("S/channels/rule-test", "", &Whole(rule_test)),
    get("S/channels/{id}/releases", "ReleaseView", &Of(CHANNELS, |state, ask, channel| {
        Answer::ok(releases::list(state, ask, Some(str_of(&channel, "ProjectId")), |r| r.channel == str_of(&channel, "Id")))
    })),
];

fn rule_test(_: &mut State, ask: &Ask) -> Handled {
    let of = |query: &str, field: &str| ask.query(query).map(str::to_owned).or_else(|| ask.text(field)).unwrap_or_default();
    let (version, range, tag) = (of("version", "Version"), of("versionRange", "VersionRange"), of("preReleaseTag", "PreReleaseTag"));
    Answer::ok(
        json!({"SatisfiesVersionRange": in_range(&range, &version), "SatisfiesPreReleaseTag": tag_fits(&tag, &version), "IsValid": true, "Errors": [], "Links": {}}),
    )
}
