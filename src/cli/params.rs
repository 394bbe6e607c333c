//! Parameters of a script: from the command line, a file, the environment; checked against what the script declares.

use super::{
    environment::Environment,
    origin::{Gathered, ParamsFile, Values},
};
use crate::{
    engine::{
        param_names::{ParamName, named_by},
        params::{Items, ParamDecl, ParamKind, check_json, check_value},
        text::line_and_column,
    },
    error::{Error, Result, nearest, suggestion},
    secrets::Redactor,
};
use serde_json::Value;
use std::{fmt::Write as _, path::Path};

fn find<'a>(declared: &'a [ParamDecl], name: &str) -> Option<&'a ParamDecl> {
    declared.iter().find(|param| param.name == name).or_else(|| declared.iter().find(|param| ParamName(&param.name).is_meant_by(name)))
}

/// Whether the script has a parameter of that name.
pub fn declares(declared: &[ParamDecl], name: &str) -> bool {
    find(declared, name).is_some()
}

fn unknown(declared: &[ParamDecl], name: &str, from: &str) -> Error {
    let mut error = Error::usage(format!("the script has no parameter `{name}` ({from})")).with("parameter", name);
    error = match suggestion(name, declared.iter().map(|param| param.name.as_str())) {
        Some(help) => error.help(help),
        None if declared.is_empty() => error.help("it has no parameters at all"),
        None => error,
    };
    error.help("`octorhai run SCRIPT --help` lists its parameters")
}

/// The words after the script, e.g. `--NotifyTo a@b --dry-run`, as values.
fn from_words(declared: &[ParamDecl], words: &[String]) -> Result<Values> {
    let mut values = Values::new();
    let (mut words, mut after_secret) = (words.iter().peekable(), false);
    while let Some(word) = words.next() {
        let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) else {
            // A value with blanks that was not quoted.
            let shown = if after_secret { "***" } else { word };
            return Err(Error::usage(format!("there is a word too many: `{shown}`"))
                .help("parameters of the script are written `--name value`; a value with blanks needs quotes"));
        };
        let (name, given) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let negated = name.strip_prefix("no-").and_then(|name| find(declared, name)).filter(|param| param.kind == ParamKind::Flag);
        let (param, given) = match (find(declared, name), negated) {
            (Some(param), _) => (param, given.map(str::to_owned)),
            (None, Some(param)) => (param, Some("false".to_owned())),
            (None, None) => return Err(unknown(declared, name, "command line")),
        };
        after_secret = param.secret;
        let looks_boolean = |word: &&String| ["true", "false", "yes", "no", "on", "off"].contains(&word.to_lowercase().as_str());
        let text = match given {
            Some(text) => text,
            None if param.kind == ParamKind::Flag => words.next_if(looks_boolean).map_or_else(|| "true".to_owned(), String::clone),
            None => words.next_if(|word| !word.starts_with("--")).cloned().ok_or_else(|| {
                Error::usage(format!("parameter `{}` has no value", ParamName(&param.name).option()))
                    .help("write `--name value` or `--name=value`")
            })?,
        };
        // An empty text stands for the default.
        let Some(value) = check_value(param, &text, Items::Commas)? else { continue };
        match (values.get_mut(&param.name), value) {
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
            (Some(_), _) => return Err(Error::usage(format!("parameter `{}` is given twice", ParamName(&param.name).option()))),
            (None, value) => {
                values.insert(param.name.clone(), value);
            }
        }
    }
    Ok(values)
}

/// A place in a file; both count from 1.
#[derive(Clone, Copy)]
struct FilePlace {
    line: usize,
    column: usize,
}

impl FilePlace {
    /// The place of a byte.
    fn of(text: &str, at: usize) -> Self {
        let (line, column) = line_and_column(text, at);
        Self { line, column }
    }

    /// The end of what was written.
    fn last(text: &str) -> Option<Self> {
        Some(Self::of(text, text.trim_end().len())).filter(|_| !text.trim().is_empty())
    }

    fn line_of(self, text: &str) -> &str {
        text.lines().nth(self.line - 1).unwrap_or_default()
    }

    /// The lines that point at it, with the line itself unless it may not be shown.
    fn show(self, file: &str, text: Option<&str>) -> String {
        let Self { line, column } = self;
        let gutter = " ".repeat(line.to_string().len());
        let mut out = format!("\n{gutter}--> {file}:{line}:{column}");
        if let Some(text) = text {
            let _ = write!(out, "\n{gutter} |\n{line} | {text}\n{gutter} | {}^", " ".repeat(column - 1));
        }
        out
    }
}

/// Adds the values of a `--params` file that `values` does not have yet.
fn from_file(declared: &[ParamDecl], path: &Path, text: &str, values: &mut Values) -> Result<()> {
    let shown = path.display();
    let broken = |at: Option<FilePlace>, why: &str| {
        // The line may hold a secret that nobody has learnt yet.
        let line = at.filter(|_| !declared.iter().any(|param| param.secret));
        let place = at.map_or_else(String::new, |at| at.show(&shown.to_string(), line.map(|at| at.line_of(text))));
        Error::usage(format!("the parameter file `{shown}` cannot be read: {why}{place}"))
    };
    let json = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) || text.trim_start().starts_with('{');
    let all: Value = if json {
        serde_json::from_str(text).map_err(|why| match text.trim() {
            "" => broken(None, "it is empty; write `{}` for no parameters"),
            _ if why.is_eof() => broken(FilePlace::last(text), "it breaks off: a bracket, brace or quote is not closed"),
            _ => broken(Some(FilePlace { line: why.line(), column: why.column().max(1) }), "this is not JSON"),
        })?
    } else {
        let table: toml::Table = text.parse().map_err(|why: toml::de::Error| {
            broken(why.span().map(|span| FilePlace::of(text, span.start)), why.message().lines().next().unwrap_or("this is not TOML"))
        })?;
        serde_json::to_value(table).map_err(|why| broken(None, &why.to_string()))?
    };
    let Value::Object(all) = all else { return Err(broken(None, "an object with parameter names as keys is wanted")) };
    let from = format!("file `{shown}`");
    for (name, value) in all {
        let param = find(declared, &name).ok_or_else(|| unknown(declared, &name, &from))?;
        if !values.contains_key(&param.name) {
            let checked = check_json(param, &value).map_err(|error| error.context(&from))?;
            values.extend(checked.map(|value| (param.name.clone(), value)));
        }
    }
    Ok(())
}

/// Adds the values of the environment that `values` does not have yet; returns warnings about variables that look like a slip.
fn from_environment(declared: &[ParamDecl], environment: &Environment, values: &mut Values) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for (variable, text) in environment {
        let Some(name) = named_by(variable) else { continue };
        if let Some(param) = find(declared, name) {
            if !values.contains_key(&param.name) {
                let checked = check_value(param, text, Items::Commas).map_err(|error| error.context(format!("variable {variable}")))?;
                values.extend(checked.map(|value| (param.name.clone(), value)));
            }
        } else if let Some(near) = nearest(name, declared.iter().map(|param| param.name.as_str())) {
            // Not an error: the environment is shared with other scripts.
            warnings.push(format!("the variable {variable} fits no parameter; did you mean `{near}`?"));
        }
    }
    Ok(warnings)
}

/// Learns values of secret parameters before any value is looked at: the error of another one may show the same text.
fn learn(declared: &[ParamDecl], words: &[String], environment: &Environment, redactor: &Redactor) {
    let is_secret = |name: &str| find(declared, name).is_some_and(|param| param.secret);
    for (at, word) in words.iter().enumerate() {
        let Some(long) = word.strip_prefix("--") else { continue };
        let (name, given) = long.split_once('=').map_or((long, words.get(at + 1).map(String::as_str)), |(name, value)| (name, Some(value)));
        given.filter(|_| is_secret(name)).into_iter().for_each(|value| redactor.learn(value));
    }
    for (variable, value) in environment {
        if named_by(variable).is_some_and(is_secret) {
            redactor.learn(value);
        }
    }
}

/// All values that were given, and warnings. First found: command line, file, environment. Defaults are the script's business.
///
/// # Errors
/// Usage errors for unknown names and values that do not fit.
pub fn gather(
    declared: &[ParamDecl],
    words: &[String],
    file: Option<ParamsFile<'_>>,
    environment: &Environment,
    redactor: &Redactor,
) -> Result<Gathered> {
    learn(declared, words, environment, redactor);
    let mut values = from_words(declared, words)?;
    if let Some((path, text)) = file {
        from_file(declared, path, text, &mut values)?;
    }
    let warnings = from_environment(declared, environment, &mut values)?;
    Ok((values, warnings))
}

/// The parameters that must be given and are not.
pub fn missing<'a>(declared: &'a [ParamDecl], values: &Values) -> Vec<&'a ParamDecl> {
    declared.iter().filter(|param| param.required && !values.contains_key(&param.name)).collect()
}

/// The error that names all of them.
pub fn missing_error(missing: &[&ParamDecl]) -> Error {
    let names = missing.iter().map(|param| format!("`{}`", param.name)).collect::<Vec<_>>().join(", ");
    let plural = if missing.len() == 1 { "parameter is" } else { "parameters are" };
    let example = missing.first().map_or_else(String::new, |param| {
        let name = ParamName(&param.name);
        format!("give it as `{} VALUE` after the script, in a --params file, or as variable {}", name.option(), name.variable())
    });
    Error::usage(format!("{} required {plural} missing: {names}", missing.len()))
        .help(example)
        .with("parameters", missing.iter().map(|param| param.name.clone()).collect::<Vec<_>>())
}

/// What `octorhai run x.rhai --help` prints.
pub fn help(script: &str, about: Option<&str>, declared: &[ParamDecl]) -> String {
    let mut out = String::new();
    if let Some(about) = about {
        let _ = writeln!(out, "{about}\n");
    }
    let _ = writeln!(out, "Usage: octorhai run [OPTIONS] {script} [--PARAMETER VALUE]...\n");
    if declared.is_empty() {
        let _ = writeln!(out, "This script has no parameters.");
    } else {
        let _ = writeln!(out, "Parameters:");
    }
    for (n, param) in declared.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        let kind = match param.kind {
            ParamKind::Flag => String::new(),
            _ if param.secret => " <secret>".to_owned(),
            kind => format!(" <{kind}>"),
        };
        let label = if param.label.is_empty() { String::new() } else { format!("  {}", param.label) };
        let _ = writeln!(out, "  {}{kind}{label}", ParamName(&param.name).option());
        for line in param.help.lines() {
            let _ = writeln!(out, "          {line}");
        }
        if !param.choices.is_empty() {
            let _ = writeln!(out, "          one of: {}", param.choices.join(", "));
        }
        let _ = match &param.default {
            None if param.required => writeln!(out, "          required"),
            None => writeln!(out, "          default: worked out by the script"),
            _ if param.secret => writeln!(out, "          has a default"),
            Some(Value::String(text)) if text.is_empty() => writeln!(out, "          default: empty"),
            Some(Value::String(text)) => writeln!(out, "          default: {text}"),
            Some(value) => writeln!(out, "          default: {value}"),
        };
    }
    let _ =
        write!(out, "\nNames are matched without case, `-` and `_`: --NotifyTo is --notify-to. `octorhai run --help` lists the options.");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared() -> Vec<ParamDecl> {
        let of = |name: &str, kind| ParamDecl { name: name.to_owned(), required: true, kind, ..ParamDecl::default() };
        vec![
            ParamDecl {
                label: "Who gets the mail".into(),
                help: "One address,\nor several with commas.".into(),
                default: Some(json!("team@example.com")),
                required: false,
                ..of("NotifyTo", ParamKind::Text)
            },
            ParamDecl { default: Some(json!(3)), required: false, ..of("width", ParamKind::Number) },
            ParamDecl { default: Some(json!(false)), required: false, ..of("dry run", ParamKind::Flag) },
            of("projects", ParamKind::List),
            ParamDecl { choices: vec!["Test".into(), "Production".into()], required: false, ..of("Target", ParamKind::Choice) },
            ParamDecl { secret: true, ..of("Password", ParamKind::Text) },
        ]
    }

    fn gathered(line: &str, file: Option<(&str, &str)>, variables: &[(&str, &str)]) -> Result<Values> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        gather(&declared(), &words, file.map(|(path, text)| (Path::new(path), text)), &environment, &Redactor::new())
            .map(|(values, _)| values)
    }

    fn refused(line: &str) -> String {
        format!("{:?}", gathered(line, None, &[]).expect_err(line))
    }

    #[test]
    fn names_are_matched_without_case_and_dashes() {
        for line in ["--NotifyTo a@b", "--notifyto a@b", "--notify-to a@b", "--notify_to=a@b", "--NOTIFY-TO a@b"] {
            assert_eq!(gathered(line, None, &[]).expect(line)["NotifyTo"], "a@b", "{line}");
        }
    }

    #[test]
    fn values_get_the_declared_type() {
        let values = gathered("--width 5 --dry-run --projects A,B --projects C --target Test", None, &[]).expect("values");
        assert_eq!(json!(values), json!({"width": 5, "dry run": true, "projects": ["A", "B", "C"], "Target": "Test"}));
        assert_eq!(gathered("--width -2.5", None, &[]).expect("values")["width"], -2.5);
        for (line, value) in [("--dry-run no", false), ("--no-dry-run", false), ("--dryrun=YES", true)] {
            assert_eq!(gathered(line, None, &[]).expect(line)["dry run"], value, "{line}");
        }
    }

    #[test]
    fn mistakes_are_explained() {
        assert!(refused("--NotfyTo x").contains("did you mean `NotifyTo`?"));
        assert!(refused("--width five").contains("parameter `width` must be a number, got `five`"));
        assert!(refused("--target Prodution").contains("did you mean `Production`?"));
        assert!(refused("--width").contains("`--width` has no value"));
        assert!(refused("--width 1 --width 2").contains("given twice"));
        assert!(refused("word").contains("a word too many"));
        assert!(refused("--dry-run maybe").contains("a word too many: `maybe`"));
    }

    #[test]
    fn command_line_then_file_then_environment() {
        let environment =
            [("OCTORHAI_PARAM_NOTIFY_TO", "env@x"), ("OCTORHAI_PARAM_WIDTH", "many"), ("OCTORHAI_PARAM_PROJECTS", "E"), ("HOME", "/")];
        let values = gathered("--notify-to flag@x", Some(("p.toml", "notifyto = \"file@x\"\nwidth = 8\n")), &environment).expect("values");
        assert_eq!(json!(values), json!({"NotifyTo": "flag@x", "width": 8, "projects": ["E"]}));
        let values = gathered("", Some(("p.json", r#"{"projects": ["A"], "DryRun": true, "password": 12345}"#)), &[]).expect("values");
        assert_eq!(json!(values), json!({"projects": ["A"], "dry run": true, "Password": "12345"}));
    }

    #[test]
    fn a_bad_file_is_named() {
        for (path, text, word) in [
            ("p.toml", "width = ", "p.toml"),
            ("p.json", "[1]", "p.json"),
            ("p.toml", "witdh = 3", "did you mean `width`?"),
            ("p.toml", "width = [3]", "must be a number"),
        ] {
            let text = format!("{:?}", gathered("", Some((path, text)), &[]).expect_err(word));
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_slip_in_a_variable_is_a_warning() {
        let environment =
            [("OCTORHAI_PARAM_WIDHT".to_owned(), "7".to_owned()), ("OCTORHAI_PARAM_OF_ANOTHER_SCRIPT".to_owned(), "7".to_owned())].into();
        let (values, warnings) = gather(&declared(), &[], None, &environment, &Redactor::new()).expect("values");
        assert!(values.is_empty());
        assert_eq!(warnings, ["the variable OCTORHAI_PARAM_WIDHT fits no parameter; did you mean `width`?"]);
    }

    #[test]
    fn all_missing_ones_are_named_at_once() {
        let declared = declared();
        let error = missing_error(&missing(&declared, &Values::new()));
        assert_eq!(error.message(), "2 required parameters are missing: `projects`, `Password`");
        assert!(error.hints()[0].contains("--projects VALUE") && error.hints()[0].contains("OCTORHAI_PARAM_PROJECTS"));
    }

    #[test]
    fn secret_is_known_before_another_value_is_refused() {
        let number = ParamDecl { kind: ParamKind::Number, secret: false, ..declared().remove(0) };
        let number = ParamDecl { name: "Count".into(), ..number };
        let token = ParamDecl { name: "Token".into(), kind: ParamKind::Text, secret: true, ..declared().remove(0) };
        let all = [number, token];
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (given, environment) in [
            ("--token hunter2-Value --count hunter2-Value", None),
            ("--count hunter2-Value --token=hunter2-Value", None),
            ("--token hunter2-Value hunter2-Value", None),
            ("--count hunter2-Value", Some("OCTORHAI_PARAM_TOKEN")),
        ] {
            let environment = environment.map(|name| (name.to_owned(), "hunter2-Value".to_owned())).into_iter().collect();
            let redactor = Redactor::new();
            let error = gather(&all, &words(given), None, &environment, &redactor).expect_err(given);
            let told = redactor.clean(error.message());
            assert!(told.contains("***") && !told.contains("hunter2"), "{given}: {told}");
        }
    }

    #[test]
    fn help_lists_what_the_script_declares() {
        assert_eq!(
            help("x.rhai", Some("Deploys the shop."), &declared()),
            "\
Deploys the shop.

Usage: octorhai run [OPTIONS] x.rhai [--PARAMETER VALUE]...

Parameters:
  --NotifyTo <text>  Who gets the mail
          One address,
          or several with commas.
          default: team@example.com

  --width <number>
          default: 3

  --dry-run
          default: false

  --projects <list>
          required

  --Target <choice>
          one of: Test, Production
          default: worked out by the script

  --Password <secret>
          required

Names are matched without case, `-` and `_`: --NotifyTo is --notify-to. `octorhai run --help` lists the options."
        );
    }
}
