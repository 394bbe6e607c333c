//! Versions of releases and packages: their parts, their order, and the ranges and tags that rules speak of.

use std::cmp::Ordering;

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
        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
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

    #[test]
    fn the_order_of_semver() {
        let ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.10", "1.10", "2"];
        assert!(ordered.windows(2).all(|w| compare(w[0], w[1]) == Ordering::Less));
        assert_eq!(compare("1.0", "1.0.0.0+build"), Ordering::Equal);
    }

    #[test]
    fn versions_of_packages() {
        assert!(["1", "1.2.3.4", "6.3.417-x64", "1.0.0-beta.1+sha.5", "1.0+b"].iter().all(|v| is_package_version(v)));
        assert!(["", "1.2.3.4.5", "x", "1.", "1.0-", "1.0-a..b", "1.0+", "v1.0"].iter().all(|v| !is_package_version(v)));
    }
}
