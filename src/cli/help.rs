//! `octorhai help`: a subcommand's help, or what the reference says about a function, a group, or a word.

use super::{args, args::HelpArgs, ui::Ui};
use crate::error::{Error, suggestion};

/// Shows help and returns the exit code.
pub fn run(args: &HelpArgs, ui: &Ui) -> u8 {
    let mut cli = args::command();
    let Some(topic) = &args.topic else {
        show(ui, &mut cli);
        return 0;
    };
    if let Some(text) = super::below::reference(topic) {
        ui.data(text.trim_end());
        return 0;
    }
    let names: Vec<String> = cli.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    cli.build();
    if let Some(sub) = cli.find_subcommand_mut(topic) {
        show(ui, sub);
        return 0;
    }
    let mut error = Error::usage(format!("there is no help on `{topic}`"));
    if let Some(help) = suggestion(topic, names.iter().map(String::as_str)) {
        error = error.help(help);
    }
    ui.error(&error);
    error.kind().exit_code()
}

fn show(ui: &Ui, command: &mut clap::Command) {
    let text = command.render_long_help();
    ui.data(if ui.has_colour() { text.ansi().to_string() } else { text.to_string() }.trim_end());
}
