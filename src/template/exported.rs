//! What a step template is made of: the script, the shell of its launcher, its parameters.

use crate::{engine::params::ParamDecl, step::frame::connection};

/// A script with its files and what it declares.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its file's name, such as `master-project.rhai`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Path from its folder and text of the files it imports.
    pub files: Vec<(String, String)>,
    /// Its parameters.
    pub params: Vec<ParamDecl>,
    /// What it says of itself in its first lines.
    pub about: String,
}

/// For which shell a launcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// Bash.
    Bash,
    /// PowerShell, Windows PowerShell 5.1 as well.
    PowerShell,
}

impl Shell {
    /// The shells that launchers are written for.
    pub const ALL: [Self; 2] = [Self::Bash, Self::PowerShell];

    /// As Octopus calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "Bash",
            Self::PowerShell => "PowerShell",
        }
    }

    /// The end of a file's name: `bash.json`.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Bash => "bash.json",
            Self::PowerShell => "powershell.json",
        }
    }
}

/// One parameter of the template.
pub(super) struct Parameter {
    /// With the prefix.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) help: String,
    pub(super) default: Option<String>,
    pub(super) control: &'static str,
    pub(super) choices: Vec<String>,
}

/// A script that can become a template.
pub(super) struct Exported<'a> {
    pub(super) script: &'a Script,
    pub(super) prefix: String,
    pub(super) parameters: Vec<Parameter>,
}

impl Exported<'_> {
    /// The variables that the launcher hands on beside those of the system. A package is none, and an account is its members.
    pub(super) fn variables(&self) -> Vec<String> {
        let plain = self.parameters.iter().filter(|p| !matches!(p.control, PACKAGE | ACCOUNT)).map(|p| p.name.clone());
        let account = format!("{}.{}", self.prefix, connection::ACCOUNT);
        plain
            .filter(|name| !name.ends_with(BINARY))
            .chain([format!("{account}.Audience"), format!("{account}.OpenIdConnect.Jwt")])
            .collect()
    }

    /// Those whose values nobody may see.
    pub(super) fn secrets(&self) -> Vec<String> {
        let own = self.parameters.iter().filter(|p| p.control == SENSITIVE).map(|p| p.name.clone());
        own.chain([format!("{}.{}.OpenIdConnect.Jwt", self.prefix, connection::ACCOUNT)]).collect()
    }
}

/// The parameter that says where the program is when it is in no package.
const BINARY: &str = ".BinaryPath";

/// Kinds of boxes.
pub(super) const LINE: &str = "SingleLineText";
pub(super) const LINES: &str = "MultiLineText";
pub(super) const CHECKBOX: &str = "Checkbox";
pub(super) const SELECT: &str = "Select";
pub(super) const SENSITIVE: &str = "Sensitive";
pub(super) const PACKAGE: &str = "Package";
pub(super) const ACCOUNT: &str = "GenericOidcAccount";
