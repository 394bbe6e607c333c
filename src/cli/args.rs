//! Reads the command line, with what clap cannot know: parameters of a script, `--sandbox` with an optional value.

use crate::error::{Error, Result, nearest};
use clap::Parser;

/// How a command line was refused.
#[derive(Debug)]
pub enum Refusal {
    /// clap's: a mistake, or help that was asked for.
    Clap(clap::Error),
    /// Ours.
    Error(Error),
}

/// Reads the arguments, the program's name first.
pub fn parse<C: Parser>(arguments: Vec<String>) -> std::result::Result<C, Refusal> {
    let of_run = arguments.get(1).is_some_and(|word| word == "run");
    let arguments = if of_run { arrange(arguments, &C::command()).map_err(Refusal::Error)? } else { arguments };
    C::try_parse_from(arguments).map_err(Refusal::Clap)
}

/// Brings the arguments of `run` into the order clap reads: our options first, then the script, then `--` and the
/// script's parameters. Which words are ours, and which take a value, is asked from clap.
fn arrange(arguments: Vec<String>, cli: &clap::Command) -> Result<Vec<String>> {
    let run = cli.find_subcommand("run").expect("`run` is a subcommand");
    let mut ours: Vec<String> = Vec::new();
    let mut script: Option<String> = None;
    let mut parameters: Vec<String> = Vec::new();
    let mut words = arguments.into_iter().peekable();
    ours.extend(words.by_ref().take(2)); // the program and `run`
    let mut words: std::collections::VecDeque<String> = words.collect();
    while let Some(word) = words.pop_front() {
        if word == "--" {
            if script.is_none() {
                script = words.pop_front();
            }
            parameters.extend(words.drain(..));
        } else if let Some(long) = word.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long);
            if ["api-key", "apikey", "api_key", "access-token"].contains(&name) {
                return Err(no_key_here(name));
            }
            if name == "sandbox" && word == "--sandbox" {
                match words.front() {
                    Some(next) if is_world(next, script.is_some() || has_another_script(&words)) => {
                        ours.push(format!("--sandbox={next}"));
                        words.pop_front();
                    }
                    _ => ours.push("--sandbox=shop".to_owned()),
                }
            } else if name == "help" && script.is_some() {
                ours.push("--script-help".to_owned());
            } else if let Some(option) = run.get_arguments().find(|arg| arg.get_long() == Some(name)) {
                let wants_value = option.get_action().takes_values() && !word.contains('=') && name != "sandbox";
                if wants_value && words.is_empty() {
                    // Else the script, which is put behind, would be taken for it.
                    return Err(Error::usage(format!("option `--{name}` has no value")).help("`octorhai run --help` explains it"));
                }
                ours.push(word);
                if wants_value {
                    ours.extend(words.pop_front());
                }
            } else if script.is_some() {
                // A parameter of the script: which, and whether the next word is its value, is for `params` to say.
                parameters.push(word);
                while let Some(next) = words.front().filter(|next| !next.starts_with('-') || is_number(next)) {
                    parameters.push(next.clone());
                    words.pop_front();
                }
            } else if name == "help" {
                ours.push(word);
            } else {
                let known: Vec<&str> = run.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long).collect();
                let mut error = Error::usage(format!("`octorhai run` has no option `--{name}`"));
                if let Some(near) = nearest(name, known) {
                    error = error.help(format!("did you mean `--{near}`?"));
                }
                return Err(error.help("parameters of the script stand after the script"));
            }
        } else if word == "-h" && script.is_some() {
            ours.push("--script-help".to_owned());
        } else if word.starts_with('-') && word.len() > 1 {
            ours.push(word);
        } else if script.is_none() {
            script = Some(word);
        } else {
            return Err(Error::usage(format!("there is a word too many: `{word}`"))
                .help("parameters of the script are written `--name value`; a value with blanks needs quotes"));
        }
    }
    if let Some(script) = script {
        // A script whose name looks like an option (it stood after `--`).
        ours.push(if script.starts_with('-') { format!("./{script}") } else { script });
    }
    if !parameters.is_empty() {
        ours.push("--".to_owned());
        ours.extend(parameters);
    }
    Ok(ours)
}

/// Whether the word after `--sandbox` is its value rather than the script.
fn is_world(word: &str, script_is_elsewhere: bool) -> bool {
    if word.starts_with('-') || word.to_ascii_lowercase().ends_with(".rhai") {
        return false;
    }
    let built_in = ["shop", "tenants", "fleet"].iter().any(|name| word == *name || word.starts_with(&format!("{name}(")));
    built_in || word.to_ascii_lowercase().ends_with(".toml") || script_is_elsewhere
}

/// Whether a word that could be a script follows the first one.
fn has_another_script(words: &std::collections::VecDeque<String>) -> bool {
    words.iter().skip(1).take_while(|word| *word != "--").any(|word| word.to_ascii_lowercase().ends_with(".rhai"))
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

fn no_key_here(name: &str) -> Error {
    let variable = if name == "access-token" { "OCTOPUS_ACCESS_TOKEN" } else { "OCTOPUS_API_KEY" };
    Error::usage(format!("there is no option `--{name}` on purpose: every user of this machine sees it in the list of processes, and the shell keeps it in its history"))
        .help(format!("put it into the environment variable {variable}, or into a file: --api-key-file FILE"))
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Command, run_args::RunArgs};
    use super::*;
    use crate::error::Kind;
    use clap::CommandFactory;

    fn run(line: &str) -> RunArgs {
        match parse::<Cli>(line.split_whitespace().map(str::to_owned).collect()) {
            Ok(Cli { command: Command::Run(run) }) => *run,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        match parse::<Cli>(line.split_whitespace().map(str::to_owned).collect()) {
            Err(Refusal::Clap(error)) => error.render().to_string(),
            Err(Refusal::Error(error)) => {
                assert_eq!(error.kind(), Kind::Usage);
                format!("{error:?}")
            }
            Ok(cli) => panic!("{line}: {cli:?}"),
        }
    }

    #[test]
    fn clap_finds_no_mistake_in_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sandbox_takes_a_world_but_not_the_script() {
        for (line, world) in [
            ("octorhai run --sandbox scripts/a.rhai", "shop"),
            ("octorhai run scripts/a.rhai --sandbox", "shop"),
            ("octorhai run --sandbox=tenants scripts/a.rhai", "tenants"),
            ("octorhai run --sandbox tenants scripts/a.rhai", "tenants"),
            ("octorhai run --sandbox fleet(200) scripts/a.rhai", "fleet(200)"),
            ("octorhai run --sandbox my/world.toml scripts/a.rhai", "my/world.toml"),
            ("octorhai run scripts/a.rhai --sandbox tenants", "tenants"),
            ("octorhai run --sandbox warehouse --stats scripts/a.rhai", "warehouse"),
            ("octorhai run --sandbox --stats scripts/a.rhai", "shop"),
            ("octorhai run --sandbox scripts/a.rhai -- --sandbox tenants", "shop"),
        ] {
            let args = run(line);
            assert_eq!((args.sandbox.as_deref(), args.script.to_str()), (Some(world), Some("scripts/a.rhai")), "{line}");
        }
        assert_eq!(run("octorhai run --sandbox script-without-ending").script.to_str(), Some("script-without-ending"));
    }

    #[test]
    fn words_of_the_script_are_told_from_ours() {
        let args = run("octorhai run x.rhai --NotifyTo a@b --env Prod --dry --count -3 --stats -v -- --env Mars word");
        assert_eq!(args.parameters, ["--NotifyTo", "a@b", "--dry", "--count", "-3", "--env", "Mars", "word"]);
        assert_eq!((args.options.env.as_deref(), args.stats, args.verbose, args.script_help), (Some("Prod"), true, true, false));
        let args = run("octorhai run --env=Prod x.rhai --help");
        assert!(args.script_help && args.parameters.is_empty());
        assert!(run("octorhai run x.rhai -h").script_help);
        let args = run("octorhai run -- -odd.rhai --a b");
        assert_eq!((args.script.to_str(), args.parameters.len()), (Some("./-odd.rhai"), 2));
    }

    #[test]
    fn an_api_key_on_the_command_line_is_refused_with_the_reason_and_not_repeated() {
        for line in
            ["octorhai run x.rhai --api-key API-123", "octorhai run --api-key=API-123 x.rhai", "octorhai run x.rhai --access-token API-123"]
        {
            let text = refusal(line);
            assert!(text.contains("list of processes") && text.contains("--api-key-file") && !text.contains("API-123"), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(refusal("octorhai run --sever x x.rhai").contains("did you mean `--server`?"));
        assert!(refusal("octorhai run x.rhai word").contains("a word too many: `word`"));
        assert!(refusal("octorhai run").contains("SCRIPT"));
        assert!(refusal("octorhai run --server http://x --sandbox x.rhai").contains("cannot be used with"));
        assert!(refusal("octorhai run x.rhai -q -v").contains("cannot be used with"));
        assert!(refusal("octorhai sandbox --speed 0").contains("0.001"));
        assert!(refusal("octorhai rum x.rhai").contains("run"));
    }
}
