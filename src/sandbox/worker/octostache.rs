//! What Octopus makes of `#{...}` (octopus-step-contract.md §1.3): bindings by name, and `#{if}`. Other expressions stay as they are.

use std::borrow::Cow;

/// Whether a text is a file, in which what cannot be parsed is left alone, or a value, which then stays raw as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The body of a script.
    File,
    /// The value of a variable.
    Value,
}

/// How deep values refer to values.
const DEEPEST: usize = 20;

/// The text with its bindings resolved.
pub(super) fn evaluate<'a>(text: &'a str, mode: Mode, known: &dyn Fn(&str) -> Option<String>) -> Cow<'a, str> {
    if !text.contains("#{") {
        return Cow::Borrowed(text);
    }
    walk(text, mode, known, 0).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// None when something does not parse and the text is a value.
fn walk(text: &str, mode: Mode, known: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("#{") {
        let hashes = rest[..=at].len() - rest[..=at].trim_end_matches('#').len();
        out.push_str(&rest[..at + 1 - hashes]);
        let inside = &rest[at + 2..];
        // `##{` is how `#{` is written; of more, half measured, there is no escape.
        if hashes == 2 || hashes >= 4 {
            out.push_str(&"#".repeat(hashes - 1));
            out.push('{');
            rest = inside;
            continue;
        }
        if hashes == 3 {
            out.push('#');
        }
        match binding(inside, mode, known, depth) {
            Some((value, end)) => {
                out.push_str(&value);
                rest = &inside[end..];
            }
            None if mode == Mode::Value => return None,
            None => {
                out.push_str("#{");
                rest = inside;
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

/// What stands for the binding whose inside begins here, and where it ends.
fn binding(inside: &str, mode: Mode, known: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<(String, usize)> {
    let close = inside.find('}')?;
    let name = &inside[..close];
    for (word, wanted) in [("if ", true), ("unless ", false)] {
        if let Some(condition) = name.strip_prefix(word) {
            let end = format!("#{{/{}}}", word.trim_end());
            let body = &inside[close + 1..];
            let at = body.find(&end)?;
            let (yes, no) = body[..at].split_once("#{else}").unwrap_or((&body[..at], ""));
            let holds = known(condition.trim()).is_some_and(|value| !["", "false", "no", "0"].contains(&value.to_lowercase().as_str()));
            let chosen = if holds == wanted { yes } else { no };
            return Some((walk(chosen, mode, known, depth + 1)?, close + 1 + at + end.len()));
        }
    }
    let letter = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_-:/~()@.[]".contains(c);
    if name.trim().is_empty() || !name.chars().all(letter) {
        return None;
    }
    let name = name.trim();
    let value = match known(name) {
        Some(value) if depth < DEEPEST => walk(&value, Mode::Value, known, depth + 1).unwrap_or(value),
        Some(value) => value,
        None => format!("#{{{name}}}"),
    };
    Some((value, close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<String> {
        let all = [("Environment", "Test"), ("env:PATHX", "/x"), ("Twice", "#{Environment}!"), ("No", "False"), ("a", "1")];
        all.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn the_table_of_what_was_measured() {
        let cases = [
            ("#{}", "#{}"),
            ("#{ \"k\": 1 }", "#{ \"k\": 1 }"),
            ("#{ a: 1, b: 2 }", "#{ a: 1, b: 2 }"),
            ("#{ b: 1 }", "#{b: 1}"),
            ("#{\n  project: name\n}", "#{project: name}"),
            ("#{env:PATHX}", "/x"),
            ("#{Environment}", "Test"),
            ("#{environment}", "Test"),
            ("##{ a: 1 }", "#{ a: 1 }"),
            ("#\"raw\"#", "#\"raw\"#"),
            ("`${x}`", "`${x}`"),
            ("x #", "x #"),
            ("###{a}", "#1"),
            ("####{a}", "###{a}"),
            ("#{Missing}", "#{Missing}"),
            ("#{Twice}", "Test!"),
            ("#{if Environment}a#{else}b#{/if}#{if No}c#{else}d#{/if}", "ad"),
        ];
        for (text, wanted) in cases {
            assert_eq!(evaluate(text, Mode::File, &known), wanted, "{text}");
        }
    }

    #[test]
    fn a_value_that_does_not_parse_stays_raw_as_a_whole() {
        assert_eq!(evaluate("#{Environment} #{ \"k\": 1 }", Mode::Value, &known), "#{Environment} #{ \"k\": 1 }");
        assert_eq!(evaluate("#{Environment} #{ \"k\": 1 }", Mode::File, &known), "Test #{ \"k\": 1 }");
    }
}
