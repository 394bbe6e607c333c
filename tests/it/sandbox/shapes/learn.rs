//! What real bodies teach: which properties can be null, which are no longer sent, which links there are, what pages call their items.

use super::{
    schema::{Shapes, at, members, read},
    types::{LinkNames, Presence, Slot, Type},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Which definition the files of a folder hold: the first entry whose beginning fits.
const FILES: &[(&str, &str)] = &[
    ("accounts/", "AccountResource"),
    ("artifacts/", "ArtifactResource"),
    ("channels/", "ChannelResource"),
    ("config/serverstatus-timezones", "ServerTimezoneResource"),
    ("config/smtp-isconfigured", "SmtpIsConfiguredResource"),
    ("config/smtpconfiguration-2019", "SmtpConfigurationResource"),
    ("dashboards/dashboard-", "DashboardResource"),
    ("dashboards/runbook-", "RunbooksProgressionResource"),
    ("deployments/", "DeploymentResource"),
    ("environments/", "EnvironmentResource"),
    ("events/", "EventResource"),
    ("feeds/", "FeedResource"),
    ("interruptions/", "InterruptionResource"),
    ("libraryvariablesets/", "LibraryVariableSetResource"),
    ("lifecycles/", "LifecycleResource"),
    ("machines/", "DeploymentTargetResource"),
    ("processes/", "DeploymentProcessResource"),
    ("projectgroups/", "ProjectGroupResource"),
    ("projects/project-", "ProjectResource"),
    ("releases/", "ReleaseResource"),
    ("root/", "RootResource"),
    ("servernodes/", "OctopusServerNodeResource"),
    ("spaces/", "SpaceResource"),
    ("tasks/dd-task-details", "TaskDetailsResource"),
    ("tasks/dd-tasks-", "TaskResource"),
    ("teams/", "TeamResource"),
    ("tenants/tenant-variables", "TenantVariableResource"),
    ("tenants/", "TenantResource"),
    ("triggers/", "ProjectTriggerResource"),
    ("users/apikeys-", "ApiKeyResource"),
    ("users/permissions-", "PermissionDescriptions"),
    ("users/user-", "UserResource"),
    ("users/users-", "UserResource"),
    ("users/userrole-", "UserRoleResource"),
    ("variables/", "VariableSetResource"),
    ("workers/workerpools-", "WorkerPoolResource"),
    ("workers/workers-", "WorkerResource"),
];

/// Since when a body counts as what servers send today.
const TODAY: u32 = 2022;

#[derive(Default)]
struct Seen {
    bodies: u32,
    /// Whole bodies of today's servers.
    today: u32,
    /// Property → times there, times null, times there today.
    properties: BTreeMap<String, (u32, u32, u32)>,
    /// Link names of each body with its year.
    links: Vec<(u32, BTreeSet<String>)>,
    item_types: BTreeSet<String>,
}

type Notes = BTreeMap<String, Seen>;

/// The real bodies in `tests/payloads` with their definition and the year of their server.
fn bodies(partial: &[String]) -> Vec<(String, &'static str, u32, bool, Value)> {
    let readme = std::fs::read_to_string(at("tests/payloads/README.md")).expect("tests/payloads/README.md");
    let mut found = Vec::new();
    for row in readme.lines().filter(|l| l.starts_with("| ") && l.contains(".json ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let (file, version) = (cells[0], cells[3]);
        let Some((_, definition)) = FILES.iter().find(|(start, _)| file.starts_with(start)) else { continue };
        let year = version.find("20").and_then(|i| version.get(i..i + 4)).and_then(|y| y.parse().ok()).unwrap_or(0);
        // Before spaces everything was different.
        if year < 2018 {
            continue;
        }
        found.push((file.to_owned(), *definition, year, partial.iter().any(|p| p == file), read(&format!("tests/payloads/{file}"))));
    }
    found
}

fn look(shapes: &Shapes, notes: &mut Notes, slot: &Slot, body: &Value, year: u32, whole: bool) {
    match &slot.ty {
        Type::Named(name) => {
            let Some(definition) = shapes.definitions.get(name) else { return };
            if let Some(alias) = &definition.alias {
                return look(shapes, notes, alias, body, year, whole);
            }
            let Some(object) = body.as_object() else { return };
            if let Some((by, of)) = &definition.union {
                if let Some(one) = object.get(by).and_then(Value::as_str).and_then(|v| of.get(v)) {
                    look(shapes, notes, &Slot::new(Type::Named(one.clone())), body, year, whole);
                }
                return;
            }
            let seen = notes.entry(name.clone()).or_default();
            seen.bodies += 1;
            seen.today += u32::from(whole && year >= TODAY);
            for (key, value) in object {
                let (there, null, today) = seen.properties.entry(key.clone()).or_default();
                *there += 1;
                *null += u32::from(value.is_null());
                *today += u32::from(year >= TODAY);
            }
            if let Some(links) = object.get("Links").and_then(Value::as_object).filter(|_| whole) {
                seen.links.push((year, links.keys().cloned().collect()));
            }
            for (key, property) in &definition.properties {
                if let Some(value) = object.get(key).filter(|v| !v.is_null()) {
                    look(shapes, notes, &property.slot, value, year, whole);
                }
            }
        }
        Type::List(inner) => body.as_array().into_iter().flatten().for_each(|v| look(shapes, notes, inner, v, year, whole)),
        Type::Map(_, inner) => members(body).values().for_each(|v| look(shapes, notes, inner, v, year, whole)),
        Type::Page(inner) => look(shapes, notes, &Slot::new(Type::List(inner.clone())), &body["Items"], year, whole),
        _ => {}
    }
}

/// In what whole bodies of today's servers differ from the shapes.
pub fn today(shapes: &Shapes) -> Vec<String> {
    let additions = read("tests/shapes/additions.json");
    let partial: Vec<String> = members(&additions["partial"]).keys().cloned().collect();
    let mut wrong = Vec::new();
    for (file, definition, year, partial, body) in bodies(&partial) {
        if year < TODAY || partial {
            continue;
        }
        let items = match (&body, body.get("ItemType")) {
            (Value::Array(items), _) => items.clone(),
            (_, Some(_)) => body["Items"].as_array().cloned().unwrap_or_default(),
            _ => vec![body],
        };
        for item in items {
            let found = super::check::against(shapes, &Slot::new(Type::Named(definition.to_owned())), &item);
            wrong.extend(found.into_iter().map(|d| format!("{file}: {} {} {}", d.definition, d.property, d.what)));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Puts what real bodies teach into the shapes; what `additions` state stays.
pub fn teach(shapes: &mut Shapes, additions: &Value) {
    let partial: Vec<String> = members(&additions["partial"]).keys().cloned().collect();
    let mut notes = Notes::new();
    for (_, definition, year, partial, body) in bodies(&partial) {
        let one = Slot::new(Type::Named(definition.to_owned()));
        if let Some(item_type) = body["ItemType"].as_str() {
            notes.entry(definition.to_owned()).or_default().item_types.insert(item_type.to_owned());
        }
        let all = if body.get("ItemType").is_some() {
            Type::Page(Box::new(one))
        } else if body.is_array() {
            Type::List(Box::new(one))
        } else {
            one.ty
        };
        look(shapes, &mut notes, &Slot::new(all), &body, year, !partial);
    }
    for (name, definition) in &mut shapes.definitions {
        let nothing = Seen::default();
        let seen = notes.get(name).unwrap_or(&nothing);
        let said = &additions["definitions"][name]["properties"];
        for (key, property) in &mut definition.properties {
            let (there, null, today) = seen.properties.get(key).copied().unwrap_or_default();
            if !property.stated {
                property.slot.nullable |= null > 0;
            }
            if said[key]["there"].is_null() && said[key]["type"].is_null() {
                // Written by the base class of every document, and sent only by those that keep it.
                let bookkeeping = matches!(key.as_str(), "LastModifiedOn" | "LastModifiedBy") && there == 0;
                if bookkeeping || (seen.today > 0 && today == 0) {
                    property.presence = Presence::Never;
                } else if seen.today > 0 && today < seen.today {
                    property.presence = Presence::Sometimes;
                }
            }
        }
        if definition.links.is_none() && definition.properties.contains_key("Links") {
            let newest = seen.links.iter().map(|(y, _)| *y).max();
            let sets: Vec<&BTreeSet<String>> = seen.links.iter().filter(|(y, _)| Some(*y) == newest).map(|(_, s)| s).collect();
            if let Some(first) = sets.first() {
                let always: BTreeSet<String> = first.iter().filter(|n| sets.iter().all(|s| s.contains(*n))).cloned().collect();
                let all: BTreeSet<String> = sets.iter().flat_map(|s| s.iter().cloned()).collect();
                let sometimes = all.difference(&always).cloned().collect();
                definition.links = Some(LinkNames { always: always.into_iter().collect(), sometimes });
            }
        }
        if definition.item_type.is_none() {
            definition.item_type = seen.item_types.iter().next().cloned();
        }
    }
}
