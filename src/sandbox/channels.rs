//! Channels: their rules about versions, and their releases.

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of},
    collection::{self, noun_of},
    releases,
    state::State,
};
use serde_json::{Value, json};

/// A version as a list of numbers and its pre-release part.
fn parts(version: &str) -> (Vec<u64>, String) {
    let version = version.split('+').next().unwrap_or(version);
    let (core, tag) = version.split_once('-').unwrap_or((version, ""));
    let mut numbers: Vec<u64> = core.split('.').map(|n| n.parse().unwrap_or(0)).collect();
    while numbers.len() < 4 {
        numbers.push(0);
    }
    (numbers, tag.to_owned())
}

/// Whether a version lies in a NuGet range: `[1.0,2.0)`, `(,2.0]`, `1.0` (at least).
pub(crate) fn in_range(range: &str, version: &str) -> bool {
    let range = range.trim();
    if range.is_empty() {
        return true;
    }
    let (version, _) = parts(version);
    let Some(inner) = range.strip_prefix(['[', '(']).and_then(|r| r.strip_suffix([']', ')'])) else { return version >= parts(range).0 };
    let (low_in, high_in) = (range.starts_with('['), range.ends_with(']'));
    let Some((low, high)) = inner.split_once(',') else { return version == parts(inner.trim()).0 };
    let (low, high) = (low.trim(), high.trim());
    let above = low.is_empty() || if low_in { version >= parts(low).0 } else { version > parts(low).0 };
    let below = high.is_empty() || if high_in { version <= parts(high).0 } else { version < parts(high).0 };
    above && below
}

/// Whether a pre-release part fits: `^$` none, else a simple pattern with `^`, `$`, `.*`.
pub(crate) fn tag_fits(pattern: &str, version: &str) -> bool {
    let tag = parts(version).1;
    if pattern.is_empty() {
        return true;
    }
    if pattern == "^$" {
        return tag.is_empty();
    }
    let (start, end) = (pattern.starts_with('^'), pattern.ends_with('$'));
    let core = pattern.trim_start_matches('^').trim_end_matches('$').replace(".*", "*").replace(".+", "?*").replace('\\', "");
    let glob = format!("{}{core}{}", if start { "" } else { "*" }, if end { "" } else { "*" });
    super::faults::glob(&glob, &tag)
}

/// The rule of a channel that a version breaks, in words.
pub(crate) fn broken_rule(channel: &Value, version: &str) -> Option<String> {
    let name = str_of(channel, "Name");
    channel["Rules"].as_array()?.iter().find_map(|rule| {
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
            let channel = str_of(collection::get(state, ask, noun, id)?, "Id").to_owned();
            Answer::ok(releases::list(state, ask, |r| r.channel == channel))
        })()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_nuget_writes_them() {
        assert!(in_range("[1.0,2.0)", "1.9.9"));
        assert!(!in_range("[1.0,2.0)", "2.0.0"));
        assert!(in_range("(,2.0]", "2.0"));
        assert!(in_range("1.5", "1.5.1"));
        assert!(!in_range("[1.5]", "1.5.1"));
    }

    #[test]
    fn pre_release_tags() {
        assert!(tag_fits("^$", "1.0.0"));
        assert!(!tag_fits("^$", "1.0.0-beta"));
        assert!(tag_fits("^beta.*", "1.0.0-beta.2"));
        assert!(!tag_fits("^rc", "1.0.0-beta.2"));
    }
}
