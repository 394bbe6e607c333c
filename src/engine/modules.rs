//! Where imported files come from: the embedded standard library, then the script's folder, never outside of it.

use super::{
    parse::parse,
    thrown::{HostResult, raise},
    unlocked::{self, Columns, MayWait},
};
use crate::{
    error::{Error, Kind},
    platform::files,
};
use include_dir::{Dir, include_dir};
use parking_lot::Mutex;
use rhai::{AST, ASTNode, Engine, EvalAltResult, Expr, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared, Stmt};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

static STANDARD_LIBRARY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// Files bigger than this are no scripts.
const MAX_BYTES: u64 = 1 << 20;

/// A script's text and where it is from.
#[derive(Clone, Debug)]
pub struct Source {
    /// For messages: the path as the user wrote it.
    pub name: String,
    /// The text.
    pub text: String,
    /// What it can import beside the standard library.
    pub files: Files,
}

impl Source {
    /// A script that is no file.
    pub fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), files: Files::None }
    }
}

/// The files that a script may import beside the standard library.
#[derive(Clone, Debug, Default)]
pub enum Files {
    /// None: the script is not a file.
    #[default]
    None,
    /// Those of a folder: the script's.
    Folder(PathBuf),
    /// These, by their paths from the script's folder, such as `lib/rings.rhai`.
    Given(BTreeMap<PathBuf, String>),
}

/// A compiled file.
pub(super) struct Unit {
    /// As messages show it; also Rhai's `source` and the key on the shelf.
    pub(super) name: String,
    pub(super) text: String,
    /// As it was written, for those who read it.
    pub(super) ast: AST,
    /// As it runs, see [`unlocked`].
    pub(super) running: AST,
    /// Its place in the script's folder, `None` for embedded files.
    relative: Option<PathBuf>,
}

/// All files of one run.
pub(super) struct Shelf {
    /// Names that the parser accepts without a declaration.
    names: Scope<'static>,
    /// Which functions and properties may wait.
    waiting: MayWait,
    /// What the running texts of files have more than the written ones.
    columns: Mutex<BTreeMap<String, Columns>>,
    /// The main file's name, and what it may import.
    root: Mutex<(String, Files)>,
    units: Mutex<BTreeMap<String, Arc<Unit>>>,
    texts: Mutex<BTreeMap<String, String>>,
    modules: Mutex<BTreeMap<String, Shared<Module>>>,
}

/// A file that an import means, not read yet.
struct ImportTarget {
    name: String,
    place: ImportPlace,
}

enum ImportPlace {
    Embedded(&'static str),
    File { real: PathBuf, relative: PathBuf },
    Given { text: String, relative: PathBuf },
}

/// Name and text of each embedded file, e.g. `std/lists.rhai`, in order.
pub fn standard_library() -> impl Iterator<Item = (String, &'static str)> {
    let mut files: Vec<_> = STANDARD_LIBRARY
        .files()
        .filter(|f| f.path().extension().is_some_and(|e| e == "rhai") && !is_definition(f.path()))
        .filter_map(|f| Some((format!("std/{}", f.path().display()), f.contents_utf8()?)))
        .collect();
    files.sort_unstable();
    files.into_iter()
}

/// Whether a file is for editors only: `host.d.rhai`.
fn is_definition(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| Path::new(stem).extension().is_some_and(|end| end == "d"))
}

impl Shelf {
    pub(super) fn new(names: Scope<'static>, waiting: MayWait) -> Self {
        Self {
            names,
            waiting,
            columns: Mutex::default(),
            root: Mutex::default(),
            units: Mutex::default(),
            texts: Mutex::default(),
            modules: Mutex::default(),
        }
    }

    /// The names that scripts know without declaring them.
    pub(super) fn known_names(&self) -> Vec<String> {
        self.names.iter_raw().map(|(name, ..)| name.to_owned()).collect()
    }

    /// The text of a file, even of one that did not compile.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.texts.lock().get(name).cloned()
    }

    /// A file that compiled.
    pub(super) fn compiled(&self, name: &str) -> Option<Arc<Unit>> {
        self.units.lock().get(name).cloned()
    }

    /// Names and parameters of all functions that files of this run define.
    pub(super) fn functions(&self) -> Vec<(String, Vec<String>)> {
        let units = self.units.lock();
        let all = units
            .values()
            .flat_map(|u| u.ast.iter_functions().map(|f| (f.name.to_owned(), f.params.iter().map(|p| (*p).to_owned()).collect())));
        // Rhai keeps them in an order by chance.
        let mut all: Vec<_> = all.filter(|(name, _): &(String, _)| !name.starts_with("anon$")).collect();
        all.sort_unstable();
        all
    }

    /// Compiles the main file and what it imports by literal names. The result holds the script's own files, main first.
    /// With an error comes the file of its outermost frame.
    pub(super) fn load(&self, engine: &Engine, source: &Source) -> Result<Vec<Arc<Unit>>, (Box<EvalAltResult>, String)> {
        let files = match &source.files {
            Files::Folder(folder) if folder.as_os_str().is_empty() => Files::Folder(PathBuf::from(".")),
            files => files.clone(),
        };
        *self.root.lock() = (source.name.clone(), files);
        let relative = Path::new(&source.name).file_name().map(PathBuf::from).unwrap_or_default();
        let with_file = |e| (e, source.name.clone());
        let main = self.compile(engine, source.name.clone(), source.text.clone(), Some(relative)).map_err(|e| with_file(e.into()))?;
        let mut loaded = vec![main.clone()];
        self.load_imports(engine, &main, &mut vec![source.name.clone()], &mut loaded).map_err(with_file)?;
        Ok(loaded)
    }

    fn load_imports(&self, engine: &Engine, unit: &Unit, stack: &mut Vec<String>, loaded: &mut Vec<Arc<Unit>>) -> HostResult<()> {
        for (path, position) in literal_imports(&unit.ast) {
            let at = |mut e: Box<EvalAltResult>| {
                e.set_position(position);
                e
            };
            let wanted = self.find(Some(&unit.name), &path).map_err(|e| at(raise(e)))?;
            if let Some(error) = cycle(stack, &wanted.name) {
                return Err(at(raise(error)));
            }
            if loaded.iter().any(|u| u.name == wanted.name) {
                continue;
            }
            let name = wanted.name.clone();
            let inside = |e| Box::new(EvalAltResult::ErrorInModule(name.clone(), e, position));
            let unit = self.unit(engine, wanted).map_err(|e| match *e {
                EvalAltResult::ErrorParsing(..) => inside(e),
                _ => at(e),
            })?;
            if unit.relative.is_some() {
                loaded.push(unit.clone());
            }
            stack.push(unit.name.clone());
            self.load_imports(engine, &unit, stack, loaded).map_err(inside)?;
            stack.pop();
        }
        Ok(())
    }

    /// The compiled file, from the shelf if it is there.
    fn unit(&self, engine: &Engine, wanted: ImportTarget) -> HostResult<Arc<Unit>> {
        if let Some(unit) = self.units.lock().get(&wanted.name) {
            return Ok(unit.clone());
        }
        let (text, relative) = match wanted.place {
            ImportPlace::Embedded(text) => (text.to_owned(), None),
            ImportPlace::File { real, relative } => (read(&real, &wanted.name).map_err(raise)?, Some(relative)),
            ImportPlace::Given { text, relative } => (text, Some(relative)),
        };
        Ok(self.compile(engine, wanted.name, text, relative)?)
    }

    fn compile(&self, engine: &Engine, name: String, text: String, relative: Option<PathBuf>) -> Result<Arc<Unit>, rhai::ParseError> {
        self.texts.lock().insert(name.clone(), text.clone());
        let mut ast = parse(engine, &self.names, &text)?;
        ast.set_source(name.as_str());
        let running = self.running(engine, &self.names, &name, &text, &ast);
        let unit = Arc::new(Unit { name: name.clone(), text, ast, running, relative });
        self.units.lock().insert(name, unit.clone());
        Ok(unit)
    }

    /// Compiles an input of a session: `source` holds all of its inputs, `text` the last one on its own lines.
    pub(super) fn load_input(&self, engine: &Engine, source: &Source, text: &str, known: &Scope) -> Result<AST, Box<rhai::ParseError>> {
        *self.root.lock() = (source.name.clone(), source.files.clone());
        self.texts.lock().insert(source.name.clone(), source.text.clone());
        let mut names = self.names.clone();
        for (name, ..) in known.iter_raw() {
            names.push_dynamic(name.to_owned(), rhai::Dynamic::UNIT);
        }
        let mut ast = parse(engine, &names, text).map_err(Box::new)?;
        ast.set_source(source.name.as_str());
        let running = self.running(engine, &names, &source.name, text, &ast);
        let (name, relative) = (source.name.clone(), Some(PathBuf::from(&source.name)));
        let unit = Unit { name: name.clone(), text: source.text.clone(), ast, running: running.clone(), relative };
        self.units.lock().insert(name, Arc::new(unit));
        Ok(running)
    }

    /// `ast` as it runs. What was added to the lines of `text` is kept for [`Shelf::written`].
    fn running(&self, engine: &Engine, names: &Scope, name: &str, text: &str, ast: &AST) -> AST {
        let Some((running, columns)) = unlocked::running(ast, text, &self.waiting) else { return ast.clone() };
        // That each running text compiles is a test of ours; a script that runs as written is better than none.
        let Ok(mut running) = engine.compile_with_scope(names, running) else { return ast.clone() };
        running.set_source(name);
        self.columns.lock().entry(name.to_owned()).or_default().extend(columns);
        running
    }

    /// Where a place in the running text of a file stands in the written one.
    pub(super) fn written(&self, file: &str, running: Position) -> Position {
        self.columns.lock().get(file).map_or(running, |columns| columns.written(running))
    }

    /// Where a place in the written text of a file stands in the running one.
    pub(super) fn in_running(&self, file: &str, written: Position) -> Position {
        self.columns.lock().get(file).map_or(written, |columns| columns.running(written))
    }

    /// Which file `import "path"` in `importer` means.
    fn find(&self, importer: Option<&str>, path: &str) -> Result<ImportTarget, Error> {
        let bare = path.strip_suffix(".rhai").unwrap_or(path);
        let embedded = |name: &str| {
            let file = STANDARD_LIBRARY.get_file(format!("{name}.rhai")).filter(|file| !is_definition(file.path()))?;
            Some(ImportTarget { name: format!("std/{name}.rhai"), place: ImportPlace::Embedded(file.contents_utf8()?) })
        };
        if let Some(name) = bare.strip_prefix("std/") {
            return embedded(name).ok_or_else(|| {
                let known: Vec<String> = standard_library().map(|(n, _)| n.trim_end_matches(".rhai").to_owned()).collect();
                let error = Error::new(Kind::Script, format!("the standard library has no `{path}`"));
                error.suggest(bare, known.iter().map(String::as_str))
            });
        }
        if !bare.contains(['/', '\\', '.'])
            && let Some(wanted) = embedded(bare)
        {
            return Ok(wanted);
        }
        self.find_file(importer, path, bare)
    }

    fn find_file(&self, importer: Option<&str>, path: &str, bare: &str) -> Result<ImportTarget, Error> {
        let (main, files) = self.root.lock().clone();
        if let Files::None = files {
            return Err(Error::new(
                Kind::Script,
                format!("cannot import `{path}`: this script is not a file, so there is no folder to look in"),
            )
            .help("only the standard library can be imported here, e.g. `import \"std/lists\" as lists;`"));
        }
        let outside = || {
            Error::new(Kind::Script, format!("cannot import `{path}`: it is outside of the script's folder"))
                .help("a script imports the standard library (`std/...`) and files of its own folder, nothing else")
                .help("copy the file next to the script and write `import \"./name\" as name;`")
        };
        if bare.is_empty() || bare.contains(['\0', '\\']) {
            return Err(Error::new(Kind::Script, format!("`{path}` is not a file name that can be imported"))
                .help("write `import \"./name\" as name;`"));
        }
        let mut relative = PathBuf::new();
        if bare.starts_with("./") || bare.starts_with("../") {
            let units = self.units.lock();
            let from = importer.and_then(|name| units.get(name)).and_then(|u| u.relative.as_deref());
            relative.push(from.and_then(Path::parent).unwrap_or(Path::new("")));
        }
        // Without asking the file system: what climbs out is refused whether it exists or not.
        for part in Path::new(bare).components() {
            match part {
                Component::Normal(name) => relative.push(name),
                Component::CurDir => {}
                Component::ParentDir if relative.pop() => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        relative.as_mut_os_string().push(".rhai");

        let name = Path::new(&main).parent().unwrap_or(Path::new("")).join(&relative).display().to_string();
        let missing = |e: std::io::Error| {
            let why = if e.kind() == std::io::ErrorKind::NotFound { "there is no such file".to_owned() } else { e.to_string() };
            let error = Error::new(Kind::Script, format!("cannot import `{path}`: `{name}`: {why}"));
            let known: Vec<String> = match &files {
                Files::Folder(folder) => scripts_beside(&folder.join(&relative)),
                Files::Given(files) => files.keys().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect(),
                Files::None => Vec::new(),
            };
            let wanted = relative.file_stem().unwrap_or_default().to_string_lossy();
            error.suggest(&wanted, known.iter().map(String::as_str))
        };
        let folder = match &files {
            Files::Folder(folder) => folder,
            Files::None => return Err(missing(std::io::ErrorKind::NotFound.into())),
            Files::Given(files) => {
                let text = files.get(&relative).ok_or_else(|| missing(std::io::ErrorKind::NotFound.into()))?;
                return Ok(ImportTarget {
                    name: name.clone(),
                    place: ImportPlace::Given { text: text.clone(), relative: relative.clone() },
                });
            }
        };
        // And with links followed: what a link leads out of the folder is refused as well.
        let root = folder.canonicalize().map_err(missing)?;
        let real = folder.join(&relative).canonicalize().map_err(missing)?;
        if !real.starts_with(&root) {
            return Err(outside());
        }
        Ok(ImportTarget { name, place: ImportPlace::File { real, relative } })
    }
}

/// The names (without `.rhai`) of the scripts in the folder of `path`, in order.
fn scripts_beside(path: &Path) -> Vec<String> {
    let Some(Ok(entries)) = path.parent().map(std::fs::read_dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "rhai"))
        .filter_map(|p| Some(p.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    names
}

fn read(real: &Path, name: &str) -> Result<String, Error> {
    let wrong = |why: String| Error::new(Kind::Script, format!("cannot import `{name}`: {why}"));
    files::read_text(real, MAX_BYTES).map_err(|why| wrong(why.to_string()))
}

fn cycle(stack: &[String], name: &str) -> Option<Error> {
    let start = stack.iter().position(|n| n == name)?;
    let way: Vec<String> = stack[start..].iter().map(String::as_str).chain([name]).map(|n| format!("`{n}`")).collect();
    Some(
        Error::new(Kind::Script, format!("files import each other in a circle: {}", way.join(" → ")))
            .help("move what both need into a third file that imports neither"),
    )
}

/// Paths and positions of all `import "text"` statements.
fn literal_imports(ast: &AST) -> Vec<(String, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = nodes.last()
            && let Expr::StringConstant(path, position) = &import.0
        {
            found.push((path.to_string(), *position));
        }
        true
    });
    found
}

thread_local! {
    /// The files whose top level is being evaluated on this thread, for circles: Rhai tells which file imports, not which imported that one.
    static EVALUATING: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What Rhai asks when it comes to an `import`.
pub(super) struct Resolver(pub(super) Arc<Shelf>);

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, source: Option<&str>, path: &str, position: Position) -> HostResult<Shared<Module>> {
        // Only called by code outside of a run; `resolve_raw` counts operations with the run's.
        let _ = source;
        self.resolve_raw(engine, &mut engine.new_global_runtime_state(), &mut Scope::new(), path, position)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope,
        path: &str,
        position: Position,
    ) -> HostResult<Shared<Module>> {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                EVALUATING.with_borrow_mut(Vec::pop);
            }
        }
        let at = |mut e: Box<EvalAltResult>| {
            e.set_position(position);
            e
        };
        let wanted = self.0.find(global.source(), path).map_err(|e| at(raise(e)))?;
        if let Some(module) = self.0.modules.lock().get(&wanted.name) {
            return Ok(module.clone());
        }
        let name = wanted.name.clone();
        if let Some(error) = EVALUATING.with_borrow(|stack| cycle(stack, &name)) {
            return Err(at(raise(error)));
        }
        let inside = |e| Box::new(EvalAltResult::ErrorInModule(name.clone(), e, position));
        let unit =
            self.0.unit(engine, wanted).map_err(|e| if matches!(*e, EvalAltResult::ErrorParsing(..)) { inside(e) } else { at(e) })?;
        EVALUATING.with_borrow_mut(|stack| stack.push(name.clone()));
        let _leave = Leave;
        let module = Module::eval_ast_as_new_raw(engine, &mut Scope::new(), global, &unit.running).map_err(inside)?;
        let module: Shared<Module> = module.into();
        self.0.modules.lock().insert(name.clone(), module.clone());
        Ok(module)
    }
}
