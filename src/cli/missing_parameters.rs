//! Asks for missing parameters at a terminal; what is typed for a secret is not shown and not kept.

use super::ui::{Tone, Ui};
use crate::{
    engine::params::{Items, ParamDecl, ParamKind, check_value},
    error::{Error, Kind, Result},
};
use rustyline::{
    Behavior, Config, Editor, Helper, completion::Completer, error::ReadlineError, highlight::CmdKind, hint::Hinter, history::MemHistory,
    validate::Validator,
};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// Asks for each of `missing` until the answer fits.
///
/// # Errors
/// [`Kind::Cancelled`] when the answer is Ctrl-C or the end of input.
pub fn ask(ui: &Ui, missing: &[&ParamDecl], values: &mut BTreeMap<String, Value>) -> Result<()> {
    // Straight to the terminal: stdout is data.
    let config = Config::builder().behavior(Behavior::PreferTerm).auto_add_history(false).build();
    let trouble = |why: ReadlineError| match why {
        ReadlineError::Interrupted | ReadlineError::Eof => Error::new(Kind::Cancelled, "no answer: the run was not started"),
        why => Error::usage(format!("cannot read from the terminal: {why}")),
    };
    let mut editor: Editor<Mask, MemHistory> = Editor::with_history(config, MemHistory::new()).map_err(trouble)?;
    for param in missing {
        editor.set_helper(Some(Mask(param.secret)));
        let title = if param.label.is_empty() { &param.name } else { &param.label };
        ui.talk(&ui.paint(Tone::Strong, title));
        for line in param.help.lines() {
            ui.talk(&format!("  {line}"));
        }
        if !param.choices.is_empty() {
            ui.talk(&format!("  one of: {}", param.choices.join(", ")));
        }
        let value = loop {
            let text = editor.readline(&format!("{}: ", param.name)).map_err(trouble)?;
            if text.is_empty() && (param.secret || param.kind != ParamKind::Text) {
                continue;
            }
            match check_value(param, &text, Items::Commas) {
                Ok(Some(value)) => break value,
                Ok(None) => {}
                Err(error) => ui.error(&error),
            }
        };
        values.insert(param.name.clone(), value);
    }
    Ok(())
}

/// Shows `*` for each letter of a secret.
struct Mask(bool);

impl Helper for Mask {}
impl Validator for Mask {}
impl Hinter for Mask {
    type Hint = String;
}
impl Completer for Mask {
    type Candidate = String;
}
impl rustyline::highlight::Highlighter for Mask {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.0 { Cow::Owned("*".repeat(line.chars().count())) } else { Cow::Borrowed(line) }
    }
    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.0 && kind != CmdKind::MoveCursor
    }
}
