//! Where the cursor is: what could stand there.

use crate::engine::{
    docs::Entry,
    options::{OptionDoc, Takes},
    scene::Scene,
    text::{
        Reading,
        kinds::Kinds,
        scan::{self, Kind, Piece, ends_value},
    },
};
use crate::host::nouns::{self, Noun};

/// What could stand at the cursor; `start` of [`Cursor`] is where it begins.
#[derive(Debug)]
pub(super) enum Expected<'a> {
    /// A command: `:he`.
    Command,
    /// What a command takes: its name.
    OfCommand(&'a str),
    /// A property or function of a value; its type, where known, and its name, where it is a variable.
    Member { kind: Option<String>, variable: Option<&'a str> },
    /// A function of an imported module.
    InModule(&'a str),
    /// A key of an options map: those there are, and those given already.
    Key { options: Vec<&'static OptionDoc>, given: Vec<&'a str> },
    /// A name that the server knows, inside of quotes.
    Name(Noun),
    /// One of these texts, inside of quotes.
    Choice(&'static [&'static str]),
    /// A file to import, inside of quotes.
    Import,
    /// A function or a variable.
    Value,
    /// Nothing that is known.
    Nothing,
}

/// The cursor's place in an input.
pub(super) struct Cursor<'a> {
    /// Where the word at the cursor begins, in bytes.
    pub(super) start: usize,
    /// What could stand there.
    pub(super) expected: Expected<'a>,
}

/// An open bracket.
struct OpenBracket<'a> {
    /// The piece that opens it.
    at: usize,
    sign: &'a str,
    /// Commas so far.
    argument: usize,
    /// In a map: its keys so far, and whether the last one has its colon.
    keys: Vec<&'a str>,
    in_value: bool,
}

/// What an argument or an option is.
struct ArgumentSlot {
    takes: &'static Takes,
    /// The open bracket of the call.
    call: usize,
}

/// Where the cursor is behind `text`.
pub(super) fn at<'a>(text: &'a str, scene: &'a Scene) -> Cursor<'a> {
    if text.trim_start().starts_with(':') {
        let word = text.rfind(' ').map_or(0, |blank| blank + 1);
        let command = text.split_whitespace().next().unwrap_or_default();
        let expected = if text.trim_start().contains(' ') { Expected::OfCommand(command) } else { Expected::Command };
        return Cursor { start: if matches!(expected, Expected::Command) { text.len() - text.trim_start().len() } else { word }, expected };
    }
    if scan::pieces(text).last().is_some_and(|last| last.kind == Kind::Comment && (!last.closed || last.range.end == text.len())) {
        return Cursor { start: text.len(), expected: Expected::Nothing };
    }
    let reading = Reading::new(text);
    let pieces = &reading.pieces;
    let Some(last) = pieces.last() else { return Cursor { start: text.len(), expected: Expected::Value } };
    let frames = frames(&reading);
    if last.kind == Kind::Text && !last.closed {
        return Cursor { start: last.range.start + 1, expected: inside_quotes(&reading, &frames, scene) };
    }
    let touches = last.kind == Kind::Word && last.range.end == text.len();
    let start = if touches { last.range.start } else { text.len() };
    // What stands before the word.
    let before = if touches { pieces.len().checked_sub(2) } else { Some(pieces.len() - 1) };
    let expected = match before.map(|at| (at, pieces[at].of(text))) {
        Some((at, ".")) if at > 0 => {
            let variable = Some(&pieces[at - 1]).filter(|p| p.kind == Kind::Word && (at < 2 || pieces[at - 2].of(text) != "."));
            Expected::Member { kind: Kinds::new(&reading, scene).ending(at - 1), variable: variable.map(|p| p.of(text)) }
        }
        Some((at, "::")) if at > 0 => Expected::InModule(pieces[at - 1].of(text)),
        Some((_, "let" | "const" | "fn" | "for" | "|")) => Expected::Nothing,
        Some((at, _)) if !touches && ends_value(text, &pieces[at]) && !follows_a_statement(text, &pieces[at]) => Expected::Nothing,
        _ => match frames.last().filter(|frame| frame.sign == "#{" && !frame.in_value) {
            Some(frame) => {
                // Of a map in a map nothing is known.
                let of_call = frames.len() >= 2 && frames[frames.len() - 2].sign == "(";
                let entries = if of_call { slot_entries(&reading, &frames, scene) } else { Vec::new() };
                let options = entries.iter().flat_map(|entry| entry.options).collect();
                let given = if touches { &frame.keys[..frame.keys.len().saturating_sub(1)] } else { &frame.keys[..] };
                Expected::Key { options, given: given.to_vec() }
            }
            None => Expected::Value,
        },
    };
    Cursor { start, expected }
}

/// The signature to show behind an open call, with the argument that is next.
pub(super) fn signature_at(text: &str, scene: &Scene) -> Option<String> {
    let reading = Reading::new(text);
    let frames = frames(&reading);
    let frame = frames.last().filter(|frame| frame.sign == "(")?;
    let last = reading.pieces.last()?;
    if !matches!(last.of(text), "(" | ",") {
        return None;
    }
    let (name, receiver) = callee(&reading, frame.at, scene)?;
    if let Some((_, params)) = scene.functions.iter().find(|(known, _)| known == name) {
        return Some(params.get(frame.argument..)?.join(", "));
    }
    let entry = *scene.called(name, receiver.as_deref()).first()?;
    let before = before_dot(&reading, frame.at, entry, receiver.as_deref());
    let parameters = entry.signature.split_once('(')?.1.rsplit_once(')')?.0;
    let rest: Vec<&str> = parameters.split(", ").skip(frame.argument + before).collect();
    Some(format!("{}) -> {}", rest.join(", "), entry.returns()))
}

/// The brackets that are open at the end.
fn frames<'a>(reading: &Reading<'a>) -> Vec<OpenBracket<'a>> {
    let text = reading.text;
    let mut open: Vec<OpenBracket> = Vec::new();
    for (at, piece) in reading.pieces.iter().enumerate() {
        let sign = piece.of(text);
        match (piece.kind, sign) {
            (Kind::Sign, "(" | "[" | "{" | "#{") => {
                open.push(OpenBracket { at, sign, argument: 0, keys: Vec::new(), in_value: false });
            }
            (Kind::Sign, ")" | "]" | "}") => {
                open.pop();
            }
            // Code in a text is a bracket too: `${ ... }`.
            (Kind::Text, _) => {
                if sign.starts_with('}') {
                    open.pop();
                }
                if sign.ends_with("${") && piece.closed {
                    open.push(OpenBracket { at, sign: "${", argument: 0, keys: Vec::new(), in_value: false });
                }
            }
            (Kind::Sign, ",") => {
                if let Some(frame) = open.last_mut() {
                    frame.argument += 1;
                    frame.in_value = false;
                }
            }
            (Kind::Sign, ":") => {
                if let Some(frame) = open.last_mut().filter(|frame| frame.sign == "#{") {
                    frame.in_value = true;
                }
            }
            _ => {}
        }
        if let Some(frame) = open.last_mut()
            && frame.sign == "#{"
            && !frame.in_value
            && piece.kind == Kind::Word
        {
            frame.keys.push(sign);
        }
    }
    open
}

/// The name of the function whose call opens with piece `open`, and the type before its dot.
fn callee<'a>(reading: &Reading<'a>, open: usize, scene: &Scene) -> Option<(&'a str, Option<String>)> {
    let pieces = &reading.pieces;
    let name = open.checked_sub(1).filter(|at| pieces[*at].kind == Kind::Word && pieces[*at].range.end == pieces[open].range.start)?;
    let receiver = if is_method(reading, open) { Kinds::new(reading, scene).ending(name.checked_sub(2)?) } else { None };
    Some((reading.word(name), receiver))
}

fn is_method(reading: &Reading<'_>, open: usize) -> bool {
    open >= 3 && reading.is_sign(open - 2, ".")
}

/// The entries of the call whose options map or arguments the cursor is in.
fn slot_entries<'a>(reading: &Reading<'_>, frames: &[OpenBracket<'_>], scene: &'a Scene) -> Vec<&'a Entry> {
    let Some(call) = frames.iter().rev().find(|frame| frame.sign == "(") else { return Vec::new() };
    let Some((name, receiver)) = callee(reading, call.at, scene) else { return Vec::new() };
    scene.called(name, receiver.as_deref())
}

/// What is expected in the text that is open at the end.
fn inside_quotes<'a>(reading: &Reading<'a>, frames: &[OpenBracket<'a>], scene: &'a Scene) -> Expected<'a> {
    let before = reading.pieces.len().checked_sub(2).map(|at| reading.word(at));
    if before == Some("import") {
        return Expected::Import;
    }
    let Some(slot) = slot(reading, frames, scene) else { return Expected::Nothing };
    if let Some(wanted) = wanted(reading, &slot, scene) {
        return Expected::Name(wanted);
    }
    if slot.takes.words.is_empty() { Expected::Nothing } else { Expected::Choice(slot.takes.words) }
}

fn slot(reading: &Reading<'_>, frames: &[OpenBracket<'_>], scene: &Scene) -> Option<ArgumentSlot> {
    // A list of names is where one name is.
    let frames = match frames.split_last() {
        Some((last, rest)) if last.sign == "[" => rest,
        _ => frames,
    };
    let (last, rest) = frames.split_last()?;
    let call = if last.sign == "#{" { rest.last().filter(|frame| frame.sign == "(")? } else { last };
    let entry = *slot_entries(reading, frames, scene).first()?;
    if call.sign != "(" {
        return None;
    }
    if last.sign == "#{" {
        let key = last.keys.last().filter(|_| last.in_value)?;
        let option = entry.options.iter().find(|option| option.name == *key)?;
        return Some(ArgumentSlot { takes: &option.takes, call: call.at });
    }
    let (_, receiver) = callee(reading, call.at, scene)?;
    let param = entry.params.get(call.argument + before_dot(reading, call.at, entry, receiver.as_deref()))?;
    Some(ArgumentSlot { takes: &param.takes, call: call.at })
}

/// How many parameters of an entry the value before the dot is, of the call that opens with piece `open`.
fn before_dot(reading: &Reading<'_>, open: usize, entry: &Entry, receiver: Option<&str>) -> usize {
    if is_method(reading, open) { entry.params_before_dot(receiver) } else { 0 }
}

/// The names that fit.
fn wanted(reading: &Reading<'_>, slot: &ArgumentSlot, scene: &Scene) -> Option<Noun> {
    nouns::of(slot.takes, about(reading, slot, scene).as_deref())
}

/// The project that a call is about: its first argument, a text or a variable.
fn about(reading: &Reading<'_>, slot: &ArgumentSlot, scene: &Scene) -> Option<String> {
    let first = reading.pieces.get(slot.call + 1)?;
    let word = reading.word(slot.call + 1);
    if first.kind == Kind::Text {
        return Some(word.trim_matches(['"', '`']).to_owned());
    }
    scene.variables.iter().find(|variable| variable.name == word)?.project.clone()
}

/// Whether a statement can begin behind this piece.
fn follows_a_statement(text: &str, piece: &Piece) -> bool {
    let keywords = ["if", "else", "while", "return", "throw", "in", "switch", "loop", "try", "do"];
    piece.of(text) == "}" || keywords.contains(&piece.of(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    /// The same rule as where completion stands: a space has every function as its own, of other values the first argument is taken.
    #[test]
    fn the_hint_begins_with_the_argument_that_is_next() {
        let scene = Scene { entries: host::reference(), ..Scene::default() };
        let hint = |text: &str| signature_at(text, &scene).expect("a hint");
        let plain = hint("deploy(");
        assert!(plain.starts_with("project, version, env"), "{plain}");
        assert_eq!(hint("space(\"Payments\").deploy("), plain);
        assert!(hint("deploy(\"Web\", ").starts_with("version, env"));
        assert!(hint("deploy(\"Web\", \"1.0.0\", \"Test\").wait(").starts_with("#{...}"));
    }
}
