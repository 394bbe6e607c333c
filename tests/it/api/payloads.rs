//! Every JSON document we have from real servers decodes into the type it belongs to, or is named here with the reason.
//!
//! `tests/payloads` is part of the repository; `OCTORHAI_TEST_PAYLOADS` may name a larger
//! collection, whose licences do not allow to have it here.

use crate::support::payloads::{files, folders, items, marks, member, payload};
use octorhai::api::dashboards::Dashboard;
use octorhai::api::decode::{Document, FromJson};
use octorhai::api::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

type Outcome = Result<usize, String>;
type Decoder = fn(Value) -> Outcome;

/// One document, a page of them, or a bare array; every typed member is read, and `raw` is the body.
fn documents<T: Document + 'static>(body: Value) -> Outcome {
    if !body.is_array() && body.get("Items").is_none() {
        return one::<T>(body);
    }
    let items = items(&body).map_err(|p| p.into_error("page").to_string())?;
    for (index, item) in items.iter().enumerate() {
        one::<T>(item.clone()).map_err(|e| format!("item {index}: {e}"))?;
    }
    Ok(items.len())
}

fn one<T: Document + 'static>(body: Value) -> Outcome {
    T::decode(body).map(|_| 1).map_err(|p| p.into_error(T::NOUN).to_string())
}

fn object(body: Value) -> Outcome {
    if body.is_object() { Ok(1) } else { Err("not an object".to_owned()) }
}

fn error_body(body: Value) -> Outcome {
    let message: String = member(&body, "ErrorMessage").map_err(|p| format!("{p:?}"))?;
    let _: Vec<String> = member(&body, "Errors").map_err(|p| format!("{p:?}"))?;
    if message.is_empty() { Err("no message".to_owned()) } else { Ok(1) }
}

fn runbook_dashboard(body: Value) -> Outcome {
    let rows: BTreeMap<String, Vec<DashboardItem>> = member(&body, "RunbookRuns").map_err(|p| format!("{p:?}"))?;
    Ok(rows.len())
}

/// Webhooks carry an event, or several.
fn webhook(body: Value) -> Outcome {
    let payload: Value = member(&body, "Payload").map_err(|p| format!("{p:?}"))?;
    match payload.get("Events") {
        Some(events) => Vec::<Event>::from_json(events).map(|e| e.len()).map_err(|p| format!("{p:?}")),
        None => one::<Event>(payload["Event"].clone()),
    }
}

/// The type of each file: the first entry whose beginning fits.
const TYPES: &[(&str, Decoder)] = &[
    ("artifacts/", documents::<Other>),
    ("channels/", documents::<Channel>),
    ("dashboards/dashboard-", one::<Dashboard>),
    ("dashboards/octofx-", documents::<DashboardItem>),
    ("dashboards/progression-", one::<Other>),
    ("dashboards/runbook-", runbook_dashboard),
    ("deployments/", documents::<Deployment>),
    ("environments/", documents::<Environment>),
    ("errors/", error_body),
    ("events/", documents::<Event>),
    ("interruptions/", documents::<Interruption>),
    ("libraryvariablesets/", documents::<LibraryVariableSet>),
    ("lifecycles/", documents::<Other>),
    ("processes/", documents::<Process>),
    ("projectgroups/projectgroup-projects-", documents::<Project>),
    ("projectgroups/", documents::<ProjectGroup>),
    ("projects/git-branches-", documents::<Other>),
    ("projects/", documents::<Project>),
    ("releases/go443-", documents::<Other>),
    ("releases/", documents::<Release>),
    ("root/", one::<ServerInfo>),
    ("spaces/", documents::<Space>),
    ("tasks/dd-task-details-", one::<TaskDetails>),
    ("tasks/", documents::<Task>),
    ("tenants/tenant-variables-", documents::<Other>),
    ("tenants/", documents::<Tenant>),
    ("users/apikeys-", documents::<Other>),
    ("users/permissions-all-", object),
    ("users/userrole-", documents::<Other>),
    ("users/", documents::<User>),
    ("variables/", documents::<VariableSet>),
    ("webhooks/", webhook),
    ("openapi-pruned.json", object),
    // Nothing the client has a type for: what all resources have in common.
    ("accounts/", documents::<Other>),
    ("actiontemplates/", documents::<Other>),
    ("approvals/", documents::<Other>),
    ("config/", documents::<Other>),
    ("feeds/", documents::<Other>),
    ("machines/", documents::<Other>),
    ("servernodes/", documents::<Other>),
    ("teams/", documents::<Other>),
    ("triggers/", documents::<Other>),
    ("workers/", documents::<Other>),
];

/// Files that do not decode: a part of what must be said about each, and the reason.
const REFUSED: &[(&str, &str, &str)] =
    &[("deployments/dd-deployment-2024.2.json", "`Created`", "its publisher damaged the date: \"2024-09-2T...\"")];

#[test]
fn every_payload_decodes_or_is_named_with_the_reason() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for folder in folders() {
        for (name, path) in files(&folder) {
            count += 1;
            let text = std::fs::read_to_string(&path).expect("the file can be read");
            let Some((_, decode)) = TYPES.iter().find(|(start, _)| name.starts_with(start)) else {
                wrong.push(format!("{name}: no type is named for it"));
                continue;
            };
            let outcome = serde_json::from_str(&text).map_err(|e| e.to_string()).and_then(decode);
            match (outcome, REFUSED.iter().find(|(refused, ..)| *refused == name)) {
                (Ok(_), None) => {}
                (Ok(_), Some((.., reason))) => wrong.push(format!("{name}: decodes, although {reason}")),
                (Err(error), Some((_, part, _))) if error.contains(part) => {}
                (Err(error), _) => wrong.push(format!("{name}: {error}")),
            }
        }
    }
    assert!(count >= 78, "only {count} payloads were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_payload_of_the_repository_has_its_origin_licence_and_trust() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("there is a README");
    let listed: BTreeSet<&str> = readme
        .lines()
        .filter(|line| ["Apache-2.0", "MIT", "BSD-3-Clause"].iter().any(|licence| line.contains(&format!("| {licence} |"))))
        .filter_map(|line| line.split('|').nth(1).map(str::trim))
        .collect();
    let there = files(&folder);
    assert_eq!(there.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    let marks = marks(&folder);
    assert_eq!(marks.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed);
    let unknown: Vec<_> = marks.iter().filter(|(_, mark)| !mark.starts_with(['V', 'C', 'E', 'P', 'G'])).collect();
    assert!(unknown.is_empty(), "how far to trust: {unknown:?}");
}

#[test]
fn the_failed_task_says_which_step_and_why() {
    let details = TaskDetails::decode(payload("tasks/dd-task-details-failed-2024.2.json")).expect("it decodes");
    assert_eq!(details.task.state, TaskState::Failed);
    assert!(details.task.is_completed() && !details.task.finished_successfully());
    assert!(details.task.deployment_id().is_some());
    let failed = details.activity[0].children.iter().find(|step| step.status == ActivityStatus::Failed).expect("a step failed");
    assert!(failed.name.starts_with("Step "), "{}", failed.name);
    assert_eq!(details.raw.tree()["Task"]["Id"], details.task.id.as_str());
}

#[test]
fn the_kinds_of_interruption_are_told_apart() {
    let read =
        |name: &str| -> Interruption { Interruption::decode(items(&payload(name)).expect("an array").remove(0)).expect("it decodes") };
    let manual = read("interruptions/interruption-manual-2024.json");
    assert!(!manual.is_guided_failure());
    let guided = read("interruptions/interruption-guided-failure-2024.json");
    assert!(guided.is_guided_failure());
}

#[test]
fn who_waits_for_a_person_is_known_from_the_flag_or_the_list() {
    let waits = |flag: Value, types: Value| {
        let mut task = payload("tasks/dd-tasks-in-progress-page-2024.2.json")["Items"][0].clone();
        task["HasPendingInterruptions"] = flag;
        task["PendingInterruptionTypes"] = types;
        let task = Task::decode(task).expect("it decodes");
        task.is_interrupted()
    };
    // Servers to 2026.1, later ones, and one that leaves the flag to its clients.
    assert!(waits(true.into(), Value::Null));
    assert!(waits(true.into(), vec!["ManualIntervention"].into()));
    assert!(waits(Value::Null, vec!["GuidedFailure"].into()));
    assert!(!waits(false.into(), Value::Array(Vec::new())));
    assert!(!waits(Value::Null, Value::Null));
}

/// The definition in the server's schema (2021.2) for each type, and the members that came later, each with its source.
const SCHEMA: &[(&str, &[&str], &[&str])] = &[
    // What ephemeral environments and their channels say: octopus-api.md §10.7, 2025.4.
    // Slug: octopus-api.md §3; the schema lacks it for spaces and environments (payloads, "All resources").
    ("SpaceResource", Space::MEMBERS, &["Slug"]),
    ("ProjectResource", Project::MEMBERS, &["ProjectTags", "DeprovisioningRunbookId"]),
    ("ProjectGroupResource", ProjectGroup::MEMBERS, &["Slug"]),
    ("EnvironmentResource", Environment::MEMBERS, &["Slug", "Type", "EnvironmentTags"]),
    // Priority phases: octopus-api.md §30, 2024.2.
    // Custom fields: octopus-api.md §10.6 and §12.1; strategies and tags of versions: §10.6.
    ("ChannelResource", Channel::MEMBERS, &["Slug", "Type", "CustomFieldDefinitions"]),
    ("ChannelVersionRuleResource", channels::ChannelRule::MEMBERS, &["VersionTagRegex", "VersioningStrategy"]),
    // References of other repositories: octopus-api.md §12.1, §12.3.
    ("ReleaseResource", Release::MEMBERS, &["SelectedGitResources", "CustomFields", "VariableSnapshotConcurrencyToken"]),
    ("SelectedPackage", SelectedPackage::MEMBERS, &[]),
    ("DefectResource", Defect::MEMBERS, &[]),
    ("DeploymentResource", Deployment::MEMBERS, &[]),
    // ProjectId of tasks: 2024.2 (payloads, "Tasks"); PendingInterruptionTypes: octopus-api.md §18.2 and §23; preconditions: §18.2 and §20.2.
    ("TaskResource", Task::MEMBERS, &["PendingInterruptionTypes", "ProjectId", "HasPendingPreconditions", "PendingPreconditionTypes"]),
    ("TaskDetailsResource", TaskDetails::MEMBERS, &[]),
    ("ActivityLogTreeNode", Activity::MEMBERS, &[]),
    ("ActivityLogElement", LogLine::MEMBERS, &[]),
    ("TaskProgress", tasks::Progress::MEMBERS, &[]),
    // IsDisabled of tenants: octopus-api.md §10.3.
    ("TenantResource", Tenant::MEMBERS, &["Slug", "IsDisabled"]),
    ("TagSetResource", TagSet::MEMBERS, &["Slug", "Scopes"]),
    ("TagResource", tenants::Tag::MEMBERS, &[]),
    ("RunbookResource", Runbook::MEMBERS, &["Slug", "RunbookTags"]),
    ("RunbookRunResource", RunbookRun::MEMBERS, &[]),
    // Type of interruptions: octopus-api.md §19; in no capture before 2019.
    ("InterruptionResource", Interruption::MEMBERS, &["Type", "PullRequests"]),
    ("Form", interruptions::Form::MEMBERS, &[]),
    ("FormElement", interruptions::FormElement::MEMBERS, &[]),
    ("EventResource", Event::MEMBERS, &[]),
    ("DashboardResource", Dashboard::MEMBERS, &[]),
    ("DashboardItemResource", DashboardItem::MEMBERS, &["PendingInterruptionTypes"]),
    // HasUnresolvedDefect: octopus-api.md §13.1.
    ("LifecycleProgressionResource", ReleaseProgression::MEMBERS, &["HasUnresolvedDefect"]),
    ("PhaseProgressionResource", dashboards::PhaseProgress::MEMBERS, &[]),
    ("VariableSetResource", VariableSet::MEMBERS, &[]),
    ("VariableSetResource", VariableManifest::MEMBERS, &[]),
    ("VariableResource", ManifestVariable::MEMBERS, &[]),
    ("VariableResource", Variable::MEMBERS, &[]),
    ("LibraryVariableSetResource", LibraryVariableSet::MEMBERS, &[]),
    ("UserResource", User::MEMBERS, &[]),
    ("UserPermissionSetResource", Permissions::MEMBERS, &[]),
    ("UserPermissionRestriction", users::Grant::MEMBERS, &[]),
    ("DeploymentProcessResource", Process::MEMBERS, &[]),
    ("DeploymentStepResource", processes::Step::MEMBERS, &[]),
    ("DeploymentActionResource", processes::Action::MEMBERS, &[]),
    ("DeploymentPreviewResource", Preview::MEMBERS, &[]),
    ("DeploymentTemplateStep", previews::PreviewStep::MEMBERS, &["AvailableTagSets"]),
    ("Form", previews::PreviewForm::MEMBERS, &[]),
    ("MachineDeploymentPreview", previews::PreviewMachine::MEMBERS, &[]),
    ("ReleaseTemplateResource", ReleaseTemplate::MEMBERS, &["GitResources"]),
    ("RunbookSnapshotResource", previews::Snapshot::MEMBERS, &[]),
    ("TeamResource", previews::Team::MEMBERS, &[]),
    ("DeploymentTemplateResource", DeploymentTemplate::MEMBERS, &[]),
    ("DeploymentPromotionTarget", previews::PromotionTarget::MEMBERS, &[]),
    ("DeploymentPromomotionTenant", previews::TenantPromotion::MEMBERS, &[]),
    ("RootResource", ServerInfo::MEMBERS, &[]),
];

#[test]
fn every_member_is_spelt_as_the_server_spells_it() {
    let schema = payload("openapi-pruned.json");
    let mut wrong = Vec::new();
    for (definition, members, later) in SCHEMA {
        let Some(properties) = schema["definitions"][definition]["properties"].as_object() else {
            wrong.push(format!("{definition}: not in the schema"));
            continue;
        };
        let unknown = members.iter().filter(|m| !properties.contains_key(**m) && !later.contains(m));
        wrong.extend(unknown.map(|m| format!("{definition}.{m}: not in the schema")));
        wrong
            .extend(later.iter().filter(|m| properties.contains_key(**m)).map(|m| format!("{definition}.{m}: is in the schema after all")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
