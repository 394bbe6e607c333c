//! One secret in all the ways in which texts write it: as it is, and as JSON, .NET, Rust, Rhai, addresses, HTML, Markdown, CSV and mails
//! escape it.
//!
//! No list of finished spellings could be whole: a text may escape any choice of characters (`\u002B` or `\u002b`, `%2f` or `/`), once or
//! twice. So the text is read instead: at each place a character stands for itself, or is the begin of an escape, and both are followed.

use std::collections::HashSet;

/// Cut texts end in one of these.
const CUT_MARKS: [&[u8]; 2] = ["…".as_bytes(), b"..."];

/// The begin of a secret that is cut off is hidden from so many bytes on.
const SHORTEST_BEGIN: usize = 8;

/// Stands in [`Spelling`] for a run of blanks and control characters: whoever writes a text in one line changes those.
const BLANK: u8 = b' ';
/// The same where there is no space among them: addresses leave them out.
const CONTROLS: u8 = 1;

/// No escape that is nested deeper is followed; and so many steps are tried at one place.
const DEEPEST: usize = 64;
const MOST_STEPS: usize = 1 << 14;
/// From so many steps on places are remembered.
const FEW_STEPS: usize = 32;
/// So many blanks are one.
const MOST_BLANKS: usize = 256;

/// A secret in the form that texts are compared with: blanks at its ends are left out, runs of blanks and of backslashes are one.
pub(super) struct Spelling(Vec<u8>);

/// What an escape means.
#[derive(Clone, Copy)]
struct Meant {
    bytes: [u8; 4],
    length: usize,
}

impl Meant {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1 }
    }

    fn char(c: char) -> Self {
        let mut bytes = [0; 4];
        let length = c.encode_utf8(&mut bytes).len();
        Self { bytes, length }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn is_blank(&self) -> bool {
        std::str::from_utf8(self.bytes()).is_ok_and(|text| text.chars().all(is_blank))
    }
}

/// What is changed, or left out, where a text becomes one line.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || c == '\u{fffd}'
}

impl Spelling {
    /// The spelling of a secret; none when fewer than `shortest` characters are left of it.
    pub(super) fn of(secret: &str, shortest: usize) -> Option<Self> {
        let mut canonical = String::with_capacity(secret.len());
        for c in secret.trim_matches(is_blank).chars() {
            match c {
                c if is_blank(c) => {
                    let before = canonical.chars().next_back().filter(|last| [BLANK, CONTROLS].map(char::from).contains(last));
                    if before.is_some() {
                        canonical.pop();
                    }
                    let spaces = !c.is_control() || before == Some(char::from(BLANK));
                    canonical.push(char::from(if spaces { BLANK } else { CONTROLS }));
                }
                '\\' if canonical.ends_with('\\') => {}
                c => canonical.push(c),
            }
        }
        (canonical.chars().count() >= shortest).then(|| Self(canonical.into_bytes()))
    }

    /// The bytes that it may begin with, where it is not escaped, and those that may follow.
    pub(super) fn begins(&self) -> (u8, impl Iterator<Item = u8> + use<'_>) {
        let second = self.0[1];
        let follows = move |byte: &u8| {
            *byte == second
                || matches!(byte, b'\\' | b'%' | b'&' | b'=' | b'"' | b'\'' | b'`')
                || ([BLANK, CONTROLS].contains(&second) && may_be_blank(*byte))
                || (second == CONTROLS && *byte == self.0[2])
                || (second == b'\\' && *byte == b'/')
        };
        (self.0[0], (0..=u8::MAX).filter(follows))
    }

    /// Where the secret ends that begins at `start` of the text, if it does. With `cuts` its begin counts too where the text was cut.
    pub(super) fn end(&self, text: &[u8], start: usize, cuts: bool, open: &mut Vec<(usize, usize)>) -> Option<usize> {
        open.clear();
        open.push((start, 0));
        let (mut steps, mut farthest, mut been) = (0, None, HashSet::new());
        while let Some((at, seen)) = open.pop() {
            let Some(wanted) = self.0.get(seen..).filter(|wanted| !wanted.is_empty()) else {
                farthest = farthest.max(Some(at));
                continue;
            };
            if cuts && seen >= SHORTEST_BEGIN && is_cut(text, at) {
                farthest = farthest.max(Some(at));
            }
            steps += 1;
            // Several ways may lead to one place.
            if steps > FEW_STEPS && !been.insert((at, seen)) {
                continue;
            }
            if steps > MOST_STEPS {
                break;
            }
            if [BLANK, CONTROLS].contains(&wanted[0]) {
                if wanted[0] == CONTROLS {
                    open.push((at, seen + 1));
                }
                let mut end = at;
                for _ in 0..MOST_BLANKS {
                    let Some(length) = blank(text, end) else { break };
                    end += length;
                    open.push((end, seen + 1));
                }
                continue;
            }
            let Some(first) = text.get(at) else { continue };
            if *first == wanted[0] && *first != b'\\' {
                open.push((at + 1, seen + 1));
                // Doubled, as CSV and SQL escape quotes.
                if matches!(first, b'"' | b'\'' | b'`') && text.get(at + 1) == Some(first) {
                    open.push((at + 2, seen + 1));
                }
            }
            // Addresses turn it round.
            if *first == b'/' && wanted[0] == b'\\' {
                open.push((at + 1, seen + 1));
            }
            if *first == b'\\' && wanted[0] == b'\\' {
                let run = backslashes(text, at);
                open.push((at + run, seen + 1));
                // The last of them may begin an escape.
                if run > 1 {
                    open.push((at + run - 1, seen + 1));
                }
            }
            // A run of backslashes is one, also where each is escaped.
            let in_run = seen > 0 && self.0[seen - 1] == b'\\';
            if in_run && *first == b'\\' {
                open.push((at + backslashes(text, at), seen));
            }
            if in_run && *first == b'/' {
                open.push((at + 1, seen));
            }
            escapes(text, at, &mut |length, meant| {
                if in_run && meant.bytes() == b"\\" {
                    open.push((at + length, seen));
                }
                if wanted.starts_with(meant.bytes()) && !meant.is_blank() {
                    open.push((at + length, seen + meant.length));
                }
            });
        }
        farthest
    }
}

/// Whether the text was cut here, perhaps in the midst of an escape.
fn is_cut(text: &[u8], at: usize) -> bool {
    let marked = |at: usize| text.get(at..).is_some_and(|rest| CUT_MARKS.iter().any(|mark| rest.starts_with(mark)));
    let in_escape = || {
        let end = (at + 1..at + 10).find(|end| !text.get(*end).is_some_and(|b| b.is_ascii_alphanumeric() || b"\\#{;".contains(b)));
        text.get(at).is_some_and(|b| b"\\%&=".contains(b)) && end.is_some_and(marked)
    };
    marked(at) || in_escape()
}

/// Whether a byte can begin an escape.
pub(super) fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | b'=')
}

/// Tells the first byte of each meaning of the escape at this place.
pub(super) fn meanings(text: &[u8], at: usize, mut told: impl FnMut(u8)) {
    escapes(text, at, &mut |_, meant| told(meant.bytes[0]));
}

/// Whether a byte can begin what reads as a blank.
fn may_be_blank(byte: u8) -> bool {
    byte <= b' ' || byte >= 0x7f || begins_escape(byte) || matches!(byte, b'+' | b'<')
}

/// The length of what reads as one blank here.
fn blank(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    if first <= b' ' || first == 0x7f || first == b'+' {
        return Some(1);
    }
    if first == b'<' {
        return ["<br>", "<br/>", "<br />"].into_iter().find(|tag| rest.starts_with(tag.as_bytes())).map(str::len);
    }
    if first >= 0x80 {
        let length = (2..=4).find(|length| rest.get(..*length).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok()))?;
        let c = std::str::from_utf8(&rest[..length]).ok()?.chars().next()?;
        return is_blank(c).then_some(length);
    }
    let mut longest = None;
    escapes(text, at, &mut |length, meant| {
        if meant.is_blank() {
            longest = longest.max(Some(length));
        }
    });
    longest
}

fn backslashes(text: &[u8], at: usize) -> usize {
    text[at..].iter().take_while(|byte| **byte == b'\\').count()
}

/// Finds what an escape at this place may mean: its length, and its meaning. An escape that was escaped again counts too.
fn escapes(text: &[u8], at: usize, found: &mut impl FnMut(usize, Meant)) {
    let byte_at = |at: usize| text.get(at).copied().unwrap_or(0);
    let hex_byte = |at: usize| number(text, at, 2, 2).and_then(|(value, _)| u8::try_from(value).ok());
    match byte_at(at) {
        b'\\' => {
            let run = backslashes(text, at);
            let (letter, behind) = (byte_at(at + run), at + run + 1);
            let simple = match letter {
                b'n' => Some('\n'),
                b'r' => Some('\r'),
                b't' => Some('\t'),
                b'b' => Some('\u{8}'),
                b'f' => Some('\u{c}'),
                b'v' => Some('\u{b}'),
                b'0' => Some('\0'),
                letter if letter.is_ascii_punctuation() => Some(char::from(letter)),
                _ => None,
            };
            if let Some(c) = simple {
                found(run + 1, Meant::char(c));
            }
            if letter == b'x'
                && let Some(byte) = hex_byte(behind)
            {
                found(run + 3, Meant::byte(byte));
                found(run + 3, Meant::char(char::from(byte)));
            }
            if matches!(letter, b'u' | b'U')
                && let Some((c, end)) = unicode(text, behind, letter == b'U')
            {
                found(end - at, Meant::char(c));
            }
        }
        b'%' => {
            // `%252F` is `%2F` escaped again.
            let mut digits = at + 1;
            for _ in 0..DEEPEST {
                if let Some(byte) = hex_byte(digits) {
                    found(digits + 2 - at, Meant::byte(byte));
                }
                if !text[digits.min(text.len())..].starts_with(b"25") {
                    break;
                }
                digits += 2;
            }
        }
        b'&' => {
            // `&amp;lt;` is `&lt;` escaped again.
            let mut name = at + 1;
            for _ in 0..DEEPEST {
                if let Some((c, end)) = entity(text, name) {
                    found(end - at, Meant::char(c));
                }
                if !text[name.min(text.len())..].starts_with(b"amp;") {
                    break;
                }
                name += 4;
            }
        }
        b'=' => {
            if let Some(byte) = hex_byte(at + 1) {
                found(3, Meant::byte(byte));
            }
        }
        _ => {}
    }
}

/// The number of at least and at most so many hexadecimal digits, and where they end.
fn number(text: &[u8], at: usize, least: usize, most: usize) -> Option<(u32, usize)> {
    let digits = text.get(at..)?.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let value = std::str::from_utf8(&text[at..at + digits]).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok())?;
    (digits >= least).then_some((value, at + digits))
}

/// What stands behind `\u`: four digits, two times four for a character beyond, or digits in braces; behind `\U` eight digits.
fn unicode(text: &[u8], at: usize, long: bool) -> Option<(char, usize)> {
    if long {
        let (value, end) = number(text, at, 8, 8)?;
        return Some((char::from_u32(value)?, end));
    }
    if text.get(at) == Some(&b'{') {
        let (value, end) = number(text, at + 1, 1, 6)?;
        return (text.get(end) == Some(&b'}')).then_some((char::from_u32(value)?, end + 1));
    }
    let (high, end) = number(text, at, 4, 4)?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, end));
    }
    let run = backslashes(text, end.min(text.len()));
    let second = (run > 0 && text.get(end + run) == Some(&b'u')).then(|| number(text, end + run + 1, 4, 4)).flatten();
    let (low, end) = second.filter(|(low, _)| (0xdc00..0xe000).contains(low))?;
    let value = 0x1_0000 + ((high.wrapping_sub(0xd800) & 0x3ff) << 10) + (low - 0xdc00);
    Some((char::from_u32(value)?, end))
}

/// What stands behind `&`: the names that writers of HTML and XML use, and numbers.
fn entity(text: &[u8], at: usize) -> Option<(char, usize)> {
    const NAMES: [(&[u8], char); 6] =
        [(b"amp;", '&'), (b"lt;", '<'), (b"gt;", '>'), (b"quot;", '"'), (b"apos;", '\''), (b"nbsp;", '\u{a0}')];
    let rest = text.get(at..)?;
    if let Some((name, c)) = NAMES.into_iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((c, at + name.len()));
    }
    let rest = rest.strip_prefix(b"#")?;
    let (value, end) = match rest.first()? {
        b'x' | b'X' => number(text, at + 2, 1, 6)?,
        _ => {
            let digits = rest.iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
            (std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?, at + 1 + digits)
        }
    };
    (text.get(end) == Some(&b';')).then_some((char::from_u32(value)?, end + 1))
}
