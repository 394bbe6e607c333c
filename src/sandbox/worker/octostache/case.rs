//! Upper and lower case as .NET has them without a culture: one character stays one character.

/// What a dictionary without case compares by.
pub(super) fn folded(text: &str) -> String {
    upper(text)
}

/// `text` in upper case.
pub(super) fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

/// `text` in lower case.
pub(super) fn lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

fn upper_char(c: char) -> char {
    match c {
        // No way back: .NET leaves them.
        '\u{131}' | '\u{17f}' => return c,
        // Their capital is one character, which is not how Unicode has it in full.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => return char::from_u32(c as u32 + 8).unwrap_or(c),
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => return char::from_u32(c as u32 + 9).unwrap_or(c),
        _ => {}
    }
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn lower_char(c: char) -> char {
    let mut all = c.to_lowercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}
