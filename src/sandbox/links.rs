//! The links of every document, and the root documents that tell clients where everything is.

use super::{
    answer::str_of,
    nouns::Noun,
    world::server_version::{Generation, ServerVersion},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::LazyLock};

/// The links of a server that are the same for all, in the order in which it shows them: each with its name.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct Templates {
    /// At the root of every space (octopus-api.md §4.3); `S` stands for the space.
    root: Vec<Link>,
    /// At the root, too, but they lead to what the sandbox does not simulate. Clients read them all when they start, and some fail over one
    /// that is missing (tests/payloads/root/root-2024.2.9409-dd.json).
    elsewhere: Vec<Link>,
    /// What hangs below a document of a kind, behind the document's own address.
    below: BTreeMap<&'static str, Vec<Link>>,
}

/// A name and a template.
type Link = (&'static str, &'static str);

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| serde_json::from_str(include_str!("links.json")).expect("each start reads it"));

/// The templates that lead to what the sandbox does not simulate.
pub(super) fn elsewhere() -> &'static [Link] {
    &TEMPLATES.elsewhere
}

/// The links of a document.
pub(crate) fn of(noun: &Noun, doc: &Value) -> Value {
    let (id, space) = (str_of(doc, "Id"), str_of(doc, "SpaceId"));
    let at = if noun.spaced { format!("/api/{space}") } else { "/api".to_owned() };
    let own = format!("{at}/{}/{id}", noun.path);
    let mut links = Map::new();
    links.insert("Self".into(), json!(own));
    for (name, path) in TEMPLATES.below.get(noun.path).into_iter().flatten() {
        links.insert((*name).into(), json!(format!("{own}{path}")));
    }
    let mut add = |name: &str, to: String| links.insert(name.into(), json!(to));
    match noun.path {
        "spaces" => {
            add("SpaceHome", format!("/api/{id}"));
            add("Web", format!("/app#/{id}"));
            add("Logo", format!("/api/spaces/{id}/logo"));
            add("Search", format!("/api/spaces/{id}/search"));
        }
        "projects" => {
            add("Variables", format!("{at}/variables/variableset-{id}"));
            add("Progression", format!("{at}/progression/{id}{{?aggregate,releaseHistoryCount}}"));
            add(
                "RunbookTaskRunDashboardItemsTemplate",
                format!("{at}/progression/runbooks/taskRuns{{?skip,take,ids,projectIds,runbookIds,environmentIds,tenantIds,taskIds}}"),
            );
            add("Web", format!("/app#/{space}/projects/{}", str_of(doc, "Slug")));
        }
        "channels" | "runbooks" | "runbookSnapshots" | "projecttriggers" => {
            add("Project", format!("{at}/projects/{}", str_of(doc, "ProjectId")));
            if noun.path == "runbooks" {
                add("RunbookProcesses", format!("{at}/runbookProcesses/RunbookProcess-{id}"));
                add(
                    "RunbookSnapshots",
                    format!(
                        "{at}/projects/{}/runbooks/{id}/runbookSnapshots{{/name}}{{?skip,take,searchByName}}",
                        str_of(doc, "ProjectId")
                    ),
                );
            }
        }
        "tenants" => {
            add("Web", format!("/app#/{space}/tenants/{id}/overview"));
        }
        "libraryvariablesets" => {
            add("Variables", format!("{at}/variables/variableset-{id}"));
        }
        _ => {}
    }
    Value::Object(links)
}

/// `GET /api`.
pub(crate) fn root(space: &str, version: &ServerVersion) -> Value {
    let mut links = templates(space, version);
    links.insert("Self".into(), json!("/api"));
    links.insert("SpaceHome".into(), json!("/api/{spaceId}"));
    json!({
        "Application": "Octopus Deploy", "Version": version.text, "ApiVersion": "3.0.0",
        "InstallationId": "3f0c2b1e-5a77-4c55-9a58-0c1d2e3f4a5b", "HasLongTermSupport": false, "Links": links,
    })
}

/// `GET /api/{space}`.
pub(crate) fn space_root(space: &str, version: &ServerVersion) -> Value {
    let mut links = templates(space, version);
    links.insert("Self".into(), json!(format!("/api/{space}")));
    json!({ "Links": links })
}

fn templates(space: &str, version: &ServerVersion) -> Map<String, Value> {
    let at = format!("/api/{space}/");
    let all = TEMPLATES.root.iter().chain(&TEMPLATES.elsewhere);
    let mut links: Map<String, Value> = all
        .map(|(name, to)| ((*name).to_owned(), json!(to.strip_prefix("S/").map_or_else(|| (*to).to_owned(), |rest| format!("{at}{rest}")))))
        .collect();
    if version.generation >= Generation::V2026_3
        && let Some(Value::String(freezes)) = links.get_mut("DeploymentFreezes")
    {
        *freezes = freezes.replace(",status}", ",status,effectiveDate}");
    }
    links
}
