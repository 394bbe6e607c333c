//! Filters that cut, trim, indent and encode. Lengths are those of UTF-16, as .NET counts.

use super::{case::lower, done::Done, number::parse_int};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};

const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The bytes of base64 as .NET reads it: with space between, and none when it is not.
pub(super) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.replace([' ', '\t', '\r', '\n'], "")).ok()
}

pub(super) fn utf16_bytes(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

enum Encoding {
    Utf8,
    Utf16,
}

fn encoding(options: &[String]) -> Option<Encoding> {
    match options.first().map_or_else(|| "utf8".to_owned(), |option| lower(option)).as_str() {
        "utf8" | "utf-8" => Some(Encoding::Utf8),
        "unicode" => Some(Encoding::Utf16),
        _ => None,
    }
}

pub(super) fn to_base64(argument: &str, options: &[String]) -> Option<String> {
    if options.len() > 1 {
        return None;
    }
    Some(match encoding(options)? {
        Encoding::Utf8 => BASE64.encode(argument),
        Encoding::Utf16 => BASE64.encode(utf16_bytes(argument)),
    })
}

pub(super) fn from_base64(argument: &str, options: &[String]) -> Done {
    if options.len() > 1 {
        return Ok(None);
    }
    let Some(bytes) = base64_bytes(argument) else {
        return Err(
            "FormatException: The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding \
                    characters, or an illegal character among the padding characters."
                .to_owned(),
        );
    };
    Ok(encoding(options).map(|encoding| match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(&bytes).into_owned(),
        Encoding::Utf16 => {
            let (units, rest) = bytes.as_chunks::<2>();
            let mut text = String::from_utf16_lossy(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>());
            if !rest.is_empty() {
                text.push('\u{fffd}');
            }
            text
        }
    }))
}

pub(super) fn substring(argument: &str, options: &[String]) -> Done {
    let numbers: Option<Vec<i32>> = options.iter().map(|option| parse_int(option).filter(|number| *number >= 0)).collect();
    let (begin, length) = match numbers.as_deref() {
        Some([length]) => (0, *length),
        Some([begin, length]) => (*begin, *length),
        _ => return Ok(None),
    };
    let units: Vec<u16> = argument.encode_utf16().collect();
    let (begin, most) = (begin as usize, units.len());
    if begin > most {
        return Ok(None);
    }
    let end = begin + length as usize;
    if end > i32::MAX as usize {
        return Err(
            "ArgumentOutOfRangeException: Index and length must refer to a location within the string. (Parameter 'length')".to_owned()
        );
    }
    Ok(Some(String::from_utf16_lossy(&units[begin..end.min(most)])))
}

pub(super) fn truncate(argument: &str, length: &str, suffix: Option<&String>) -> Option<String> {
    let length = usize::try_from(parse_int(length)?).ok()?;
    let units: Vec<u16> = argument.encode_utf16().collect();
    Some(match units.get(..length) {
        Some(kept) if length < units.len() => format!("{}{}", String::from_utf16_lossy(kept), suffix.map_or("...", String::as_str)),
        _ => argument.to_owned(),
    })
}

pub(super) fn trim(argument: &str, options: &[String]) -> Option<String> {
    let text = match options.first().map(|option| lower(option)).as_deref() {
        None => argument.trim(),
        Some("start") => argument.trim_start(),
        Some("end") => argument.trim_end(),
        Some(_) => return None,
    };
    Some(text.to_owned())
}

pub(super) fn indent(argument: &str, options: &[String]) -> Option<String> {
    if argument.is_empty() {
        return Some(String::new());
    }
    let (first, others) = match options {
        [] => (" ".repeat(4), " ".repeat(4)),
        [one] => indents(one).unwrap_or_else(|| (one.clone(), one.clone())),
        [first, others] => (first.clone(), others.clone()),
        _ => return None,
    };
    Some(format!("{first}{}", argument.replace('\n', &format!("\n{others}"))))
}

/// `4`, `2/4`, `/4`: blanks before the first line and the others.
fn indents(option: &str) -> Option<(String, String)> {
    let option = option.strip_suffix('\n').unwrap_or(option);
    let blanks = |digits: &str| {
        let right = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        right.then(|| digits.parse::<u8>().ok()).flatten().map(|count| " ".repeat(count.into()))
    };
    match option.split_once('/') {
        None => blanks(option).map(|both| (both.clone(), both)),
        Some(("", others)) => Some((String::new(), blanks(others)?)),
        Some((first, others)) => Some((blanks(first)?, blanks(others)?)),
    }
}
