//! `Match` and `Replace`: patterns of .NET, rewritten for a matcher that backtracks as that one does.
//!
//! What .NET has and the matcher has not is an error that names it.

use fancy_regex::{Captures, Regex};
use std::fmt::Write as _;

/// .NET's `\w`.
const WORD: &str = r"\p{L}\p{Mn}\p{Nd}\p{Pc}";
/// The end, or before a line break at the end.
const END: &str = r"(?=\n?\z)";

/// .NET matches UTF-16: a character outside of the first plane is two there, and here two of this private range.
const HALVES: u32 = 0xF_0000;

fn halved(text: &str) -> String {
    let half = |unit: u16| char::from_u32(HALVES + u32::from(unit) - 0xD800).expect("a private character");
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.len_utf16() {
            1 => out.push(c),
            _ => out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| half(*unit))),
        }
    }
    out
}

fn joined(text: &str) -> String {
    let unit = |c: char| (HALVES..HALVES + 0x800).contains(&(c as u32)).then(|| (c as u32 - HALVES + 0xD800) as u16);
    let mut units = Vec::with_capacity(text.len());
    for c in text.chars() {
        match unit(c) {
            Some(half) => units.push(half),
            None => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }
    String::from_utf16_lossy(&units)
}

pub(super) fn matches(argument: &str, pattern: &str) -> Result<String, String> {
    let (regex, _) = compiled(pattern)?;
    regex.is_match(&halved(argument)).map(|found| found.to_string()).map_err(|problem| gave_up(pattern, &problem))
}

pub(super) fn replace(argument: &str, pattern: &str, with: &str) -> Result<String, String> {
    let (regex, groups) = compiled(pattern)?;
    let (argument, with) = (halved(argument), halved(with));
    let (argument, with) = (argument.as_str(), with.as_str());
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = regex.captures_from_pos(argument, at).map_err(|problem| gave_up(pattern, &problem))? {
        let whole = found.get(0).expect("a match is its own first group");
        out.push_str(&argument[copied..whole.start()]);
        expand(with, argument, &found, &groups, &mut out);
        copied = whole.end();
        at = whole.end();
        if whole.start() == whole.end() {
            match argument[at..].chars().next() {
                Some(next) => at += next.len_utf8(),
                None => break,
            }
        }
    }
    out.push_str(&argument[copied..]);
    Ok(joined(&out))
}

fn gave_up(pattern: &str, problem: &fancy_regex::Error) -> String {
    format!("the sandbox does not match the pattern {pattern:?}: {problem}")
}

/// The groups of a pattern as .NET numbers them: those without a name first.
#[derive(Default)]
struct Groups {
    /// By number, where the matcher has them.
    numbers: Vec<usize>,
    names: Vec<(String, usize)>,
}

impl Groups {
    fn named(&self, name: &str) -> Option<usize> {
        match name.parse::<usize>() {
            Ok(0) => Some(0),
            Ok(number) => self.numbers.get(number - 1).copied(),
            Err(_) => self.names.iter().find(|(known, _)| known == name).map(|(_, at)| *at),
        }
    }
}

/// What stands for a match.
fn expand(with: &str, argument: &str, found: &Captures<'_, str>, groups: &Groups, out: &mut String) {
    let whole = found.get(0).expect("a match is its own first group");
    let group = |at: usize| found.get(at).map_or("", |group| group.as_str());
    let mut rest = with;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let one = |text: &'static str| after.starts_with(text).then_some(1);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let named = after.strip_prefix('{').and_then(|name| name.split_once('}')).map(|(name, _)| name);
        let used = if let Some(used) = one("$") {
            out.push('$');
            used
        } else if let Some(used) = one("&") {
            out.push_str(whole.as_str());
            used
        } else if let Some(used) = one("`") {
            out.push_str(&argument[..whole.start()]);
            used
        } else if let Some(used) = one("'") {
            out.push_str(&argument[whole.end()..]);
            used
        } else if let Some(used) = one("_") {
            out.push_str(argument);
            used
        } else if let Some(used) = one("+") {
            let last = groups.names.last().map(|(_, at)| *at).or(groups.numbers.last().copied());
            out.push_str(group(last.unwrap_or(0)));
            used
        } else if let Some(at) = Some(&after[..digits]).filter(|digits| !digits.is_empty()).and_then(|digits| groups.named(digits)) {
            out.push_str(group(at));
            digits
        } else if let Some((name, at)) = named.and_then(|name| Some((name, groups.named(name)?))) {
            out.push_str(group(at));
            name.len() + 2
        } else {
            out.push('$');
            0
        };
        rest = &after[used..];
    }
    out.push_str(rest);
}

fn compiled(pattern: &str) -> Result<(Regex, Groups), String> {
    let mut translator = Translator {
        pattern: halved(pattern).chars().collect(),
        at: 0,
        out: String::new(),
        unnamed: Vec::new(),
        named: Vec::new(),
        count: 0,
        flags: vec![(false, false)],
    };
    translator.all().map_err(|problem| match problem {
        Wrong::Pattern(what) => format!("RegexParseException: Invalid pattern '{pattern}' at offset {}. {what}", translator.at),
        Wrong::Missing(what) => format!("the sandbox does not match the pattern {pattern:?}: it has {what}"),
    })?;
    let regex = Regex::new(&translator.out).map_err(|problem| format!("the sandbox does not match the pattern {pattern:?}: {problem}"))?;
    let mut numbers = translator.unnamed;
    numbers.extend(translator.named.iter().map(|(_, at)| *at));
    Ok((regex, Groups { numbers, names: translator.named }))
}

enum Wrong {
    /// .NET has no such pattern.
    Pattern(&'static str),
    /// .NET has, we have not.
    Missing(&'static str),
}

struct Translator {
    pattern: Vec<char>,
    at: usize,
    out: String,
    unnamed: Vec<usize>,
    named: Vec<(String, usize)>,
    count: usize,
    /// Of each open group: multiline, and free spacing.
    flags: Vec<(bool, bool)>,
}

impl Translator {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.pattern.get(self.at + ahead).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        Some(c)
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_punctuation() || c.is_whitespace() {
            self.out.push('\\');
        }
        match c {
            _ if c.is_whitespace() => {
                self.out.pop();
                _ = write!(self.out, "\\x{{{:x}}}", c as u32);
            }
            '<' | '>' => {
                self.out.pop();
                self.out.push(c);
            }
            _ => self.out.push(c),
        }
    }

    fn all(&mut self) -> Result<(), Wrong> {
        // Whether something stands before that can be repeated, and whether it is repeated already.
        let (mut something, mut repeated) = (false, false);
        while let Some(c) = self.take() {
            let (multiline, spaced) = *self.flags.last().expect("one for the whole");
            let mut quantifier = false;
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => {
                    let opened = self.group()?;
                    if opened {
                        (something, repeated) = (false, false);
                        continue;
                    }
                }
                ')' => {
                    if self.flags.len() == 1 {
                        return Err(Wrong::Pattern("Too many )'s."));
                    }
                    self.flags.pop();
                    self.out.push(')');
                }
                '|' | '^' => {
                    self.out.push(c);
                    if c == '|' {
                        (something, repeated) = (false, false);
                        continue;
                    }
                }
                '$' if multiline => self.out.push('$'),
                '$' => self.out.push_str(END),
                '.' => self.out.push('.'),
                '*' | '+' | '?' => quantifier = true,
                '{' => match self.bounds() {
                    Some(_) => quantifier = true,
                    None => self.literal('{'),
                },
                '#' if spaced => {
                    while self.take().is_some_and(|c| c != '\n') {}
                    continue;
                }
                c if spaced && c.is_whitespace() => continue,
                c => self.literal(c),
            }
            if quantifier {
                if !something {
                    return Err(Wrong::Pattern("Quantifier '*' following nothing."));
                }
                if repeated {
                    return Err(Wrong::Pattern("Nested quantifier."));
                }
                match c {
                    '{' => {
                        let end = self.bounds().unwrap_or(0);
                        let bounds: String = self.pattern[self.at..self.at + end].iter().collect();
                        self.out.push('{');
                        self.out.push_str(&bounds);
                        self.at += end;
                    }
                    _ => self.out.push(c),
                }
                if self.peek(0) == Some('?') {
                    // What stands behind keeps the matcher from a shortcut that takes `\w*}*?\w*` for more than nothing.
                    self.out.push_str("?(?=)");
                    self.at += 1;
                }
                repeated = true;
            } else {
                (something, repeated) = (true, false);
            }
        }
        if self.flags.len() > 1 { Err(Wrong::Pattern("Not enough )'s.")) } else { Ok(()) }
    }

    /// How long `3}`, `3,}` or `3,5}` is, if it stands here.
    fn bounds(&self) -> Option<usize> {
        let rest: String = self.pattern[self.at..].iter().take_while(|c| **c != '}').collect();
        self.peek(rest.chars().count()).filter(|c| *c == '}')?;
        let (least, most) = rest.split_once(',').unwrap_or((&rest, "0"));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        (!least.is_empty() && digits(least) && digits(most)).then(|| rest.len() + 1)
    }

    /// Whether a group was opened; none was by a comment, or by options that are set for the rest.
    fn group(&mut self) -> Result<bool, Wrong> {
        let flags = *self.flags.last().expect("one for the whole");
        if self.peek(0) != Some('?') {
            self.count += 1;
            self.unnamed.push(self.count);
            self.out.push('(');
            self.flags.push(flags);
            return Ok(true);
        }
        self.at += 1;
        match (self.take(), self.peek(0)) {
            (Some('#'), _) => {
                while self.take().ok_or(Wrong::Pattern("Unterminated (?#...) comment."))? != ')' {}
                Ok(false)
            }
            // Where these are repeated .NET does not find all that there is.
            (Some('>'), _) => Err(Wrong::Missing("an atomic group")),
            (Some(c @ (':' | '=' | '!')), _) => {
                self.out.push_str("(?");
                self.out.push(c);
                self.flags.push(flags);
                Ok(true)
            }
            (Some('<'), Some(c @ ('=' | '!'))) => {
                self.at += 1;
                self.out.push_str("(?<");
                self.out.push(c);
                self.flags.push(flags);
                Ok(true)
            }
            (Some(quote @ ('<' | '\'')), _) => {
                let close = if quote == '<' { '>' } else { quote };
                let mut name = String::new();
                loop {
                    match self.take() {
                        Some(c) if c == close => break,
                        Some('-') => return Err(Wrong::Missing("a balancing group")),
                        Some(c) if c.is_alphanumeric() || c == '_' => name.push(c),
                        _ => return Err(Wrong::Pattern("Invalid group name.")),
                    }
                }
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return Err(Wrong::Missing("a group with a number for its name"));
                }
                if self.named.iter().any(|(known, _)| *known == name) {
                    return Err(Wrong::Missing("two groups of one name"));
                }
                self.count += 1;
                self.named.push((name.clone(), self.count));
                _ = write!(self.out, "(?<{name}>");
                self.flags.push(flags);
                Ok(true)
            }
            (Some('('), _) => Err(Wrong::Missing("an alternation with a condition")),
            (Some(_), _) => {
                self.at -= 1;
                self.options(flags)
            }
            (None, _) => Err(Wrong::Pattern("Unrecognized grouping construct.")),
        }
    }

    fn options(&mut self, (mut multiline, mut spaced): (bool, bool)) -> Result<bool, Wrong> {
        let mut on = true;
        let mut kept = [String::new(), String::new()];
        loop {
            match self.take() {
                Some('-') => on = false,
                Some('+') => on = true,
                Some(c @ ('i' | 's' | 'm')) => {
                    multiline = if c == 'm' { on } else { multiline };
                    kept[usize::from(!on)].push(c);
                }
                Some('x') => spaced = on,
                Some('n') => return Err(Wrong::Missing("the option n")),
                Some(c @ (':' | ')')) => {
                    let off = if kept[1].is_empty() { String::new() } else { format!("-{}", kept[1]) };
                    match (c, kept[0].is_empty() && kept[1].is_empty()) {
                        (')', true) => {}
                        (':', true) => self.out.push_str("(?:"),
                        _ => _ = write!(self.out, "(?{}{off}{c}", kept[0]),
                    }
                    if c == ':' {
                        self.flags.push((multiline, spaced));
                    } else if let Some(last) = self.flags.last_mut() {
                        *last = (multiline, spaced);
                    }
                    return Ok(c == ':');
                }
                _ => return Err(Wrong::Pattern("Unrecognized grouping construct.")),
            }
        }
    }

    fn hex(&mut self, digits: usize) -> Result<char, Wrong> {
        let text: String = self.pattern[self.at..].iter().take(digits).collect();
        self.at += text.chars().count();
        let right = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        let code =
            right.then(|| u32::from_str_radix(&text, 16).ok()).flatten().ok_or(Wrong::Pattern("Insufficient hexadecimal digits."))?;
        char::from_u32(code).ok_or(Wrong::Missing("half a character"))
    }

    fn escape(&mut self, in_class: bool) -> Result<(), Wrong> {
        let c = self.take().ok_or(Wrong::Pattern("Illegal \\ at end of pattern."))?;
        let plain = match c {
            'd' | 'D' | 's' | 'S' => {
                self.out.extend(['\\', c]);
                return Ok(());
            }
            'w' | 'W' => {
                self.out.push_str(match (c, in_class) {
                    ('w', true) => WORD,
                    ('w', false) => r"[\p{L}\p{Mn}\p{Nd}\p{Pc}]",
                    _ => r"[^\p{L}\p{Mn}\p{Nd}\p{Pc}]",
                });
                return Ok(());
            }
            'b' if in_class => '\u{8}',
            'G' if !in_class => return Err(Wrong::Missing("the end of the match before")),
            'b' | 'B' | 'A' | 'z' if !in_class => {
                self.out.extend(['\\', c]);
                return Ok(());
            }
            'Z' if !in_class => {
                self.out.push_str(END);
                return Ok(());
            }
            'p' | 'P' => {
                let name: String = self.pattern[self.at..].iter().take_while(|c| **c != '}').collect();
                let category = name.strip_prefix('{').filter(|name| name.len() <= 2).ok_or(Wrong::Missing("a block of Unicode"))?;
                self.at += name.chars().count() + 1;
                _ = write!(self.out, "\\{c}{{{category}}}");
                return Ok(());
            }
            'k' if !in_class => {
                let name: String = self.pattern[self.at..].iter().skip(1).take_while(|c| **c != '>' && **c != '\'').collect();
                let at = self
                    .named
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, at)| *at)
                    .ok_or(Wrong::Missing("a reference to a later group"))?;
                self.at += name.chars().count() + 2;
                _ = write!(self.out, "(?:\\{at})");
                return Ok(());
            }
            '1'..='9' if !in_class && self.peek(0).is_none_or(|c| !c.is_ascii_digit()) => {
                let number = c as usize - '0' as usize;
                if !self.named.is_empty() {
                    return Err(Wrong::Missing("a reference by number beside names"));
                }
                let at = self.unnamed.get(number - 1).copied().ok_or(Wrong::Missing("a reference to a later group"))?;
                _ = write!(self.out, "(?:\\{at})");
                return Ok(());
            }
            '0'..='9' => return Err(Wrong::Missing("an octal number")),
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'v' => '\u{b}',
            'a' => '\u{7}',
            'e' => '\u{1b}',
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            'c' => return Err(Wrong::Missing("a control character")),
            c if c.is_alphanumeric() || c == '_' => return Err(Wrong::Pattern("Unrecognized escape sequence.")),
            c => c,
        };
        if plain.is_control() {
            _ = write!(self.out, "\\x{{{:x}}}", plain as u32);
        } else {
            self.literal(plain);
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), Wrong> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.out.push('^');
            self.at += 1;
        }
        let mut first = true;
        loop {
            match self.take().ok_or(Wrong::Pattern("Unterminated [] set."))? {
                ']' if !first => break,
                '\\' => self.escape(true)?,
                '-' if self.peek(0) == Some('[') && !first => {
                    self.at += 1;
                    self.out.push_str("--");
                    self.class()?;
                }
                '[' if self.peek(0) == Some(':') => return Err(Wrong::Missing("a class with a name")),
                '-' if !first && self.peek(0) != Some(']') => self.out.push('-'),
                c => self.literal(c),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }
}
