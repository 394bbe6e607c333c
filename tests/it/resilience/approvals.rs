//! Waiting for approvals: change requests in Octopus, ServiceNow and Jira Service Management, and votes from scripts.

use super::people::{kind, notes, waits};
use crate::support::{http, settings, shop, simulate};
use octorhai::{api::Credential, error::Kind, event::Recorder, run::Target};
use serde_json::json;
use std::sync::Arc;

/// `shop` where Project A and Project B need approval in Test; `more` is added to the rule.
pub fn with_rule(more: &str) -> String {
    let rule = "name = \"Test needs a yes\"\nprojects = [\"Project A\", \"Project B\"]\nenvironments = [\"Test\"]";
    let people = "[[users]]\nname = \"bo\"\ndisplay = \"Bo Barker\"\nkey = \"API-BO\"\n";
    let world = shop(&[("[[teams]]\n", &format!("{people}\n[[teams]]\n"))]);
    format!("{world}\n[[approval_rules]]\n{rule}\n{more}\n")
}

const ADA_AND_BO: &str = "approvers = [\"ada\", \"bo\"]\nminimum = 2\n";
const ONE: &str = r#"print(wait(deploy("Project A", "latest", "Test"), #{timeout: "3h"}).state)"#;

#[test]
fn wait_names_who_may_approve_and_goes_on_when_enough_have() {
    let votes = r#"votes = [{ user = "ada", after = "20m" }, { user = "bo", after = "50m", notes = "go" }]"#;
    let ran = simulate(&with_rule(&format!("{ADA_AND_BO}{votes}")), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let waits = waits(&ran);
    let title = "Octopus: Deploy \"Project A\" version 2.0.0 to \"Test\"";
    for (at, count) in [(0, "0 of 2"), (1, "1 of 2")] {
        let told = format!(
            "Project A 2.0.0 → Test: waits for approval of OCT19 ({count}) by Ada Approver or Bo Barker: {title}; it may start until"
        );
        assert!(waits[at].starts_with(&told) && waits[at].contains("/app#/Spaces-1/tasks/ServerTasks-19"), "{told}: {waits:?}");
    }
    assert_eq!(waits.len(), 2, "{waits:?}");
    assert!(ran.outcome.stats.seconds > 70.0 * 60.0, "{:?}", ran.outcome.stats);
}

#[test]
fn rejection_ends_the_deployment_and_says_who_did_it() {
    let votes =
        r#"votes = [{ user = "ada", after = "20m" }, { user = "bo", after = "50m", status = "Rejected", notes = "the tide is wrong" }]"#;
    let ran = simulate(&with_rule(&format!("{ADA_AND_BO}{votes}")), ONE);
    assert_eq!(kind(&ran), Some(Kind::DeploymentFailed));
    assert!(ran.error().contains("The change request OCT19 was rejected by bo: the tide is wrong"), "{}", ran.error());
}

#[test]
fn approval_can_be_an_error_at_once() {
    let ran = simulate(&with_rule(ADA_AND_BO), &ONE.replace("timeout: \"3h\"", "on_approval: \"fail\""));
    assert_eq!(kind(&ran), Some(Kind::Failed));
    assert!(
        ran.error().contains("Project A 2.0.0 → Test waits for approval of OCT19 (0 of 2) by Ada Approver or Bo Barker"),
        "{}",
        ran.error()
    );
    let error = &ran.outcome.failure.as_ref().expect("an error").error;
    assert_eq!(error.fact("approval").and_then(|id| id.as_str()), Some("ServerTaskApprovals-1"), "{:?}", error.facts());
    assert!(ran.outcome.stats.seconds < 120.0, "{:?}", ran.outcome.stats);
}

#[test]
fn on_interrupt_leaves_approvals_alone() {
    let votes = r#"votes = [{ user = "ada", after = "5m" }, { user = "bo", after = "6m" }]"#;
    let world = with_rule(&format!("{ADA_AND_BO}{votes}"));
    let ran = simulate(&world, &ONE.replace("timeout: \"3h\"", "timeout: \"3h\", on_interrupt: \"fail\""));
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
}

#[test]
fn closure_approves() {
    let own = "approvers = [\"sandbox\", \"ada\"]\nminimum = 1\nself_approval = true\n";
    let ran = simulate(
        &with_rule(own),
        &ONE.replace(
            "timeout: \"3h\"",
            "on_approval: |a| { print(`${a.number} ${a.approved} of ${a.minimum} ${a.approvers}`); a.approve(\"ok\") }",
        ),
    );
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "OCT19 0 of 1 [\"Sandbox\", \"Ada Approver\"]\nSuccess"));
}

#[test]
fn nobody_approves_their_own_where_the_rule_forbids_it() {
    let ran = simulate(
        &with_rule("approvers = [\"sandbox\", \"ada\"]\nminimum = 1\n"),
        &ONE.replace("timeout: \"3h\"", "on_approval: |a| a.approve(\"ok\")"),
    );
    assert_eq!(kind(&ran), Some(Kind::Refused));
    let error = &ran.outcome.failure.as_ref().expect("an error").error;
    assert_eq!(ran.error(), "`sandbox` started what change request OCT19 is about, and may not approve it");
    assert!(error.hints().iter().any(|help| help.contains("Sandbox or Ada Approver")), "{error:?}");
}

#[test]
fn vote_is_given_once_when_answers_are_lost() {
    let own = "approvers = [\"sandbox\", \"ada\"]\nminimum = 1\nself_approval = true\n";
    for action in ["drop_after", "status_after=502", "truncate", "twice", "reset"] {
        let world = format!("{}\n[[faults]]\nmatch = \"POST */approvals\"\nnth = 1\naction = \"{action}\"\n", with_rule(own));
        let script = r#"
            let t = deploy("Project A", "latest", "Test");
            let a = pending()[0];
            a.approve("ok");
            a.approve("ok");
            print(get(`servertaskapprovals/${a.id}/approvals`).map(|v| `${v.Id} ${v.Status} ${v.Notes}`));
            wait(t);"#;
        let ran = simulate(&world, script);
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "[\"Approvals-1 Approved ok\"]"), "{action}");
    }
}

#[test]
fn pending_lists_interruptions_and_approvals_and_filters_both() {
    let world = with_rule(ADA_AND_BO);
    let script = r#"
        deploy("Project A", "latest", "Test");
        deploy("Project B", "latest", "Test");
        deploy("Project C", "latest", "Test");
        let names = |filter| pending(filter).map(|p| `${p.kind} ${p.number}`);
        print(names.call(#{}));
        print(names.call(#{project: "Project B"}));
        print(names.call(#{env: "Production"}));
        print(names.call(#{number: "OCT19"}));
        print(names.call(#{task: []}));"#;
    let ran = simulate(&world, script);
    let expected = ["[\"Approval OCT20\", \"Approval OCT19\"]", "[\"Approval OCT20\"]", "[]", "[\"Approval OCT19\"]", "[]"];
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", expected.join("\n").as_str()));
}

#[test]
fn approve_all_tells_what_it_approves_before_it_does() {
    let own = "approvers = [\"sandbox\", \"ada\"]\nminimum = 1\nself_approval = true\n";
    let script = r#"
        let all = [deploy("Project A", "latest", "Test"), deploy("Project B", "latest", "Test")];
        print(approve_all(#{number: "OCT99"}, "none").len());
        print(approve_all(#{task: all}, "agreed").len());
        wait(all, #{timeout: "2h"});"#;
    let ran = simulate(&with_rule(own), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "0\n2"));
    let notes = notes(&ran);
    let at = |text: &str| notes.iter().position(|note| note.contains(text)).unwrap_or_else(|| panic!("{text}: {notes:?}"));
    assert!(at("about to approve 2: OCT20 Octopus: Deploy \"Project B\"") < at("OCT20: approved"), "{notes:?}");
    assert!(at("nothing waits to be approved") < at("about to approve 2"), "{notes:?}");
    let ran = simulate(&with_rule(own), "approve_all(#{}, \"everything\")");
    assert_eq!((kind(&ran), ran.error().as_str()), (Some(Kind::Script), "`approve_all` does not approve everything that waits: say what"));
}

/// `shop` where deployments of Project A to Test are controlled by a system; `changes` says how its change requests go on.
fn with_control(system: &str, changes: &str) -> String {
    let control = format!("change_control = \"{system}\"\n");
    let world = shop(&[
        ("name = \"Test\"\n[[environments]]", &format!("name = \"Test\"\n{control}[[environments]]")),
        ("description = \"The database and its API\"\n", &format!("description = \"The database and its API\"\n{control}")),
    ]);
    format!("{world}\n[[change_requests]]\nsystem = \"{system}\"\n{changes}\n")
}

#[test]
fn wait_names_a_change_request_of_another_system_with_its_number() {
    for (system, name, number, states) in [
        ("ServiceNow", "ServiceNow", "CHG0030001", r#"[{ state = "Assess", after = "10m" }, { state = "Implement", after = "40m" }]"#),
        (
            "JiraServiceManagement",
            "Jira Service Management",
            "CHANGE-1",
            r#"[{ state = "Planning", after = "10m" }, { state = "Implementing", after = "40m" }]"#,
        ),
    ] {
        let ran = simulate(&with_control(system, &format!("states = {states}")), ONE);
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{system}");
        let waits = waits(&ran);
        let told = format!(
            "Project A 2.0.0 → Test: waits for change request {number} in {name}: Octopus: Deploy \"Project A\" version 2.0.0 to \"Test\""
        );
        assert!(waits[0].starts_with(&told) && waits[0].ends_with(&format!(".example/{number}")), "{waits:?}");
        assert!(ran.outcome.stats.seconds > 60.0 * 60.0, "{system}: {:?}", ran.outcome.stats);
    }
}

#[test]
fn change_request_that_is_closed_or_late_ends_the_deployment() {
    for (changes, why) in [
        (r#"states = [{ state = "Canceled", after = "10m" }]"#, "The change request CHG0030001 in ServiceNow is in the state 'Canceled'"),
        (
            "from = \"0s\"\nfor = \"1h\"\nstates = [{ state = \"Assess\", after = \"10m\" }]",
            "The planned end of the change request CHG0030001 in ServiceNow has passed",
        ),
    ] {
        let ran = simulate(&with_control("ServiceNow", changes), ONE);
        assert_eq!(kind(&ran), Some(Kind::DeploymentFailed), "{changes}");
        assert!(ran.error().contains(why), "{why}: {}", ran.error());
    }
}

#[test]
fn approved_change_request_waits_for_its_planned_start() {
    let changes = "from = \"2h\"\nfor = \"3h\"\nstates = [{ state = \"Implement\", after = \"1m\" }]";
    let ran = simulate(&with_control("ServiceNow", changes), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    let waits = waits(&ran).join("\n");
    assert!(waits.contains("waits for the planned start of change request CHG0030001, which is approved in ServiceNow"), "{waits}");
    assert!(ran.outcome.stats.seconds > 2.0 * 3600.0, "{:?}", ran.outcome.stats);
}

#[test]
fn change_request_is_found_by_the_number_that_a_variable_gives() {
    let number = "variables = [ { name = \"Octopus.ServiceNow.ChangeRequest.Number\", value = \"CHG7\" } ]\n";
    let numbered = |known: &str| {
        let changes = format!("number = \"{known}\"\nstates = [{{ state = \"Implement\", after = \"30m\" }}]");
        with_control("ServiceNow", &changes)
            .replace("description = \"The database and its API\"\n", &format!("description = \"The database and its API\"\n{number}"))
    };
    let ran = simulate(&numbered("CHG7"), ONE);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"));
    assert!(waits(&ran)[0].contains("waits for change request CHG7 in ServiceNow"), "{:?}", waits(&ran));
    let ran = simulate(&numbered("CHG8"), ONE);
    assert!(ran.error().contains("The change request CHG7 was not found in ServiceNow."), "{}", ran.error());
}

#[test]
fn change_request_of_a_scheduled_deployment_is_made_when_its_time_has_come() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test", #{at: "in 2h"});
        print(pending().len());
        sleep("2h5m");
        let a = pending()[0];
        print(`${a.number} ${a.system}`);
        try { a.approve("ok") } catch (e) { print(e.message) }
        wait(t, #{timeout: "3h"});"#;
    let ran = simulate(&with_control("ServiceNow", "states = [{ state = \"Implement\", after = \"30m\" }]"), script);
    let told = "0\nCHG0030001 ServiceNow\nchange request CHG0030001 is approved in ServiceNow, not in Octopus";
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", told));
}

#[test]
fn timed_out_wait_names_what_holds_each_task() {
    let world = with_rule(ADA_AND_BO);
    let script = r#"wait([deploy("Project A", "latest", "Test"), deploy("Project C", "latest", "Test")], #{timeout: "5m"})"#;
    let ran = simulate(&world, script);
    assert_eq!(kind(&ran), Some(Kind::Timeout));
    let told = "Project A 2.0.0 → Test (ServerTasks-19, `Queued`, waits for approval of OCT19 (0 of 2) by Ada Approver or Bo Barker";
    assert!(ran.error().contains(told), "{}", ran.error());
}

#[test]
fn paused_queue_and_drained_nodes_are_named() {
    let script = r#"
        put("spaces/Spaces-1", get("spaces/Spaces-1") + #{TaskQueueStopped: true});
        let t = deploy("Project A", "latest", "Test");
        parallel([
            || wait(t, #{timeout: "2h"}),
            || {
                sleep("10m");
                print(t.waiting_for);
                put("/api/spaces/Spaces-1", get("/api/spaces/Spaces-1") + #{TaskQueueStopped: false});
            },
        ], |f| f.call());"#;
    let script = script.replace("\"spaces/Spaces-1\"", "\"/api/spaces/Spaces-1\"");
    let ran = simulate(&shop(&[]), &script);
    let told = "queued: the task queue of the space `Default` is paused, and nothing in it starts";
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", told));
    let waits = waits(&ran);
    assert_eq!(waits, [format!("Project A 2.0.0 → Test: {told} | ")]);
    let pause = r#"put("/api/spaces/Spaces-1", get("/api/spaces/Spaces-1") + #{TaskQueueStopped: true});"#;
    let ran = simulate(&shop(&[]), &format!("{pause} wait(deploy(\"Project A\", \"latest\", \"Test\"), #{{timeout: \"5m\"}})"));
    assert!(
        ran.error().contains("(ServerTasks-19, `Queued`, the task queue of the space `Default` is paused, and nothing in it starts)"),
        "{}",
        ran.error()
    );
    let node = r#"
        let path = `/api/octopusservernodes/${get("/api/octopusservernodes").Items[0].Id}`;
        put(path, get(path) + #{IsInMaintenanceMode: true});
        print(deploy("Project A", "latest", "Test").waiting_for);
        put(path, get(path) + #{IsInMaintenanceMode: false});
        sleep("1h");
        put("/api/maintenanceconfiguration", #{IsInMaintenanceMode: true});
        print(deploy("Project B", "latest", "Test").waiting_for);"#;
    let ran = simulate(&shop(&[]), node);
    let told = "queued: 1 of 1 nodes of the server take no new tasks, and start nothing: sandbox\nqueued: the server is in maintenance mode, and starts nothing";
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", told));
}

#[test]
fn older_server_has_no_approvals() {
    for version in ["2025.1", "2026.1"] {
        let world = shop(&[("zone  = ", &format!("version = \"{version}\"\nzone  = "))]);
        let ran = simulate(&world, &ONE.replace("timeout: \"3h\"", "timeout: \"3h\", on_approval: \"fail\""));
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{version}");
        let ran = simulate(&world, "deploy(\"Project A\", \"latest\", \"Test\"); print(pending().len())");
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "0"), "{version}");
    }
}

#[test]
fn sixty_waits_for_approval_keep_to_sixty_requests_a_minute() {
    let world = with_rule(ADA_AND_BO).replace("projects = [\"Project A\", \"Project B\"]", "projects = [\"Fleet ##\"]");
    let fleet = r#"
        [[projects]]
        name = "Fleet ##"
        copies = 60
        lifecycle = "Anywhere"
        steps = [ { name = "Deploy" } ]
        releases = [ { version = "1.0.0" } ]
        [[lifecycles]]
        name = "Anywhere"
        phases = [ { name = "All", environments = ["Test"] } ]"#;
    let asked = |timeout: &str| {
        let script = r#"settle(projects().filter(|p| p.name.starts_with("Fleet")).map(|p| deploy(p, "1.0.0", "Test")), #{timeout: "TIMEOUT", on_approval: |a| ()});"#;
        let ran = simulate(&format!("{world}{fleet}"), &script.replace("TIMEOUT", timeout));
        assert_eq!(ran.error(), "");
        let waits = waits(&ran);
        assert!(waits.len() < 10 && waits.iter().all(|told| told.contains("waits for approval of OCT")), "{waits:?}");
        ran.outcome.stats.requests
    };
    let (short, long) = (asked("5m"), asked("35m"));
    assert!(long > short && long - short <= 30 * 60, "{short} and {long}");
}

/// `shop` where the second step of Project A waits for what a machine does.
fn with_awaited(awaits: &str) -> String {
    shop(&[("{ name = \"Back up database\",    takes = \"6m\" }", &format!("{{ name = \"Deliver\", awaits = {{ {awaits} }} }}"))])
}

#[test]
fn interruptions_that_machines_end_are_told_in_their_own_words_and_never_end_a_wait() {
    let pulls = r#"type = "PullRequestCompletion", takes = "20m", pull_requests = [
        { number = 12, title = "Raise the image tag", url = "https://git.example/shop/pull/12" },
        { number = 13, title = "Raise the chart", url = "https://git.example/shop/pull/13" } ]"#
        .replace('\n', " ");
    for (awaits, told) in [
        (
            pulls.as_str(),
            "Project A 2.0.0 → Test: waits until its pull requests are merged (0 of 2), `Deliver`: merge #12 Raise the image tag (Open) https://git.example/shop/pull/12, #13 Raise the chart (Open) https://git.example/shop/pull/13 | https://git.example/shop/pull/12",
        ),
        (
            r#"type = "ArgoCDApplicationSync", takes = "20m""#,
            "Project A 2.0.0 → Test: waits until Argo CD has synced its application, `Deliver`: look at the application in Argo CD |",
        ),
        (
            r#"type = "KubernetesResourceVerification", takes = "20m""#,
            "Project A 2.0.0 → Test: waits until its objects in Kubernetes are ready, `Deliver`: look at the objects in the cluster |",
        ),
    ] {
        for policy in ["on_interrupt: \"fail\"", "on_interrupt: |i| print(i.kind)", "on_approval: \"fail\""]
            .map(|policy| format!("timeout: \"3h\", {policy}"))
        {
            let ran = simulate(&with_awaited(awaits), &ONE.replace("timeout: \"3h\"", &policy));
            assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success"), "{policy}");
            let waits = waits(&ran);
            assert!(waits.len() == 1 && waits[0].starts_with(told), "{policy}: {told}\n{waits:?}");
        }
    }
}

#[test]
fn nobody_answers_an_interruption_that_a_machine_ends() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test");
        wait_for(|| !pending().is_empty());
        let i = pending()[0];
        print(`${i.kind} ${i.pull_requests[0].number} ${i.pull_requests[0].status}`);
        print(approve_all(#{project: "Project A"}, "agreed").len());
        for answer in [|| i.approve("ok"), || i.reject("no"), || i.guide("retry")] { try { answer.call() } catch (e) { print(e.message) } }"#;
    let ran = simulate(
        &with_awaited(
            "type = \"PullRequestCompletion\", pull_requests = [ { number = 12, title = \"Raise\", url = \"https://git.example/12\" } ]",
        ),
        script,
    );
    let refused = "nobody answers `Deliver`: it waits until its pull requests are merged (0 of 1), `Deliver`: merge #12 Raise (Open) https://git.example/12";
    assert_eq!(
        (ran.error().as_str(), ran.printed().as_str()),
        ("", format!("PullRequestCompletion 12 Open\n0\n{refused}\n{refused}\n{refused}").as_str())
    );
    assert!(notes(&ran).iter().any(|note| note.starts_with("not approved here: Deliver (Interruptions-1)")), "{:?}", notes(&ran));
}

#[test]
fn tenants_of_a_release_share_an_approval_or_have_one_each() {
    let tenants = "\n[[tenants]]\nname = \"Acme\"\nprojects = { \"Project A\" = [\"Test\"] }\n[[tenants]]\nname = \"Beta\"\nprojects = { \"Project A\" = [\"Test\"] }\n";
    for (rule, numbers) in [("", 1), ("per_tenant = true\n", 2)] {
        let world = format!("{}{tenants}", with_rule(&format!("approvers = [\"sandbox\"]\nminimum = 1\nself_approval = true\n{rule}")));
        let world = world
            .replace("description = \"The database and its API\"\n", "description = \"The database and its API\"\ntenanted = \"both\"\n");
        let script = r#"
            let all = ["Acme", "Beta"].map(|tenant| deploy("Project A", "latest", "Test", #{tenant: tenant}));
            print(pending().len());
            print(approve_all(#{task: all}, "agreed").len());
            print(pending().len());
            wait(all, #{timeout: "2h"});
            wait(deploy("Project A", "latest", "Test", #{tenant: "Acme"}), #{timeout: "1h", on_approval: |a| { print("again"); a.approve("ok") }});"#;
        let ran = simulate(&world, script);
        assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", format!("2\n{numbers}\n0\nagain").as_str()), "{rule}");
    }
}

#[test]
fn rules_for_the_same_place_are_merged() {
    let more = "\n[[approval_rules]]\nname = \"Second\"\nprojects = [\"Project A\"]\nenvironments = [\"Test\"]\nteams = [\"Release managers\"]\nminimum = 3\n";
    let ran = simulate(
        &format!("{}{more}", with_rule("approvers = [\"bo\"]\nminimum = 1\n")),
        &ONE.replace("timeout: \"3h\"", "on_approval: \"fail\""),
    );
    assert!(ran.error().contains("(0 of 3) by Bo Barker or Release managers"), "{}", ran.error());
}

#[test]
fn deployment_that_is_approved_early_waits_for_its_time_and_one_that_is_not_misses_its_window() {
    let script = r#"
        let t = deploy("Project A", "latest", "Test", #{at: "in 2h", expires: "1h"});
        print(settle(t, #{timeout: "5h"})[0].state);
        print(t.started);"#;
    let voted = with_rule("approvers = [\"ada\"]\nminimum = 1\nvotes = [ { user = \"ada\", after = \"10m\" } ]\n");
    let ran = simulate(&voted, script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "Success\n2026-03-02 10:00:01 UTC"));
    let told = waits(&ran).join("\n");
    assert!(
        told.contains("; it may start from 2026-03-02 10:00:00 UTC to 2026-03-02 11:00:00 UTC") && told.contains("scheduled for"),
        "{told}"
    );
    let ran = simulate(&with_rule("approvers = [\"ada\"]\nminimum = 1\n"), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "TimedOut\n"));
}

#[test]
fn words_of_a_newer_server_are_shown_as_they_are() {
    let server = http::Server::start(&http::virtual_clock(), |request| {
        let task = |number: u8, more: &serde_json::Value| {
            let mut task = json!({"Id": format!("ServerTasks-{number}"), "Description": "Deploy", "State": "Queued", "QueueTime": "2026-03-01T08:00:00Z"});
            for (name, value) in more.as_object().into_iter().flatten() {
                task[name] = value.clone();
            }
            http::Reply::Json(200, task)
        };
        match request.path.as_str() {
            "/api/spaces" => http::spaces(),
            "/api" => {
                http::Reply::Json(200, json!({"Application": "Octopus Deploy", "Version": "2027.1.1", "ApiVersion": "3.0.0", "Links": {}}))
            }
            "/api/Spaces-1/tasks/ServerTasks-1" => {
                task(1, &json!({"HasPendingPreconditions": true, "PendingPreconditionTypes": ["PolicyCheck", "MoonPhase"]}))
            }
            "/api/Spaces-1/tasks/ServerTasks-2" => task(2, &json!({"HasPendingPreconditions": true})),
            "/api/Spaces-1/tasks/ServerTasks-3" => {
                task(3, &json!({"StartTime": "2026-03-01T08:00:00Z", "PendingInterruptionTypes": ["TideTable"]}))
            }
            "/api/Spaces-1/tasks/ServerTasks-4" => task(4, &json!({"PendingPreconditionTypes": ["Approval"]})),
            "/api/Spaces-1/tasks/ServerTasks-5" => task(5, &json!({"PendingPreconditionTypes": ["Approval"]})),
            "/api/Spaces-1/interruptions" => http::page(vec![
                json!({"Id": "Interruptions-1", "Type": "TideTable", "Title": "Low water", "IsPending": true, "TaskId": "ServerTasks-3"}),
            ]),
            "/api/Spaces-1/tasks/ServerTasks-4/servertaskapproval" => {
                http::Reply::Json(200, json!({"Resource": {"Id": "ServerTaskApprovals-4"}}))
            }
            "/api/Spaces-1/servertaskapprovals/ServerTaskApprovals-4" => http::Reply::Json(
                200,
                json!({"Id": "ServerTaskApprovals-4", "ApprovalProviderId": "acme", "ChangeRequest": {"Number": "A-1", "Active": true, "ChangeRequestApprovalState": "Reviewing"}}),
            ),
            "/api/Spaces-1/tasks/ServerTasks-5/servertaskapproval" => http::Reply::Json(
                200,
                json!({"Resource": {"Id": "ServerTaskApprovals-5", "ApprovalsCount": 1, "MinimumApproversRequired": 3, "ApprovingUsers": ["ada"], "ApprovingTeams": [{"Id": "Teams-1", "Name": "Ops"}]}}),
            ),
            "/api/Spaces-1/servertaskapprovals/ServerTaskApprovals-5" => {
                http::Reply::Json(200, json!({"Id": "ServerTaskApprovals-5", "ApprovalProviderId": "octopus", "ChangeRequest": null}))
            }
            _ => http::Reply::Json(404, json!({"ErrorMessage": "The resource you requested was not found."})),
        }
    });
    let credential = Credential::api_key(&server.address, http::KEY).expect("a credential");
    let target = Target::Server { credential, space: None, ca_cert: None };
    let outcome = octorhai::run::run(settings(
        target,
        "[1, 2, 3, 4, 5].map(|n| task(`ServerTasks-${n}`).waiting_for)",
        Arc::new(Recorder::default()),
    ));
    let expected = json!([
        "waits for PolicyCheck, MoonPhase before it starts",
        "waits for something that the server does not name",
        "waits at an interruption of the type TideTable, `Low water`",
        "waits for change request A-1 in acme",
        "waits for approval of ServerTaskApprovals-5 (1 of 3) by ada or Ops",
    ]);
    assert_eq!(outcome.result, expected, "{:?}", outcome.failure.map(|f| f.error.to_string()));
}

#[test]
fn mistakes_in_rules_of_a_world_are_found_when_it_is_read() {
    let old = with_rule(ADA_AND_BO).replace("zone  = ", "version = \"2026.1\"\nzone  = ");
    for (world, told) in [
        (
            with_rule("approvers = [\"bo\"]\nvotes = [ { user = \"ada\", after = \"1m\" } ]"),
            "`ada` is not an approver of the rule `Test needs a yes`",
        ),
        (with_rule("minimum = 1"), "approval rule `Test needs a yes` has nobody who may approve"),
        (with_rule("approvers = [\"bo\"]\nminimum = 0"), "approval rule `Test needs a yes` must have a `minimum` between 1 and 99"),
        (with_rule("approvers = [\"boo\"]"), "there is no user `boo` in this world"),
        (old, "approval rule `Test needs a yes` needs a server that has approval rules"),
        (
            with_control("ServiceNow", "number = \"CHG1\"\nproject = \"Project A\"\nstates = []"),
            "the change request `CHG1` is found by its number: `project` and `environment` say nothing of it",
        ),
    ] {
        let error = octorhai::sandbox::World::from_toml("test", &world).err().expect("a mistake");
        assert!(error.message().contains(told), "{told}: {}", error.message());
    }
}
