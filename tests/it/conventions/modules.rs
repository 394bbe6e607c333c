//! Reads sources as modules: what each imports, which paths its code follows, which types it defines.

use super::repository::File;
use std::collections::BTreeMap;

/// A path of modules from the root of the crate: `["host", "wait"]`.
pub type ModulePath = Vec<String>;

/// A module: a file, or `mod x { ... }` in a file.
#[derive(Default)]
pub struct Module {
    pub file: String,
    pub imports: Vec<Import>,
    /// Paths in the code, imports apart.
    pub paths: Vec<Vec<String>>,
    /// Types that stand in the module itself, not in a function or an `impl`.
    pub types: Vec<String>,
    /// All words of the code, imports apart.
    words: Vec<String>,
}

/// One name that a `use` brings in.
pub struct Import {
    pub name: String,
    pub path: Vec<String>,
    public: bool,
}

impl Module {
    /// Whether the module only hands a name on and does not use it itself.
    pub fn only_hands_on(&self, import: &Import) -> bool {
        import.public && !self.words.contains(&import.name)
    }
}

/// All modules of the library, without what is compiled for tests only.
pub struct Modules(pub BTreeMap<ModulePath, Module>);

impl Modules {
    pub fn read(files: &[File]) -> Self {
        let mut modules = BTreeMap::new();
        for file in files.iter().filter(|file| file.path != "src/main.rs") {
            Reader { tokens: tokens(&file.shipped()), at: 0, file: &file.path, modules: &mut modules }.read();
        }
        Self(modules)
    }

    /// The module that defines what `path` means in the module `from`; none for other crates and for modules themselves.
    pub fn definer(&self, from: &ModulePath, path: &[String]) -> Option<&Module> {
        let (module, is_item) = self.follow(from, path, 8)?;
        is_item.then(|| &self.0[&module])
    }

    /// Where a path leads, and whether to an item there or to the module itself.
    fn follow(&self, from: &ModulePath, path: &[String], imports_left: usize) -> Option<(ModulePath, bool)> {
        let mut current = from.clone();
        let mut rest = path;
        let mut anchored = false;
        while let [first, more @ ..] = rest {
            match first.as_str() {
                "crate" => current.clear(),
                "super" => drop(current.pop()),
                "self" => {}
                _ => break,
            }
            anchored = true;
            rest = more;
        }
        while let [name, more @ ..] = rest {
            let mut child = current.clone();
            child.push(name.clone());
            if self.0.contains_key(&child) {
                current = child;
            } else if let Some(import) = self.0.get(&current).and_then(|module| module.imports.iter().find(|import| import.name == *name)) {
                let there = [import.path.as_slice(), more].concat();
                return self.follow(&current, &there, imports_left.checked_sub(1)?);
            } else {
                return anchored.then_some((current, true)).filter(|(module, _)| self.0.contains_key(module));
            }
            anchored = true;
            rest = more;
        }
        self.0.contains_key(&current).then_some((current, false))
    }
}

/// The words, the `::` and the other characters of a code.
fn tokens(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        found.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// What a `{` opened.
#[derive(PartialEq)]
enum Brace {
    Module,
    /// A macro among the items, such as `editable! { ... }`: what stands in it are items as well.
    Macro,
    Other,
}

struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    file: &'a str,
    modules: &'a mut BTreeMap<ModulePath, Module>,
}

impl Reader<'_> {
    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", String::as_str)
    }

    /// The token that stands `back` before this one.
    fn before(&self, back: usize) -> &str {
        self.at.checked_sub(back).map_or("", |at| self.token(at))
    }

    fn module(&mut self, path: &ModulePath) -> &mut Module {
        let file = self.file;
        self.modules.entry(path.clone()).or_insert_with(|| Module { file: file.to_owned(), ..Module::default() })
    }

    fn read(mut self) {
        let mut current = module_of(self.file);
        self.module(&current);
        let mut braces: Vec<Brace> = Vec::new();
        while self.at < self.tokens.len() {
            let among_items = braces.last() != Some(&Brace::Other);
            let token = self.token(self.at).to_owned();
            let next = self.token(self.at + 1).to_owned();
            match token.as_str() {
                "use" if next != "<" => {
                    let public = self.before(1) == "pub" || (self.before(1) == ")" && self.before(3) == "(") && self.before(4) == "pub";
                    self.at += 1;
                    let imports = self.import(&[], public);
                    self.module(&current).imports.extend(imports);
                    continue;
                }
                "mod" if self.token(self.at + 2) == "{" => {
                    current.push(next);
                    self.module(&current);
                    braces.push(Brace::Module);
                    self.at += 3;
                    continue;
                }
                "struct" | "enum" | "trait" | "type" if among_items && is_word(&next) => self.module(&current).types.push(next),
                "{" if among_items && self.before(1) == "!" && is_word(self.before(2)) => braces.push(Brace::Macro),
                "{" => braces.push(Brace::Other),
                "}" => {
                    let closes_module = braces.pop() == Some(Brace::Module);
                    current.truncate(current.len() - usize::from(closes_module));
                }
                word if is_word(word) => {
                    let path = self.path();
                    self.module(&current).words.push(path[0].clone());
                    if path.len() > 1 && !self.is_visibility() {
                        self.module(&current).paths.push(path.clone());
                    }
                    self.at += 2 * path.len() - 1;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// The path that starts here: words with `::` between them.
    fn path(&self) -> Vec<String> {
        let mut path = vec![self.token(self.at).to_owned()];
        while self.token(self.at + 2 * path.len() - 1) == "::" && is_word(self.token(self.at + 2 * path.len())) {
            path.push(self.token(self.at + 2 * path.len()).to_owned());
        }
        path
    }

    /// Whether this is the path in `pub(in crate::host)`.
    fn is_visibility(&self) -> bool {
        self.before(1) == "in" && self.before(2) == "(" && self.before(3) == "pub"
    }

    /// One branch of a `use` and all below it; ends behind it.
    fn import(&mut self, above: &[String], public: bool) -> Vec<Import> {
        let mut path = above.to_vec();
        let mut found = Vec::new();
        loop {
            let token = self.token(self.at).to_owned();
            self.at += 1;
            match token.as_str() {
                "::" => {}
                "{" => {
                    while !["}", ""].contains(&self.token(self.at)) {
                        found.extend(self.import(&path, public));
                    }
                    self.at += 1;
                    path.clear();
                }
                "as" => {
                    let name = self.token(self.at).to_owned();
                    self.at += 1;
                    found.push(Import { name, path: std::mem::take(&mut path), public });
                }
                "}" => {
                    self.at -= 1;
                    break;
                }
                "," | ";" | "" => break,
                // `a::{self}` is `a`.
                "self" if !path.is_empty() => {}
                _ => path.push(token),
            }
        }
        if path.len() > above.len() || (!path.is_empty() && found.is_empty()) {
            found.push(Import { name: path.last().cloned().unwrap_or_default(), path, public });
        }
        found
    }
}

/// `src/host/wait.rs` → `host::wait`, `src/host/mod.rs` → `host`.
fn module_of(file: &str) -> ModulePath {
    let below = file.trim_start_matches("src/").trim_end_matches(".rs");
    let below = below.strip_suffix("/mod").unwrap_or(below);
    below.split('/').filter(|part| *part != "lib").map(str::to_owned).collect()
}

#[test]
fn the_reader_of_modules_follows_imports() {
    let files = [
        File::new("src/host/mod.rs", "mod a; pub use a::{Alpha, b::{self, Beta as B}};\nuse std::fmt; pub struct Host;"),
        File::new("src/host/a/mod.rs", "pub mod b; pub struct Alpha; fn f() { struct Local; }\nmod inner { type Deep = super::Alpha; }"),
        File::new("src/host/a/b.rs", "part! { pub struct Beta {} }\nimpl X for Y { type Out = u8; }\npub(crate) trait Shown {}"),
    ];
    let modules = Modules::read(&files);
    let defined = |from: &str, path: &str| {
        let split = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
        modules.definer(&split(from), &split(path)).map(|module| module.file.as_str())
    };
    assert_eq!(defined("host::x", "crate::host::Alpha"), Some("src/host/a/mod.rs"));
    assert_eq!(defined("host::a", "super::B::new"), Some("src/host/a/b.rs"));
    assert_eq!(defined("host::a", "super::b::anything"), Some("src/host/a/b.rs"));
    assert_eq!(defined("host", "a::f"), Some("src/host/a/mod.rs"));
    assert_eq!(defined("host::a::b", "super::super::Host"), Some("src/host/mod.rs"));
    assert_eq!((defined("host", "fmt::Write"), defined("host", "a::b"), defined("host", "Host::new")), (None, None, None));
    let types: Vec<&str> = modules.0.values().flat_map(|module| &module.types).map(String::as_str).collect();
    assert_eq!(types, ["Host", "Alpha", "Beta", "Shown", "Deep"]);
    assert_eq!(modules.0[&vec!["host".to_owned(), "a".to_owned(), "inner".to_owned()]].paths, [["super", "Alpha"]]);
}
