//! From a session to a script: what was entered and went well, without what only looked.

use crate::engine::{
    scene::Scene,
    text::scan::{self, Kind, Piece},
};

/// An input that went well.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its text.
    pub text: String,
    /// Whether it had a value, which `it` meant from then on.
    pub has_value: bool,
}

/// The script that does what the inputs did: they stand in order, each statement ended, `it` named where somebody asks for it, and
/// what only looked at something left out. The last input stays whatever it is: its value is what the script returns.
pub fn script(head: &str, inputs: &[Kept], scene: &Scene) -> String {
    let mut lines: Vec<String> = head.lines().map(|line| format!("// {line}")).collect();
    // From the end: an input that only looked does not use the value before it once it is left out.
    let mut keep: Vec<(&Kept, bool)> = Vec::new();
    for input in inputs.iter().rev() {
        let used = input.has_value && is_used(&keep);
        if used || keep.is_empty() || !input.has_value || !only_looks(&input.text, &scan::pieces(&input.text), scene) {
            keep.push((input, used));
        }
    }
    for (at, (input, used)) in keep.into_iter().enumerate().rev() {
        let text = input.text.trim();
        let pieces = scan::pieces(text);
        let code_end = pieces.iter().rfind(|piece| piece.kind != Kind::Comment).map_or(0, |piece| piece.range.end);
        if code_end == 0 {
            lines.push(text.to_owned());
            continue;
        }
        let (code, comment) = text.split_at(code_end);
        let code = if used { with_its_value_kept(code) } else { code.to_owned() };
        let ended = code.ends_with(';') || (at == 0 && !used) || ends_as_block(&code, &pieces);
        lines.push(format!("{code}{}{comment}", if ended { "" } else { ";" }));
    }
    lines.join("\n") + "\n"
}

/// Whether a later input means this input's value by `it`: one before the next input with a value, or that one itself. `later` has
/// the last one first.
fn is_used(later: &[(&Kept, bool)]) -> bool {
    for (input, _) in later.iter().rev() {
        if mentions_it(&input.text) {
            return true;
        }
        if input.has_value {
            return false;
        }
    }
    false
}

fn mentions_it(text: &str) -> bool {
    let pieces = scan::pieces(text);
    let dotted = |at: usize| at > 0 && pieces[at - 1].of(text) == ".";
    pieces.iter().enumerate().any(|(at, piece)| piece.kind == Kind::Word && piece.of(text) == "it" && !dotted(at))
}

/// `let it = ` before the last statement, which is the one with the value.
fn with_its_value_kept(code: &str) -> String {
    let mut depth = 0_usize;
    let mut start = 0;
    for piece in scan::pieces(code) {
        match piece.of(code) {
            "(" | "[" | "{" | "#{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            ";" if depth == 0 && code[piece.range.end..].trim() != "" => start = piece.range.end,
            _ => {}
        }
    }
    let gap = code[start..].len() - code[start..].trim_start().len();
    format!("{}let it = {}", &code[..start + gap], &code[start + gap..])
}

/// Whether an input calls nothing but what reads: leaving it out changes nothing.
fn only_looks(text: &str, pieces: &[Piece], scene: &Scene) -> bool {
    let harmless = ["query", "context", "check"];
    let declares = ["let", "const", "fn", "import", "=", "for", "while", "loop", "if", "throw", "return"];
    pieces.iter().enumerate().all(|(at, piece)| {
        let word = piece.of(text);
        if declares.contains(&word) && piece.kind != Kind::Text {
            return false;
        }
        let is_call = piece.kind == Kind::Word && pieces.get(at + 1).is_some_and(|next| next.of(text) == "(");
        if !is_call {
            return true;
        }
        let method = at > 0 && pieces[at - 1].of(text) == ".";
        let last = |entry: &str| entry.rsplit('.').next() == Some(word);
        let entries: Vec<_> = scene.entries.iter().filter(|entry| !entry.is_type() && last(&entry.name)).collect();
        let sends = ["post", "put", "delete", "require", "fail", "require_deployed"].contains(&word);
        if entries.is_empty() {
            // A function of Rhai's own on a value; a function of the session may do anything.
            let changes = ["push", "append", "insert", "remove", "pop", "shift", "clear", "truncate", "retain", "drain", "splice", "call"];
            return method && !changes.contains(&word);
        }
        !sends && entries.iter().all(|entry| harmless.contains(&entry.group.as_str()) || entry.name == "report" || entry.name == "now")
    })
}

/// Whether the last statement is a block, which needs no `;`: `fn f() { }`, `if x { }`, `for x in y { }`.
fn ends_as_block(code: &str, pieces: &[Piece]) -> bool {
    let first = pieces.iter().find(|piece| piece.kind != Kind::Comment).map_or("", |piece| piece.of(code));
    let block = ["fn", "private", "if", "for", "while", "loop", "try", "switch"].contains(&first);
    block && code.ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    fn saved(inputs: &[(&str, bool)]) -> String {
        let scene = Scene { entries: host::reference(), ..Scene::default() };
        let inputs: Vec<Kept> = inputs.iter().map(|(text, has_value)| Kept { text: (*text).to_owned(), has_value: *has_value }).collect();
        script("Saved.", &inputs, &scene)
    }

    #[test]
    fn a_session_becomes_a_script() {
        assert_eq!(
            saved(&[
                ("projects()", true),
                ("let t = deploy(\"Project A\", \"latest\", \"Test\")", false),
                ("t.state", true),
                ("fn f(x) { x }", false),
                ("wait(t) // the long one", true),
                ("it.state", true),
                ("f(1); f(2)", true),
                ("let y = it + 1;", false),
                ("if y > 1 { warn(\"much\") }", false),
                ("t", true),
            ]),
            "// Saved.\nlet t = deploy(\"Project A\", \"latest\", \"Test\");\nfn f(x) { x }\nwait(t); // the long one\nf(1); let it = \
             f(2);\nlet y = it + 1;\nif y > 1 { warn(\"much\") }\nt\n"
        );
        assert_eq!(saved(&[("dashboard()", true)]), "// Saved.\ndashboard()\n");
        assert_eq!(saved(&[("[1].push(2)", true), ("1", true)]), "// Saved.\n[1].push(2);\n1\n");
    }
}
