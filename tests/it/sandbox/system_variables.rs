//! What a step is told about the deployment or the run of a runbook that it is part of.
#![cfg(target_os = "linux")]

use crate::support::{self, octorhai};
use serde_json::{Value, json};
use std::fs;

const WORLD: &str = r#"
start = "2026-03-02T08:00:00Z"
[[environments]]
name = "Test"
[[environments]]
name = "Production"
[[machines]]
name = "web-1"
environments = ["Test"]
roles = ["web", "canary"]
[[machines]]
name = "web-2"
environments = ["Test"]
roles = ["web"]
[[machines]]
name = "elsewhere"
environments = ["Production"]
roles = ["web"]
[[users]]
name = "ada"
display = "Ada Approver"
key = "API-ADA"
[[tag_sets]]
name = "Ring"
tags = ["Canary", "Stable"]
[[tenants]]
name = "Acme"
tags = ["Ring/Canary"]
projects = { Rented = ["Test"] }
[[projects]]
name = "Web"
releases = [ { version = "1.0.0" }, { version = "1.1.0" }, { version = "2.0.0", notes = "Fixes *all*" } ]
live = { Test = "1.1.0" }
steps = [
  { name = "Approve", manual = { instructions = "Now?", answer = "Proceed", answer_after = "1m", answer_by = "ada" } },
  { name = "Look", run = { script = "LOOK" } },
]
runbooks = [ { name = "Nightly", steps = [ { name = "Look", run = { script = "LOOK" } } ] } ]
[[projects]]
name = "Rented"
tenanted = "only"
releases = [ { version = "1.0.0" } ]
steps = [ { name = "Look", run = { script = "LOOK" } } ]
"#;

/// Puts out all variables of the system, as one text.
const LOOK: &str = r#"for k in \"${!octopus_parameters[@]}\"; do case \"$k\" in Octopus.Action.Script*) ;; Octopus*) printf '%s=%s\\n' \"$k\" \"$(get_octopusvariable \"$k\")\";; esac; done | sort > all; set_octopusvariable All \"$(cat all)\""#;

/// Deploys or runs by `script`, whose last value is the task, and returns what its step saw.
fn seen(script: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("world.toml"), WORLD.replace("LOOK", LOOK)).expect("written");
    let script = format!(
        "fn begun() {{ {script} }}\nlet t = begun(); settle(t); print(#{{state: t.state, all: outputs(t)[\"Look\"].All}}.to_json());"
    );
    fs::write(folder.path().join("x.rhai"), script).expect("written");
    let ran = support::finish(octorhai().current_dir(folder.path()).args(["run", "--sandbox=world.toml", "--run-scripts", "x.rhai"]));
    assert_eq!(ran.code, 0, "{ran:?}");
    let said: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["state"], "Success");
    said["all"].as_str().expect("text").lines().map(str::to_owned).collect()
}

#[track_caller]
fn has(seen: &[String], wanted: &[&str]) {
    for line in wanted {
        assert!(seen.iter().any(|one| one == line), "{line:?} is not in\n{}", seen.join("\n"));
    }
}

#[track_caller]
fn lacks(seen: &[String], heads: &[&str]) {
    for head in heads {
        assert!(!seen.iter().any(|one| one.starts_with(head)), "{head:?} is in\n{}", seen.join("\n"));
    }
}

#[test]
fn a_deployment_is_told_who_what_where_and_what_was_before() {
    let seen = seen(
        r#"let id = |kind, name| get(kind).Items.filter(|one| one.Name == name)[0].Id;
        let release = get(`projects/${id.call("projects", "Web")}/releases`).Items.filter(|r| r.Version == "2.0.0")[0];
        let made = post("deployments", #{ReleaseId: release.Id, EnvironmentId: id.call("environments", "Test"), Comments: "Signed off",
            SpecificMachineIds: [id.call("machines", "web-1")], ExcludedMachineIds: [], ForcePackageDownload: true});
        task(made.TaskId)"#,
    );
    has(
        &seen,
        &[
            "Octopus.Deployment.Name=Deploy to Test",
            "Octopus.Deployment.Comments=Signed off",
            "Octopus.Deployment.Created=Monday, March 2, 2026 8:00:00 AM",
            "Octopus.Deployment.CreatedBy.Username=sandbox",
            "Octopus.Deployment.ForcePackageDownload=True",
            "Octopus.Deployment.SpecificMachines=Machines-1",
            "Octopus.Deployment.Machines=Machines-1",
            "Octopus.Deployment.ExcludedMachines=",
            "Octopus.Deployment.Targets[Machines-1].Name=web-1",
            "Octopus.Environment.MachinesInRole[canary]=Machines-1",
            "Octopus.Environment.MachinesInRole[web]=Machines-1",
            "Octopus.Environment.SortOrder=0",
            "Octopus.Release.Number=2.0.0",
            "Octopus.Release.Notes=Fixes *all*",
            "Octopus.Release.Channel.Name=Default",
            "Octopus.Release.Previous.Number=1.1.0",
            "Octopus.Release.CurrentForEnvironment.Number=1.1.0",
            "Octopus.Release.PreviousForEnvironment.Number=1.1.0",
            "Octopus.Task.Name=Deploy Web release 2.0.0 to Test",
            "Octopus.WorkerPool.Name=Default Worker Pool",
            "Octopus.Step.Number=2",
            "Octopus.Action.Name=Look",
            "Octopus.Step[Approve].Status.Code=Succeeded",
            "Octopus.Step[Look].Status.Code=Running",
            "Octopus.Action[Approve].Output.Manual.Approved=True",
            "Octopus.Action[Approve].Output.Manual.ResponsibleUser.Username=ada",
            "Octopus.Action[Approve].Output.Manual.ResponsibleUser.DisplayName=Ada Approver",
        ],
    );
    let text = json!(seen).to_string();
    for name in [
        "Octopus.Deployment.CreatedBy.Id=Users-",
        "Octopus.Action[Approve].Output.Manual.ResponsibleUser.Id=Users-",
        "Octopus.Deployment.PreviousSuccessful.Id=Deployments-",
        "Octopus.Task.Argument[DeploymentId]=Deployments-",
        "Octopus.ProjectGroup.Name=",
    ] {
        assert!(text.contains(name), "{name} is not in {text}");
    }
    lacks(&seen, &["Octopus.Deployment.Tenant", "Octopus.Runbook", "Octopus.Machine.", "Octopus.Deployment.Error", "Octopus.Release.Git"]);
}

#[test]
fn the_same_release_again_is_not_its_own_predecessor() {
    let seen = seen(r#"deploy("Web", "1.1.0", "Test")"#);
    has(
        &seen,
        &[
            "Octopus.Release.CurrentForEnvironment.Number=1.1.0",
            "Octopus.Release.Previous.Number=1.0.0",
            "Octopus.Deployment.Machines=Machines-1,Machines-2",
        ],
    );
    lacks(&seen, &["Octopus.Release.PreviousForEnvironment"]);
}

#[test]
fn a_tenant_and_a_runbook_have_their_own() {
    let tenant = seen(r#"deploy("Rented", "1.0.0", "Test", #{tenant: "Acme"})"#);
    has(&tenant, &["Octopus.Deployment.Tenant.Name=Acme", "Octopus.Deployment.Tenant.Tags=Ring/Canary"]);
    lacks(&tenant, &["Octopus.Release.CurrentForEnvironment", "Octopus.Release.Previous."]);
    let runbook = seen(r#"run_runbook("Web", "Nightly", "Test")"#);
    has(
        &runbook,
        &[
            "Octopus.Runbook.Name=Nightly",
            "Octopus.RunbookRun.Name=Run Nightly on Test",
            "Octopus.RunbookRun.CreatedUtc=3/2/26 8:00:00 AM +00:00",
        ],
    );
    lacks(&runbook, &["Octopus.Release.", "Octopus.Deployment.Id", "Octopus.Deployment.Name"]);
}
