//! Parameters of a script, found in its text without running it, and the check of values for them.
//!
//! Forms: `param(name)`, `param(name, default)`, `param(name, default, #{label, help, type, choices})`, `param(name, #{...})` for one that
//! must be given, `secret(name)`.

use super::{Failure, Interpreter, Program, modules::Unit, texts, thrown};
use crate::{
    clock::text,
    error::{Error, Kind, Result},
};
use jiff::{Timestamp, tz::TimeZone};
use rhai::{ASTNode, Dynamic, Expr, FnCallExpr, Map, Position, Stmt};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ParamKind {
    /// Any text.
    #[default]
    Text,
    /// A whole or decimal number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Several texts.
    List,
    /// One of [`ParamDecl::choices`].
    Choice,
    /// A text that is a duration: `45m`.
    Duration,
    /// A text that is a point in time: `Sat 02:00`.
    Time,
    /// A text that is a window of the week: `Mon-Fri 22:00-04:00`.
    Window,
    /// A text that is a version, a range of versions, or `latest`.
    Version,
    /// The name, slug or id of something on the server.
    Named(NameKind),
    /// Several of them.
    ListOf(NameKind),
}

/// What a parameter names on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A project.
    Project,
    /// An environment.
    Environment,
    /// A tenant.
    Tenant,
}

/// What a value of a list must be.
const LIST: &str = "a list of text";

impl ParamKind {
    const ALL: [Self; 15] = [
        Self::Text,
        Self::Number,
        Self::Flag,
        Self::List,
        Self::Choice,
        Self::Duration,
        Self::Time,
        Self::Window,
        Self::Version,
        Self::Named(NameKind::Project),
        Self::Named(NameKind::Environment),
        Self::Named(NameKind::Tenant),
        Self::ListOf(NameKind::Project),
        Self::ListOf(NameKind::Environment),
        Self::ListOf(NameKind::Tenant),
    ];

    /// The type as scripts write it; what a value must be, for messages; how one is written, as a sentence for people that fill in a box.
    const fn words(self) -> [&'static str; 3] {
        match self {
            Self::Text => ["text", "text", ""],
            Self::Number => ["number", "a number", ""],
            Self::Flag => ["flag", "`true` or `false`", ""],
            Self::List => ["list", LIST, "One on each line."],
            Self::Choice => ["choice", "one of its choices", ""],
            Self::Duration => ["duration", "a duration such as 45m or 1h30m", "A duration such as 45m or 1h30m."],
            Self::Time => [
                "time",
                "a point in time such as 22:00, Sat 02:00 or in 30m",
                "A time such as 22:00, Sat 02:00 or 2026-03-29 02:30 Europe/Berlin.",
            ],
            Self::Window => ["window", "a window such as Mon-Fri 22:00-04:00", "A window of the week such as Mon-Fri 22:00-04:00."],
            Self::Version => [
                "version",
                "a version, a range such as 1.2.* or >=2.0 <3, or latest",
                "A version, a range such as 1.2.* or >=2.0 <3, or latest.",
            ],
            Self::Named(NameKind::Project) => ["project", "the name of a project", "The name of a project."],
            Self::Named(NameKind::Environment) => ["environment", "the name of an environment", "The name of an environment."],
            Self::Named(NameKind::Tenant) => ["tenant", "the name of a tenant", "The name of a tenant."],
            Self::ListOf(NameKind::Project) => ["list of projects", LIST, "Names of projects, one on each line."],
            Self::ListOf(NameKind::Environment) => ["list of environments", LIST, "Names of environments, one on each line."],
            Self::ListOf(NameKind::Tenant) => ["list of tenants", LIST, "Names of tenants, one on each line."],
        }
    }

    /// As scripts write it: `text`, `duration`, `list of projects`, ...
    pub const fn name(self) -> &'static str {
        self.words()[0]
    }

    /// What a value must be, for messages: `a duration such as 45m or 1h30m`.
    const fn wanted(self) -> &'static str {
        self.words()[1]
    }

    /// How a value is written, as a sentence for people that fill in a box; empty where there is nothing to say.
    pub const fn how(self) -> &'static str {
        self.words()[2]
    }

    /// Whether it has several values.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::ListOf(_))
    }

    /// Whether `text`, which is not empty, can be a value, as far as that can be said without a server.
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Duration => text::duration(text).is_ok(),
            // What day it is makes no difference to what is a time.
            Self::Time => text::point(text, Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_ok(),
            Self::Window => text::Window::parse(text, &TimeZone::UTC).is_ok(),
            Self::Version => texts::is_version_or_range(text),
            // What Octopus leaves of a variable that it does not know.
            Self::Named(_) | Self::ListOf(_) => !text.contains("#{"),
            Self::Text | Self::Number | Self::Flag | Self::List | Self::Choice => true,
        }
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One `param(...)` or `secret(...)` of a script.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParamDecl {
    /// The name.
    pub name: String,
    /// The value when none is given; `None` as well when the script computes it.
    pub default: Option<Value>,
    /// Whether a value must be given.
    pub required: bool,
    /// What values it takes.
    pub kind: ParamKind,
    /// A short title, empty when not said.
    pub label: String,
    /// What it is for, empty when not said.
    pub help: String,
    /// For [`ParamKind::Choice`]: the values that are allowed.
    pub choices: Vec<String>,
    /// Declared by `secret(...)`: never shown.
    pub secret: bool,
    /// The file of the declaration.
    pub file: String,
    /// The line of the declaration, from 1.
    pub line: usize,
}

/// A declaration that is not right, and where.
type Wrong = (Error, Position);

fn wrong(message: impl Into<String>, position: Position) -> Wrong {
    (Error::new(Kind::Script, message), position)
}

/// All parameters of `program` and the files it imports, in the order of the text, each once.
pub fn declarations(program: &Program) -> std::result::Result<Vec<ParamDecl>, Failure> {
    let mut found: Vec<ParamDecl> = Vec::new();
    for unit in &program.units {
        for (call, position) in calls(unit) {
            let at = |(error, position)| Interpreter::failure_at(error, unit, position);
            let declared = declaration(&call, position, unit).map_err(at)?;
            match found.iter().find(|d| d.name == declared.name) {
                None => found.push(declared),
                Some(first) if first.secret != declared.secret => {
                    let error = format!("`{}` is declared both by `param` and by `secret`", declared.name);
                    return Err(at(wrong(error, position)));
                }
                Some(first) if first.default != declared.default || first.required != declared.required => {
                    let say = |d: &ParamDecl| match &d.default {
                        Some(value) => format!("`{value}`"),
                        None if d.required => "no default".to_owned(),
                        None => "a computed default".to_owned(),
                    };
                    let error = format!(
                        "parameter `{}` has {} here, but {} in line {} of `{}`",
                        declared.name,
                        say(&declared),
                        say(first),
                        first.line,
                        first.file
                    );
                    let (error, position) = wrong(error, position);
                    let help = format!("read it once, at the top: `let value = param(\"{}\", ...);`", declared.name);
                    return Err(at((error.help(help), position)));
                }
                Some(_) => {}
            }
        }
    }
    Ok(found)
}

/// The calls of `param` and `secret`, in the order of the text.
fn calls(unit: &Unit) -> Vec<(FnCallExpr, Position)> {
    let mut found: Vec<(FnCallExpr, Position)> = Vec::new();
    unit.ast.walk(&mut |nodes| {
        let call = match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position)) | ASTNode::Stmt(Stmt::FnCall(call, position))) => Some((call, *position)),
            _ => None,
        };
        if let Some((call, position)) = call
            && matches!(call.name.as_str(), "param" | "secret")
            && !call.is_qualified()
            && !found.iter().any(|(_, p)| *p == position)
        {
            found.push(((**call).clone(), position));
        }
        true
    });
    found.sort_by_key(|(_, p)| (p.line(), p.position()));
    found
}

fn declaration(call: &FnCallExpr, position: Position, unit: &Arc<Unit>) -> std::result::Result<ParamDecl, Wrong> {
    let function = call.name.as_str();
    let secret = function == "secret";
    let most = if secret { 1 } else { 3 };
    if call.args.is_empty() || call.args.len() > most {
        let wanted = if secret { "1 argument" } else { "1 to 3 arguments" };
        let (error, position) = wrong(format!("`{function}` takes {wanted}, not {}", call.args.len()), position);
        let help = if secret {
            "it is: `secret(name)`"
        } else {
            "it is: `param(name)`, `param(name, default)`, `param(name, #{label, help, type, choices})` or `param(name, default, #{...})`"
        };
        return Err((error.help(help), position));
    }
    let literal = |i: usize| call.args.get(i).and_then(|e| e.get_literal_value(None));
    let place = |i: usize| call.args.get(i).map_or(position, Expr::start_position);
    let name = literal(0).filter(Dynamic::is_string).map(|n| n.to_string()).ok_or_else(|| {
        let (error, position) = wrong(format!("the name of a parameter must be written out as text in `{function}(\"...\")`"), place(0));
        (error.help("parameters are read from the text of the script, before it runs"), position)
    })?;
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '=') {
        return Err(wrong("the name of a parameter cannot be empty or hold `=` or control characters", place(0)));
    }
    // A map is never a default: `param(name, #{label: "..."})` has none.
    let described =
        if call.args.len() == 2 && literal(1).is_some_and(|d| d.is_map()) { Some(1) } else { (call.args.len() == 3).then_some(2) };
    let default = literal(1).filter(|d| !d.is_unit() && described != Some(1)).map(|d| thrown::to_json(&d));
    let mut declared = ParamDecl {
        required: call.args.len() < 2 || described == Some(1) || literal(1).is_some_and(|d| d.is_unit()),
        kind: match &default {
            Some(Value::Bool(_)) => ParamKind::Flag,
            Some(Value::Number(_)) => ParamKind::Number,
            Some(Value::Array(_)) => ParamKind::List,
            _ => ParamKind::Text,
        },
        name,
        default,
        secret,
        file: unit.name.clone(),
        line: position.line().unwrap_or(0),
        ..ParamDecl::default()
    };
    if let Some(described) = described {
        let about = literal(described).and_then(Dynamic::try_cast::<Map>).ok_or_else(|| {
            let (error, position) = wrong("what describes a parameter must be written out as a map", place(described));
            (
                error.help("e.g. `#{label: \"Mail to\", type: \"text\"}`: parameters are read from the text of the script, before it runs"),
                position,
            )
        })?;
        describe(&mut declared, about).map_err(|e| (e, place(described)))?;
    }
    if let Some(default) = &declared.default {
        let checked = check_json(&declared, default);
        let checked = checked.map_err(|e| (Error::new(Kind::Script, format!("the default of {}", e.message())), place(1)))?;
        // An empty text is a default of every kind: there is none then.
        declared.default = Some(checked.unwrap_or_else(|| default.clone()));
    }
    Ok(declared)
}

/// Reads `#{label, help, type, choices}`.
fn describe(declared: &mut ParamDecl, about: Map) -> Result<()> {
    let script = |message: String| Error::new(Kind::Script, message);
    let mut kind = None;
    for (key, value) in about {
        let text = || value.clone().into_string().map_err(|_| script(format!("`{key}` of a parameter must be text")));
        match key.as_str() {
            "label" => declared.label = text()?,
            "help" => declared.help = text()?,
            "type" => {
                let written = text()?;
                let found = ParamKind::ALL.into_iter().find(|k| k.name() == written).ok_or_else(|| {
                    let error = script(format!("there is no parameter type `{written}`"));
                    error.suggest(&written, ParamKind::ALL.iter().map(|k| k.name()))
                })?;
                kind = Some(found);
            }
            "choices" => {
                let items = value.clone().into_array().map_err(|_| script("`choices` of a parameter must be a list".to_owned()))?;
                declared.choices = items.into_iter().map(|i| i.to_string()).collect();
            }
            other => {
                let error = script(format!("a parameter has no `{other}`"));
                return Err(error.suggest(other, ["label", "help", "type", "choices"]));
            }
        }
    }
    declared.kind = kind.unwrap_or(if declared.choices.is_empty() { declared.kind } else { ParamKind::Choice });
    if (declared.kind == ParamKind::Choice) == declared.choices.is_empty() {
        return Err(script("a parameter of type `choice` needs `choices`, and no other type has them".to_owned())
            .help("e.g. `#{choices: [\"Test\", \"Production\"]}`"));
    }
    Ok(())
}

/// How the items of a list stand in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// One on each line.
    Lines,
    /// Between commas, for there is one line.
    Commas,
}

/// Checks a value written in a box, on a command line or in the environment, and converts it to the parameter's kind. None for an empty
/// text that stands for the default: only a text or a list can be empty.
///
/// Flags are `true`, `false`, `yes`, `no`, `on`, `off`; a list between commas can also be one in JSON.
///
/// # Errors
/// A usage error that names the parameter and the text; also for an empty text when there is no default.
pub fn check_value(decl: &ParamDecl, text: &str, items: Items) -> Result<Option<Value>> {
    if text.trim().is_empty() && !matches!(decl.kind, ParamKind::Text | ParamKind::List | ParamKind::ListOf(_)) {
        return if decl.required { Err(refuse(decl, decl.kind.wanted(), "nothing")) } else { Ok(None) };
    }
    read(decl, text, items).map(Some)
}

fn read(decl: &ParamDecl, text: &str, items: Items) -> Result<Value> {
    let no = || refuse(decl, decl.kind.wanted(), &format!("`{text}`"));
    match decl.kind {
        ParamKind::Text => Ok(text.into()),
        ParamKind::Number => {
            let trimmed = text.trim();
            if let Ok(whole) = trimmed.parse::<i64>() {
                return Ok(whole.into());
            }
            let number = trimmed.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or_else(no)
        }
        ParamKind::Flag => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true.into()),
            "false" | "no" | "off" => Ok(false.into()),
            _ => Err(no()),
        },
        ParamKind::List | ParamKind::ListOf(_) => {
            if items == Items::Commas && text.trim_start().starts_with('[') {
                let value: Value = serde_json::from_str(text).map_err(|_| no())?;
                return check_json(decl, &value).map(|value| value.unwrap_or_else(|| Value::Array(Vec::new())));
            }
            let between = if items == Items::Lines { '\n' } else { ',' };
            text.split(between).map(str::trim).filter(|item| !item.is_empty()).map(|item| one_item(decl, item)).collect()
        }
        ParamKind::Choice => {
            if decl.choices.iter().any(|c| c == text) {
                return Ok(text.into());
            }
            Err(no().suggest(text, decl.choices.iter().map(String::as_str)))
        }
        ParamKind::Duration | ParamKind::Time | ParamKind::Window | ParamKind::Version | ParamKind::Named(_) => {
            if decl.kind.takes(text) {
                Ok(text.trim().into())
            } else {
                Err(no())
            }
        }
    }
}

/// An item of a list.
fn one_item(decl: &ParamDecl, item: &str) -> Result<Value> {
    match decl.kind {
        ParamKind::ListOf(named) if item.trim().is_empty() || !decl.kind.takes(item) => {
            Err(refuse(decl, &format!("a list of which each item is {}", ParamKind::Named(named).wanted()), &format!("`{item}`")))
        }
        _ => Ok(item.into()),
    }
}

/// Checks a value from a parameter file (TOML or JSON) and converts it to the parameter's kind; none as in [`check_value`].
///
/// # Errors
/// As [`check_value`].
pub fn check_json(decl: &ParamDecl, value: &Value) -> Result<Option<Value>> {
    let no = || refuse(decl, decl.kind.wanted(), &format!("`{value}`"));
    match (decl.kind, value) {
        (ParamKind::Number, Value::Number(_)) | (ParamKind::Flag, Value::Bool(_)) => Ok(Some(value.clone())),
        (kind, Value::Array(items)) if kind.is_list() => {
            let text = |item: &Value| match item {
                Value::String(text) => one_item(decl, text),
                Value::Number(_) | Value::Bool(_) => one_item(decl, &item.to_string()),
                _ => Err(no()),
            };
            Ok(Some(items.iter().map(text).collect::<Result<Vec<_>>>()?.into()))
        }
        (_, Value::String(text)) => check_value(decl, text, Items::Commas),
        // A version may look like a number, and so may a name.
        (kind, Value::Number(_) | Value::Bool(_)) if !kind.is_list() => check_value(decl, &value.to_string(), Items::Commas),
        _ => Err(no()),
    }
}

fn refuse(decl: &ParamDecl, wanted: &str, got: &str) -> Error {
    let got = if decl.secret { "something else" } else { got };
    Error::usage(format!("parameter `{}` must be {wanted}, got {got}", decl.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Source};

    fn read(text: &str) -> std::result::Result<Vec<ParamDecl>, Failure> {
        let source = Source::text("main.rhai", text);
        declarations(&Interpreter::new(Config::default()).load(&source).expect("compiles"))
    }

    #[test]
    fn all_forms_are_found_also_in_functions_and_closures() {
        let found = read(
            r#"let to = param("NotifyTo", "team@example.com");
            fn deep() { [1].map(|x| param("Count", 3)) }
            if param("Sure", false) { secret("Token") }
            let env = param("Env", "Test", #{label: "Where", choices: ["Test", "Production"]});
            param("Name");"#,
        )
        .expect("right");
        let shown: Vec<_> = found.iter().map(|d| (d.name.as_str(), d.kind, d.required, d.secret, d.line)).collect();
        assert_eq!(
            shown,
            [
                ("NotifyTo", ParamKind::Text, false, false, 1),
                ("Count", ParamKind::Number, false, false, 2),
                ("Sure", ParamKind::Flag, false, false, 3),
                ("Token", ParamKind::Text, true, true, 3),
                ("Env", ParamKind::Choice, false, false, 4),
                ("Name", ParamKind::Text, true, false, 5),
            ]
        );
        assert_eq!(found[0].default, Some("team@example.com".into()));
        assert_eq!(found[4].label, "Where");
    }

    #[test]
    fn what_is_wrong_in_a_declaration_has_its_place() {
        for (text, message, line, column) in [
            ("let n = \"x\";\nparam(n + \"y\")", "the name of a parameter must be written out as text in `param(\"...\")`", 2, 9),
            ("param(\"A\", 1);\nparam(\"A\", 2)", "parameter `A` has `2` here, but `1` in line 1 of `main.rhai`", 2, 1),
            ("param(\"A\", \"x\", #{choices: [\"y\"]})", "the default of parameter `A` must be one of its choices, got `x`", 1, 12),
            (
                "param(\"A\", \"45\", #{type: \"duration\"})",
                "the default of parameter `A` must be a duration such as 45m or 1h30m, got `45`",
                1,
                12,
            ),
            ("param(\"A\", 1, #{tpye: \"text\"})", "a parameter has no `tpye`", 1, 15),
            ("secret(\"A\", 1)", "`secret` takes 1 argument, not 2", 1, 1),
        ] {
            let failure = read(text).expect_err(text);
            assert_eq!(failure.error.message(), message);
            assert_eq!((failure.trace[0].line, failure.trace[0].column), (line, column), "{text}");
        }
    }

    /// Texts that a kind takes, and texts that it does not.
    #[test]
    fn typed_texts_are_refused_with_parameter_and_text() {
        let of = |kind: ParamKind| read(&format!("param(\"P\", \"\", #{{type: \"{kind}\"}});")).expect("a declaration").remove(0);
        for (kind, right, wrong) in [
            (ParamKind::Duration, &["45m", " 1h30m ", "90s", "7d"][..], &["45", "soon", "-5m", "1x"][..]),
            (ParamKind::Time, &["Sat 02:00", "22:00", "in 30m", "2026-03-29 02:30 Europe/Berlin"], &["Sat", "25:00", "whenever"][1..]),
            (ParamKind::Window, &["Mon-Fri 22:00-04:00"], &["always", "22:00"]),
            (ParamKind::Named(NameKind::Project), &["Project A", "Projects-1"], &["#{Typo}", "Shop #{Typo}"]),
            (ParamKind::Named(NameKind::Environment), &["Test"], &["#{A}"]),
            (ParamKind::Named(NameKind::Tenant), &["Acme"], &["#{A}"]),
        ] {
            for text in right {
                let value = check_value(&of(kind), text, Items::Lines).expect("it fits");
                assert_eq!(value, Some(text.trim().into()), "{kind}");
            }
            for text in wrong {
                let error = check_value(&of(kind), text, Items::Lines).expect_err(text);
                let message = error.message();
                assert!(message.starts_with("parameter `P` must be ") && message.ends_with(&format!(", got `{text}`")), "{message}");
            }
        }
    }

    #[test]
    fn empty_text_is_the_default_of_every_kind_but_text_and_list() {
        for kind in ParamKind::ALL.into_iter().filter(|kind| *kind != ParamKind::Choice) {
            let default = match kind {
                ParamKind::Number => "3",
                ParamKind::Flag => "true",
                _ if kind.is_list() => "[]",
                _ => "\"\"",
            };
            let script = format!("param(\"P\", {default}, #{{type: \"{kind}\"}}); param(\"Q\", #{{type: \"{kind}\"}});");
            let declared = read(&script).expect("right");
            assert_eq!((declared[0].kind, declared[1].kind), (kind, kind));
            let empty = check_value(&declared[0], " ", Items::Lines).expect("empty is allowed");
            assert_eq!(empty.is_none(), kind != ParamKind::Text && !kind.is_list(), "{kind}");
            assert_eq!(check_value(&declared[1], "", Items::Lines).is_err(), empty.is_none(), "{kind}");
        }
    }

    #[test]
    fn values_are_checked_and_converted() {
        let of = |kind| ParamDecl {
            name: "P".into(),
            required: true,
            kind,
            choices: vec!["Test".into(), "Production".into()],
            ..ParamDecl::default()
        };
        let line = |kind, text| check_value(&of(kind), text, Items::Commas);
        let value = |kind, text| line(kind, text).expect(text).expect("not empty");
        assert_eq!(value(ParamKind::Number, " 12 "), 12);
        assert_eq!(value(ParamKind::Number, "1.5"), 1.5);
        assert_eq!(value(ParamKind::Flag, "Yes"), true);
        assert_eq!(value(ParamKind::List, "a, b,"), serde_json::json!(["a", "b"]));
        assert_eq!(value(ParamKind::List, "[1, \"b\"]"), serde_json::json!(["1", "b"]));
        let box_of = check_value(&of(ParamKind::List), "Smith, John\r\n\n b ", Items::Lines).expect("a list");
        assert_eq!(box_of, Some(serde_json::json!(["Smith, John", "b"])));
        assert_eq!(check_json(&of(ParamKind::Text), &serde_json::json!(5)).expect("text"), Some("5".into()));
        let error = line(ParamKind::Choice, "test").expect_err("another case");
        assert_eq!(error.hints(), ["did you mean `Test`?"]);
        assert_eq!(line(ParamKind::Number, "NaN").expect_err("no number").kind(), Kind::Usage);
        assert!(check_json(&of(ParamKind::Flag), &serde_json::json!([true])).is_err());
        // A version that a file holds as a number.
        assert_eq!(check_json(&of(ParamKind::Version), &serde_json::json!(1.2)).expect("a version"), Some("1.2".into()));
        assert!(check_json(&of(ParamKind::Duration), &serde_json::json!(45)).is_err());
        let projects = of(ParamKind::ListOf(NameKind::Project));
        assert!(check_json(&projects, &serde_json::json!(["Project A", ""])).is_err());
        assert!(check_value(&projects, "Project A\n#{Typo}", Items::Lines).is_err());
    }
}
