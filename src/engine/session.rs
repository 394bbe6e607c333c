//! A session: inputs one after the other, each of which sees what those before it declared.
//!
//! All inputs are one text, so that each place of each input has a line of its own: an error in a function of the third input
//! shows its line when the ninth calls it.

use super::{
    Failure, Files, Interpreter, Limits, Source,
    text::{
        scan::{self, Kind},
        span,
    },
};
use rhai::{AST, ASTNode, Dynamic, Engine, Expr, LexError, ParseErrorType, Scope, Stmt};

/// What messages call the text of a session.
pub const SESSION: &str = "session";

/// What inputs have declared so far.
pub struct Session {
    scope: Scope<'static>,
    /// All functions, closures too: a closure in a variable is looked up by its name.
    functions: AST,
    /// The imports as statements: what an `import` brings is gone after its input, so each input begins with all of them.
    imports: Vec<String>,
    /// Its first line is for the imports.
    text: String,
    files: Files,
}

impl Session {
    /// Nothing yet. `files` is what inputs may import beside the standard library.
    pub fn new(files: Files) -> Self {
        Self { scope: Scope::new(), functions: AST::empty(), imports: Vec::new(), text: "\n".to_owned(), files }
    }

    /// Names and values of the variables; of two of a name, the one that is meant.
    pub fn variables(&self) -> Vec<(String, Dynamic)> {
        let mut all: Vec<(String, Dynamic)> = Vec::new();
        for (name, _, value) in self.scope.iter() {
            all.retain(|(known, _)| known != name);
            all.push((name.to_owned(), value.flatten()));
        }
        all
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<Dynamic> {
        self.scope.get(name).map(Dynamic::flatten_clone)
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &str, value: Dynamic) {
        self.scope.set_value(name.to_owned(), value);
    }

    /// Names and parameters of the functions declared so far.
    pub fn functions(&self) -> Vec<(String, Vec<String>)> {
        let all = self.functions.iter_functions().filter(|f| !f.name.starts_with("anon$"));
        all.map(|f| (f.name.to_owned(), f.params.iter().map(|p| (*p).to_owned()).collect())).collect()
    }

    /// The imports so far, as statements: `import "std/lists" as lists;`.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

impl Interpreter {
    /// Evaluates `input` in `session`. What it declared before it failed stays declared.
    pub fn enter(&self, session: &mut Session, input: &str) -> Result<Dynamic, Failure> {
        let lines = session.text.matches('\n').count();
        session.text.push_str(input);
        session.text.push('\n');
        let begun = format!("{}{}{input}", session.imports.concat(), "\n".repeat(lines));
        let source = Source { name: SESSION.to_owned(), text: session.text.clone(), files: session.files.clone() };
        let ast = self.load_input(&source, &begun, &session.scope)?;
        for import in top_level_imports(&ast) {
            if !session.imports.contains(&import) {
                session.imports.push(import);
            }
        }
        let mut whole = session.functions.merge(&ast);
        whole.set_source(SESSION);
        session.functions = whole.clone_functions_only();
        self.run_ast(&mut session.scope, &whole, SESSION)
    }

    /// The value of an expression in a copy of `session`: nothing of it stays. None when it has none.
    pub fn look(&self, session: &Session, expression: &str) -> Option<Dynamic> {
        let source = Source { name: SESSION.to_owned(), text: session.text.clone(), files: session.files.clone() };
        let begun = format!("{}{expression}", session.imports.concat());
        let ast = self.load_input(&source, &begun, &session.scope).ok()?;
        self.run_ast(&mut session.scope.clone(), &session.functions.merge(&ast), SESSION).ok()
    }
}

/// `import "path" as name;` for each import that stands outside of blocks.
fn top_level_imports(ast: &AST) -> Vec<String> {
    let import = |statement: &Stmt| match statement {
        Stmt::Import(import, _) => match &import.0 {
            Expr::StringConstant(path, _) => Some(format!("import {} as {};", serde_json::Value::from(path.as_str()), import.1.name)),
            _ => None,
        },
        _ => None,
    };
    let mut found = Vec::new();
    ast.walk(&mut |nodes| {
        if let [ASTNode::Stmt(statement)] = nodes {
            found.extend(import(statement));
        }
        true
    });
    found
}

/// Whether `text` is a script by its grammar, whatever its names mean. It may be nested as deeply as in a run.
pub fn is_well_formed(text: &str) -> bool {
    let deepest = Limits::default().nesting;
    Engine::new_raw().set_max_expr_depths(deepest, deepest).compile(text).is_ok()
}

/// Whether `text` is the beginning of something: what a person who presses Enter goes on with.
pub fn is_unfinished(text: &str) -> bool {
    let pieces = scan::pieces(text);
    if scan::endless(text, &pieces).is_some() {
        return true;
    }
    let Err(error) = Engine::new_raw().compile(text) else { return false };
    let code_ends = pieces.iter().rfind(|piece| piece.kind != Kind::Comment).map_or(0, |piece| piece.range.end);
    let position = error.position();
    let at_the_end = position.line().is_none_or(|line| span(text, line, position.position().unwrap_or(1).max(1)).start >= code_ends);
    match error.err_type() {
        ParseErrorType::UnexpectedEOF => true,
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            // A text in double quotes has to end on its line; one in back-ticks may go on.
            pieces.iter().rfind(|piece| !piece.closed).is_some_and(|piece| piece.of(text).starts_with(['`', '}']))
        }
        ParseErrorType::MissingToken(..)
        | ParseErrorType::MissingSymbol(_)
        | ParseErrorType::FnMissingName
        | ParseErrorType::FnMissingParams(_)
        | ParseErrorType::FnMissingBody(_)
        | ParseErrorType::PropertyExpected
        | ParseErrorType::VariableExpected
        | ParseErrorType::ExprExpected(_) => at_the_end,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Config;

    fn enter(session: &mut Session, input: &str) -> Result<String, Failure> {
        Interpreter::new(Config::default()).enter(session, input).map(|value| value.to_string())
    }

    fn told(session: &mut Session, input: &str) -> String {
        enter(session, input).unwrap_or_else(|failure| failure.render(false))
    }

    #[test]
    fn inputs_see_what_was_declared_before() {
        let session = &mut Session::new(Files::None);
        for (input, value) in [
            ("let x = 2; const Y = 3;", ""),
            ("fn twice(n) { 2 * n }", ""),
            ("import \"std/lists\" as lists;", ""),
            ("let add = |n| n + x;", ""),
            ("x = 5; twice(x) + Y", "13"),
            ("add.call(1)", "6"),
            ("lists::chunks([1, 2, 3], 2).len()", "2"),
            ("fn twice(n) { 3 * n }", ""),
            ("twice(1)", "3"),
            ("let x = 7;", ""),
            ("x", "7"),
        ] {
            assert_eq!(told(session, input), value, "{input}");
        }
        assert_eq!(session.functions(), [("twice".to_owned(), vec!["n".to_owned()])]);
        let names: Vec<String> = session.variables().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["Y", "add", "x"]);
    }

    #[test]
    fn an_error_has_its_place_in_its_own_input() {
        let session = &mut Session::new(Files::None);
        enter(session, "fn half(n) {\n  n / 0\n}").expect("declared");
        let told = told(session, "let done = 1; half(4)");
        assert!(told.contains("session:3:5") && told.contains("`half` is called here") && told.contains("n / 0"), "{told}");
        assert_eq!(session.variable("done").map(|v| v.to_string()).as_deref(), Some("1"));
        let told = self::told(session, "nope(1)");
        assert!(told.contains("nope(1)") && told.contains("session:6:1"), "{told}");
    }

    #[test]
    fn the_beginning_of_something_is_unfinished() {
        for text in [
            "fn f(",
            "fn f(x)",
            "fn",
            "lock(\"a\", || {",
            "if x {",
            "if x",
            "let x =",
            "let x = 1 +",
            "f(1,",
            "[1, 2",
            "#{a: 1,",
            "#{a:",
            "`text",
            "`text ${",
            "`text ${f(",
            "/* abc",
            "print(#\"a",
            "x.",
            "wait(t, #{timeout: \"45m\",\n",
            "let t = deploy( // comment",
            "try { f(); }",
            "switch x {",
            "for x in",
            "while true {",
        ] {
            assert!(is_unfinished(text), "{text}");
        }
        for text in ["", "1", "f(1)", "let x = 1;", "let x = 1", "\"abc", "f(1))", "x +* 1", "}", "// note", "let = 1", "`a ${b} c`", "'a"]
        {
            assert!(!is_unfinished(text), "{text}");
        }
    }
}
