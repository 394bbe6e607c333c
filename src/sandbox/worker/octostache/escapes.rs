//! Filters that make a text fit to stand in HTML, XML, JSON, YAML, properties or an address.

use std::fmt::Write as _;

fn each(text: &str, one: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match one(c) {
            Some(other) => out.push_str(other),
            None => out.push(c),
        }
    }
    out
}

fn entity(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&apos;",
        _ => return None,
    })
}

pub(super) fn xml(text: &str) -> String {
    each(text, entity)
}

pub(super) fn html(text: &str) -> String {
    each(text, |c| if c == '/' { Some("&#x2F;") } else { entity(c) })
}

fn white(c: char) -> Option<&'static str> {
    Some(match c {
        '\r' => "\\r",
        '\n' => "\\n",
        '\t' => "\\t",
        '\\' => "\\\\",
        _ => return None,
    })
}

pub(super) fn json(text: &str) -> String {
    each(text, |c| if c == '"' { Some("\\\"") } else { white(c) })
}

/// One line break more for each row of them: YAML takes one away.
pub(super) fn yaml_single(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut end = 0;
        while let Some(more) = ["\r\n", "\n"].into_iter().find(|more| rest[end..].starts_with(more)) {
            end += more.len();
        }
        if end > 0 {
            out.push_str(if c == '\r' { "\r\n" } else { "\n" });
            out.push_str(&rest[..end]);
        } else {
            out.push(c);
            if c == '\'' {
                out.push(c);
            }
            end = c.len_utf8();
        }
        rest = &rest[end..];
    }
    out
}

fn push_units(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _infallible = write!(out, "\\u{unit:04x}");
    }
}

pub(super) fn yaml_double(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            ' '..='~' if c != '\\' => out.push(c),
            _ => match white(c) {
                Some(other) => out.push_str(other),
                None => push_units(c, &mut out),
            },
        }
    }
    out
}

fn properties(text: &str, one: impl Fn(usize, char) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, c) in text.chars().enumerate() {
        match one(number, c).or_else(|| white(c)) {
            Some(other) => out.push_str(other),
            // U+00FF too, as the library has it.
            None if c < '\u{ff}' => out.push(c),
            None => push_units(c, &mut out),
        }
    }
    out
}

pub(super) fn properties_key(text: &str) -> String {
    properties(text, |_, c| match c {
        ' ' => Some("\\ "),
        ':' => Some("\\:"),
        '=' => Some("\\="),
        _ => None,
    })
}

pub(super) fn properties_value(text: &str) -> String {
    properties(text, |number, c| (number == 0 && c == ' ').then_some("\\ "))
}

fn percent(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _infallible = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

pub(super) fn uri(text: &str) -> String {
    percent(text, "-._~:/?#[]@!$&'()*+,;=")
}

pub(super) fn uri_data(text: &str) -> String {
    percent(text, "-._~")
}
