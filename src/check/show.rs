//! Findings as text, JSON and SARIF.

use super::{Finding, RULES, Severity};
use crate::{engine::text::line_and_column, tame};
use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};
use serde_json::{Value, json};

/// For people: the message with its rule, the place with a caret, and what helps.
pub fn text(finding: &Finding, text: &str, colour: bool) -> String {
    let level = match finding.rule.level {
        Severity::Error => Title::ERROR,
        Severity::Warning => Title::WARNING,
        Severity::Note => Title::NOTE,
    };
    let range = finding.range.start.min(text.len())..finding.range.end.min(text.len());
    let file = tame::line(&finding.file);
    let snippet = Snippet::source(text).path(file.as_ref()).annotation(AnnotationKind::Primary.span(range));
    let message = tame::framed(&finding.message);
    let mut group = Group::with_title(level.primary_title(tame::text(&message).into_owned()).id(finding.rule.name)).element(snippet);
    for help in &finding.help {
        group = group.element(Title::HELP.message(tame::text(&tame::framed(help)).into_owned()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group])
}

/// For machines: one object.
pub fn json(finding: &Finding, text: &str) -> Value {
    let ((line, column), (end_line, end_column)) = (line_and_column(text, finding.range.start), line_and_column(text, finding.range.end));
    json!({
        "file": finding.file, "line": line, "column": column, "end_line": end_line, "end_column": end_column,
        "level": finding.rule.level.name(), "rule": finding.rule.name, "message": finding.message, "help": finding.help,
    })
}

/// All findings as one SARIF 2.1.0 log; `text_of` gives a file's text.
pub fn sarif<'a>(findings: &[Finding], text_of: impl Fn(&str) -> &'a str) -> Value {
    let rules: Vec<Value> = RULES
        .iter()
        .map(
            |rule| json!({"id": rule.name, "shortDescription": {"text": rule.about}, "defaultConfiguration": {"level": rule.level.name()}}),
        )
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let text = text_of(&finding.file);
            let ((line, column), (end_line, end_column)) =
                (line_and_column(text, finding.range.start), line_and_column(text, finding.range.end));
            let message = [std::slice::from_ref(&finding.message), finding.help.as_slice()].concat().join("\n");
            json!({
                "ruleId": finding.rule.name,
                "ruleIndex": RULES.iter().position(|rule| rule.name == finding.rule.name),
                "level": finding.rule.level.name(),
                "message": {"text": message},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": finding.file.replace('\\', "/")},
                    "region": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
                }}],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "octorhai check", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            // Columns count characters, as a person does.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}
