//! Parameters of a script, found in its text without running it, and the check of values for them.
//!
//! Forms: `param(name)`, `param(name, default)`, `param(name, default, #{label, help, type, choices})`, `param(name, #{...})` for one that
//! must be given, `secret(name)`.

use super::{Failure, Interpreter, Program, modules::Unit, thrown};
use crate::error::{Error, Kind, Result};
use rhai::{ASTNode, Dynamic, Expr, FnCallExpr, Map, Position, Stmt};
use serde_json::Value;
use std::{fmt, sync::Arc};

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// Any text.
    Text,
    /// A whole or decimal number.
    Number,
    /// `true` or `false`.
    Flag,
    /// Several texts.
    List,
    /// One of [`ParamDecl::choices`].
    Choice,
}

impl ParamKind {
    const ALL: [Self; 5] = [Self::Text, Self::Number, Self::Flag, Self::List, Self::Choice];

    /// As scripts write it: `text`, `number`, `flag`, `list`, `choice`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Flag => "flag",
            Self::List => "list",
            Self::Choice => "choice",
        }
    }
}

impl fmt::Display for ParamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One `param(...)` or `secret(...)` of a script.
#[derive(Clone, Debug, PartialEq)]
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
        label: String::new(),
        help: String::new(),
        choices: Vec::new(),
        secret,
        file: unit.name.clone(),
        line: position.line().unwrap_or(0),
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
        declared.default = Some(
            check_json(&declared, default).map_err(|e| (Error::new(Kind::Script, format!("the default of {}", e.message())), place(1)))?,
        );
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

/// Checks a value written on a command line or in the environment and converts it to the parameter's kind.
///
/// Flags are `true`, `false`, `yes`, `no`, `on`, `off`; lists are separated by commas, or a JSON list.
pub fn check_value(decl: &ParamDecl, text: &str) -> Result<Value> {
    let no = |wanted: &str| refuse(decl, wanted, &format!("`{text}`"));
    match decl.kind {
        ParamKind::Text => Ok(text.into()),
        ParamKind::Number => {
            let trimmed = text.trim();
            if let Ok(whole) = trimmed.parse::<i64>() {
                return Ok(whole.into());
            }
            let number = trimmed.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            number.map(Value::Number).ok_or_else(|| no("a number"))
        }
        ParamKind::Flag => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true.into()),
            "false" | "no" | "off" => Ok(false.into()),
            _ => Err(no("`true` or `false`")),
        },
        ParamKind::List => {
            if text.trim_start().starts_with('[') {
                let value: Value = serde_json::from_str(text).map_err(|_| no("a list"))?;
                return check_json(decl, &value);
            }
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect())
        }
        ParamKind::Choice => {
            if decl.choices.iter().any(|c| c == text) {
                return Ok(text.into());
            }
            let error = no("one of its choices");
            Err(error.suggest(text, decl.choices.iter().map(String::as_str)))
        }
    }
}

/// Checks a value from a parameter file (TOML or JSON) and converts it to the parameter's kind.
pub fn check_json(decl: &ParamDecl, value: &Value) -> Result<Value> {
    match (decl.kind, value) {
        (ParamKind::Number, Value::Number(_)) | (ParamKind::Flag, Value::Bool(_)) => Ok(value.clone()),
        (ParamKind::List, Value::Array(items)) => {
            let text = |item: &Value| match item {
                Value::String(text) => Ok(text.clone()),
                Value::Number(_) | Value::Bool(_) => Ok(item.to_string()),
                _ => Err(refuse(decl, "a list of text", &format!("`{value}`"))),
            };
            Ok(items.iter().map(text).collect::<Result<Vec<_>>>()?.into())
        }
        (_, Value::String(text)) => check_value(decl, text),
        (ParamKind::Text | ParamKind::Choice, Value::Number(_) | Value::Bool(_)) => check_value(decl, &value.to_string()),
        _ => {
            let wanted = match decl.kind {
                ParamKind::Text => "text",
                ParamKind::Number => "a number",
                ParamKind::Flag => "`true` or `false`",
                ParamKind::List => "a list of text",
                ParamKind::Choice => "one of its choices",
            };
            Err(refuse(decl, wanted, &format!("`{value}`")))
        }
    }
}

fn refuse(decl: &ParamDecl, wanted: &str, got: &str) -> Error {
    let got = if decl.secret { "something else" } else { got };
    Error::usage(format!("parameter `{}` must be {wanted}, got {got}", decl.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Config, Files, Source};

    fn read(text: &str) -> std::result::Result<Vec<ParamDecl>, Failure> {
        let source = Source { name: "main.rhai".into(), text: text.into(), files: Files::None };
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
            ("param(\"A\", 1, #{tpye: \"text\"})", "a parameter has no `tpye`", 1, 15),
            ("secret(\"A\", 1)", "`secret` takes 1 argument, not 2", 1, 1),
        ] {
            let failure = read(text).expect_err(text);
            assert_eq!(failure.error.message(), message);
            assert_eq!((failure.trace[0].line, failure.trace[0].column), (line, column), "{text}");
        }
    }

    #[test]
    fn values_are_checked_and_converted() {
        let of = |kind| ParamDecl {
            name: "P".into(),
            default: None,
            required: true,
            kind,
            label: String::new(),
            help: String::new(),
            choices: vec!["Test".into(), "Production".into()],
            secret: false,
            file: String::new(),
            line: 1,
        };
        assert_eq!(check_value(&of(ParamKind::Number), " 12 ").expect("a number"), 12);
        assert_eq!(check_value(&of(ParamKind::Number), "1.5").expect("a number"), 1.5);
        assert_eq!(check_value(&of(ParamKind::Flag), "Yes").expect("a flag"), true);
        assert_eq!(check_value(&of(ParamKind::List), "a, b,").expect("a list"), serde_json::json!(["a", "b"]));
        assert_eq!(check_value(&of(ParamKind::List), "[1, \"b\"]").expect("a list"), serde_json::json!(["1", "b"]));
        assert_eq!(check_json(&of(ParamKind::Text), &serde_json::json!(5)).expect("text"), "5");
        let error = check_value(&of(ParamKind::Choice), "test").expect_err("another case");
        assert_eq!(error.hints(), ["did you mean `Test`?"]);
        assert_eq!(check_value(&of(ParamKind::Number), "NaN").expect_err("no number").kind(), Kind::Usage);
        assert!(check_json(&of(ParamKind::Flag), &serde_json::json!([true])).is_err());
    }
}
