//! Loading and running a script within limits.

use super::{
    Failure, Limits, Source,
    errors::Explainer,
    library::Library,
    meter::Meter,
    modules::{Resolver, Shelf, Unit},
    sizes::Sizes,
    standard,
    tag::{self, Tag},
    thrown,
    unlocked::MayWait,
};
use crate::{cancel::Cancel, secrets::Redactor};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, OptimizationLevel, Position, Scope};
use std::sync::Arc;

/// What an interpreter is made of.
pub struct Config {
    /// What a script may use up.
    pub limits: Limits,
    /// Ends the script within about a thousand operations once set.
    pub cancel: Cancel,
    /// Errors of functions hold nothing that it knows.
    pub secrets: Redactor,
    /// What functions of the library find as [`NativeCallContext::tag`](rhai::NativeCallContext::tag).
    pub state: Dynamic,
    /// Functions for scripts.
    pub library: Library,
    /// Names that are known everywhere in scripts, in functions and modules too, e.g. `ctx`.
    pub constants: Vec<(String, Dynamic)>,
    /// Where `print` goes.
    pub print: Arc<dyn Fn(&str) + Send + Sync>,
    /// Where `debug` goes.
    pub debug: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Config {
    /// No library, default limits; what is printed is dropped.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            cancel: Cancel::new(),
            secrets: Redactor::new(),
            state: Dynamic::UNIT,
            library: Library::default(),
            constants: Vec::new(),
            print: Arc::new(|_| {}),
            debug: Arc::new(|_| {}),
        }
    }
}

/// Loads and runs the script of one run.
pub struct Interpreter {
    engine: Engine,
    explainer: Arc<Explainer>,
    meter: Arc<Meter>,
    sizes: Sizes,
}

/// A script that compiled, with the files it imports by literal names.
pub struct Program {
    pub(super) main: Arc<Unit>,
    /// The script's own files, the main one first; not the embedded ones.
    pub(super) units: Vec<Arc<Unit>>,
}

impl Program {
    /// Name and text of each of the script's own files, the main one first.
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.units.iter().map(|u| (u.name.as_str(), u.text.as_str()))
    }
}

impl Interpreter {
    /// An interpreter for one run.
    pub fn new(config: Config) -> Self {
        let Config { limits, cancel, secrets, state, library, constants, print, debug } = config;
        let mut engine = Engine::new_raw();
        engine
            // Counted by the meter, which has a reserve for what must happen after the end.
            .set_max_operations(0)
            .set_max_call_levels(limits.calls)
            .set_max_expr_depths(limits.nesting, limits.nesting)
            .set_max_modules(limits.imports)
            .set_max_functions(limits.functions)
            .set_max_variables(limits.variables)
            .set_strict_variables(true)
            // Rhai's optimizer puts a call of the closure where a constant that holds one stands: `const JOB = || ...; lock("x", JOB)`.
            .set_optimization_level(OptimizationLevel::None)
            // Comparisons of texts are ours (`texts`): a short cut would pass them by, and a store of equal texts would mix up whose they are.
            .set_fast_operators(false)
            .set_max_strings_interned(0)
            .disable_symbol("eval");

        engine.register_global_module(standard::module());
        engine.register_global_module(library.module());
        let docs = Arc::clone(library.docs());
        // The parser, which is strict about unknown names, learns the constants from a scope (`Shelf::compile`). Their values
        // come from a resolver and not from the scope of the main file: so functions, closures and modules see them too.
        let mut names = Scope::new();
        for (name, _) in &constants {
            names.push_dynamic(name.as_str(), Dynamic::UNIT);
        }
        let waiting = MayWait {
            functions: docs.functions.iter().map(|function| function.name).collect(),
            properties: docs.types.iter().flat_map(|kind| kind.properties).filter(|p| p.asks).map(|p| p.name).collect(),
            is_standard: standard::has,
        };
        let shelf = Arc::new(Shelf::new(names, waiting));
        engine.set_module_resolver(Resolver(shelf.clone()));
        let explainer = Arc::new(Explainer { shelf, docs });
        let meter = Arc::new(Meter::new(&limits));
        let sizes = Sizes::from(&limits);
        engine.set_default_tag(Dynamic::from(Tag { state, secrets, words: explainer.clone(), meter: meter.clone(), sizes }));

        let for_catch = explainer.clone();
        #[allow(deprecated, reason = "Rhai marks its changing interfaces as deprecated")]
        engine.on_var(move |name, index, mut context| {
            // Names with an index, counted from the last one, are local variables that the parser saw.
            let scope = context.scope();
            let local = if index > 0 { scope.iter_raw().nth(index - 1).map(|(.., value)| value) } else { scope.get(name) };
            let Some(value) = local else {
                return Ok(constants.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()));
            };
            // A value that a function works on right now, and a closure looks at, is locked: nothing is known about it then.
            if value.is_shared() && value.is_locked() {
                return Ok(None);
            }
            sizes.check(value)?;
            if let Some(map) = for_catch.caught(value, context.engine())
                && let Some(mut words) = context.scope_mut().get_mut(name).and_then(Dynamic::write_lock::<Map>)
            {
                *words = map;
            }
            Ok(None)
        });
        let counting = meter.clone();
        engine.on_progress(move |_| {
            cancel
                .is_cancelled()
                .then(|| thrown::token(cancel.error()))
                .or_else(thrown::ending)
                .or_else(|| counting.operation().map(thrown::end))
        });
        engine.on_print(move |text| print(&thrown::without_closures(text.to_owned())));
        engine.on_debug(move |text, _source, _position| debug(&thrown::without_closures(text.to_owned())));

        Self { engine, explainer, meter, sizes }
    }

    /// Compiles `source` and everything it imports by literal names.
    pub fn load(&self, source: &Source) -> Result<Program, Failure> {
        let units = self.explainer.shelf.load(&self.engine, source).map_err(|(error, file)| self.failure(*error, &file))?;
        let main = units.first().expect("the main file is the first one loaded").clone();
        Ok(Program { main, units })
    }

    /// Runs a program from the beginning and returns the value of its last expression.
    pub fn run(&self, program: &Program) -> Result<Dynamic, Failure> {
        self.run_in(&mut Scope::new(), program)
    }

    /// Like [`Interpreter::run`], with variables that stay in `scope`.
    pub fn run_in(&self, scope: &mut Scope, program: &Program) -> Result<Dynamic, Failure> {
        self.run_ast(scope, &program.main.running, &program.main.name)
    }

    /// Evaluates what is compiled; `file` is where its outermost frame is.
    pub(super) fn run_ast(&self, scope: &mut Scope, ast: &AST, file: &str) -> Result<Dynamic, Failure> {
        thrown::come_out();
        self.meter.begin();
        let result = self.engine.eval_ast_with_scope::<Dynamic>(scope, ast).map(Dynamic::flatten);
        let result = match (result, thrown::come_out()) {
            (Ok(_), Some(ending)) => Err(EvalAltResult::ErrorTerminated(ending, Position::NONE).into()),
            // Here, where the stack is big enough to let go of a value that is too deep.
            (Ok(value), None) => self.sizes.check_all(&value).map(|()| value),
            (Err(error), _) => Err(tag::bounded(self.sizes, error)),
        };
        thrown::come_out();
        match result {
            Err(error) if thrown::is_exit(&error) => Ok(Dynamic::UNIT),
            result => result.map_err(|error| self.failure(*error, file)),
        }
    }

    /// Compiles an input of a session, `text`, whose lines stand in `source` where they stand in `text`; `known` are its variables.
    pub(super) fn load_input(&self, source: &Source, text: &str, known: &Scope) -> Result<AST, Failure> {
        self.explainer.shelf.load_input(&self.engine, source, text, known).map_err(|error| self.failure((*error).into(), &source.name))
    }

    /// What a Rhai error means and where it is; `file` is the file of the outermost frame.
    pub fn failure(&self, error: EvalAltResult, file: &str) -> Failure {
        Failure::new(error, file, &self.engine, &self.explainer)
    }

    /// A failure of ours at a place of a program, e.g. a wrong `param(...)`.
    pub(super) fn failure_at(error: crate::error::Error, unit: &Unit, position: Position) -> Failure {
        Failure::at(error, unit, position)
    }
}
