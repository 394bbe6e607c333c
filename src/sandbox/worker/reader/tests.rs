//! The reader of what a step says, case by case; beside the agent's own it is tried in the tests of the whole program.

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
fn messages_stand_anywhere_in_a_line_and_the_first_is_heard() {
    let set = Heard::Message("setVariable".into(), vec![("name".into(), "A".into()), ("value".into(), String::new())]);
    assert_eq!(heard(&["##octopus[setVariable name='QQ==' value='']"]), [set]);
    assert_eq!(heard(&["a ##octopus[x] b"]), [line("Info", "a "), message("x"), line("Info", " b")]);
    assert_eq!(heard(&[" ##octopus[x]"]), [message("x")]);
    assert_eq!(heard(&["##octopus[x]##octopus[y]"]), [message("x"), line("Info", "##octopus[y]")]);
    for other in ["###octopus[x]", "# #octopus[x]", "##Octopus[x]", ""] {
        assert_eq!(heard(&[other]), [line("Info", other)]);
    }
    assert_eq!(heard(&["##octopusfoo]", "##octopus stdout-verbose]", "v"]), [message("foo"), line("Verbose", "v")]);
}

#[test]
fn the_begin_of_the_mark_at_the_end_of_a_line_swallows_the_next_message() {
    for n in 1..MARK.len() {
        let before = format!("a{}", &MARK[..n]);
        assert_eq!(heard(&[&before, "##octopus[x]", "##octopus[y]"]), [line("Info", &before), line("Info", "##octopus[x]"), message("y")]);
    }
    let begun = heard(&["a##octopus", "[x] b"]);
    assert_eq!(begun, [line("Info", "a"), message("x"), line("Info", " b")], "the mark itself may end a line");
}

#[test]
fn what_cannot_be_parsed_is_a_warning() {
    for bad in ["[x a='%']", "[x a='QQ==' A='QQ==']", "[x a=QQ==]", "[ x]", "[x/]", "[x a='QQ=='b='QQ==']", "[a:x]", "[x a:b='']"] {
        let all = heard(&[&format!("##octopus{bad}")]);
        assert!(matches!(&all[..], [Heard::Line("Warning", text)] if text.starts_with("Could not parse")), "{bad}: {all:?}");
    }
}

#[test]
fn what_is_not_ended_eats_what_follows() {
    assert_eq!(heard(&["t##octopus[abc", "lost", "lost]", "plain"]), [line("Info", "t"), message("abclostlost"), line("Info", "plain")]);
}

#[test]
fn levels_stay() {
    let lines = ["##octopus[stdout-highlight]", "h", "##octopus[stdout-ignore]", "gone", "##octopus[stdout-default]", "i"];
    assert_eq!(heard(&lines), [line("Highlight", "h"), line("Info", "i")]);
}

#[test]
fn lines_end_at_carriage_returns_too() {
    let mut lines = Lines::default();
    let mut all = Vec::new();
    for part in [b"a\rb\r".as_slice(), b"\nc\n\nd\r\n", b"\r", b"e"] {
        all.extend(lines.take(part));
    }
    assert_eq!(all, ["a", "b", "c", "", "d", ""]);
    assert_eq!(lines.end().as_deref(), Some("e"));
}
