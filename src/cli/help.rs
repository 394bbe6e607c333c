//! `octorhai help`: a subcommand's help, or what the reference says about a function, a group, or a word.

use super::{
    args::{self, HelpArgs},
    below,
    ui::{Tone, Ui},
};
use crate::{
    engine::docs::FunctionDoc,
    error::{Error, suggestion},
};

/// Shows help and returns the exit code.
pub fn run(args: &HelpArgs, ui: &Ui) -> u8 {
    let mut cli = args::command();
    cli.build();
    let functions = below::functions();
    let Some(topic) = &args.topic else {
        show(ui, &mut cli);
        overview(ui, &functions);
        return 0;
    };
    if let Some(sub) = cli.find_subcommand_mut(topic) {
        show(ui, sub);
        return 0;
    }
    let found = look_up(&functions, topic);
    match found.as_slice() {
        [] => {
            let mut error = Error::usage(format!("there is no help on `{topic}`"));
            let known: Vec<&str> =
                functions.iter().map(|doc| doc.name.as_str()).chain(cli.get_subcommands().map(clap::Command::get_name)).collect();
            if let Some(help) = suggestion(topic, known) {
                error = error.help(help);
            }
            ui.error(&error.help("`octorhai help` lists what there is"));
            return 2;
        }
        [one] => whole(ui, one),
        several => {
            let width = several.iter().map(|doc| doc.name.chars().count()).max().unwrap_or(0);
            for doc in several {
                ui.data(&format!("{:<width$}  {}", doc.name, flow(&doc.summary)));
            }
        }
    }
    0
}

/// A function of that name; else a group; else whatever has the word in its name or prose.
fn look_up<'a>(functions: &'a [FunctionDoc], topic: &str) -> Vec<&'a FunctionDoc> {
    let topic = topic.trim_end_matches("()").to_lowercase();
    let by = |test: &dyn Fn(&FunctionDoc) -> bool| functions.iter().filter(|doc| test(doc)).collect::<Vec<_>>();
    let last = |name: &str| name.rsplit(['.', ':']).next().unwrap_or(name).to_lowercase();
    let attempts: [&dyn Fn(&FunctionDoc) -> bool; 4] =
        [&|doc| doc.name.to_lowercase() == topic, &|doc| doc.group.to_lowercase() == topic, &|doc| last(&doc.name) == topic, &|doc| {
            doc.name.to_lowercase().contains(&topic) || doc.prose.to_lowercase().contains(&topic)
        }];
    attempts.into_iter().map(by).find(|found| !found.is_empty()).unwrap_or_default()
}

/// On one line.
fn flow(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything about one function.
fn whole(ui: &Ui, doc: &FunctionDoc) {
    for line in doc.signature.lines() {
        ui.data(&ui.paint(Tone::Strong, line));
    }
    let prose: Vec<&str> = doc.prose.trim().lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    ui.data(&format!("\n{}", prose.join("\n")));
    if !doc.options.is_empty() {
        ui.data("\nOptions:");
        let width = doc.options.iter().map(|option| option.name.chars().count()).max().unwrap_or(0);
        for option in doc.options {
            ui.data(&format!("  {:<width$}  {} ({}; default: {})", option.name, flow(option.prose), option.kind, option.default));
        }
    }
    if !doc.example.is_empty() {
        ui.data("\nExample:");
        for line in doc.example.trim_end().lines() {
            ui.data(&format!("  {line}"));
        }
    }
    ui.data(&format!("\nGroup: {}", doc.group));
}

/// The names of all functions by group, in the order of the reference.
fn overview(ui: &Ui, functions: &[FunctionDoc]) {
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
    ui.data("\nFunctions of scripts (`octorhai help FUNCTION` explains one, `octorhai help GROUP` lists a group):");
    for (group, names) in groups {
        ui.data(&format!("  {group}: {}", names.join(", ")));
    }
}

fn show(ui: &Ui, command: &mut clap::Command) {
    let text = command.render_long_help();
    ui.data(if ui.has_colour() { text.ansi().to_string() } else { text.to_string() }.trim_end());
}

#[cfg(test)]
mod tests {
    use super::super::ui::{Loudness, testing};
    use super::*;

    fn doc(name: &str, group: &str, prose: &str) -> FunctionDoc {
        FunctionDoc {
            name: name.to_owned(),
            signature: format!("{name}(x: text)"),
            group: group.to_owned(),
            summary: prose.to_owned(),
            prose: prose.to_owned(),
            options: &[],
            example: "let x = 1;\n".to_owned(),
            since: String::new(),
        }
    }

    fn names(topic: &str) -> Vec<String> {
        let all = [
            doc("wait", "wait", "Waits for tasks."),
            doc("wait_step", "wait", "Waits for a step."),
            doc("deploy", "act", "Deploys a release."),
            doc("Task.cancel", "act", "Cancels a task."),
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
        assert!(names("nothing").is_empty());
    }

    #[test]
    fn one_function_is_shown_whole() {
        let (ui, data, _) = testing::ui(Loudness::Normal);
        whole(&ui, &doc("deploy", "act", "Deploys a release."));
        assert_eq!(data.text(), "deploy(x: text)\n\nDeploys a release.\n\nExample:\n  let x = 1;\n\nGroup: act\n");
    }
}
