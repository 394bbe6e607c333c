//! Deployment targets.

use super::{decode::document, spaces::SpaceClient};
use crate::error::Result;
use std::collections::BTreeMap;

document! {
    /// A deployment target, which the API calls a machine.
    Machine, "deployment target" {
        /// Id as the server wrote it.
        id: String = "Id",
        /// Name as people see it in the portal.
        name: String = "Name",
    }
}

impl SpaceClient {
    /// The names of deployment targets by id; those that are gone are not among them.
    pub async fn machine_names(&self, ids: &[String]) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        for some in ids.chunks(100) {
            let found: Vec<Machine> = self.client().list(&self.route("machines").list("ids", some), None).await?;
            names.extend(found.into_iter().map(|machine| (machine.id, machine.name)));
        }
        Ok(names)
    }
}
