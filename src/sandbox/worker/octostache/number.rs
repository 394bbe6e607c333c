//! Numbers as .NET reads them without a culture, and its shortest text of a `double`.

/// What .NET takes for space around a number.
fn is_space(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

/// A whole number.
pub(super) fn parse_int(text: &str) -> Option<i32> {
    text.trim_matches(is_space).parse().ok()
}

/// A number in parts: sign, digits before and behind the point, exponent.
pub(super) struct NumberParts {
    pub(super) negative: bool,
    pub(super) whole: String,
    pub(super) fraction: String,
    pub(super) exponent: i32,
}

/// The parts of a text that is a number, with commas among the digits, and with an exponent or a sign behind it if those may be.
pub(super) fn parts(text: &str, exponent: bool, sign_behind: bool) -> Option<NumberParts> {
    let mut rest = text.trim_matches(is_space);
    let mut sign = None;
    if let Some(after) = rest.strip_prefix(['-', '+']) {
        sign = Some(rest.starts_with('-'));
        rest = after;
    }
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
    let (whole, mut rest) = rest.split_at(end);
    if whole.starts_with(',') {
        return None;
    }
    let whole = whole.replace(',', "");
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        (fraction, rest) = after.split_at(end);
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut power = 0_i32;
    if exponent && let Some(after) = rest.strip_prefix(['e', 'E']) {
        let digits = after.strip_prefix(['-', '+']).unwrap_or(after);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        power = digits.parse().unwrap_or(99_999);
        if after.starts_with('-') {
            power = -power;
        }
        rest = "";
    }
    if sign_behind && sign.is_none() {
        let after = rest.trim_start_matches(is_space);
        if let Some(end) = after.strip_prefix(['-', '+']) {
            sign = Some(after.starts_with('-'));
            rest = end;
        }
    }
    rest.is_empty().then(|| NumberParts { negative: sign == Some(true), whole, fraction: fraction.to_owned(), exponent: power })
}

/// A `double`.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    if let Some(parts) = parts(text, true, false) {
        let sign = if parts.negative { "-" } else { "" };
        return format!("{sign}{}.{}e{}", or_zero(&parts.whole), or_zero(&parts.fraction), parts.exponent).parse().ok();
    }
    let word = text.trim().to_ascii_lowercase();
    match word.as_str() {
        "infinity" | "+infinity" => Some(f64::INFINITY),
        "-infinity" => Some(f64::NEG_INFINITY),
        "nan" | "+nan" | "-nan" => Some(f64::NAN),
        _ => None,
    }
}

fn or_zero(digits: &str) -> &str {
    if digits.is_empty() { "0" } else { digits }
}

/// The shortest text that is read as the same number.
pub(super) fn shortest(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let written = format!("{number:e}");
    let (digits, power) = written.split_once('e').expect("this format has an exponent");
    let power: i32 = power.parse().expect("a number");
    if (-4..17).contains(&power) {
        return format!("{number}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}E{sign}{:02}", power.abs())
}
