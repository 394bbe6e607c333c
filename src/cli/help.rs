//! `octorhai help`: a subcommand's help, or what the reference says about a function, a group, or a word.

use super::{
    subcommand::{Stage, Subcommand},
    ui::{Tone, Ui},
};
use crate::{
    engine::docs::Entry,
    error::{Error, Result, suggestion},
    host, tame,
};
use clap::Args;
use std::borrow::Cow;

/// What `octorhai help` takes.
#[derive(Args, Debug)]
pub struct HelpArgs {
    /// A function, a group of functions, a subcommand, or a word to look for
    pub topic: Option<String>,
}

impl Subcommand for HelpArgs {
    fn perform(&self, stage: &Stage<'_>) -> u8 {
        show_help(self, stage.ui, (stage.cli)())
    }
}

fn show_help(args: &HelpArgs, ui: &Ui, mut cli: clap::Command) -> u8 {
    cli.build();
    let functions = host::reference();
    let Some(topic) = &args.topic else {
        show(ui, &mut cli);
        overview(ui, &functions, "`octorhai help FUNCTION` explains one, `octorhai help GROUP` lists a group");
        return 0;
    };
    if let Some(sub) = cli.find_subcommand_mut(topic) {
        show(ui, sub);
        // `locks` is a function too, `check` a group of them.
        let named = named(&functions, topic);
        if !named.is_empty() {
            ui.data(&format!("\nIn scripts, `{topic}` is:\n"));
            present(ui, &named);
        }
        return 0;
    }
    let subcommands: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    let explained = explain(ui, &functions, topic, &subcommands);
    ui.exit_code(explained.map(|()| 0).map_err(|error| error.help("`octorhai help` lists what there is")))
}

/// Shows what the reference says of a name, a group or a word; `others` are names that have help elsewhere.
pub(super) fn explain(ui: &Ui, functions: &[Entry], topic: &str, others: &[&str]) -> Result<()> {
    let found = look_up(functions, topic);
    if !found.is_empty() {
        present(ui, &found);
        return Ok(());
    }
    let mut error = Error::usage(format!("there is no help on `{topic}`"));
    let known: Vec<&str> = functions.iter().map(|doc| doc.name.as_str()).chain(others.iter().copied()).collect();
    if let Some(help) = suggestion(topic, known) {
        error = error.help(help);
    }
    Err(error)
}

/// One whole, several as a list.
fn present(ui: &Ui, found: &[&Entry]) {
    match found {
        [one] => whole(ui, one),
        // A function and the type that it makes.
        [one, other] if one.name.eq_ignore_ascii_case(&other.name) => {
            whole(ui, one);
            ui.data("");
            whole(ui, other);
        }
        several => list(ui, several),
    }
}

/// A line for each.
pub(super) fn list(ui: &Ui, entries: &[&Entry]) {
    let width = entries.iter().map(|doc| doc.name.chars().count()).max().unwrap_or(0);
    for doc in entries {
        ui.data(&format!("{:<width$}  {}", doc.name, flow(&doc.summary)));
    }
}

/// Whatever has the word in its name, prose, options or properties.
pub(super) fn with_word<'a>(entries: &'a [Entry], word: &str) -> Vec<&'a Entry> {
    let word = word.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&word);
    let about = |doc: &&Entry| {
        has(&doc.name)
            || has(&doc.prose)
            || doc.options.iter().any(|o| has(o.name) || has(o.prose))
            || doc.properties.iter().any(|p| has(p.name) || has(p.doc))
    };
    entries.iter().filter(about).collect()
}

/// What has that name; else a group; else whatever has the word in its name, prose, options or properties.
fn look_up<'a>(entries: &'a [Entry], topic: &str) -> Vec<&'a Entry> {
    let named = named(entries, topic);
    if named.is_empty() { with_word(entries, topic.trim_end_matches("()")) } else { named }
}

/// What has that name, else that group.
fn named<'a>(entries: &'a [Entry], topic: &str) -> Vec<&'a Entry> {
    let exact = topic.trim_end_matches("()");
    let topic = exact.to_lowercase();
    let by = |test: &dyn Fn(&Entry) -> bool| entries.iter().filter(|doc| test(doc)).collect::<Vec<_>>();
    let last = |name: &str| name.rsplit(['.', ':']).next().unwrap_or(name).to_lowercase();
    let attempts: [&dyn Fn(&Entry) -> bool; 4] =
        [&|doc| doc.name == exact, &|doc| doc.name.to_lowercase() == topic, &|doc| doc.group.to_lowercase() == topic, &|doc| {
            last(&doc.name) == topic
        }];
    attempts.into_iter().map(by).find(|found| !found.is_empty()).unwrap_or_default()
}

/// On one line.
fn flow(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything about one function or type.
fn whole(ui: &Ui, doc: &Entry) {
    ui.data(&ui.paint(Tone::Strong, &doc.signature));
    ui.data(&format!("\n{}", doc.prose));
    let params = doc.params.iter().filter(|p| p.options.is_empty());
    table(
        ui,
        "Arguments",
        params.map(|p| vec![p.name.into(), p.takes.shown().into(), if p.optional { "may be left out" } else { "" }.into()].into()),
    );
    table(
        ui,
        "Options (name, type, default)",
        doc.options.iter().map(|o| {
            let (kind, prose) = o.shown();
            HelpRow { cells: vec![o.name.into(), kind.into(), o.default.into()], prose }
        }),
    );
    if doc.errors.is_empty() && !doc.is_type() {
        ui.data("\nErrors: none");
    }
    table(
        ui,
        "Errors (err.kind)",
        doc.errors.iter().map(|(kind, meaning)| HelpRow { cells: vec![(*kind).into()], prose: (*meaning).to_owned() }),
    );
    table(ui, "Properties", doc.properties.iter().map(|p| HelpRow { cells: vec![p.name.into(), p.kind.into()], prose: flow(p.doc) }));
    table(ui, "Functions", doc.functions.iter().map(|f| vec![f.as_str().into()].into()));
    if !doc.example.is_empty() {
        ui.data("\nExample:");
        for line in doc.example.trim_end().lines() {
            ui.data(format!("  {line}").trim_end());
        }
    }
    ui.data(&format!("\nGroup: {}", doc.group));
}

/// A row of a table: short cells side by side, then prose.
struct HelpRow<'a> {
    cells: Vec<Cow<'a, str>>,
    prose: String,
}

impl<'a> From<Vec<Cow<'a, str>>> for HelpRow<'a> {
    fn from(cells: Vec<Cow<'a, str>>) -> Self {
        Self { cells, prose: String::new() }
    }
}

fn table<'a>(ui: &Ui, heading: &str, rows: impl Iterator<Item = HelpRow<'a>>) {
    let rows: Vec<HelpRow> = rows.collect();
    let Some(first) = rows.first() else { return };
    let width = |column: usize| rows.iter().map(|r| r.cells[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..first.cells.len()).map(width).collect();
    ui.data(&format!("\n{heading}:"));
    for row in &rows {
        let cells: Vec<String> = row.cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        ui.data(format!("  {}  {}", cells.join("  "), row.prose).trim_end());
    }
}

/// The names of all functions by group, in the order of the reference.
pub(super) fn overview(ui: &Ui, functions: &[Entry], how: &str) {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for doc in functions {
        match groups.iter_mut().find(|(group, _)| *group == doc.group) {
            Some((_, names)) => names.push(&doc.name),
            None => groups.push((&doc.group, vec![&doc.name])),
        }
    }
    if groups.is_empty() {
        return;
    }
    ui.data(&format!("\nFunctions of scripts ({how}):"));
    for (group, names) in groups {
        ui.data(&format!("  {group}: {}", names.join(", ")));
    }
}

fn show(ui: &Ui, command: &mut clap::Command) {
    let text = command.render_long_help();
    ui.data(if ui.has_colour() { tame::adopted(&text.ansi().to_string()) } else { text.to_string() }.trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::ui::{Loudness, testing};
    use super::*;
    use crate::engine::options::{OptionDoc, Takes};

    fn doc(name: &str, group: &str, prose: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            signature: format!("{name}(x)"),
            group: group.to_owned(),
            summary: prose.to_owned(),
            prose: prose.to_owned(),
            example: "let x = 1;\n".to_owned(),
            ..Entry::default()
        }
    }

    fn names(topic: &str) -> Vec<String> {
        let all = [
            doc("wait", "wait", "Waits for tasks."),
            doc("wait_step", "wait", "Waits for a step."),
            doc("deploy", "act", "Deploys a release."),
            doc("Task.cancel", "act", "Cancels a task."),
            doc("Release", "types", "A version."),
            doc("release", "query", "The release of a version."),
        ];
        look_up(&all, topic).into_iter().map(|doc| doc.name.clone()).collect()
    }

    #[test]
    fn a_name_stands_above_a_group_and_a_group_above_a_word() {
        assert_eq!(names("wait"), ["wait"]);
        assert_eq!(names("Deploy()"), ["deploy"]);
        assert_eq!(names("act"), ["deploy", "Task.cancel"]);
        assert_eq!(names("cancel"), ["Task.cancel"]);
        assert_eq!(names("step"), ["wait_step"]);
        assert_eq!(names("tasks"), ["wait"]);
        assert_eq!(names("Release"), ["Release"]);
        assert_eq!(names("RELEASE"), ["Release", "release"]);
        assert!(names("nothing").is_empty());
    }

    #[test]
    fn one_function_is_shown_whole() {
        const OPTIONS: &[OptionDoc] = &[
            OptionDoc { name: "timeout", takes: Takes::of::<jiff::SignedDuration>(), default: "30m", prose: " How long\n at most." },
            OptionDoc { name: "to", takes: Takes::of::<String>(), default: "none", prose: " Whom." },
        ];
        let (ui, data, _) = testing::ui(Loudness::Normal);
        whole(&ui, &Entry { options: OPTIONS, ..doc("deploy", "act", "Deploys a release.") });
        assert_eq!(
            data.text(),
            "deploy(x)\n\nDeploys a release.\n\nOptions (name, type, default):\n  timeout  duration  30m   How long at most.\n  \
             to       text      none  Whom.\n\nErrors: none\n\nExample:\n  let x = 1;\n\nGroup: act\n"
        );
    }
}
