//! Versions in Octopus's order, and ranges of them.
//!
//! Octopus orders SemVer 2 versions, four-part NuGet versions and Docker-like tags in one order: numbers first (missing
//! ones are 0), then a version without pre-release above those with one, then the pre-release part by part; what follows
//! `+` does not count. A tag without numbers (`latest`) is a pre-release of 0.

use super::meant::same_word;
use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::fmt;

/// A version. Equal versions may be written differently (`1.0`, `v1.0.0+build.5`).
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    numbers: Vec<Number>,
    pre: Vec<Part>,
}

/// A number of any length: how many digits it has without leading zeros, and these.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

/// A part of a pre-release; numbers come before words (SemVer 2, §11.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(Number),
    Word(String),
}

impl Number {
    fn of(digits: &str) -> Option<Self> {
        let digits =
            Some(digits).filter(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))?.trim_start_matches('0');
        Some(Self(digits.len(), digits.to_owned()))
    }

    fn next(&self) -> Self {
        // All nines at the end become noughts.
        let kept = self.1.trim_end_matches('9');
        let noughts = "0".repeat(self.0 - kept.len());
        let head: String = match kept.as_bytes().split_last() {
            Some((last, before)) => format!("{}{}", String::from_utf8_lossy(before), char::from(last + 1)),
            None => "1".to_owned(),
        };
        Self(head.len() + noughts.len(), format!("{head}{noughts}"))
    }
}

impl Version {
    /// Reads a version. Every text is one: what is no number is a pre-release.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let rest = text.split('+').next().unwrap_or(text);
        let unprefixed = rest.strip_prefix(['v', 'V']).filter(|r| r.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(rest);
        let mut numbers = Vec::new();
        let mut rest = unprefixed;
        while numbers.len() < 4 {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let after = &rest[digits..];
            // `1.2a` is the number 1 and the word `2a`.
            let ends = after.is_empty() || after.starts_with(['.', '-', '_']);
            let Some(number) = Number::of(&rest[..digits]).filter(|_| ends) else { break };
            numbers.push(number);
            rest = after.strip_prefix('.').unwrap_or(after);
            if !after.starts_with('.') {
                break;
            }
        }
        let pre = rest.strip_prefix(['-', '_']).unwrap_or(rest);
        let pre = pre
            .split('.')
            .filter(|p| !p.is_empty())
            .map(|p| Number::of(p).map_or_else(|| Part::Word(p.to_lowercase()), Part::Number))
            .collect();
        Self { text: text.to_owned(), numbers, pre }
    }

    /// Whether it is a pre-release.
    pub fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }

    fn number(&self, index: usize) -> &Number {
        static ZERO: Number = Number(0, String::new());
        self.numbers.get(index).unwrap_or(&ZERO)
    }

    fn of_numbers(numbers: Vec<Number>) -> Self {
        Self { text: String::new(), numbers, pre: Vec::new() }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let numbers = [0, 1, 2, 3].map(|index| self.number(index));
        // Those without a pre-release come last.
        let pre = || (self.pre.is_empty(), &self.pre).cmp(&(other.pre.is_empty(), &other.pre));
        numbers.cmp(&[0, 1, 2, 3].map(|index| other.number(index))).then_with(pre)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A set of versions: `2.4.*`, `>=2.4 <3`, `^2.1`, `~2.1`, `[1.0,2.0)`, several of them joined by `||`, or one version.
///
/// Pre-releases are in it only when the range names one (`>=2.4-beta`, `2.4.*-*`): nobody who writes `<3` means `3.0-rc1`.
#[derive(Clone, Debug)]
pub struct VersionRange {
    text: String,
    /// One of these must hold.
    choices: Vec<Choice>,
}

#[derive(Clone, Debug)]
struct Choice {
    /// All of these must hold.
    tests: Vec<(Test, Version)>,
    prereleases: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

/// A range is not longer, in bytes.
const LONGEST_RANGE: usize = 10_000;

impl VersionRange {
    /// Reads a range; an error of kind `usage` says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed.len() > LONGEST_RANGE {
            return Err(Error::usage(format!(
                "a range of versions has at most {LONGEST_RANGE} characters, this one has {}",
                trimmed.len()
            )));
        }
        let choices =
            trimmed.split("||").map(|choice| Choice::parse(choice.trim())).collect::<Result<Vec<_>, String>>().map_err(|why| {
                Error::usage(format!("`{text}` is not a range of versions: {why}"))
                    .help("write `2.4.*`, `>=2.4 <3`, `^2.1`, `~2.1`, `[1.0,2.0)` or a version")
            })?;
        Ok(Self { text: trimmed.to_owned(), choices })
    }

    /// Whether a version is in the range.
    pub fn matches(&self, version: &Version) -> bool {
        self.choices.iter().any(|choice| choice.matches(version))
    }

    /// The version, when the range was written as a plain one, or as one with metadata that only it can mean: `=1.0.0+b1`, `[1.0.0+b1]`.
    /// The order of versions does not see metadata, so nothing but the text can tell such versions apart.
    pub fn exact(&self) -> Option<&str> {
        let is_plain = |text: &str| !text.contains(|c: char| "*<>=^~[]()|, ".contains(c)) && !has_wildcard(text);
        if is_plain(&self.text) {
            return Some(&self.text);
        }
        let in_brackets = self.text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = in_brackets.unwrap_or(self.text.trim_start_matches('=')).trim();
        (bare.contains('+') && is_plain(bare)).then_some(bare)
    }

    /// Whether the version that is written as `text` is in the range: where the range names one with metadata, only that one.
    pub fn holds(&self, text: &str) -> bool {
        match self.exact().filter(|exact| exact.contains('+')) {
            Some(exact) => same_word(exact, text),
            None => self.matches(&Version::parse(text)),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text looks like a version: two to four numbers between dots, perhaps with a pre-release and metadata. `5`, `1.2.3.4.5` and
/// `2026-03-02` do not.
pub fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (numbers, extra) = rest.find(['-', '+']).map_or((rest, ""), |at| rest.split_at(at));
    let parts = numbers.split('.').collect::<Vec<_>>();
    let tame = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
    (2..=4).contains(&parts.len()) && parts.iter().all(|part| Number::of(part).is_some()) && extra.len() != 1 && tame(extra)
}

fn has_wildcard(text: &str) -> bool {
    text.split('-').next().unwrap_or(text).split('.').any(|p| matches!(p, "*" | "x" | "X"))
}

impl Choice {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        let tests = if text.starts_with(['[', '(']) { bracketed(text)? } else { comparators(text)? };
        let prereleases = text.ends_with("-*") || tests.iter().any(|(_, v)| v.is_prerelease());
        Ok(Self { tests, prereleases })
    }

    fn matches(&self, version: &Version) -> bool {
        (self.prereleases || !version.is_prerelease())
            && self.tests.iter().all(|(test, bound)| match (test, version.cmp(bound)) {
                (Test::Less, o) => o == Ordering::Less,
                (Test::AtMost, o) => o != Ordering::Greater,
                (Test::Equal, o) => o == Ordering::Equal,
                (Test::AtLeast, o) => o != Ordering::Less,
                (Test::Greater, o) => o == Ordering::Greater,
            })
    }
}

/// What no version holds: signs, brackets, wildcards, blanks. Docker tags and SemVer get by without.
fn foreign(text: &str) -> Option<char> {
    text.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '+'))
}

/// A bound must begin with a number: `>=two` is a slip, not a Docker tag.
fn bound(text: &str) -> Result<Version, String> {
    if has_wildcard(text) || text.contains('*') {
        return Err(format!("a wildcard as in `{text}` stands alone, without sign or bracket"));
    }
    let version = plain(text)?;
    if version.numbers.is_empty() { Err(format!("`{text}` is not a version")) } else { Ok(version) }
}

/// A version that may be any text, such as a Docker tag.
fn plain(text: &str) -> Result<Version, String> {
    match foreign(text) {
        None => Ok(Version::parse(text)),
        Some('*') => Err(format!("in `{text}` a wildcard stands for something else than a number at the end")),
        Some('<' | '>' | '=' | '^' | '~') if !text.starts_with('!') => Err(format!("in `{text}` a blank is missing before the sign")),
        Some(sign) => Err(format!("`{text}` is not a version: it holds `{sign}`")),
    }
}

/// NuGet's notation: `[1.0,2.0)`, `(,1.0]`, `[1.0]`.
fn bracketed(text: &str) -> Result<Vec<(Test, Version)>, String> {
    let inner = text.get(1..text.len() - 1).filter(|_| text.ends_with([']', ')'])).ok_or("the bracket is not closed")?;
    let (low_closed, high_closed) = (text.starts_with('['), text.ends_with(']'));
    let mut tests = Vec::new();
    match inner.split_once(',') {
        None if low_closed && high_closed => tests.push((Test::Equal, bound(inner.trim())?)),
        None => return Err("one version needs square brackets on both sides".to_owned()),
        Some((low, high)) => {
            let (low, high) = (low.trim(), high.trim());
            if !low.is_empty() {
                tests.push((if low_closed { Test::AtLeast } else { Test::Greater }, bound(low)?));
            }
            if !high.is_empty() {
                tests.push((if high_closed { Test::AtMost } else { Test::Less }, bound(high)?));
            }
            match tests.as_slice() {
                [] => return Err("neither side has a version".to_owned()),
                [(_, low), (_, high)] if low > high || (low == high && !(low_closed && high_closed)) => {
                    return Err(format!("nothing lies between {low} and {high}"));
                }
                _ => {}
            }
        }
    }
    Ok(tests)
}

/// `>=2.4 <3`, `^2.1`, `2.4.*`, `2.4.1`: blanks or commas mean "and".
fn comparators(text: &str) -> Result<Vec<(Test, Version)>, String> {
    const SIGNS: [(&str, Test); 6] =
        [(">=", Test::AtLeast), ("<=", Test::AtMost), ("==", Test::Equal), (">", Test::Greater), ("<", Test::Less), ("=", Test::Equal)];
    let (mut tests, mut alone) = (Vec::new(), None);
    let mut words = text.split([' ', ',', '\t']).filter(|w| !w.is_empty());
    while let Some(word) = words.next() {
        let sign = ["^", "~", ">=", "<=", "==", ">", "<", "="].into_iter().find(|s| word.starts_with(s)).unwrap_or("");
        let mut version = &word[sign.len()..];
        if version.is_empty() {
            // `>= 2.4` with a blank.
            version = words.next().ok_or_else(|| format!("there is no version after `{sign}`"))?;
        }
        match sign {
            "^" => tests.extend(between(bound(version)?, |v| {
                v.numbers.iter().position(|n| *n != Number::default()).unwrap_or(v.numbers.len() - 1)
            })),
            "~" => tests.extend(between(bound(version)?, |v| (v.numbers.len() - 1).min(1))),
            "" if has_wildcard(version) => tests.extend(wildcard(version)?),
            "" if word == "-" || word == "to" => return Err("bounds are written with signs: `>=1.0 <=2.0`".to_owned()),
            "" => {
                alone = Some(version);
                tests.push((Test::Equal, plain(version)?));
            }
            sign => {
                let test = SIGNS.iter().find(|(s, _)| *s == sign).map(|(_, t)| *t).ok_or("an unknown sign")?;
                tests.push((test, bound(version)?));
            }
        }
    }
    match alone {
        Some(version) if tests.len() > 1 => {
            Err(format!("`{version}` is one version and cannot be another one too: join versions with `||`"))
        }
        _ => Ok(tests),
    }
}

/// At least `low`, and below where the number at `fixed` grows.
fn between(low: Version, fixed: impl Fn(&Version) -> usize) -> [(Test, Version); 2] {
    let fixed = fixed(&low);
    let mut numbers: Vec<Number> = (0..=fixed).map(|i| low.number(i).clone()).collect();
    numbers[fixed] = numbers[fixed].next();
    [(Test::AtLeast, low), (Test::Less, Version::of_numbers(numbers))]
}

fn wildcard(text: &str) -> Result<Vec<(Test, Version)>, String> {
    let text = text.strip_suffix("-*").unwrap_or(text);
    let mut numbers = Vec::new();
    let mut parts = text.split('.');
    for part in parts.by_ref() {
        if matches!(part, "*" | "x" | "X") {
            break;
        }
        numbers.push(Number::of(part).ok_or_else(|| format!("`{part}` in `{text}` is neither a number nor `*`"))?);
    }
    if parts.any(|p| !matches!(p, "*" | "x" | "X")) {
        return Err(format!("in `{text}` something follows `*`"));
    }
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let fixed = numbers.len() - 1;
    Ok(between(Version::of_numbers(numbers), |_| fixed).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_order(texts: &[&str]) {
        for pair in texts.windows(2) {
            assert!(Version::parse(pair[0]) < Version::parse(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn the_order_is_octopuss() {
        in_order(&[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
        ]);
        in_order(&["latest", "0.0.0", "0.9", "1.0", "1.0.0.1", "1.0.1", "1.2", "1.10", "2.0.0-rc", "2", "99999999999999999999.0"]);
        for same in ["1.0", "1.0.0.0", "v1.0.0", "1.0.0+build.7", "01.0"] {
            assert_eq!(Version::parse(same), Version::parse("1.0.0"), "{same}");
        }
    }

    #[test]
    fn ranges_hold_what_people_mean() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("2.4.*", &["2.4.0", "2.4.17", "2.4.1.5"], &["2.5", "2.3.9", "2.4.1-beta", "2.40"]),
            ("2.x", &["2.0", "2.9.9"], &["3.0", "1.9"]),
            ("*", &["0.1", "9"], &["9-rc"]),
            ("2.4.*-*", &["2.4.1-beta", "2.4.1"], &["2.5.1-beta"]),
            (">=2.4 <3", &["2.4", "2.99"], &["2.3", "3.0", "3.0-rc1", "2.5-beta"]),
            (">= 2.4, < 3", &["2.4"], &["3"]),
            (">=5.3.0", &["5.3.0", "5.4.0"], &["5.4.0-beta.1", "5.3.0-0"]),
            (">=5.3.0-0", &["5.3.0", "5.4.0-beta.1", "5.3.0-alpha"], &["5.2.9"]),
            ("1.0.0", &["1.0.0+b1", "1.0"], &["1.0.0-rc"]),
            ("main-17", &["main-17"], &["main-18"]),
            (">=2.4-beta", &["2.4-beta", "2.4-rc", "2.5-alpha", "3"], &["2.4-alpha"]),
            ("^2.1", &["2.1", "2.9"], &["3.0", "2.0.9"]),
            ("^0.3", &["0.3.5"], &["0.4", "0.2"]),
            ("~2.1", &["2.1", "2.1.9"], &["2.2"]),
            ("~2.1.3", &["2.1.3", "2.1.9"], &["2.2", "2.1.2"]),
            ("~2", &["2.7"], &["3"]),
            ("[1.0,2.0)", &["1.0", "1.9.9"], &["2.0", "0.9"]),
            ("(1.0,)", &["1.0.1", "7"], &["1.0"]),
            ("(,1.0]", &["1.0", "0.1"], &["1.0.1"]),
            ("[1.5]", &["1.5.0"], &["1.5.1"]),
            ("2.4.1", &["2.4.1", "v2.4.1"], &["2.4.2"]),
            ("1.0-beta", &["1.0-beta"], &["1.0"]),
            ("1.* || 3.*", &["1.2", "3.2"], &["2.0"]),
        ];
        for (range, inside, outside) in cases {
            let parsed = VersionRange::parse(range).expect(range);
            for version in *inside {
                assert!(parsed.matches(&Version::parse(version)), "{version} in {range}");
            }
            for version in *outside {
                assert!(!parsed.matches(&Version::parse(version)), "{version} not in {range}");
            }
        }
    }

    #[test]
    fn a_range_that_is_none_says_why() {
        for (range, why) in [
            ("", "empty"),
            (">=", "no version after"),
            ("[1.0,2.0", "not closed"),
            ("2.*.1", "follows `*`"),
            (">=two", "`two` is not a version"),
            ("!=1.9", "`!=1.9` is not a version: it holds `!`"),
            ("1.0 - 2.0", "with signs: `>=1.0 <=2.0`"),
            ("1.0 2.0", "`2.0` is one version"),
            ("no such thing", "join versions with `||`"),
            (">=1.0 1.5", "`1.5` is one version"),
            ("1.0.0-alpha.*", "a wildcard stands for something else"),
            ("*.1", "follows `*`"),
            ("1.0-*.2", "a wildcard"),
            (">=1.*", "a wildcard as in `1.*` stands alone"),
            ("^1.x", "stands alone"),
            ("[1.*,2.0]", "stands alone"),
            (">=1.0<2.0", "a blank is missing"),
            ("[2.0,1.0]", "nothing lies between 2.0 and 1.0"),
            ("(1.0,1.0]", "nothing lies between"),
            ("(,)", "neither side"),
            ("[1.0,2.0,3.0]", "is not a version: it holds `,`"),
            ("1.0;2.0", "holds `;`"),
            ("1.0 ||", "empty"),
            ("2.*.", "follows `*`"),
            ("(1.0)", "square"),
        ] {
            let error = VersionRange::parse(range).expect_err(range);
            assert!(error.message().contains(why), "{error}");
        }
        assert_eq!(VersionRange::parse("2.4.1-rc.1").expect("a version").exact(), Some("2.4.1-rc.1"));
        assert_eq!(VersionRange::parse("2.4.*").expect("a range").exact(), None);
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in "[v0-9.a-c+_-]{0,10}", b in "[v0-9.a-c+_-]{0,10}", c in "[v0-9.a-c+_-]{0,10}") {
            let (a, b, c) = (Version::parse(&a), Version::parse(&b), Version::parse(&c));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a.cmp(&a), Ordering::Equal);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
            if a == b {
                prop_assert_eq!(a.cmp(&c), b.cmp(&c));
            }
        }

        #[test]
        fn numbers_count_as_numbers(a in 0_u64..100_000, b in 0_u64..100_000) {
            prop_assert_eq!(Version::parse(&format!("1.{a}.0")).cmp(&Version::parse(&format!("1.{b}"))), a.cmp(&b));
        }

        #[test]
        fn no_text_breaks_a_range(text in ".{0,20}") {
            let _ = VersionRange::parse(&text);
        }
    }
}
