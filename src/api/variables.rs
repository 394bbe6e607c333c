//! Variables of projects, library sets and deployments.

use super::decode::{FromJson, Problem, document, in_any_case, kept};
use super::deployments::Deployment;
use super::encode::{ToJson, editable};
use super::id::{LibraryVariableSetId, VariableSetId};
use super::runbooks::RunbookRun;
use super::spaces::SpaceClient;
use crate::error::{Kind, Result};
use crate::json::JsonSlice;
use serde_json::{Value, json};
use std::collections::BTreeMap;

editable! {
    /// A set of variables (octopus-api.md §25).
    VariableSet, "variable set" {
        /// Id; exported sets have none.
        id: Option<VariableSetId> = "Id",
        /// Counts saves; saving a stale one is refused, though not reliably (octopus-api.md §8.3).
        version: i64 = "Version",
        /// The variables.
        variables: Vec<Variable> = "Variables",
    }
}

editable! {
    /// A variable of a set that can be written back. It always has an id: a secret that is sent without it is wiped (octopus-api.md §25).
    Variable {
        /// Id, unique in its set.
        id: VariableId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Value; absent when it is sensitive.
        value: Option<String> = "Value",
        /// Whether the value is secret.
        is_sensitive: bool = "IsSensitive",
        /// Where it holds, e.g. `Environment` to ids; empty is everywhere.
        scope: BTreeMap<String, Vec<String>> = "Scope",
        /// How its value is asked for at deployment.
        prompt: Option<Value> = "Prompt",
    }
}

document! {
    /// The variables that a deployment or a runbook run was made with. It is never written, so variables without an id do no harm.
    VariableManifest, "variable set" {
        /// The variables.
        variables: Vec<ManifestVariable> = "Variables",
    }
}

kept! {
    /// A variable of a manifest.
    ManifestVariable {
        /// Name, for outputs `Octopus.Action[Step].Output.Name`.
        name: String = "Name",
        /// Value; absent when it is sensitive.
        value: Option<String> = "Value",
        /// Whether the value is secret.
        is_sensitive: bool = "IsSensitive",
    }
}

/// The id of a variable, which is never empty: by it alone a server keeps the stored value of a sensitive variable that is sent without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableId(String);

impl VariableId {
    /// This id; none when it is empty.
    pub fn new(id: &str) -> Option<Self> {
        Some(id).filter(|id| !id.is_empty()).map(|id| Self(id.to_owned()))
    }

    /// The id as the server wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A new id, as clients choose them for new variables.
impl Default for VariableId {
    fn default() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl FromJson for VariableId {
    fn read(json: JsonSlice<'_>) -> std::result::Result<Self, Problem> {
        json.text().and_then(|id| Self::new(&id)).ok_or_else(|| Problem::expected("an id", json))
    }

    fn held(&self) -> usize {
        self.0.capacity()
    }
}

impl ToJson for VariableId {
    fn write(&self, place: &mut Value) {
        *place = self.0.as_str().into();
    }
}

editable! {
    /// A library variable set.
    LibraryVariableSet, "library variable set" {
        /// Id as the server wrote it.
        id: LibraryVariableSetId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Description.
        description: String = "Description",
        /// Its variables.
        variable_set_id: Option<VariableSetId> = "VariableSetId",
    }
}

impl LibraryVariableSet {
    /// The id of its variables; older servers do not say it.
    pub fn variables(&self) -> VariableSetId {
        self.variable_set_id.clone().unwrap_or_else(|| format!("variableset-{}", self.id).into())
    }
}

impl SpaceClient {
    /// A set of variables.
    pub async fn variable_set(&self, id: &VariableSetId) -> Result<VariableSet> {
        self.client().fetch(&self.route("variables").then(id)).await
    }

    /// Makes a library variable set.
    pub async fn create_library_variable_set(&self, name: &str, description: &str) -> Result<LibraryVariableSet> {
        let body = json!({"Name": name, "Description": description, "ContentType": "Variables"});
        self.client().submit("POST", &self.route("libraryvariablesets"), Some(&body)).await
    }

    /// Removes a library variable set with its variables; one that is gone already is no error.
    pub async fn delete_library_variable_set(&self, id: &LibraryVariableSetId) -> Result<()> {
        match self.client().send("DELETE", self.route("libraryvariablesets").then(id).as_str(), None).await {
            Err(error) if error.kind() != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The output variables of a deployment by name (`Octopus.Action[Step].Output.Name`), from its manifest. Sensitive
    /// ones have no value.
    pub async fn output_variables(&self, deployment: &Deployment) -> Result<BTreeMap<String, Option<String>>> {
        Ok(outputs(self.deployment_variables(deployment).await?))
    }

    /// The output variables of a runbook run, like those of a deployment.
    pub async fn runbook_output_variables(&self, run: &RunbookRun) -> Result<BTreeMap<String, Option<String>>> {
        Ok(outputs(self.manifest(run.manifest_variable_set_id.as_ref(), run.id.as_str()).await?))
    }
}

/// Those of the variables of a manifest that steps have put out, as a later step reads them. What is evaluated (`#{...}`) only the
/// server can tell.
fn outputs(all: Vec<ManifestVariable>) -> BTreeMap<String, Option<String>> {
    let outputs = all.into_iter().filter(|v| v.name.starts_with("Octopus.Action[") && v.name.contains("].Output."));
    outputs.map(|v| (v.name, v.value.filter(|_| !v.is_sensitive).map(|value| as_read(&value)))).collect()
}

/// A value without the writing that keeps it from Octopus's template language: `#` before `{` are read in pairs, where the last one,
/// `##{`, stands for `#{`; an odd one begins an expression, and of those we know the one that steps write for nothing.
fn as_read(value: &str) -> String {
    const NOTHING: &str = "{if _}#{/if}";
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("#{") {
        let before = rest[..=at].trim_end_matches('#');
        out.push_str(before);
        let run = at + 1 - before.len();
        let inside = &rest[at + 1..];
        let (kept, end) = match (run % 2, inside.strip_prefix(NOTHING)) {
            (0, _) => (run - 1, "{"),
            (_, Some(_)) => (run.saturating_sub(2), ""),
            (_, None) => (run.saturating_sub(2), "#{"),
        };
        out.push_str(&"#".repeat(kept));
        out.push_str(end);
        rest = if end.is_empty() { &inside[NOTHING.len()..] } else { &inside[1..] };
    }
    out.push_str(rest);
    out
}

/// The name of a sensitive variable in a document that is to be written, which has neither an id nor a value: the server would wipe its secret,
/// and no answer would say so (octopus-api.md §25).
pub fn unkept_secret(document: &Value) -> Option<&str> {
    let is_empty = |v: &Value, name: &str| in_any_case(v, name).is_none_or(|v| v.is_null() || v == "");
    let is_sensitive = |v: &Value| {
        in_any_case(v, "IsSensitive") == Some(&Value::Bool(true)) || in_any_case(v, "Type").is_some_and(|kind| kind == "Sensitive")
    };
    let list = in_any_case(document, "Variables").and_then(Value::as_array)?;
    let lost = list.iter().find(|v| is_sensitive(v) && is_empty(v, "Id") && is_empty(v, "Value"))?;
    Some(in_any_case(lost, "Name").and_then(Value::as_str).unwrap_or_default())
}

impl Variable {
    /// A new variable that holds everywhere.
    pub fn text(name: &str, value: &str) -> Result<Self> {
        let body = json!({
            "Id": VariableId::default().as_str(), "Name": name, "Value": value, "Description": "", "Type": "String", "IsSensitive": false, "IsEditable": true, "Scope": {}, "Prompt": null,
        });
        Self::from_json(&body).map_err(|problem| problem.into_error("variable"))
    }
}
