//! Text of others, made harmless where people and log readers see it: names, comments, answers of servers, scripts.
//!
//! A terminal obeys control characters, an eye is deceived by characters that turn the direction of what follows or cannot be seen, and the
//! agent of Octopus takes `##octopus` for a message. What is shown goes through here once, at the writer. Our own colours are marks
//! until then, with a number that nobody else knows: whatever else looks like a colour is somebody's text.

use std::{borrow::Cow, fmt::Write as _, sync::LazyLock};

/// How the agent of Octopus is spoken to.
pub const MESSAGE: &str = "##octopus";

/// What stands for a character that is not shown as it is; none for those that are.
fn instead(c: char) -> Option<char> {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)),
        '\u{7f}' => Some('\u{2421}'),
        // The second set of control characters.
        '\u{80}'..='\u{9f}'
        // Direction.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Ends of lines that some readers know.
        | '\u{2028}' | '\u{2029}'
        // What takes no place, or looks like none.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        // No characters at all.
        | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}' => Some('\u{fffd}'),
        _ => None,
    }
}

/// The sign that stands for a control character.
pub fn sign(c: char) -> char {
    instead(c).unwrap_or(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner does its work here: between letters of scripts that have joined forms, and in pictures made of several.
fn joins(before: Option<char>, after: Option<char>) -> bool {
    [before, after].iter().all(|c| c.is_some_and(|c| !c.is_ascii() && instead(c).is_none()))
}

fn replaced(text: &str, has_lines: bool) -> Cow<'_, str> {
    let stays =
        |c: char, after: Option<char>| has_lines && (matches!(c, '\n' | '\t') || c == '\r' && after.is_none_or(|after| after == '\n'));
    let harmful = |c: char| !stays(c, Some('x')) && (instead(c).is_some() || is_joiner(c));
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut before) = (String::with_capacity(text.len() + 16), None);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied();
        out.push(match c {
            c if stays(c, after) => c,
            c if is_joiner(c) && !joins(before, after) => '\u{fffd}',
            c => instead(c).unwrap_or(c),
        });
        before = Some(c);
    }
    Cow::Owned(out)
}

/// A text of one or several lines: line feeds and tabs stay, and a carriage return before a line feed or at the end.
pub fn text(text: &str) -> Cow<'_, str> {
    replaced(text, true)
}

/// A text that is one line by its nature, such as a name: what would end the line is shown as a sign.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, false)
}

/// JSON with the same value, in which nothing stands as it is that [`line()`] would not show, and no message.
pub fn json(json: &str) -> Cow<'_, str> {
    let harmful = |c: char| instead(c).is_some() || is_joiner(c);
    if !json.contains(harmful) && !json.contains(MESSAGE) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        // Blanks between the members.
        if !harmful(c) || matches!(c, '\n' | '\t' | '\r') {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out.replace(MESSAGE, "\\u0023#octopus"))
}

/// The message of an error below its first line, so that none of its lines reads like one of ours.
pub fn framed(message: &str) -> Cow<'_, str> {
    if !message.contains('\n') {
        return Cow::Borrowed(message);
    }
    let ours = |text: &str| ["help:", "error:", "warning:", "note:"].iter().any(|word| text.to_ascii_lowercase().starts_with(word));
    let lines = message.split('\n').enumerate().map(|(number, line)| {
        // Whatever else is not seen at the begin of a line may stand there.
        let at = line.find(|c: char| !c.is_whitespace() && instead(c).is_none()).unwrap_or(line.len());
        if number > 0 && ours(&line[at..]) { Cow::Owned(format!("{}| {}", &line[..at], &line[at..])) } else { Cow::Borrowed(line) }
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// Finds `##octopus` in what is written to one stream, line for line.
#[derive(Clone, Debug, Default)]
pub struct Messages(usize);

impl Messages {
    /// The next line, or several, without a message: `# #octopus`. A reader goes on with the next line where one ended in the middle of a
    /// beginning; so do we.
    pub fn none_in<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let bare = if text.contains(MESSAGE) { Cow::Owned(text.replace(MESSAGE, "# #octopus")) } else { Cow::Borrowed(text) };
        let mut breaks = Vec::new();
        for (at, c) in bare.char_indices().filter(|(_, c)| !matches!(c, '\n' | '\r')) {
            self.0 = match c {
                '#' => {
                    if self.0 == 1 || self.0 == 2 {
                        2
                    } else {
                        1
                    }
                }
                c if MESSAGE[self.0..].starts_with(c) => self.0 + 1,
                _ => 0,
            };
            if self.0 == MESSAGE.len() {
                breaks.push(at);
                self.0 = 0;
            }
        }
        if breaks.is_empty() {
            return bare;
        }
        let mut out = bare.into_owned();
        for at in breaks.into_iter().rev() {
            out.insert(at, ' ');
        }
        Cow::Owned(out)
    }
}

/// What a mark of ours begins with. The number is another one in each process.
static MARK: LazyLock<String> = LazyLock::new(|| format!("\u{fdd0}{}:", uuid::Uuid::new_v4().simple()));
const MARK_ENDS: char = '\u{fdd1}';

/// `text` in a colour: `code` is what stands between `ESC [` and `m`.
pub fn painted(code: &str, text: &str) -> String {
    let mark = &*MARK;
    format!("{mark}{code}{MARK_ENDS}{text}{mark}0{MARK_ENDS}")
}

/// The colours of a text that was made by a renderer of ours from [tamed](text()) parts, as marks.
pub fn adopted(rendered: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(rendered.len()), rendered);
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        out.push_str(before);
        let end = behind.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(behind.len());
        if let Some(after) = behind[end..].strip_prefix('m') {
            out.extend([MARK.as_str(), &behind[..end]]);
            out.push(MARK_ENDS);
            rest = after;
        } else {
            // No colour.
            out.push_str("\u{1b}[");
            rest = behind;
        }
    }
    out + rest
}

/// What is written: our colours, and everything else tamed by `tamed` ([`text()`], [`line()`]).
pub fn finished(marked: &str, tamed: impl for<'t> Fn(&'t str) -> Cow<'t, str>) -> String {
    let mut parts = marked.split(MARK.as_str());
    let mut out = tamed(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        match part.split_once(MARK_ENDS) {
            Some((code, rest)) => {
                let _ = write!(out, "\u{1b}[{code}m");
                out.push_str(&tamed(rest));
            }
            // Cut in the middle.
            None => out.push_str(&tamed(part)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_or_an_eye_does_not_see_becomes_a_sign() {
        for code in (0..=0x11_0000).filter_map(char::from_u32).filter(|c| instead(*c).is_some()) {
            let shown = line(&format!("a{code}b")).into_owned();
            assert!(shown.chars().count() == 3 && !shown.contains(code), "{code:?}");
        }
        for code in [
            '\u{1b}',
            '\u{7}',
            '\u{7f}',
            '\u{85}',
            '\u{9b}',
            '\u{9d}',
            '\u{202e}',
            '\u{2066}',
            '\u{200f}',
            '\u{61c}',
            '\u{2028}',
            '\u{200b}',
            '\u{e0041}',
            '\u{feff}',
        ] {
            assert!(instead(code).is_some(), "{code:?}");
        }
        assert_eq!(text("\u{1b}]0;title\u{7}\u{1b}[2J"), "␛]0;title␇␛[2J");
        assert_eq!(line("a\r\nb\tc"), "a␍␊b␉c");
        assert_eq!(text("a\r\nb\tc\rd\r"), "a\r\nb\tc␍d\r");
        assert!(matches!(text("plain\ttext\nÄ → 🐙"), Cow::Borrowed(_)));
    }

    #[test]
    fn joiners_do_their_work_and_do_not_deceive() {
        for whole in ["👩\u{200d}🚀", "می\u{200c}خواهم", "❤\u{fe0f}", "क्\u{200d}ष", "שלום", "Größe"] {
            assert_eq!(line(whole), whole);
        }
        assert_eq!(line("pay\u{200d}pal\u{200c}"), "pay\u{fffd}pal\u{fffd}");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = serde_json::json!({"a\u{202e}": "\u{1b}[31m \u{85}\u{2028}\u{e0041}\u{200d} ##octopus[x] 🐙", "n": 1});
        let (plain, safe) = (value.to_string(), json(&value.to_string()).into_owned());
        assert!(plain.contains('\u{202e}') && plain.contains(MESSAGE));
        assert!(safe.chars().all(|c| instead(c).is_none()) && !safe.contains(MESSAGE) && safe.contains('🐙'), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).expect("JSON"), value);
    }

    #[test]
    fn nothing_is_a_message_on_whatever_lines_it_lies() {
        let mut reader = Messages::default();
        let mut all = String::new();
        for line in
            ["##octopus[a]", "x ##octopus[b]", "#", "#octopus[c]", "##o", "ctopu", "s[d]", "###octopus", "##", "##octopus[e]", "C#", "fine"]
        {
            all.push_str(&reader.none_in(line));
        }
        assert!(!all.contains(MESSAGE), "{all}");
        let mut kept = Messages::default();
        for line in ["C#", "F##", "# title", "#octo", "##octopi", ""] {
            assert!(matches!(kept.none_in(line), Cow::Borrowed(same) if same == line), "{line}");
        }
    }

    #[test]
    fn our_colours_stay_and_nobody_elses() {
        let foreign = "\u{1b}[31mred\u{fdd0}0123:1m\u{fdd1}\u{1b}[0m";
        let shown = finished(&format!("{} {foreign}", painted("1", foreign)), text);
        let signs = "␛[31mred\u{fffd}0123:1m\u{fffd}␛[0m";
        assert_eq!(shown, format!("\u{1b}[1m{signs}\u{1b}[0m {signs}"));
        let rendered = adopted("\u{1b}[1;31merror\u{1b}[0m: \u{1b}]0;x\u{7}\u{1b}[2J\u{1b}[");
        assert_eq!(finished(&rendered, text), "\u{1b}[1;31merror\u{1b}[0m: ␛]0;x␇␛[2J␛[");
        let cut: String = painted("1", "x").chars().take(9).collect();
        assert!(!finished(&cut, text).contains('\u{1b}'));
    }

    #[test]
    fn no_line_of_a_message_reads_like_ours() {
        assert_eq!(
            framed("one\n  help: two\nerror: three\n\u{200b}Help: four\nmore"),
            "one\n  | help: two\n| error: three\n\u{200b}| Help: four\nmore"
        );
    }
}
