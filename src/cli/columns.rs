//! Tables of the journal and of locks: columns with blanks between them, and what comes from elsewhere cut and tamed.

use crate::tame;

/// A cell that people still read at once.
pub const MOST_LETTERS: usize = 100;

/// One line without control characters, cut where it gets too long: names and answers come from elsewhere.
pub fn tame(text: &str, most: usize) -> String {
    let blanks: String = text.chars().map(|letter| if letter.is_ascii_control() { ' ' } else { letter }).collect();
    let tamed = tame::line(&blanks);
    let mut letters = tamed.chars();
    let mut line: String = letters.by_ref().take(most).collect();
    if letters.next().is_some() {
        line.pop();
        line.push('…');
    }
    line.trim_end().to_owned()
}

/// Lines with two blanks between columns; the last one is not filled.
pub fn columns<const N: usize>(table: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    table.iter().map(line).collect()
}
