//! From a script to the documents: names, ids, parameters, and whether anything has changed.

use super::{
    document,
    exported::{ACCOUNT, CHECKBOX, Exported, LINE, LINES, PACKAGE, Parameter, SELECT, SENSITIVE, Script, Shell},
    launcher,
};
use crate::{
    engine::{
        param_names::ParamName,
        params::{ParamDecl, ParamKind},
    },
    error::{Error, Result},
    step::{frame::connection, octostache},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Ids are made of names, in a space of names of our own, so that they are the same wherever and whenever they are made.
const SPACE: Uuid = Uuid::from_u128(0x6f63_746f_7268_6169_8c5d_2f0e_7a41_93b6);

fn id(of: &str) -> String {
    Uuid::new_v5(&SPACE, of.as_bytes()).to_string()
}

/// `master-project` → `MasterProject`.
fn pascal(stem: &str) -> String {
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.flat_map(|word| [word[..1].to_ascii_uppercase(), word[1..].to_owned()]).collect()
}

fn stem(script: &Script) -> &str {
    script.name.strip_suffix(".rhai").unwrap_or(&script.name)
}

/// The template of `script` for a shell as JSON text. `before` is the file that is there: a template that has not changed stays as it
/// is to the byte, one that has gets the next version, or no server would take it.
///
/// # Errors
/// Usage errors for what cannot be put into a template.
pub fn export(script: &Script, shell: Shell, prefix: Option<&str>, before: Option<&str>, now: Timestamp) -> Result<String> {
    let exported = exported(script, prefix)?;
    let old: Option<Value> = before.map(serde_json::from_str).transpose().map_err(|problem| {
        Error::usage(format!("the template that is there cannot be read: {problem}"))
            .help("remove the file, or write to another folder with --out")
    })?;
    let version = old.as_ref().and_then(|old| old["Version"].as_u64()).unwrap_or(1);
    let id = id(&format!("{} {}", stem(script), shell.name()));
    let made = |version| document::template(&exported, shell, &id, version, &launcher::body(&exported, shell, &id, version));
    let same = old.as_ref().is_some_and(|old| document::without_meta(old) == document::without_meta(&made(version)));
    if let (true, Some(before)) = (same, before) {
        return Ok(before.to_owned());
    }
    let mut fresh = made(if old.is_some() { version + 1 } else { version });
    fresh["$Meta"] = json!({
        "ExportedAt": now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "OctopusVersion": "2024.1.0",
        "Type": "ActionTemplate",
    });
    let text = serde_json::to_string_pretty(&fresh).map_err(|problem| Error::bug(problem.to_string()))?;
    Ok(format!("{text}\n"))
}

fn exported<'a>(script: &'a Script, prefix: Option<&str>) -> Result<Exported<'a>> {
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c)) && !text.is_empty();
    if !plain(&script.name) || script.name.contains('/') {
        return Err(Error::usage(format!("`{}` cannot be the name of a script in a step template", script.name))
            .help("name the file with letters, digits, `-`, `_` and `.`"));
    }
    if let Some((path, _)) = script.files.iter().find(|(path, _)| !plain(path)) {
        return Err(Error::usage(format!("`{path}`, which the script imports, cannot be put into a step template"))
            .help("name files and folders with letters, digits, `-`, `_` and `.`"));
    }
    let prefix = prefix.map_or_else(|| format!("Octorhai.{}", pascal(stem(script))), str::to_owned);
    if !plain(&prefix) || prefix.contains('/') || prefix.ends_with('.') {
        return Err(Error::usage(format!("`{prefix}` cannot be the prefix of a template's parameters")).help("it is like Shop.Train"));
    }
    let mut parameters = Vec::new();
    for param in &script.params {
        parameters.push(parameter(param, &prefix)?);
    }
    parameters.extend(common(&prefix));
    Ok(Exported { script, prefix, parameters })
}

fn parameter(param: &ParamDecl, prefix: &str) -> Result<Parameter> {
    let wrong = |why: &str, help: &str| {
        Err(Error::usage(format!("parameter `{}` cannot be put into a step template: {why}", param.name))
            .help(help.to_owned())
            .with("file", param.file.clone())
            .with("line", param.line))
    };
    let name = ParamName(&param.name).in_template();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return wrong("Octopus and both shells must know its name", "name it with letters, digits, `_` and `-`");
    }
    let default = param.default.as_ref().filter(|_| !param.secret).map(|value| octostache::escape(&written(value)));
    if param.choices.iter().any(|choice| choice.contains(['|', '\n']) || choice.trim() != choice) {
        return wrong(
            "a choice holds `|`, a newline, or blanks around it",
            "Octopus writes the choices of a list as lines of `value|label`",
        );
    }
    let control = match param.kind {
        _ if param.secret => SENSITIVE,
        ParamKind::Flag => CHECKBOX,
        ParamKind::Choice => SELECT,
        ParamKind::List | ParamKind::ListOf(_) => LINES,
        ParamKind::Text if default.as_ref().is_some_and(|text| text.contains('\n')) => LINES,
        ParamKind::Text
        | ParamKind::Number
        | ParamKind::Duration
        | ParamKind::Time
        | ParamKind::Window
        | ParamKind::Version
        | ParamKind::Named(_) => LINE,
    };
    let label = if param.label.is_empty() { param.name.clone() } else { param.label.clone() };
    let mut help = if param.help.is_empty() { format!("{}.", label.trim_end_matches('.')) } else { param.help.clone() };
    if !param.kind.how().is_empty() {
        help.push(' ');
        help.push_str(param.kind.how());
    }
    if param.required {
        help.push_str(" Must be given.");
    }
    Ok(Parameter { name: format!("{prefix}.{name}"), label, help, default, control, choices: param.choices.clone() })
}

/// A default as a box of Octopus shows it.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Array(items) => items.iter().map(written).collect::<Vec<_>>().join("\n"),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// What every template asks: where the server is, who we are, where the program is.
fn common(prefix: &str) -> Vec<Parameter> {
    let parameter = |name: &str, label: &str, help: &str, control| Parameter {
        name: format!("{prefix}.{name}"),
        label: label.to_owned(),
        help: help.to_owned(),
        default: Some(String::new()).filter(|_| !matches!(control, PACKAGE | ACCOUNT)),
        control,
        choices: Vec::new(),
    };
    let one_of = "One of API key, account and access token must be given.";
    vec![
        parameter(
            connection::API_KEY,
            "API key",
            &format!("An API key of a user, better a service account, that may do what the script does. {one_of}"),
            SENSITIVE,
        ),
        parameter(
            connection::ACCOUNT,
            "OpenID Connect account",
            &format!("A Generic OIDC account whose token Octopus exchanges for a short-lived one (Octopus 2025.3 and later). {one_of}"),
            ACCOUNT,
        ),
        parameter(
            connection::ACCESS_TOKEN,
            "Access token",
            &format!("A bearer token, such as a sensitive output variable of an earlier step. {one_of}"),
            SENSITIVE,
        ),
        parameter(
            connection::URL,
            "Octopus Server",
            "The address of the Octopus Server to work on. Empty: the one that runs this step.",
            LINE,
        ),
        parameter(
            connection::SMTP,
            "Mail server",
            "How mail leaves, if the script sends some: smtp://host:587, with user:password@ before the host if it needs that.",
            SENSITIVE,
        ),
        parameter(connection::MAIL_FROM, "Sender of mails", "Who mails are from, if the script sends some.", LINE),
        parameter(
            "Package",
            "octorhai package",
            "The package `octorhai` made by `octorhai template pack`. Without it the program is taken from *Path of octorhai*, or from the PATH of the worker.",
            PACKAGE,
        ),
        parameter("BinaryPath", "Path of octorhai", "Where the program is on the worker, when no package is chosen.", LINE),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(params: Vec<ParamDecl>) -> Script {
        Script { name: "ship-it.rhai".into(), text: "print(1);".into(), files: Vec::new(), params, about: "Ships it".into() }
    }

    fn param(name: &str, default: Option<Value>) -> ParamDecl {
        ParamDecl { name: name.into(), required: default.is_none(), default, ..ParamDecl::default() }
    }

    fn made(script: &Script, before: Option<&str>) -> (String, Value) {
        let text = export(script, Shell::Bash, None, before, Timestamp::UNIX_EPOCH).expect("a template");
        let value = serde_json::from_str(&text).expect("JSON");
        (text, value)
    }

    #[test]
    fn the_version_goes_up_only_when_something_changed() {
        let first = script(vec![param("To", Some(json!("a")))]);
        let (text, value) = made(&first, None);
        assert_eq!(value["Version"], 1);
        let later = export(&first, Shell::Bash, None, Some(&text), Timestamp::constant(99, 0)).expect("a template");
        assert_eq!(later, text);
        let changed = Script { text: "print(2);".into(), ..first };
        let (_, value) = made(&changed, Some(&text));
        assert_eq!(value["Version"], 2);
        assert_eq!(value["Id"], serde_json::from_str::<Value>(&text).expect("JSON")["Id"]);
    }

    #[test]
    fn every_default_survives_octopus() {
        for (default, written) in [("#{ a: 1 }", "##{ a: 1 }"), ("##{x}", "###{if _}#{/if}##{x}")] {
            let (_, value) = made(&script(vec![param("To", Some(json!(default)))]), None);
            assert_eq!(value["Parameters"][0]["DefaultValue"], written);
        }
    }

    #[test]
    fn a_name_that_octopus_does_not_take_is_refused() {
        let error = export(&script(vec![param("Empfänger", Some(json!("x")))]), Shell::Bash, None, None, Timestamp::UNIX_EPOCH);
        assert!(error.expect_err("no template").message().contains("Empfänger"));
    }
}
