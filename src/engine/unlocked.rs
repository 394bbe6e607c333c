//! No value is locked while a function waits: the text that runs, made from the text that was written.
//!
//! Rhai locks a variable that a closure captured for the whole call of `variable.method(...)`. A function of the library may wait for
//! hours, and another branch of `parallel` that uses the variable meanwhile fails. Functions of the library never change the value before
//! the dot, so a copy serves as well: `task.cancel()` runs as `[task][0].cancel()`, `tasks.a.cancel()` as `[tasks.a][0].cancel()`. Rhai
//! evaluates what stands in the brackets first and lets go of it. Values of the library are handles, and their copies mean the same thing.
//!
//! Each round of a loop has a variable of its own, if a closure captures it: what closures capture they share, and the variable of a loop is one
//! for all rounds, so that all closures would see the last item. `for p in list { s.undo(|| print(p)) }` runs as
//! `for p in list { let p = p; s.undo(|| print(p)) }`.
//!
//! Functions that change a text also return it, and where the value is used the text before the dot stays as it is: `let t = s.trim()` runs as
//! `let t = [s][0].trim()`, and `s.trim();` as it is written.
//!
//! A loop that uses `this` begins each round with `this._stays_within_limits();`: variables are looked at when they are used, and `this` is not
//! a variable.
//!
//! Errors of Rhai carry places in the running text; [`Columns`] leads back to the written one.

use rhai::{AST, ASTFlags, ASTNode, Array, Dynamic, Expr, Map, Position, Stmt};
use std::collections::{BTreeMap, BTreeSet};

/// Functions of Rhai's own that call closures and change nothing unless the closure changes `this`.
const READERS: [&str; 13] =
    ["map", "filter", "find", "find_map", "index_of", "some", "all", "reduce", "reduce_rev", "for_each", "contains", "call", "curry"];

/// Functions of Rhai's own that may follow a property in a chain whose root is a copy.
const PURE: [&str; 16] = [
    "len",
    "is_empty",
    "contains",
    "starts_with",
    "ends_with",
    "to_string",
    "to_upper",
    "to_lower",
    "sub_string",
    "index_of",
    "keys",
    "values",
    "type_of",
    "start",
    "end",
    "get",
];

/// Functions on texts that change them and return the changed text.
const CHANGING: [&str; 5] = ["trim", "replace", "crop", "make_upper", "make_lower"];

/// What looks at `this`, see [`standard`](super::standard).
pub(super) const LOOK_AT_THIS: &str = "_stays_within_limits";

const BEGIN: &str = "[";
const END: &str = "][0]";

/// Which names of the library may wait.
pub(super) struct MayWait {
    /// Functions, also those without a receiver: any can be called with its first argument before the dot.
    pub(super) functions: BTreeSet<&'static str>,
    /// Properties that ask the server.
    pub(super) properties: BTreeSet<&'static str>,
    /// Whether a function is one of Rhai's own.
    pub(super) is_standard: fn(&str) -> bool,
}

/// What was added to the lines of a file: column in the written text and number of characters, in order.
#[derive(Default)]
pub(super) struct Columns(BTreeMap<usize, Vec<(usize, usize)>>);

impl Columns {
    fn moved(&self, position: Position, place: impl Fn(&[(usize, usize)], usize) -> usize) -> Position {
        let (Some(line), Some(column)) = (position.line(), position.position()) else { return position };
        let Some(added) = self.0.get(&line) else { return position };
        let column = place(added, column);
        Position::new(u16::try_from(line).unwrap_or(u16::MAX), u16::try_from(column).unwrap_or(u16::MAX))
    }

    /// The place in the written text.
    pub(super) fn written(&self, running: Position) -> Position {
        self.moved(running, |added, column| {
            let mut shift = 0;
            for &(at, length) in added {
                if column < at + shift {
                    break;
                }
                if column < at + shift + length {
                    return at;
                }
                shift += length;
            }
            column - shift
        })
    }

    /// The place in the running text.
    pub(super) fn running(&self, written: Position) -> Position {
        self.moved(written, |added, column| column + added.iter().filter(|(at, _)| *at <= column).map(|(_, length)| length).sum::<usize>())
    }

    /// Takes over the lines of a text that was added to this one.
    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

/// The running text for a script, and what was added to it; `None` when it is the written one.
pub(super) fn running(ast: &AST, text: &str, waiting: &MayWait) -> Option<(String, Columns)> {
    let habits = Habits::of(ast, waiting);
    let lines: Vec<&str> = text.split('\n').collect();
    let mut added: BTreeSet<(usize, usize, String)> = BTreeSet::new();
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Stmt(Stmt::Share(captured))) = nodes.last() {
            for (name, _) in captured.iter() {
                if let Some(body) = loop_over(nodes, &name.name).filter(|body| fits(&lines, *body, Sign::Body)) {
                    let place = body.line().zip(body.position());
                    added.extend(place.map(|(line, column)| (line, column + 1, format!(" let {0} = {0};", name.name))));
                }
            }
        }
        if let Some(ASTNode::Expr(Expr::ThisPtr(_))) = nodes.last()
            && let Some(body) = innermost_loop(nodes).filter(|body| fits(&lines, *body, Sign::Body))
        {
            let place = body.line().zip(body.position());
            added.extend(place.map(|(line, column)| (line, column + 1, format!(" this.{LOOK_AT_THIS}();"))));
        }
        if let Some(ASTNode::Expr(node @ (Expr::Dot(..) | Expr::Index(..)))) = nodes.last()
            && !continues_or_is_assigned(nodes, node)
            && let Some(places) = wrapped(&Chain::of(node), waiting, &habits, is_used(nodes))
            && places.iter().all(|(position, sign)| fits(&lines, *position, *sign))
        {
            added.extend(
                places
                    .into_iter()
                    .filter_map(|(at, sign)| Some((at.line()?, at.position()?, if sign == Sign::End { END } else { BEGIN }.to_owned()))),
            );
        }
        true
    });
    if added.is_empty() {
        return None;
    }
    let mut columns = Columns::default();
    for (line, column, sign) in &added {
        columns.0.entry(*line).or_default().push((*column, sign.chars().count()));
    }
    let mut running = String::with_capacity(text.len() + added.len() * END.len());
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            running.push('\n');
        }
        let mut here = added.range((number + 1, 0, String::new())..(number + 2, 0, String::new())).peekable();
        for (index, character) in line.chars().enumerate() {
            while let Some((.., sign)) = here.next_if(|(_, column, _)| *column == index + 1) {
                running.push_str(sign);
            }
            running.push(character);
        }
        here.for_each(|(.., sign)| running.push_str(sign));
    }
    Some((running, columns))
}

/// Where the body begins of the innermost loop around a node whose variable, or counter, has this name.
fn loop_over(nodes: &[ASTNode], name: &str) -> Option<Position> {
    nodes.iter().rev().find_map(|node| match node {
        ASTNode::Stmt(Stmt::For(x, _)) if x.0.name == name || x.1.as_ref().is_some_and(|counter| counter.name == name) => {
            Some(x.2.body.position())
        }
        _ => None,
    })
}

/// Where the body of the innermost loop around a node begins.
fn innermost_loop(nodes: &[ASTNode]) -> Option<Position> {
    nodes.iter().rev().find_map(|node| match node {
        ASTNode::Stmt(Stmt::For(x, _)) => Some(x.2.body.position()),
        ASTNode::Stmt(Stmt::While(x, _) | Stmt::Do(x, ..)) => Some(x.body.position()),
        _ => None,
    })
}

/// Whether something is done with the value of an expression, beside being the value of its block.
fn is_used(nodes: &[ASTNode]) -> bool {
    !matches!(nodes.len().checked_sub(2).and_then(|before| nodes.get(before)), Some(ASTNode::Stmt(Stmt::Expr(_))))
}

/// What a file does that makes copies of its values unsafe.
struct Habits {
    /// A function or closure changes its `this`.
    changes_this: bool,
    /// The keys of its maps: a closure in a map is called like a method.
    keys: BTreeSet<String>,
    /// Its own functions.
    functions: BTreeSet<String>,
}

impl Habits {
    fn of(ast: &AST, waiting: &MayWait) -> Self {
        let functions = ast.iter_functions().map(|function| function.name.to_owned()).collect();
        let mut habits = Self { changes_this: false, keys: BTreeSet::new(), functions };
        ast.walk(&mut |nodes| {
            match nodes.last() {
                Some(ASTNode::Stmt(Stmt::Assignment(x))) => {
                    habits.changes_this |= matches!(root(&x.1.lhs), Expr::ThisPtr(_));
                }
                Some(ASTNode::Expr(node @ (Expr::Dot(..) | Expr::Index(..)))) if matches!(root(node), Expr::ThisPtr(_)) => {
                    let changes = |name: &str| !PURE.contains(&name) && (waiting.is_standard)(name);
                    habits.changes_this |= Chain::of(node).links.iter().any(|link| link.method().is_some_and(changes));
                }
                Some(ASTNode::Expr(Expr::Map(map, _))) => {
                    habits.keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
                }
                Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) => habits.keys_of(value),
                _ => {}
            }
            true
        });
        habits
    }

    /// A map whose values are all constant is one itself.
    fn keys_of(&mut self, value: &Dynamic) {
        if let Some(map) = value.read_lock::<Map>() {
            self.keys.extend(map.keys().map(ToString::to_string));
            map.values().for_each(|value| self.keys_of(value));
        } else if let Some(list) = value.read_lock::<Array>() {
            list.iter().for_each(|value| self.keys_of(value));
        }
    }
}

fn root(node: &Expr) -> &Expr {
    match node {
        Expr::Dot(x, ..) | Expr::Index(x, ..) => root(&x.lhs),
        other => other,
    }
}

/// Whether `node` is the rest of the chain of its parent, or what is assigned to.
fn continues_or_is_assigned(nodes: &[ASTNode], node: &Expr) -> bool {
    match nodes.len().checked_sub(2).and_then(|before| nodes.get(before)) {
        Some(ASTNode::Expr(Expr::Dot(x, ..))) => std::ptr::eq(&raw const x.rhs, node),
        Some(ASTNode::Expr(Expr::Index(x, flags, _))) => std::ptr::eq(&raw const x.rhs, node) && !flags.contains(ASTFlags::BREAK),
        Some(ASTNode::Stmt(Stmt::Assignment(x))) => std::ptr::eq(&raw const x.1.lhs, node),
        _ => false,
    }
}

/// `root.link[link].link()`
struct Chain<'a> {
    root: &'a Expr,
    links: Vec<Link<'a>>,
}

struct Link<'a> {
    /// Written with `?.` or `?[`: nothing behind it is evaluated for `()`.
    elvis: bool,
    /// Where the `.` or `[` stands.
    at: Position,
    /// Property, method call or index.
    what: &'a Expr,
}

impl<'a> Chain<'a> {
    fn of(node: &'a Expr) -> Self {
        let (Expr::Dot(first, ..) | Expr::Index(first, ..)) = node else { return Self { root: node, links: Vec::new() } };
        let mut links = Vec::new();
        let mut node = node;
        while let Expr::Dot(x, flags, at) | Expr::Index(x, flags, at) = node {
            let goes_on = matches!(node, Expr::Dot(..)) || !flags.contains(ASTFlags::BREAK);
            let rest = match &x.rhs {
                Expr::Dot(rest, ..) | Expr::Index(rest, ..) if goes_on => Some(&rest.lhs),
                _ => None,
            };
            links.push(Link { elvis: flags.contains(ASTFlags::NEGATED), at: *at, what: rest.unwrap_or(&x.rhs) });
            if rest.is_none() {
                break;
            }
            node = &x.rhs;
        }
        Self { root: &first.lhs, links }
    }
}

impl Link<'_> {
    fn method(&self) -> Option<&str> {
        if let Expr::MethodCall(call, _) = self.what { Some(call.name.as_str()) } else { None }
    }

    /// Whether the value behind it may be worked on while the one before it is a copy.
    fn keeps(&self, waiting: &MayWait) -> bool {
        let Expr::MethodCall(call, _) = self.what else { return true };
        let name = call.name.as_str();
        // That of a list takes items out of it.
        let splits_a_text = name == "split" && matches!(call.args.first(), Some(Expr::StringConstant(..) | Expr::CharConstant(..)));
        waiting.functions.contains(name) || PURE.contains(&name) || splits_a_text
    }
}

/// What stands where something is put in.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    /// The first character of a name.
    Name,
    /// `.` or `?.`
    End,
    /// `{`
    Body,
}

fn fits(lines: &[&str], at: Position, sign: Sign) -> bool {
    let found = at.line().zip(at.position()).and_then(|(line, column)| lines.get(line - 1)?.chars().nth(column.checked_sub(1)?));
    found.is_some_and(|c| match sign {
        Sign::Name => c.is_alphabetic() || c == '_',
        Sign::End => c == '.' || c == '?',
        Sign::Body => c == '{',
    })
}

/// Where brackets belong around the beginning of a chain that waits.
fn wrapped(chain: &Chain<'_>, waiting: &MayWait, habits: &Habits, is_used: bool) -> Option<[(Position, Sign); 2]> {
    let begin = match chain.root {
        Expr::Variable(x, _, at) if x.2.is_empty() => *at,
        Expr::ThisPtr(at) => *at,
        _ => return None,
    };
    let waits = |(index, link): (usize, &Link<'_>)| match link.what {
        Expr::MethodCall(call, _) => {
            let name = call.name.as_str();
            if CHANGING.contains(&name) && !habits.keys.contains(name) && !habits.functions.contains(name) {
                return is_used;
            }
            if habits.changes_this {
                waiting.functions.contains(name) && !habits.keys.contains(name)
            } else {
                let ours = habits.keys.contains(name) && PURE.contains(&name);
                waiting.functions.contains(name) || READERS.contains(&name) || ours || !(waiting.is_standard)(name)
            }
        }
        Expr::Property(x, _) => {
            waiting.properties.contains(x.2.as_str()) && chain.links[index + 1..].iter().all(|later| later.keeps(waiting))
        }
        _ => false,
    };
    let first = chain.links.iter().enumerate().position(waits)?;
    // `a?.b.wait()` is `()` when `a` is: the whole chain stays one, behind a copy of its root.
    let before = &chain.links[..first];
    let end = match before.iter().any(|link| link.elvis) {
        true if before.iter().all(|link| link.keeps(waiting)) => chain.links[0].at,
        true => return None,
        false => chain.links[first].at,
    };
    Some([(begin, Sign::Name), (end, Sign::End)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs_as(text: &str) -> String {
        let waiting = MayWait {
            functions: ["cancel", "wait", "deploy", "parallel"].into(),
            properties: ["log"].into(),
            is_standard: |name| {
                READERS.contains(&name) || PURE.contains(&name) || ["push", "pop", "retain", "split", "trim"].contains(&name)
            },
        };
        let mut engine = rhai::Engine::new();
        engine.set_strict_variables(false);
        let ast = engine.compile(text).expect("a script");
        let Some((running, columns)) = running(&ast, text, &waiting) else { return text.to_owned() };
        engine.compile(&running).expect("the running text is a script too");
        // Each character is found again, from both sides.
        for (line, (written, running)) in text.lines().zip(running.lines()).enumerate() {
            let running: Vec<char> = running.chars().collect();
            for (column, character) in written.chars().enumerate() {
                let place = Position::new(u16::try_from(line + 1).expect("small"), u16::try_from(column + 1).expect("small"));
                let there = columns.running(place);
                assert_eq!(running[there.position().expect("a column") - 1], character, "{text}: {place}");
                assert_eq!(columns.written(there), place, "{text}");
            }
        }
        running
    }

    #[test]
    fn chains_that_wait_begin_with_a_copy() {
        for (written, running) in [
            ("t.cancel()", "[t][0].cancel()"),
            // The value is used: the text stays as it is.
            ("let s = t.trim();", "let s = [t][0].trim();"),
            ("t.trim();", "t.trim();"),
            ("if m.t.trim() == `a` { t.replace(`a`, `b`); }", "if [m.t][0].trim() == `a` { t.replace(`a`, `b`); }"),
            ("fn trim() { 1 } let s = t.trim();", "fn trim() { 1 } let s = t.trim();"),
            // `this` is looked at in each round.
            ("fn f() { loop { this = 1; } }", "fn f() { loop { this._stays_within_limits(); this = 1; } }"),
            (
                "fn f() { for x in this { while x { print(this); } } }",
                "fn f() { for x in this { this._stays_within_limits(); while x { this._stays_within_limits(); print(this); } } }",
            ),
            ("`é`; t.cancel()", "`é`; [t][0].cancel()"),
            ("tasks.a.cancel()", "[tasks.a][0].cancel()"),
            ("tasks[i + 1].cancel().wait()", "[tasks[i + 1]][0].cancel().wait()"),
            ("tasks[a.b].cancel()", "[tasks[a.b]][0].cancel()"),
            ("tasks[t.log].cancel()", "[tasks[[t][0].log]][0].cancel()"),
            ("m.tasks.pop().wait()", "[m.tasks.pop()][0].wait()"),
            ("a?.b.cancel()", "[a][0]?.b.cancel()"),
            ("a?.b.pop().cancel()", "a?.b.pop().cancel()"),
            ("a?.cancel()", "[a][0]?.cancel()"),
            ("t.log.len()", "[t][0].log.len()"),
            ("m.log.push(1)", "m.log.push(1)"),
            ("t.id", "t.id"),
            ("list.push(t.wait())", "list.push([t][0].wait())"),
            ("list.map(|x| x.wait())", "[list][0].map(|x| [x][0].wait())"),
            ("list.retain(|x| x > 1)", "list.retain(|x| x > 1)"),
            ("items.parallel(|p| s.deploy(p))", "[items][0].parallel(|p| [s][0].deploy(p))"),
            ("f.call(1)", "[f][0].call(1)"),
            ("ops.begin(1)", "[ops][0].begin(1)"),
            ("let ops = #{start: f}; ops.start(1)", "let ops = #{start: f}; [ops][0].start(1)"),
            ("range.start()", "range.start()"),
            ("for p in l { f(|| p) }", "for p in l { let p = p; f(|| p) }"),
            ("for (p, i) in l {\n g(|| i + p) }", "for (p, i) in l { let i = i; let p = p;\n g(|| i + p) }"),
            ("for p in l {t.cancel(|| p)}", "for p in l { let p = p;[t][0].cancel(|| p)}"),
            ("for p in l { for q in p { f(|| p + q) } }", "for p in l { let p = p; for q in p { let q = q; f(|| p + q) } }"),
            ("for p in l { f(|x| x) } f(|| l)", "for p in l { f(|x| x) } f(|| l)"),
            ("t.log.split(\",\")", "[t][0].log.split(\",\")"),
            ("m.log.split(2)", "m.log.split(2)"),
            ("tasks[0] = t.wait()", "tasks[0] = [t][0].wait()"),
            ("`is ${t.wait()}`", "`is ${[t][0].wait()}`"),
            ("wait(t)", "wait(t)"),
            ("fn f() { this.wait() }", "fn f() { [this][0].wait() }"),
            ("if a { b } t.wait()", "if a { b } [t][0].wait()"),
            ("let x = #{wait: 1}; x.wait()", "let x = #{wait: 1}; [x][0].wait()"),
        ] {
            assert_eq!(runs_as(written), running);
        }
    }

    #[test]
    fn copies_are_not_made_where_a_closure_changes_its_subject() {
        for text in [
            "let m = #{n: 0, add: |x| this.n += x}; m.add(1)",
            "fn add(x) { this.push(x) } let l = []; l.add(1)",
            "let m = #{wait: || this.n = 1}; m.wait()",
            "list.for_each(|| this += 1)",
        ] {
            assert_eq!(runs_as(text), text);
        }
        assert_eq!(runs_as("fn add(x) { this.push(x) } t.cancel()"), "fn add(x) { this.push(x) } [t][0].cancel()");
    }

    #[test]
    fn a_place_inside_of_what_was_added_is_where_it_was_added() {
        let columns = Columns(BTreeMap::from([(1, vec![(1, 1), (2, 4)])]));
        let written = |column| columns.written(Position::new(1, column)).position();
        assert_eq!((1..=8).map(written).collect::<Vec<_>>(), [1, 1, 2, 2, 2, 2, 2, 3].map(Some));
    }
}
