//! Variables of projects, library sets and deployments.

use super::deployments::Deployment;
use super::encode::editable;
use super::id::{LibraryVariableSetId, VariableSetId};
use super::runbooks::RunbookRun;
use super::spaces::SpaceClient;
use crate::error::{Kind, Result};
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
    /// A variable.
    Variable {
        /// Id, unique in its set.
        id: String = "Id",
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
fn outputs(all: Vec<Variable>) -> BTreeMap<String, Option<String>> {
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

impl Variable {
    /// A new variable that holds everywhere.
    pub fn text(name: &str, value: &str) -> Result<Self> {
        let id = uuid::Uuid::new_v4().to_string();
        let body = serde_json::json!({
            "Id": id, "Name": name, "Value": value, "Description": "", "Type": "String", "IsSensitive": false, "IsEditable": true, "Scope": {}, "Prompt": null,
        });
        <Self as super::decode::FromJson>::from_json(&body).map_err(|problem| problem.into_error("variable"))
    }
}
