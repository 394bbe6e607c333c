//! Filters that read a version, as lax as Octopus reads its own.

use super::done::Done;
use fancy_regex::{Captures, Regex};
use std::sync::LazyLock;

static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    let number = |name: &str| format!(r"(?:\.\s*(?<{name}>\d+)\s*)?");
    let pre = r"(?:[.\-_\\])?(?<prerelease>(?<prefix>[A-Za-z0-9]*?)([.\-_\\](?<counter>[A-Za-z0-9.\-_\\]*?)?)?)?";
    let numbers = format!(r"\s*[vV]?\s*(?<major>\d+)\s*{}{}{}", number("minor"), number("patch"), number("revision"));
    Regex::new(&format!(r"\A\s*(?:{numbers})?{pre}(?:\+(?<metadata>[A-Za-z0-9_\-.\\+]*?))?\s*(?=\n?\z)")).expect("a pattern that is tested")
});

/// The part that a filter names; an error when the text is no version.
pub(super) fn part(name: &str, argument: &str) -> Done {
    let (group, is_number) = match name {
        "versionmajor" => ("major", true),
        "versionminor" => ("minor", true),
        "versionpatch" => ("patch", true),
        "versionrevision" => ("revision", true),
        "versionprerelease" => ("prerelease", false),
        "versionprereleaseprefix" => ("prefix", false),
        "versionprereleasecounter" => ("counter", false),
        "versionmetadata" => ("metadata", false),
        _ => return Ok(None),
    };
    if argument.trim().is_empty() {
        return Err("ArgumentException: The version can not be an empty string".to_owned());
    }
    let Ok(Some(found)) = VERSION.captures(argument) else {
        return Err("ArgumentException: The supplied version was not valid".to_owned());
    };
    let number = |group: &str| found.name(group).map_or(Ok(0), |digits| number_of(digits.as_str(), argument));
    for group in ["major", "minor", "patch", "revision"] {
        number(group)?;
    }
    Ok(Some(if is_number { number(group)?.to_string() } else { text_of(&found, group) }))
}

fn text_of(found: &Captures<'_, str>, group: &str) -> String {
    found.name(group).map_or_else(String::new, |part| part.as_str().to_owned())
}

fn number_of(digits: &str, version: &str) -> Result<i32, String> {
    if !digits.is_ascii() {
        return Err(format!("FormatException: The input string '{digits}' was not in a correct format."));
    }
    digits.parse().map_err(|_| {
        let version = version.trim();
        format!(
            "OverflowException: Failed to parse the version {version} because the major, minor, patch or revision fields were too large."
        )
    })
}
