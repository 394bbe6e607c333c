//! What a script says before it runs: the functions and types it can name, and the type of an expression as far as its text tells.

use super::{
    docs::{Builtin, Entry},
    scan::{Kind, Piece},
};

/// Expressions are followed so deep: names that are declared by each other have no end.
const DEEPEST: usize = 24;

/// Functions of a list that return a list of the same things.
const KEEPS_ITEMS: &[&str] = &["filter", "extract", "drain", "splice", "retain", "chop"];

/// A variable.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The type of its value, in words of users: `Task`, `list of Project`.
    pub kind: String,
    /// The project that it is about, if its value is a task or a text.
    pub project: Option<String>,
    /// The keys, when it is a map.
    pub keys: Vec<String>,
}

/// All that a script can name.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The functions and types of scripts.
    pub entries: Vec<Entry>,
    /// Rhai's own functions.
    pub builtins: Vec<Builtin>,
    /// Variables.
    pub variables: Vec<Variable>,
    /// The script's functions, with their parameters.
    pub functions: Vec<(String, Vec<String>)>,
    /// Imports: each name with its path.
    pub modules: Vec<(String, String)>,
}

impl Scene {
    /// The entries that a call of `name` may mean. `receiver` is the type before the dot, where that is known.
    pub fn called(&self, name: &str, receiver: Option<&str>) -> Vec<&Entry> {
        let method = |entry: &&Entry| !entry.is_type() && receiver.is_some_and(|of| entry.name == format!("{of}.{name}"));
        let own: Vec<&Entry> = self.entries.iter().filter(method).collect();
        if own.is_empty() { self.entries.iter().filter(|e| !e.is_type() && e.name == name).collect() } else { own }
    }

    /// The type of this name.
    pub fn type_named(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_type() && entry.name == name)
    }

    /// The type of the expression that ends with piece `end`, in words of users.
    pub fn kind_at(&self, text: &str, pieces: &[Piece], end: usize) -> Option<String> {
        self.kind(text, pieces, end, DEEPEST)
    }

    fn kind(&self, text: &str, pieces: &[Piece], end: usize, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let piece = pieces.get(end)?;
        let word = piece.of(text);
        let dot = |at: usize| at.checked_sub(1).is_some_and(|before| pieces[before].of(text) == ".");
        match (piece.kind, word) {
            (Kind::Text, _) => Some("text".to_owned()),
            (Kind::Sign, ")") => {
                let open = opening(text, pieces, end)?;
                let name = open.checked_sub(1).filter(|at| pieces[*at].kind == Kind::Word)?;
                let of = if dot(name) { self.kind(text, pieces, name.checked_sub(2)?, depth) } else { None };
                let function = pieces[name].of(text);
                // What is left of a list, or in another order, is of the same things.
                if let Some(list) = of.as_ref().filter(|of| of.starts_with("list of "))
                    && KEEPS_ITEMS.contains(&function)
                {
                    return Some(list.clone());
                }
                let entry = self.called(function, of.as_deref()).first().copied()?;
                match entry.returns() {
                    // `wait(t)` gives `t`.
                    "what it was given" => self.kind(text, pieces, open + 1, depth),
                    returns => Some(returns.to_owned()),
                }
            }
            (Kind::Sign, "}") => (pieces[opening(text, pieces, end)?].of(text) == "#{").then(|| "map".to_owned()),
            (Kind::Sign, "]") => {
                let open = opening(text, pieces, end)?;
                let before = open.checked_sub(1);
                match before.filter(|at| ends_value(text, &pieces[*at])) {
                    Some(list) => item_of(&self.kind(text, pieces, list, depth)?),
                    // A list that is written out: by its first item.
                    None => {
                        Some(self.kind(text, pieces, open + 1, depth).map_or_else(|| "list".to_owned(), |kind| format!("list of {kind}")))
                    }
                }
            }
            (Kind::Word, name) if dot(end) => {
                let of = self.kind(text, pieces, end.checked_sub(2)?, depth)?;
                let entry = self.type_named(&of)?;
                entry.properties.iter().find(|property| property.name == name).map(|property| property.kind.to_owned())
            }
            (Kind::Word, "ctx") => Some("Context".to_owned()),
            (Kind::Word, name) => self.bound(text, pieces, end, name, depth).or_else(|| {
                let known = self.variables.iter().find(|variable| variable.name == name);
                known.map(|variable| variable.kind.clone())
            }),
            _ => None,
        }
    }

    /// The type of a name that this input binds itself: `let x = ...`, `for x in ...`, `|x|`.
    fn bound(&self, text: &str, pieces: &[Piece], end: usize, name: &str, depth: usize) -> Option<String> {
        let is = |at: usize, word: &str| pieces.get(at).is_some_and(|piece| piece.of(text) == word);
        let end_of = |from: usize, stops: &[&str]| {
            let mut depth = 0_usize;
            (from..end).find(|at| {
                match pieces[*at].of(text) {
                    "(" | "[" | "{" | "#{" if !(depth == 0 && stops.contains(&pieces[*at].of(text))) => depth += 1,
                    ")" | "]" | "}" => depth = depth.saturating_sub(1),
                    sign => return depth == 0 && stops.contains(&sign),
                }
                false
            })
        };
        (0..end).rev().filter(|at| pieces[*at].of(text) == name).find_map(|at| {
            if at > 0 && (is(at - 1, "let") || is(at - 1, "const")) && is(at + 1, "=") {
                self.kind(text, pieces, end_of(at + 2, &[";"])?.checked_sub(1)?, depth)
            } else if at > 0 && is(at - 1, "for") && is(at + 1, "in") {
                item_of(&self.kind(text, pieces, end_of(at + 2, &["{"])?.checked_sub(1)?, depth)?)
            } else if at > 0 && is(at - 1, "|") && is(at + 1, "|") {
                self.given_to_closure(text, pieces, at - 1, depth)
            } else {
                None
            }
        })
    }

    /// What a closure that begins at piece `bar` gets from the function that it is given to.
    fn given_to_closure(&self, text: &str, pieces: &[Piece], bar: usize, depth: usize) -> Option<String> {
        let mut open_ones = 0_usize;
        let open = (0..bar).rev().find(|at| match pieces[*at].of(text) {
            ")" | "]" | "}" => {
                open_ones += 1;
                false
            }
            "(" | "[" | "{" | "#{" if open_ones > 0 => {
                open_ones -= 1;
                false
            }
            sign => sign == "(",
        })?;
        let name = pieces.get(open.checked_sub(1)?).filter(|piece| piece.kind == Kind::Word)?.of(text);
        if name == "saga" {
            return Some("Saga".to_owned());
        }
        let list = if open >= 2 && pieces[open - 2].of(text) == "." { open.checked_sub(3)? } else { bar.checked_sub(2)? };
        item_of(&self.kind(text, pieces, list, depth)?)
    }
}

/// What a list of this type has in it.
fn item_of(kind: &str) -> Option<String> {
    kind.strip_prefix("list of ").map(|item| item.trim_end_matches(" or text").to_owned())
}

/// Whether a value can end with this piece.
pub fn ends_value(text: &str, piece: &Piece) -> bool {
    match piece.kind {
        Kind::Word | Kind::Number | Kind::Text => true,
        Kind::Sign => matches!(piece.of(text), ")" | "]" | "}"),
        Kind::Comment => false,
    }
}

/// The piece that opens the bracket that piece `end` closes.
fn opening(text: &str, pieces: &[Piece], end: usize) -> Option<usize> {
    let mut depth = 0_usize;
    (0..=end).rev().find(|at| {
        match pieces[*at].of(text) {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" | "#{" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}
