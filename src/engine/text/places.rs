//! Places in a text: lines and columns, which people and Rhai count, and bytes.

use rhai::Position;
use std::ops::Range;

/// Line and column of a byte, both from 1, the column in characters; those of the end for what is beyond it.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// The same as Rhai counts; none where it cannot count so far.
pub fn position_of(text: &str, at: usize) -> Option<Position> {
    let (line, column) = line_and_column(text, at);
    Some(Position::new(u16::try_from(line).ok()?, u16::try_from(column).ok()?))
}

/// The byte range of the token at a place (`line` and `column` count from 1, columns in characters).
///
/// Not `Engine::lex`: that gives no tokens inside of interpolated text, where errors happen as well.
pub fn span(text: &str, line: usize, column: usize) -> Range<usize> {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let line = text[line_start..].lines().next().unwrap_or_default();
    let start = line_start + line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(i, _)| i);
    let rest = &text[start..line_start + line.len()];
    start..start + token_length(rest)
}

fn token_length(rest: &str) -> usize {
    const SYMBOLS: [&str; 27] = [
        "<<=", ">>=", "**=", "..=", "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "+=", "-=", "*=", "/=", "%=", "::",
        "=>", "..", "#{", "**", "<<", ">>",
    ];
    let Some(first) = rest.chars().next() else { return 0 };
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if first == '"' || first == '`' || first == '\'' {
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == first => return i + c.len_utf8(),
                _ => {}
            }
        }
        return rest.trim_end().len();
    }
    if word(first) {
        return rest.find(|c| !word(c)).unwrap_or(rest.len());
    }
    SYMBOLS.iter().find(|s| rest.starts_with(**s)).map_or(first.len_utf8(), |s| s.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_covers_the_token_also_after_other_letters_than_ascii() {
        let text = "let a = 1;\nlet é = \"ü\" + wrong_name(2);\n";
        assert_eq!(&text[span(text, 2, 15)], "wrong_name");
        assert_eq!(&text[span(text, 2, 9)], "\"ü\"");
        assert_eq!(&text[span(text, 1, 7)], "=");
        assert_eq!(span(text, 9, 9), text.len()..text.len());
    }
}
