//! Script modules: texts that come as variables, are written beside a body, and are loaded by it (Bash) or before it (PowerShell).

use super::variables::Variable;
use crate::sandbox::world::run::Syntax;

/// A script module.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) text: String,
    /// The name of its file.
    pub(super) file: String,
}

const HEAD: &str = "Octopus.Script.Module[";

/// The modules in this language; without a word a module is in PowerShell.
pub(super) fn of(variables: &[Variable], syntax: Syntax) -> Vec<Module> {
    let language = |name: &str| {
        let wanted = name.replace(HEAD, "Octopus.Script.Module.Language[");
        variables.iter().find(|one| one.name == wanted).map_or(Syntax::PowerShell.name(), |one| one.value.as_str())
    };
    let modules = variables.iter().filter(|one| one.name.starts_with(HEAD) && language(&one.name) == syntax.name());
    modules
        .map(|one| {
            let name = one.name.replace(HEAD, "").trim_end_matches(']').to_owned();
            let plain: String = name.chars().filter(|c| *c == '_' || c.is_alphanumeric()).collect();
            let file = match syntax {
                Syntax::Bash => format!("{plain}.sh"),
                Syntax::PowerShell => format!("Library_{plain}_{}.psm1", uuid::Uuid::new_v4().simple()),
            };
            Module { name, text: one.value.clone(), file }
        })
        .collect()
}

impl Module {
    /// What the log says of it.
    pub(super) fn note(&self, syntax: Syntax) -> String {
        let Self { name, file, .. } = self;
        match syntax {
            Syntax::Bash => format!("Writing script module '{name}' as bash script {file}. Import this via `source {file}`."),
            Syntax::PowerShell => format!(
                "Writing script module '{name}' as PowerShell module {file}. This module will be automatically imported - functions will automatically be in scope."
            ),
        }
    }
}
