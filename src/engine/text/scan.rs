//! A script's text as pieces, however unfinished: what completion, colours and text rules look at.
//!
//! Not `Engine::lex`: that gives no tokens inside of interpolated text, no comments, and nothing behind an error.

use std::ops::Range;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `// ...` or `/* ... */`.
    Comment,
    /// Text between quotes; of a text with `${...}` in it, each stretch up to and from the code.
    Text,
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// `#{` and `::` as one, any other sign by itself.
    Sign,
}

/// A piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub kind: Kind,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// Whether it has its end: false for a text or comment that the script ends in.
    pub closed: bool,
}

impl Piece {
    /// The piece in its text.
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.range.clone()]
    }
}

/// The pieces of `text`, without the blanks between them.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    // For each `${` that is open: how many braces are open in it.
    let mut code: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let (kind, length, closed) = match first {
            '/' if rest.starts_with("//") => (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' | '\'' => quoted(rest, first),
            '`' => interpolated(rest, &mut code),
            '}' if code.last() == Some(&0) => {
                code.pop();
                interpolated(rest, &mut code)
            }
            '#' if rest.starts_with("#{") => (Kind::Sign, 2, true),
            '#' if rest.trim_start_matches('#').starts_with('"') => raw(rest),
            ':' if rest.starts_with("::") => (Kind::Sign, 2, true),
            _ if first.is_ascii_digit() => {
                let digits = rest.find(|c| !word(c)).unwrap_or(rest.len());
                // `1.5`, but not `1..5` and not `5.minutes`.
                let fraction = rest[digits..].strip_prefix('.').map_or(0, |f| f.find(|c: char| !c.is_ascii_digit()).unwrap_or(f.len()));
                (Kind::Number, if fraction > 0 { digits + 1 + fraction } else { digits }, true)
            }
            _ if word(first) => (Kind::Word, rest.find(|c| !word(c)).unwrap_or(rest.len()), true),
            _ => (Kind::Sign, first.len_utf8(), true),
        };
        if let Some(depth) = code.last_mut()
            && kind == Kind::Sign
        {
            match &rest[..length] {
                "{" | "#{" => *depth += 1,
                "}" => *depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        found.push(Piece { kind, range: at..at + length, closed });
        at += length;
    }
    found
}

/// What the script ends in, and Rhai takes for complete: the piece, a comment or a `#"..."#`, and what would end it.
pub fn endless<'a>(text: &str, pieces: &'a [Piece]) -> Option<(&'a Piece, String)> {
    let last = pieces.last().filter(|last| !last.closed)?;
    let hashes = last.of(text).chars().take_while(|c| *c == '#').count();
    match last.kind {
        Kind::Comment => Some((last, "*/".to_owned())),
        Kind::Text if hashes > 0 => Some((last, format!("\"{}", "#".repeat(hashes)))),
        _ => None,
    }
}

/// Whether a value can end with this piece.
pub fn ends_value(text: &str, piece: &Piece) -> bool {
    match piece.kind {
        Kind::Word | Kind::Number | Kind::Text => true,
        Kind::Sign => matches!(piece.of(text), ")" | "]" | "}"),
        Kind::Comment => false,
    }
}

/// Comments nest in Rhai.
fn block_comment(rest: &str) -> (Kind, usize, bool) {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return (Kind::Comment, at, true);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    (Kind::Comment, rest.len(), false)
}

/// A text that ends at its quote, or unfinished at the end of its line unless that ends in a backslash.
fn quoted(rest: &str, quote: char) -> (Kind, usize, bool) {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return (Kind::Text, at, false),
            _ if letter == quote => return (Kind::Text, at + 1, true),
            _ => {}
        }
    }
    (Kind::Text, rest.len(), false)
}

/// `#"..."#`, with any number of `#`: over several lines, without escapes.
fn raw(rest: &str) -> (Kind, usize, bool) {
    let begin = rest.len() - rest.trim_start_matches('#').len() + 1;
    let end = format!("\"{}", &rest[..begin - 1]);
    match rest[begin..].find(&end) {
        Some(at) => (Kind::Text, begin + at + end.len(), true),
        None => (Kind::Text, rest.len(), false),
    }
}

/// From a back-tick, or from the `}` that ends code in such a text, to the closing back-tick or the next `${`.
fn interpolated(rest: &str, code: &mut Vec<usize>) -> (Kind, usize, bool) {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '`' if letters.peek().is_some_and(|(_, next)| *next == '`') => {
                letters.next();
            }
            '`' => return (Kind::Text, at + 1, true),
            '$' if letters.peek().is_some_and(|(_, next)| *next == '{') => {
                code.push(0);
                return (Kind::Text, at + 2, true);
            }
            _ => {}
        }
    }
    (Kind::Text, rest.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<&str> {
        pieces(text).iter().map(|piece| piece.of(text)).collect()
    }

    #[test]
    fn a_script_falls_into_pieces() {
        assert_eq!(
            shown("let x = lists::f(1.5, #{a: \"}\"}); // end\n1..5"),
            ["let", "x", "=", "lists", "::", "f", "(", "1.5", ",", "#{", "a", ":", "\"}\"", "}", ")", ";", "// end", "1", ".", ".", "5"]
        );
        assert_eq!(shown("`a ${f(#{b: `c ${d}`})} e` g"), ["`a ${", "f", "(", "#{", "b", ":", "`c ${", "d", "}`", "}", ")", "} e`", "g"]);
        assert_eq!(shown("f(#\"a \"b /* \"#, ##\"c\"#\n\"##)"), ["f", "(", "#\"a \"b /* \"#", ",", "##\"c\"#\n\"##", ")"]);
        assert_eq!(shown("5.minutes /* a /* b */ c */ \"\\\"\""), ["5", ".", "minutes", "/* a /* b */ c */", "\"\\\"\""]);
    }

    #[test]
    fn what_the_script_ends_in_is_not_closed() {
        for text in ["\"abc", "#\"abc\"", "`abc\n", "/* abc", "`a ${b} c"] {
            assert!(!pieces(text).last().expect("a piece").closed, "{text}");
        }
        assert!(pieces("\"é").iter().all(|piece| "\"é".is_char_boundary(piece.range.end)));
    }
}
