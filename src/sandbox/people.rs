//! Users, teams and permissions (octopus-api.md §9).

use super::{
    answer::{Answer, Ask, Handled, Refusal, str_of, texts},
    collection::{self, noun_of, page, present},
    state::State,
};
use serde_json::{Value, json};

/// Every permission a coordinator meets.
const PERMISSIONS: &[&str] = &[
    "ProjectView",
    "ProjectEdit",
    "ProcessView",
    "ProcessEdit",
    "VariableView",
    "VariableEdit",
    "LibraryVariableSetView",
    "LibraryVariableSetEdit",
    "ReleaseView",
    "ReleaseCreate",
    "ReleaseEdit",
    "ReleaseDelete",
    "DefectReport",
    "DefectResolve",
    "DeploymentView",
    "DeploymentCreate",
    "DeploymentDelete",
    "EnvironmentView",
    "LifecycleView",
    "TenantView",
    "TaskView",
    "TaskCreate",
    "TaskCancel",
    "TaskEdit",
    "TaskPrioritize",
    "InterruptionView",
    "InterruptionSubmit",
    "InterruptionViewSubmitResponsible",
    "RunbookView",
    "RunbookEdit",
    "RunbookRunView",
    "RunbookRunCreate",
    "EventView",
    "SubscriptionView",
    "SubscriptionCreate",
    "ActionTemplateView",
    "ArtifactView",
    "ArtifactCreate",
    "MachineView",
    "DeploymentFreezeAdminister",
    "AdministerSystem",
];

/// Takes out what users do not have.
pub(crate) fn hide(doc: &mut Value) {
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| k != "Name" && k != "Slug");
    }
}

fn show(doc: &Value) -> Value {
    let Some(noun) = noun_of("users") else { return Value::Null };
    let mut doc = present(noun, doc);
    hide(&mut doc);
    doc
}

/// `users…`; none when the generic handling shall answer.
pub(crate) fn route(state: &mut State, ask: &Ask, rest: &[&str]) -> Option<Handled> {
    let noun = noun_of("users")?;
    match (ask.method.as_str(), rest) {
        ("GET", []) => {
            let found = collection::select(state, noun, ask, |u| {
                ask.query("filter").is_none_or(|f| str_of(u, "Username").to_lowercase().contains(&f.to_lowercase()))
            });
            Some(Answer::ok(page(ask, noun.item, &found, |d| show(d))))
        }
        ("GET", ["all"]) => Some(Answer::ok(Value::Array(collection::select(state, noun, ask, |_| true).into_iter().map(show).collect()))),
        ("POST", ["login"]) => Some(Err(Refusal::invalid("Invalid username or password."))),
        ("POST", ["logout"]) => Some(Answer::ok(json!({}))),
        ("POST", ["access-token"]) => Some(Answer::ok(json!({ "AccessToken": str_of(state.store.of("users").get(&ask.user)?, "_Key") }))),
        ("GET", [id, tail @ ..]) => {
            let id = if id.eq_ignore_ascii_case("me") { ask.user.clone() } else { (*id).to_owned() };
            Some(one(state, ask, &id, tail))
        }
        _ => None,
    }
}

fn one(state: &State, ask: &Ask, id: &str, rest: &[&str]) -> Handled {
    let doc = state.store.of("users").get(id).ok_or_else(|| Refusal::missing(id))?;
    let id = str_of(doc, "Id");
    let teams = || {
        state
            .store
            .of("teams")
            .iter()
            .filter(|t| str_of(t, "Id") == "teams-everyone" || texts(&t["MemberUserIds"]).iter().any(|m| m == id))
            .map(|t| json!({"Id": t["Id"], "Name": t["Name"], "SpaceId": t["SpaceId"], "IsDirectlyAssigned": true, "ExternalSecurityGroups": [], "Links": {}}))
            .collect::<Vec<_>>()
    };
    match rest {
        [] => Answer::ok(show(doc)),
        ["spaces"] => {
            let noun = noun_of("spaces").ok_or_else(|| Refusal::missing(id))?;
            Answer::ok(Value::Array(state.store.of("spaces").iter().map(|s| present(noun, s)).collect()))
        }
        ["teams"] => Answer::ok(json!(teams())),
        ["permissions"] | ["permissions", "configuration"] => {
            let own = doc["_Permissions"].as_array().map(|a| a.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect::<Vec<_>>());
            let list: Vec<String> = own.clone().unwrap_or_else(|| PERMISSIONS.iter().map(|p| (*p).to_owned()).collect());
            let spaces: Vec<&str> = state.store.of("spaces").iter().map(|s| str_of(s, "Id")).collect();
            let mut map = json!({});
            for p in list {
                map[p] = json!(spaces.iter().map(|s| json!({"SpaceId": s, "RestrictedToProjectIds": [], "RestrictedToEnvironmentIds": [], "RestrictedToTenantIds": [], "RestrictedToProjectGroupIds": []})).collect::<Vec<_>>());
            }
            let system = if own.is_none() { vec!["AdministerSystem", "SpaceView"] } else { vec!["SpaceView"] };
            Answer::ok(
                json!({"Id": id, "SpacePermissions": map, "SystemPermissions": system, "Teams": teams(), "IsTeamsComplete": true, "IsPermissionsComplete": true, "Links": {}}),
            )
        }
        ["apikeys"] => {
            let none: [Value; 0] = [];
            Answer::ok(page(ask, "ApiKey", &none, Clone::clone))
        }
        _ => Err(Refusal::not_simulated(&ask.method, &ask.path)),
    }
}
