//! In which characters a reader takes the task log. On Windows, Calamari decodes what a script writes by the console's OEM code page: of a
//! character in UTF-8 it makes several others, and in code pages of two bytes the last byte of one takes the end of the line with it,
//! and with that the service message behind it.

use encoding_rs::Encoding;
use std::fmt::Write as _;

/// The characters of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// All of them.
    Utf8,
    /// Those of a code page of Windows, by its number. Of one that is not known here, only ASCII is relied on.
    CodePage(u32),
}

/// The number under which Windows has UTF-8.
const UTF8: u32 = 65001;

impl Charset {
    /// That of a code page; UTF-8 where there is none.
    pub fn of(code_page: Option<u32>) -> Self {
        match code_page {
            None | Some(UTF8) => Self::Utf8,
            Some(number) => Self::CodePage(number),
        }
    }

    /// `text` with what readers do not know written in what they do: `→` as `->`, and what has no likeness as its number, `\u{1f419}`.
    /// Nothing becomes `?`.
    pub fn fold(self, text: &str) -> String {
        if text.is_ascii() || self == Self::Utf8 {
            return text.to_owned();
        }
        let mut folded = String::with_capacity(text.len());
        for c in text.chars() {
            if self.bytes(c).is_some() {
                folded.push(c);
            } else if let Some(like) = likeness(c) {
                folded.push_str(like);
            } else {
                let _ = write!(folded, "\\u{{{:x}}}", u32::from(c));
            }
        }
        folded
    }

    /// The bytes that such readers take for `text`. What was not [folded](Charset::fold) is left out.
    pub fn encode(self, text: &str) -> Vec<u8> {
        if text.is_ascii() || self == Self::Utf8 {
            return text.as_bytes().to_vec();
        }
        text.chars().filter_map(|c| self.bytes(c)).flatten().collect()
    }

    /// The bytes of one character; none when the reader has none that are surely this character to him.
    fn bytes(self, c: char) -> Option<Vec<u8>> {
        if c.is_ascii() {
            return u8::try_from(c).ok().map(|byte| vec![byte]);
        }
        let Self::CodePage(number) = self else { return Some(c.to_string().into_bytes()) };
        if let Some(table) = u16::try_from(number).ok().and_then(|number| oem_cp::code_table::ENCODING_TABLE_CP_MAP.get(&number)) {
            return table.get(&c).map(|byte| vec![*byte]);
        }
        let encoding = by_number(number)?;
        let text = c.to_string();
        let (bytes, _, was_replaced) = encoding.encode(&text);
        // Some are written as another one that looks like it: `¥` as a backslash.
        let back = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
        (!was_replaced && back.as_deref() == Some(text.as_str())).then(|| bytes.into_owned())
    }
}

/// The code pages that Windows uses in consoles beside those of one byte, and the ones of windows.
fn by_number(number: u32) -> Option<&'static Encoding> {
    Some(match number {
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1252 => encoding_rs::WINDOWS_1252,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        _ => return None,
    })
}

/// What is near enough to a sign of our messages or of ordinary writing.
fn likeness(c: char) -> Option<&'static str> {
    Some(match c {
        '→' => "->",
        '←' => "<-",
        '↔' => "<->",
        '⇒' => "=>",
        '…' => "...",
        '–' | '—' | '‐' | '‑' | '−' | '─' => "-",
        '‘' | '’' | '‚' => "'",
        '“' | '”' | '„' => "\"",
        '«' => "<<",
        '»' => ">>",
        '•' | '·' => "*",
        '×' => "x",
        '≥' => ">=",
        '≤' => "<=",
        '≠' => "!=",
        '\u{a0}' | '\u{2009}' | '\u{202f}' => " ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Console code pages, and one of windows.
    const ALL: [u32; 9] = [437, 850, 852, 932, 936, 949, 950, 1252, UTF8];

    fn decoded(number: u32, bytes: &[u8]) -> String {
        if number == UTF8 {
            return String::from_utf8(bytes.to_vec()).expect("UTF-8");
        }
        if let Some(table) = u16::try_from(number).ok().and_then(|number| oem_cp::code_table::DECODING_TABLE_CP_MAP.get(&number)) {
            return table.decode_string_checked(bytes).expect("each byte is a character");
        }
        let text = by_number(number).expect("known").decode_without_bom_handling_and_without_replacement(bytes);
        text.expect("whole characters").into_owned()
    }

    #[test]
    fn texts_arrive_as_they_are_or_in_likenesses() {
        for (number, text, shown) in [
            (437, "A 2.0.0 → Test", "A 2.0.0 -> Test"),
            (850, "größer – “ja”", "größer - \"ja\""),
            (852, "Příliš žluťoučký", "Příliš žluťoučký"),
            (437, "Příliš", "P\\u{159}íli\\u{161}"),
            (932, "日本語 → ü 🐙", "日本語 → \\u{fc} \\u{1f419}"),
            (936, "部署 → ü", "部署 → ü"),
            (949, "배포 ü", "배포 \\u{fc}"),
            (950, "部署 ü…", "部署 \\u{fc}…"),
            (1252, "größer – “ja” →", "größer – “ja” ->"),
            (932, "¥100", "\\u{a5}100"),
            (UTF8, "→ ü 🐙", "→ ü 🐙"),
            // Of a code page that is not known, ASCII only.
            (37, "→ ü", "-> \\u{fc}"),
        ] {
            assert_eq!(Charset::of(Some(number)).fold(text), shown, "{number}");
        }
        assert_eq!(Charset::of(None), Charset::Utf8);
    }

    /// Whatever is written: each reader gets the folded text back, and the end of each line.
    #[test]
    fn every_character_is_read_back_in_every_code_page() {
        let all: String = ('\u{20}'..='\u{2fff}')
            .chain('\u{3000}'..='\u{9fff}')
            .chain('\u{ac00}'..='\u{d7a3}')
            .chain('\u{ff00}'..='\u{ffef}')
            .chain('\u{1f400}'..='\u{1f4ff}')
            .collect();
        for number in ALL {
            let charset = Charset::of(Some(number));
            let folded = charset.fold(&all);
            assert_eq!(decoded(number, &charset.encode(&folded)), folded, "{number}");
            for c in all.chars() {
                let line = format!("{}\n##octopus[x]\n", charset.fold(&c.to_string()));
                let read = decoded(number, &charset.encode(&line));
                assert!(read == line && (c == '?' || !read.contains('?')), "{number}: {c:?} is read as {read:?}");
            }
        }
    }
}
