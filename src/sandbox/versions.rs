//! Versions of releases and packages: their parts, their order, and the ranges and tags that rules speak of.

use fancy_regex::Regex;
use serde_json::Value;
use std::cmp::Ordering;

/// A number of any length: how many digits it has without leading zeros, and these.
type Number = (usize, String);

fn number(text: &str) -> Option<Number> {
    let digits = Some(text).filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit()))?.trim_start_matches('0');
    Some((digits.len(), digits.to_owned()))
}

/// A version as its first four numbers, and what follows them: a pre-release part, or all of a tag that begins with no number.
fn parts(version: &str) -> (Vec<Number>, String) {
    let version = version.split('+').next().unwrap_or(version);
    let bare = version.strip_prefix(['v', 'V']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(version);
    let (core, tag) = bare.split_once('-').unwrap_or((bare, ""));
    let words: Vec<&str> = core.split('.').collect();
    let mut numbers: Vec<Number> = words.iter().take(4).map_while(|word| number(word)).collect();
    let mut rest: Vec<String> = vec![words[numbers.len()..].join("."), tag.to_owned()];
    rest.retain(|part| !part.is_empty());
    numbers.resize(4, (0, String::new()));
    (numbers, rest.join("-"))
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

/// Whether the pre-release part of a version fits a regular expression: `^$` for none, and nothing for any.
pub(crate) fn tag_fits(pattern: &str, version: &str) -> bool {
    fits(pattern, &parts(version).1)
}

/// Whether a text fits a regular expression; an empty one lets everything through, and one that cannot be read nothing.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    pattern.is_empty() || Regex::new(pattern).is_ok_and(|regex| regex.is_match(text).unwrap_or(false))
}

/// Why a text is not a regular expression.
pub(crate) fn wrong_pattern(pattern: &str) -> Option<String> {
    Regex::new(pattern).err().map(|problem| format!("'{pattern}' is not a valid regular expression: {problem}"))
}

/// What a rule of a channel, or a question about versions, demands of one: a range, and expressions for its pre-release part and for all of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct VersionRule<'r> {
    pub(crate) range: &'r str,
    pub(crate) tag: &'r str,
    pub(crate) whole: &'r str,
    /// The version that was published last counts as the newest.
    pub(crate) by_date: bool,
}

/// The strategy by which the newest version is the one that was published last.
pub(crate) const MOST_RECENT: &str = "MostRecentlyPublished";

impl<'r> VersionRule<'r> {
    /// Of a channel's rule.
    pub(crate) fn of(rule: &'r Value) -> Self {
        let text = |name: &str| rule[name].as_str().unwrap_or_default();
        Self {
            range: text("VersionRange"),
            tag: text("Tag"),
            whole: text("VersionTagRegex"),
            by_date: rule["VersioningStrategy"] == MOST_RECENT,
        }
    }

    pub(crate) fn lets_in(&self, version: &str) -> bool {
        in_range(self.range, version) && tag_fits(self.tag, version) && fits(self.whole, version)
    }
}

/// Whether a version has a part after the dash.
pub(crate) fn is_pre_release(version: &str) -> bool {
    !parts(version).1.is_empty()
}

/// SemVer's order: numbers first, and what has a pre-release part comes before what has none.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    let ((a, a_tag), (b, b_tag)) = (parts(one), parts(other));
    a.cmp(&b).then_with(|| match (a_tag.is_empty(), b_tag.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => compare_tags(&a_tag, &b_tag),
    })
}

fn compare_tags(one: &str, other: &str) -> Ordering {
    let mut theirs = other.split('.');
    for a in one.split('.') {
        let Some(b) = theirs.next() else { return Ordering::Greater };
        let order = match (number(a), number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    if theirs.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

/// Whether this can be the version of a package: one to four numbers, then `-` and `+` parts of letters, digits and dashes.
pub(crate) fn is_package_version(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, tag) = rest.split_once('-').map_or((rest, None), |(core, tag)| (core, Some(tag)));
    let words = |part: &str| part.split('.').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let numbers: Vec<&str> = core.split('.').collect();
    numbers.len() <= 4
        && numbers.iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        && tag.is_none_or(words)
        && build.is_none_or(words)
}

/// Whether this can be the version of a package in a registry of images, whose tags are any words.
pub(crate) fn is_image_tag(text: &str) -> bool {
    (1..=349).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
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
        assert!(tag_fits("^(beta|rc)\\.[0-9]+$", "1.0.0-rc.10") && !tag_fits("^(beta|rc)\\.[0-9]+$", "1.0.0-rc.x"));
        assert!(!tag_fits("(", "1.0.0-rc") && wrong_pattern("(").is_some());
    }

    #[test]
    fn the_order_of_semver() {
        let ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.10", "1.10", "2"];
        assert!(ordered.windows(2).all(|w| compare(w[0], w[1]) == Ordering::Less));
        assert_eq!(compare("1.0", "1.0.0.0+build"), Ordering::Equal);
        let tags = ["alpine", "latest", "1.2", "1.10-bookworm.9", "1.10-bookworm.10", "v1.10", "20260302123456789012345678901234567890"];
        assert!(tags.windows(2).all(|w| compare(w[0], w[1]) == Ordering::Less));
    }

    #[test]
    fn versions_of_packages() {
        assert!(["1", "1.2.3.4", "6.3.417-x64", "1.0.0-beta.1+sha.5", "1.0+b"].iter().all(|v| is_package_version(v)));
        assert!(["", "1.2.3.4.5", "x", "1.", "1.0-", "1.0-a..b", "1.0+", "v1.0"].iter().all(|v| !is_package_version(v)));
    }
}
