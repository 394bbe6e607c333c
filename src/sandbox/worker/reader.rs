//! Reads what a step says as the agent does (octopus-step-contract.md §2.2, the left column): service messages wherever they stand in a
//! line, the state kept from line to line, levels that stay, and text. Nobody outside knows the server's own reader; what it may hear
//! more than the agent (a second message of a line) no script should count on.

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
    state: Reading,
}

/// Between two characters.
enum Reading {
    Text,
    /// So much of the mark, fewer than all of its characters, stood before.
    Begun(usize),
    /// Inside of a message, of which this was read.
    Inside(String),
}

/// The longest line, and the longest message, in bytes: what is longer is cut, or no message.
const LONGEST: usize = 32 << 20;

/// How a message begins.
pub(super) const MARK: &str = "##octopus";

impl Reader {
    pub(super) fn new(usual: &'static str) -> Self {
        Self { level: Some(usual), usual, state: Reading::Text }
    }

    /// Whether lines have the level that they began with.
    pub(super) fn is_back(&self) -> bool {
        self.level == Some(self.usual)
    }

    /// Takes a line in. The text beside a message is a line of the log, a line with nothing but a message is none; behind the first
    /// message the agent looks for no other.
    pub(super) fn line(&mut self, line: &str, heard: &mut Vec<Heard>) {
        let mut shown = String::new();
        let mut shown_before_mark = 0;
        let was_inside = matches!(self.state, Reading::Inside(_));
        let mut rest = line.chars();
        let mut message = None;
        for c in rest.by_ref() {
            match &mut self.state {
                Reading::Text => {
                    if c == '#' {
                        self.state = Reading::Begun(1);
                        shown_before_mark = shown.len();
                    }
                    shown.push(c);
                }
                Reading::Begun(so_far) => {
                    // A mark does not begin anew inside of what was none: `###octopus` is text.
                    let fits = MARK[*so_far..].starts_with(c);
                    *so_far += 1;
                    shown.push(c);
                    if !fits {
                        self.state = Reading::Text;
                    } else if *so_far == MARK.len() {
                        shown.truncate(shown_before_mark);
                        self.state = Reading::Inside(String::new());
                    }
                }
                Reading::Inside(inside) if c == ']' => {
                    message = Some(std::mem::take(inside));
                    self.state = Reading::Text;
                    break;
                }
                Reading::Inside(inside) if inside.len() >= LONGEST => self.state = Reading::Text,
                Reading::Inside(inside) => inside.push(c),
            }
        }
        let Some(message) = message else {
            // What a message swallows is nowhere to be seen, but for the line on which it begins: that one has text before it.
            if !was_inside && (!shown.is_empty() || line.is_empty()) {
                self.text(&shown, heard);
            }
            return;
        };
        shown.push_str(rest.as_str());
        if let Some((name, attributes)) = parse(&message) {
            let (before, after) = shown.split_at(shown.len() - rest.as_str().len());
            let spoken = !shown.trim().is_empty();
            if spoken && !before.is_empty() {
                self.text(before, heard);
            }
            self.message(name, attributes, heard);
            if spoken && !after.is_empty() {
                self.text(after, heard);
            }
        } else {
            heard.push(Heard::Line("Warning", format!("Could not parse '{MARK}{message}]'")));
            if !shown.trim().is_empty() {
                self.text(&shown, heard);
            }
        }
    }

    fn text(&self, text: &str, heard: &mut Vec<Heard>) {
        heard.extend(self.level.map(|level| Heard::Line(level, text.to_owned())));
    }

    fn message(&mut self, name: String, attributes: Vec<(String, String)>, heard: &mut Vec<Heard>) {
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

/// What is heard in these lines of stdout, in order: messages as `{"name", "attributes"}`, those that change the level as `{"level"}`, null
/// for none. For tests that hold it against the agent's own reader.
pub(crate) fn heard(lines: &[String]) -> Value {
    let (mut reader, mut all, mut said) = (Reader::new("Info"), Vec::new(), Vec::new());
    for line in lines {
        reader.level = Some("as before");
        reader.line(line, &mut all);
        for one in all.drain(..) {
            if let Heard::Message(name, attributes) = one {
                let attributes: BTreeMap<_, _> = attributes.into_iter().collect();
                said.push(json!({"name": name, "attributes": attributes}));
            }
        }
        if reader.level != Some("as before") {
            said.push(json!({"level": reader.level}));
        }
    }
    Value::Array(said)
}

/// .NET takes the last character's left-over bits as they come.
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Name and attributes of a message, whose inside is an XML element with base64 in its attributes.
fn parse(text: &str) -> Option<(String, Vec<(String, String)>)> {
    let text = text.trim().trim_start_matches('[').replace(['\r', '\n'], "");
    let (name, mut rest) = text.split_at(text.find(is_space).unwrap_or(text.len()));
    if !is_name(name) || name.contains(':') {
        return None;
    }
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        let trimmed = rest.trim_start_matches(is_space);
        if trimmed.is_empty() {
            return Some((name.to_owned(), attributes));
        }
        // Attributes stand apart.
        if trimmed.len() == rest.len() {
            return None;
        }
        let (attribute, more) = trimmed.split_once('=')?;
        let attribute = attribute.trim_end_matches(is_space);
        let more = more.trim_start_matches(is_space);
        let quote = more.chars().next().filter(|c| *c == '\'' || *c == '"')?;
        let (value, more) = more[1..].split_once(quote)?;
        // A name with a colon belongs to a name space, and messages know none.
        if !is_name(attribute) || attribute.contains(':') || attributes.iter().any(|(known, _)| known.eq_ignore_ascii_case(attribute)) {
            return None;
        }
        attributes.push((attribute.to_lowercase(), decoded(&resolved(value)?)?));
        rest = more;
    }
}

/// What XML takes for white space.
fn is_space(c: char) -> bool {
    [' ', '\t', '\r', '\n'].contains(&c)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':')
        && text.chars().all(|c| c.is_alphanumeric() || "_-.:\u{b7}".contains(c))
}

/// The value of an attribute with its references resolved.
fn resolved(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(['&', '<']) {
        let (name, more) = rest[at..].strip_prefix('&')?.split_once(';')?;
        out.push_str(&rest[..at]);
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                    None => number.parse(),
                };
                char::from_u32(code.ok()?).filter(|c| *c >= ' ' || is_space(*c))?
            }
        });
        rest = more;
    }
    out.push_str(rest);
    Some(out)
}

/// Text from base64, in which white space counts for nothing; what is no UTF-8 in it becomes U+FFFD.
fn decoded(value: &str) -> Option<String> {
    let bare: String = value.chars().filter(|c| !is_space(*c)).collect();
    Some(String::from_utf8_lossy(&BASE64.decode(bare).ok()?).into_owned())
}

/// Cuts bytes into lines as the agent does: at a line feed, at a carriage return, at both together; the last one may lack its end.
#[derive(Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// A carriage return was the last one: a line feed now belongs to it.
    returned: bool,
}

impl Lines {
    /// The lines that these bytes complete.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            let belongs = std::mem::replace(&mut self.returned, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if belongs => {}
                b'\n' | b'\r' => lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()),
                _ => {
                    self.rest.push(*byte);
                    if self.rest.len() == LONGEST {
                        lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
                    }
                }
            }
        }
        lines
    }

    /// What was not ended.
    pub(super) fn end(self) -> Option<String> {
        (!self.rest.is_empty()).then(|| String::from_utf8_lossy(&self.rest).into_owned())
    }
}

#[cfg(test)]
mod tests;
