//! Step templates (the API calls them action templates), and packages of the built-in feed (octopus-api.md §11.4, §24).

use super::{
    Route, SpaceClient,
    decode::document,
    id::ActionTemplateId,
    meant::{Keys, the_one},
    resource::Other,
};
use crate::error::{Error, Kind, Result};
use serde_json::{Value, json};

document! {
    /// A step template.
    ActionTemplate, "step template" {
        /// Id as the server wrote it.
        id: ActionTemplateId = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
        /// Counted by the server: each change raises it.
        version: i64 = "Version",
    }
}

/// A step that is made from a template.
#[derive(Clone, Debug)]
pub struct TemplateUse {
    /// The project's name.
    pub project: String,
    /// The step's name.
    pub step: String,
    /// The runbook's name, when the step is in one.
    pub runbook: Option<String>,
    /// The version of the template it is made from.
    pub version: i64,
    /// All members of the template, as the server sent them.
    pub raw: Value,
}

impl SpaceClient {
    fn templates(&self) -> Route {
        self.route("actiontemplates")
    }

    /// All step templates of the space.
    pub async fn action_templates(&self) -> Result<Vec<ActionTemplate>> {
        self.client().list(&self.templates(), None).await
    }

    /// The step template of that name.
    pub async fn action_template(&self, name: &str) -> Result<Option<ActionTemplate>> {
        let known = self.action_templates().await?;
        Ok(the_one("step template", name, &known, |template| Keys::name(&template.name))?.cloned())
    }

    /// Makes a step template. After a lost answer, or when the request was delivered twice, it is looked for by its name, which no other
    /// can have.
    pub async fn create_action_template(&self, new: &Value) -> Result<ActionTemplate> {
        let send =
            async || self.client().decode(self.client().send("POST", self.templates().as_str(), Some(new)).await?, &self.templates());
        let name = new["Name"].as_str().unwrap_or_default();
        let look = async || Ok(self.action_template(name).await?.filter(|there| is_as(there, new, &["Properties"])));
        self.client().repeat(send, look).await
    }

    /// Changes a step template. A lost answer does no harm: the same change once more is none.
    pub async fn update_action_template(&self, id: &ActionTemplateId, changed: &Value) -> Result<ActionTemplate> {
        let route = self.templates().then(id);
        let send = async || self.client().decode(self.client().send("PUT", route.as_str(), Some(changed)).await?, &route);
        let look = async || {
            let there: ActionTemplate = self.client().fetch(&route).await?;
            Ok(Some(there).filter(|there| is_as(there, changed, &["Properties", "Parameters"])))
        };
        self.client().repeat(send, look).await
    }

    /// The steps that are made from a template.
    pub async fn action_template_usage(&self, id: &ActionTemplateId) -> Result<Vec<TemplateUse>> {
        let all = self.client().get(self.templates().then(id).then("usage").as_str()).await?;
        let text = |one: &Value, name: &str| one[name].as_str().map(str::to_owned);
        let version = |one: &Value| one["Version"].as_i64().or_else(|| one["Version"].as_str()?.parse().ok()).unwrap_or(0);
        let uses = all.as_array().into_iter().flatten().map(|one| TemplateUse {
            project: text(one, "ProjectName").unwrap_or_default(),
            step: text(one, "ActionName").or_else(|| text(one, "StepName")).unwrap_or_default(),
            runbook: text(one, "RunbookName").filter(|name| !name.is_empty()),
            version: version(one),
            raw: one.clone(),
        });
        Ok(uses.collect())
    }

    /// Brings a step to a version of its template.
    ///
    /// # Errors
    /// `refused`, in the server's words, for a step that a person must look at.
    pub async fn update_template_use(&self, id: &ActionTemplateId, version: i64, used: &TemplateUse) -> Result<()> {
        let (process, action) =
            (used.raw["ProcessId"].as_str().or(used.raw["DeploymentProcessId"].as_str()).unwrap_or_default(), &used.raw["ActionId"]);
        let wanted = json!({
            "Version": version,
            "ActionIdsByProcessId": {process: [action]},
            "ActionsToUpdate": [{"ProcessType": used.raw["ProcessType"], "ProcessId": process, "ActionIds": [action], "GitRef": used.raw["Branch"]}],
            "Overrides": {},
            "DefaultPropertyValues": {},
        });
        let route = self.templates().then(id).then("actionsUpdate");
        let came = self.client().send("POST", route.as_str(), Some(&wanted)).await?.tree();
        match came.as_array().into_iter().flatten().find(|one| one["Outcome"] != "Success") {
            None => Ok(()),
            Some(one) => Err(Error::new(
                Kind::Refused,
                format!("step `{}` of {} was not updated: {}", used.step, used.project, one["Outcome"].as_str().unwrap_or("no outcome")),
            )),
        }
    }

    /// Puts a package into the built-in feed; the name of the file says id and version. One that is there already is not replaced:
    /// returns whether it is new.
    pub async fn upload_package(&self, file: &str, content: &[u8]) -> Result<bool> {
        let (id, _) = package_name(file).ok_or_else(|| Error::usage(format!("`{file}` is not named like Id.1.2.3.zip")))?;
        let known: Vec<Other> = self.client().list(&self.route("packages").with("nuGetPackageId", id), None).await?;
        let is_there = |one: &Other| {
            let one = one.raw.tree();
            one["PackageId"] == id && file == format!("{id}.{}.zip", one["Version"].as_str().unwrap_or_default())
        };
        if known.iter().any(is_there) {
            return Ok(false);
        }
        let route = self.route("packages").then("raw").with("overwriteMode", "IgnoreIfExists");
        // Whoever sends it twice is told that it is there.
        self.client().upload(route.as_str(), file, content).await?;
        Ok(true)
    }
}

/// Whether a template has these members as they are wanted.
fn is_as(there: &ActionTemplate, wanted: &Value, members: &[&str]) -> bool {
    let there = there.raw.tree();
    members.iter().all(|name| there[*name] == wanted[*name])
}

/// `octorhai.0.1.0.zip` → `octorhai`, `0.1.0`.
fn package_name(file: &str) -> Option<(&str, &str)> {
    let stem = file.strip_suffix(".zip")?;
    let at = stem.match_indices('.').map(|(at, _)| at).find(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()))?;
    Some((&stem[..at], &stem[at + 1..]))
}
