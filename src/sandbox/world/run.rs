//! Steps with a body: what a world says of them, and the files it names.

use super::model::Plan;
use crate::error::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
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

impl Plan {
    /// Whether any step has a body.
    pub(crate) fn runs_steps(&self) -> bool {
        let own = self.projects.iter().flat_map(|project| &project.steps);
        own.chain(self.projects.iter().flat_map(|project| &project.runbooks).flat_map(|runbook| &runbook.steps))
            .any(|step| step.run.is_some())
    }
}

/// The body of a step: one of `script`, `file`, `template`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunPlan {
    /// In Bash.
    script: Option<String>,
    /// A file in Bash, from the folder of the world.
    file: Option<String>,
    /// A step template with a Bash body, from the folder of the world.
    template: Option<String>,
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
    /// Name, default, and whether it is sensitive, of the template's parameters.
    #[serde(skip)]
    defaults: Vec<(String, String, bool)>,
}

impl RunPlan {
    /// A body with variables and sensitive ones.
    pub(crate) fn sent(body: &str, parameters: Vec<(String, String)>, secrets: Vec<(String, String)>) -> Self {
        let (parameters, secrets) = (parameters.into_iter().collect(), secrets.into_iter().collect());
        Self { body: body.to_owned(), parameters, secrets, ..Self::default() }
    }

    /// Name, value and whether it is sensitive.
    pub(crate) fn parameters(&self) -> Vec<(String, String, bool)> {
        let is_secret = |name: &str| self.defaults.iter().any(|(known, _, secret)| known == name && *secret);
        let given = self.parameters.iter().map(|(name, value)| (name.clone(), value.clone(), is_secret(name)));
        let secret = self.secrets.iter().map(|(name, value)| (name.clone(), value.clone(), true));
        self.defaults.iter().cloned().chain(given).chain(secret).collect()
    }
}

/// Reads the files that steps name.
pub(super) fn load(world: &str, plan: &mut Plan) -> Result<()> {
    let folder = Path::new(world).parent().unwrap_or(Path::new("")).to_path_buf();
    for project in &mut plan.projects {
        for step in project.steps.iter_mut().chain(project.runbooks.iter_mut().flat_map(|runbook| &mut runbook.steps)) {
            if let Some(run) = &mut step.run {
                body(run, &step.name, &folder)?;
            }
        }
    }
    Ok(())
}

fn body(run: &mut RunPlan, step: &str, folder: &Path) -> Result<()> {
    let wrong = |why: String| Error::usage(format!("step `{step}` of the world cannot be run: {why}"));
    let read = |path: &str| {
        let path: PathBuf = folder.join(path);
        std::fs::read_to_string(&path).map_err(|problem| wrong(format!("`{}` cannot be read: {problem}", path.display())))
    };
    run.body = match (&run.script, &run.file, &run.template) {
        (Some(text), None, None) => text.clone(),
        (None, Some(path), None) => read(path)?,
        (None, None, Some(path)) => {
            let template: Value =
                serde_json::from_str(&read(path)?).map_err(|problem| wrong(format!("`{path}` is no step template: {problem}")))?;
            let properties = &template["Properties"];
            if properties["Octopus.Action.Script.Syntax"] != "Bash" {
                return Err(wrong(format!("the step template `{path}` has no body in Bash")));
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let parameters = template["Parameters"].as_array().into_iter().flatten();
            let is_secret = |p: &Value| p["DisplaySettings"]["Octopus.ControlType"] == "Sensitive";
            run.defaults = parameters.map(|p| (text(&p["Name"]), text(&p["DefaultValue"]), is_secret(p))).collect();
            text(&properties["Octopus.Action.Script.ScriptBody"])
        }
        _ => return Err(wrong("one of `script`, `file` and `template` says what it does".to_owned())),
    };
    Ok(())
}
