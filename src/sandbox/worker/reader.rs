//! Reads what a step says as the server does: service messages at the begin of a line, levels that stay, and text
//! (octopus-step-contract.md §2.2, the right column).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A line of the log, with its category.
    Line(&'static str, String),
    /// A message with its attributes, in lower case.
    Message(String, Vec<(String, String)>),
}

/// The reader of one stream.
pub(super) struct Reader {
    /// The category of ordinary lines; none while they are ignored.
    level: Option<&'static str>,
    usual: &'static str,
    /// Inside of a message that was begun on an earlier line.
    open: bool,
}

const MARK: &str = "##octopus";

impl Reader {
    pub(super) fn new(usual: &'static str) -> Self {
        Self { level: Some(usual), usual, open: false }
    }

    /// Whether lines have the level that they began with.
    pub(super) fn is_back(&self) -> bool {
        self.level == Some(self.usual)
    }

    /// Takes a line in.
    pub(super) fn line(&mut self, line: &str, heard: &mut Vec<Heard>) {
        let mut rest = line.trim_end_matches('\r');
        if self.open {
            let Some(end) = rest.find(']') else { return };
            self.open = false;
            rest = &rest[end + 1..];
            if rest.is_empty() {
                return;
            }
        }
        while let Some(inside) = rest.strip_prefix(MARK) {
            let Some(end) = inside.find(']') else {
                self.text(rest, heard);
                self.open = true;
                return;
            };
            let text = &inside[..end];
            self.message(text.strip_prefix(['[', ' ']).unwrap_or(text), heard);
            rest = &inside[end + 1..];
            if rest.is_empty() {
                return;
            }
        }
        self.text(rest, heard);
    }

    fn text(&self, text: &str, heard: &mut Vec<Heard>) {
        heard.extend(self.level.map(|level| Heard::Line(level, text.to_owned())));
    }

    fn message(&mut self, text: &str, heard: &mut Vec<Heard>) {
        let Some((name, attributes)) = parse(text) else {
            heard.push(Heard::Line("Warning", format!("Could not parse '{MARK}[{text}]'")));
            return;
        };
        let level = match name.as_str() {
            "stdout-default" | "stderr-error" => self.usual,
            "stdout-verbose" | "stderr-progress" => "Verbose",
            "stdout-warning" => "Warning",
            "stdout-error" => "Error",
            "stdout-highlight" => "Highlight",
            "stdout-wait" => "Wait",
            "stderr-default" | "stderr-output" => "Info",
            "stdout-ignore" | "stderr-ignore" => {
                self.level = None;
                return;
            }
            _ => {
                heard.push(Heard::Message(name, attributes));
                return;
            }
        };
        self.level = Some(level);
    }
}

/// Name and attributes of a message, whose inside is an XML element with base64 in its attributes.
fn parse(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    if !is_name(name) {
        return None;
    }
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        let trimmed = rest.trim_start();
        if trimmed.is_empty() {
            return Some((name.to_owned(), attributes));
        }
        // Attributes stand apart.
        if trimmed.len() == rest.len() {
            return None;
        }
        let (attribute, more) = trimmed.split_once('=')?;
        let attribute = attribute.trim_end().to_lowercase();
        let more = more.trim_start();
        let quote = more.chars().next().filter(|c| *c == '\'' || *c == '"')?;
        let (value, more) = more[1..].split_once(quote)?;
        if !is_name(&attribute) || attributes.iter().any(|(known, _)| *known == attribute) {
            return None;
        }
        let value = String::from_utf8(BASE64.decode(value).ok()?).ok()?;
        attributes.push((attribute, value));
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(lines: &[&str]) -> Vec<Heard> {
        let mut reader = Reader::new("Info");
        let mut all = Vec::new();
        for line in lines {
            reader.line(line, &mut all);
        }
        all
    }

    fn line(level: &'static str, text: &str) -> Heard {
        Heard::Line(level, text.to_owned())
    }

    fn message(name: &str) -> Heard {
        Heard::Message(name.to_owned(), Vec::new())
    }

    #[test]
    fn messages_stand_at_the_begin_of_a_line() {
        let set = Heard::Message("setVariable".into(), vec![("name".into(), "A".into()), ("value".into(), String::new())]);
        assert_eq!(heard(&["##octopus[setVariable name='QQ==' value='']"]), [set]);
        assert_eq!(heard(&[" ##octopus[x]", "a ##octopus[x]"]), [line("Info", " ##octopus[x]"), line("Info", "a ##octopus[x]")]);
        assert_eq!(heard(&["##octopus[x] after"]), [message("x"), line("Info", " after")]);
        assert_eq!(heard(&["##octopus[x]##octopus[y]"]), [message("x"), message("y")]);
        for other in ["###octopus[x]", "# #octopus[x]", "##Octopus[x]"] {
            assert_eq!(heard(&[other]), [line("Info", other)]);
        }
        assert_eq!(heard(&["a#", "##octopus[x]"]), [line("Info", "a#"), message("x")]);
        assert_eq!(heard(&["##octopusfoo]", "##octopus stdout-verbose]", "v"]), [message("foo"), line("Verbose", "v")]);
    }

    #[test]
    fn what_cannot_be_parsed_is_a_warning() {
        for bad in ["[x a='%']", "[x a='QQ==' a='QQ==']", "[x a=QQ==]", "[ x]", "[x/]", "[x a='QQ=='b='QQ==']"] {
            let all = heard(&[&format!("##octopus{bad}")]);
            assert!(matches!(&all[..], [Heard::Line("Warning", text)] if text.starts_with("Could not parse")), "{bad}: {all:?}");
        }
    }

    #[test]
    fn what_is_not_ended_eats_what_follows() {
        assert_eq!(
            heard(&["##octopus[abc", "lost", "lost] seen", "plain"]),
            [line("Info", "##octopus[abc"), line("Info", " seen"), line("Info", "plain")]
        );
    }

    #[test]
    fn levels_stay() {
        let lines = ["##octopus[stdout-highlight]", "h", "##octopus[stdout-ignore]", "gone", "##octopus[stdout-default]", "i"];
        assert_eq!(heard(&lines), [line("Highlight", "h"), line("Info", "i")]);
    }
}
