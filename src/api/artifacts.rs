//! Artifacts: files kept with tasks.

use super::decode::Links;
use super::encode::editable;
use super::id::{ArtifactId, TaskId};
use super::spaces::SpaceClient;
use crate::error::{Kind, Result};
use jiff::Timestamp;
use serde_json::json;

editable! {
    /// An artifact (octopus-api.md §24).
    Artifact, "artifact" {
        /// Id.
        id: ArtifactId = "Id",
        /// File name.
        filename: String = "Filename",
        /// The task it was made by.
        task_id: Option<TaskId> = "ServerTaskId",
        /// Where on the server's side it is from.
        source: String = "Source",
        /// When it was made.
        created: Option<Timestamp> = "Created",
        /// Links.
        links: Links = "Links",
    }
}

impl SpaceClient {
    /// Artifacts of a task, deployment, release, project or environment (all, when absent), newest first.
    pub async fn artifacts(&self, regarding: Option<&str>) -> Result<Vec<Artifact>> {
        self.client().list(&self.route("artifacts").maybe("regarding", regarding), None).await
    }

    /// Creates an artifact and uploads its content. One of the same name that a lost answer left behind is taken over.
    pub async fn create_artifact(&self, task: &TaskId, filename: &str, content: &[u8]) -> Result<Artifact> {
        let body = json!({"Filename": filename, "ServerTaskId": task.as_str(), "Source": null});
        let artifact: Artifact = match self.client().submit("POST", &self.route("artifacts"), Some(&body)).await {
            Err(error) if error.kind() == Kind::InDoubt => {
                let there = self.artifacts(Some(task.as_str())).await?;
                there.into_iter().find(|a| a.filename == filename).ok_or(error)?
            }
            other => other?,
        };
        let content_route = self.route("artifacts").then(&artifact.id).then("content");
        self.client().put_bytes(content_route.as_str(), content).await?;
        Ok(artifact)
    }

    /// The content of an artifact, as text.
    pub async fn artifact_text(&self, id: &ArtifactId) -> Result<String> {
        self.client().get_file(self.route("artifacts").then(id).then("content").as_str()).await
    }
}
