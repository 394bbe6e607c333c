//! Reads Rust sources: code, comments and literals apart; code that is compiled for tests only; lines and words.

/// What a part of a source is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// The source without comments and without string and character literals. Lines and offsets stay.
pub fn code(text: &str) -> String {
    only(text, &[Part::Code])
}

/// The comments of a source. Lines and offsets stay.
pub fn comments(text: &str) -> String {
    only(text, &[Part::Comment])
}

/// The comments and literals of a source. Lines and offsets stay.
pub fn prose(text: &str) -> String {
    only(text, &[Part::Comment, Part::Literal])
}

/// Blanks all parts of other kinds.
fn only(text: &str, wanted: &[Part]) -> String {
    let mut out = String::with_capacity(text.len());
    for (part, characters) in parts(text) {
        for c in characters {
            match c {
                _ if wanted.contains(&part) => out.push(c),
                '\n' => out.push('\n'),
                _ => out.extend(std::iter::repeat_n(' ', c.len_utf8())),
            }
        }
    }
    out
}

/// A source cut into its parts, in order.
fn parts(text: &str) -> Vec<(Part, Vec<char>)> {
    let characters: Vec<char> = text.chars().collect();
    let mut found: Vec<(Part, Vec<char>)> = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let word_before = at > 0 && (characters[at - 1].is_alphanumeric() || characters[at - 1] == '_');
        let (part, length) = part_at(&characters[at..], word_before);
        let part_of_text = &characters[at..at + length];
        match found.last_mut() {
            Some((Part::Code, code)) if part == Part::Code => code.extend(part_of_text),
            _ => found.push((part, part_of_text.to_vec())),
        }
        at += length;
    }
    found
}

/// The part that starts here and its length in characters; code is one character.
fn part_at(rest: &[char], word_before: bool) -> (Part, usize) {
    if rest.starts_with(&['/', '/']) {
        return (Part::Comment, rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(&['/', '*']) {
        let (mut depth, mut i) = (0, 0);
        loop {
            match rest.get(i..i + 2) {
                Some(['/', '*']) => (depth, i) = (depth + 1, i + 2),
                Some(['*', '/']) => (depth, i) = (depth - 1, i + 2),
                Some(_) => i += 1,
                None => return (Part::Comment, rest.len()),
            }
            if depth == 0 {
                return (Part::Comment, i);
            }
        }
    }
    if let Some(length) = raw_string(rest).filter(|_| !word_before) {
        return (Part::Literal, length);
    }
    if rest[0] == '"' {
        let mut i = 1;
        while i < rest.len() && rest[i] != '"' {
            i += if rest[i] == '\\' { 2 } else { 1 };
        }
        return (Part::Literal, (i + 1).min(rest.len()));
    }
    if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
        let from = if rest.get(1) == Some(&'\\') { 3 } else { 2 };
        return (Part::Literal, rest.iter().skip(from).position(|c| *c == '\'').map_or(1, |i| i + from + 1));
    }
    (Part::Code, 1)
}

/// The length of a raw string that starts here: `r"..."`, `r#"..."#`, `br"..."`.
fn raw_string(rest: &[char]) -> Option<usize> {
    let start = usize::from(rest.first() == Some(&'b'));
    if rest.get(start) != Some(&'r') {
        return None;
    }
    let hashes = rest[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let mut i = open + 1;
    while i < rest.len() {
        if rest[i] == '"' && rest[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(rest.len())
}

/// Blanks each item that stands below `#[cfg(test)]`.
pub fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let body = out[start..].find(['{', ';']).map_or(out.len(), |i| start + i);
        let mut end = out.len();
        if out[body..].starts_with(';') {
            end = body + 1;
        } else {
            let mut depth = 0;
            for (i, letter) in out[body..].char_indices() {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                if depth == 0 {
                    end = body + i + 1;
                    break;
                }
            }
        }
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
    }
    out
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Each place where one of `words` stands as whole words.
pub fn places<'a>(text: &str, words: &[&'a str]) -> Vec<(usize, &'a str)> {
    let part_of_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut found = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word) {
            let before = word.starts_with(|c: char| c.is_alphanumeric()) && part_of_word(text[..at].chars().next_back());
            let after = word.ends_with(|c: char| c.is_alphanumeric()) && part_of_word(text[at + word.len()..].chars().next());
            if !before && !after {
                found.push((line_of(text, at), *word));
            }
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn the_reader_of_sources_sees_code_only() {
    let text = "a(\"x // \\\" y\"); // b\nr#\"c \" d\"# 'e' '\\'' &'f str /* g /* h */ i */ j";
    let words = |seen: String| seen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(code(text)), "a( ); &'f str j");
    assert_eq!(words(comments(text)), "// b /* g /* h */ i */");
    assert_eq!(words(prose(text)), "\"x // \\\" y\" // b r#\"c \" d\"# 'e' '\\'' /* g /* h */ i */");
}

#[test]
fn the_reader_of_sources_keeps_lines_and_offsets() {
    let text = "a // für\n\"é\" b";
    assert_eq!(code(text), "a        \n     b");
    assert_eq!(code(text).find('b'), text.find('b'));
}
