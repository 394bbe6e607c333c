//! Steps with a body: what a world says of them, and the files it names.

use crate::error::{Error, Result};
use crate::platform::files;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

/// How steps with a body are run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerPlan {
    /// Whether Bash gets the array `octopus_parameters`: a toggle of the server.
    #[serde(default = "yes")]
    pub(crate) parameters_array: bool,
    /// What is killed when a task is cancelled.
    #[serde(default)]
    cancel: Killed,
}

impl Default for WorkerPlan {
    fn default() -> Self {
        Self { parameters_array: true, cancel: Killed::Tree }
    }
}

impl WorkerPlan {
    /// Whether a cancel kills the outer shell only, as on older Linux agents.
    pub(crate) fn kills_root_only(&self) -> bool {
        self.cancel == Killed::Root
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Killed {
    #[default]
    Tree,
    Root,
}

fn yes() -> bool {
    true
}

/// The body that a step of a world shows to clients, whatever it does.
pub(crate) const STAND_IN: &str = "true";

/// The language of a body that runs here.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) enum Syntax {
    #[default]
    Bash,
    PowerShell,
}

impl Syntax {
    /// As Octopus spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bash => "Bash",
            Self::PowerShell => "PowerShell",
        }
    }

    /// None for another language.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Bash, Self::PowerShell].into_iter().find(|one| one.name() == name)
    }
}

/// A package beside a body, as the process names it.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) feed: String,
    /// The process itself says which version.
    pub(crate) fixed: Option<String>,
    /// Whether the worker gets the file at all.
    pub(crate) is_acquired: bool,
    /// Such as `Extract`.
    pub(crate) properties: Vec<(String, String)>,
}

/// The body of a step: one of `script`, `file`, `template`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunPlan {
    script: Option<String>,
    /// Below the folder of the world.
    file: Option<String>,
    /// A step template below the folder of the world.
    template: Option<String>,
    /// The language of `script` or `file`; a template says its own, and the name of a file may.
    syntax: Option<Syntax>,
    /// Values of the template's parameters, and other variables of the step.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// The same, sensitive.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Script parameters of the step.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// Package references: name and the folder that stands for the extracted package.
    #[serde(default)]
    pub(crate) packages: BTreeMap<String, String>,
    /// How often a step that failed is tried again.
    #[serde(default)]
    pub(crate) retries: u32,
    /// Whether anything on stderr fails the step.
    #[serde(default)]
    pub(crate) fail_on_error_output: bool,
    /// The body, once it was read.
    #[serde(skip)]
    pub(crate) body: String,
    /// Its language.
    #[serde(skip)]
    pub(crate) shell: Syntax,
    /// Script parameters as text of that language, as a client sends them.
    #[serde(skip)]
    pub(crate) parameter_text: String,
    /// Packages that come from a feed.
    #[serde(skip)]
    pub(crate) references: Vec<Reference>,
    /// Why this step cannot be run here: it fails with this.
    #[serde(skip)]
    pub(crate) refused: Option<String>,
    /// Name, default, and whether it is sensitive, of the template's parameters.
    #[serde(skip)]
    defaults: Vec<(String, String, bool)>,
}

impl RunPlan {
    /// What a client sent: variables, and sensitive ones; the rest is filled in by the caller.
    pub(crate) fn sent(parameters: Vec<(String, String)>, secrets: Vec<(String, String)>) -> Self {
        Self { parameters: parameters.into_iter().collect(), secrets: secrets.into_iter().collect(), ..Self::default() }
    }

    /// Name, value and whether it is sensitive.
    pub(crate) fn parameters(&self) -> Vec<(String, String, bool)> {
        let is_secret = |name: &str| self.defaults.iter().any(|(known, _, secret)| known == name && *secret);
        let given = self.parameters.iter().map(|(name, value)| (name.clone(), value.clone(), is_secret(name)));
        let secret = self.secrets.iter().map(|(name, value)| (name.clone(), value.clone(), true));
        self.defaults.iter().cloned().chain(given).chain(secret).collect()
    }
}

/// What the file `path` below `folder` holds. A world may come from anybody: it reads nothing but what came with it.
fn beside(folder: &Path, path: &str) -> std::result::Result<String, String> {
    let outside = || "it is not below the folder of the world, and a world reads nothing else".to_owned();
    if Path::new(path).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let problem = |e: std::io::Error| e.to_string();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (own, real) = (folder.canonicalize().map_err(problem)?, folder.join(path).canonicalize().map_err(problem)?);
    // Links may lead anywhere.
    if !real.starts_with(&own) {
        return Err(outside());
    }
    files::read_text(&real, super::LARGEST).map_err(problem)
}

/// Reads what a step does.
pub(super) fn body(run: &mut RunPlan, step: &str, folder: &Path) -> Result<()> {
    let wrong = |why: String| Error::usage(format!("step `{step}` of the world cannot be run: {why}"));
    let read = |path: &str| beside(folder, path).map_err(|problem| wrong(format!("`{path}` cannot be read: {problem}")));
    run.body = match (&run.script, &run.file, &run.template) {
        (Some(text), None, None) => text.clone(),
        (None, Some(path), None) => {
            if path.to_lowercase().ends_with(".ps1") {
                run.shell = Syntax::PowerShell;
            }
            read(path)?
        }
        (None, None, Some(path)) => {
            let template: Value =
                serde_json::from_str(&read(path)?).map_err(|problem| wrong(format!("`{path}` is no step template: {problem}")))?;
            let properties = &template["Properties"];
            let syntax = properties["Octopus.Action.Script.Syntax"].as_str().and_then(Syntax::named);
            run.shell = syntax.ok_or_else(|| wrong(format!("the step template `{path}` has no body in Bash or PowerShell")))?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let parameters = template["Parameters"].as_array().into_iter().flatten();
            let is_secret = |p: &Value| p["DisplaySettings"]["Octopus.ControlType"] == "Sensitive";
            run.defaults = parameters.map(|p| (text(&p["Name"]), text(&p["DefaultValue"]), is_secret(p))).collect();
            text(&properties["Octopus.Action.Script.ScriptBody"])
        }
        _ => return Err(wrong("one of `script`, `file` and `template` says what it does".to_owned())),
    };
    match run.syntax {
        Some(_) if run.template.is_some() => Err(wrong("`syntax` belongs to `script` and `file`: a step template has its own".to_owned())),
        Some(syntax) => {
            run.shell = syntax;
            Ok(())
        }
        None => Ok(()),
    }
}
