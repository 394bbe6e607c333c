//! Scripts with environments of all types: a train per pull request, what is refused before it is sent, and servers that know static ones only.

use crate::support::{http, previews, settings, shop, simulate};
use octorhai::{
    api::Credential,
    event::{Recorder, What},
    run::Target,
};
use serde_json::json;
use std::sync::Arc;

const TRAIN: &str = r#"
    let env = create_environment("pr-451", "Project A");
    print(`${env.name} ${env.type} ${environment_status(env, "Project A")}`);
    wait(["Project A", "Project B", "Project C"].map(|p| deploy(p, "1.1.0-pr-451", env)));
    for row in dashboard(#{env: env}) { print(row); }
    print(environment_status("pr-451", "Project A") == "Provisioned");
    let tasks = deprovision("pr-451");
    print(envs(#{type: "ephemeral"}).map(|e| e.name));
    wait(tasks);
    print(`${tasks.map(|t| t.title)} ${envs(#{type: "ephemeral"}).len()}`);
"#;

#[test]
fn train_of_a_pull_request_is_provisioned_deployed_and_deprovisioned() {
    let ran = simulate(&previews(), TRAIN);
    assert_eq!(ran.error(), "");
    let expected = "pr-451 ephemeral NotProvisioned
Project A 1.1.0-pr-451 in pr-451 (Success)
Project B 1.1.0-pr-451 in pr-451 (Success)
Project C 1.1.0-pr-451 in pr-451 (Success)
true
[\"pr-451\"]
[\"Project A / Deprovision → pr-451\"] 0";
    assert_eq!(ran.printed(), expected);
    let why: Vec<&str> =
        ran.events.iter().filter_map(|e| if let What::Waiting { why, .. } = &e.what { Some(why.as_str()) } else { None }).collect();
    assert_eq!(why, ["waits until `pr-451` is provisioned for Project A"]);
}

#[test]
fn environments_are_listed_by_type_and_tag() {
    let world = format!("{}\n[[tag_sets]]\nname = \"Cloud\"\ntags = [\"Azure\"]\n", previews());
    let script = r#"
        create_environment("pr-1", "Project B");
        print(envs().map(|e| e.name));
        print(envs(#{type: ["ephemeral", "parent"]}).map(|e| `${e.name} ${e.type}`));
        print(envs(#{type: []}).len());
        let test = get("environments").Items[0];
        test.EnvironmentTags = ["Cloud/Azure"];
        put(`environments/${test.Id}`, test);
        print(envs(#{tag: "cloud/azure"}).map(|e| `${e.name} ${e.tags}`));
        print(envs(#{tag: "Cloud/Azure", type: "parent"}).len());
        print(attempt(|| envs(#{tag: "Cloud/Azur"})).error.message);
        print(envs().filter(|e| e.type == "static").len());
    "#;
    let ran = simulate(&world, script);
    assert_eq!(ran.error(), "");
    let expected = "[\"Test\", \"Production\"]
[\"Pull requests parent\", \"pr-1 ephemeral\"]
0
[\"Test [\\\"Cloud/Azure\\\"]\"]
0
there is no tag `Cloud/Azur`
2";
    assert_eq!(ran.printed(), expected);
    let wrong = simulate(&previews(), "envs()[0].type == \"ephemral\"");
    assert!(wrong.error().contains("`ephemral` is not a type of environments"), "{}", wrong.error());
}

#[test]
fn making_an_environment_again_gives_the_same_one_and_a_name_can_come_back() {
    let script = r#"
        let one = create_environment("ava/feature", "Project A");
        let two = create_environment("ava-feature", "Project B");
        print(`${one.name} ${one == two}`);
        wait(deprovision(one));
        let three = create_environment("ava/feature", "Project A");
        print(three == one);
        wait(deploy("Project A", "latest", "ava-feature"));
        print(deployed("Project A", "ava-feature").release);
    "#;
    let ran = simulate(&previews(), script);
    assert_eq!((ran.error().as_str(), ran.printed().as_str()), ("", "ava-feature true\nfalse\n1.1.0-pr-452"));
}

#[test]
fn what_the_server_would_refuse_is_refused_before_it_is_sent() {
    let script = r#"
        let env = create_environment("pr-1", "Project A");
        let told = [
            || deploy("Project A", "1.1.0-pr-451", "Pull requests"),
            || promote("Project A", "Production", "Pull requests"),
            || create_environment("Test", "Project A"),
            || create_environment("???", "Project A"),
            || deprovision("Test"),
            || environment_status("Pull requests", "Project A"),
        ].map(|job| { let e = attempt(job).error; `${e.kind}: ${e.message}` });
        print(told.reduce(|all, one| if all == () { one } else { all + "\n" + one }));
        print(get("~/sandbox/requests").filter(|r| r.method != "GET" && r.path.starts_with("/api")).len());
    "#;
    let ran = simulate(&previews(), script);
    assert_eq!(ran.error(), "");
    let expected = "refused: `Pull requests` is a parent environment: it gives scope to ephemeral ones, and nothing can be deployed to it
refused: `Pull requests` is a parent environment: it gives scope to ephemeral ones, and nothing can be deployed to it
refused: there is already a static environment `Test`
refused: `???` cannot be the name of an ephemeral environment: nothing is left of it without the characters that a name must not have
refused: cannot deprovision `Test`: it is a static environment, not an ephemeral one
refused: cannot ask for the status of `Pull requests`: it is a parent environment, not an ephemeral one
1";
    assert_eq!(ran.printed(), expected);
}

#[test]
fn questions_about_lifecycles_and_freezes_have_an_answer_in_ephemeral_environments() {
    let freezes = "[[freezes]]\nname = \"All\"\nfrom = \"0s\"\nfor = \"900h\"\nenvironments = [\"Production\"]\n";
    let script = r#"
        let env = create_environment("pr-1", "Project A");
        print(freeze("Project A", env));
        print(deployed("Project A", env));
        wait(deploy("Project A", "1.1.0-pr-451", env, #{begin: "next allowed"}));
        print(promotable(env, "Test", #{projects: "Project A"}).map(|p| p.blocked_by));
        print(promotable("Production", env, #{projects: "Project A"}).map(|p| p.blocked_by));
        print(running("Project A", env).len());
        wait(ensure("Project A", "1.1.0-pr-451", env));
        wait(ensure("Project A", "1.1.0-pr-452", env));
        wait(rollback("Project A", env));
        print(deployed("Project A", env).release);
        print(dashboard().map(|row| row.env));
    "#;
    let ran = simulate(&format!("{}\n{freezes}", previews()), script);
    assert_eq!(ran.error(), "");
    let lines: Vec<String> = ran.printed().lines().map(str::to_owned).collect();
    assert_eq!(lines[..2], ["", ""], "{lines:?}");
    assert!(lines[2].contains("the lifecycle does not lead to Test"), "{lines:?}");
    assert_eq!(
        lines[4..],
        ["0", "1.1.0-pr-451", "[\"Test\", \"Production\", \"Test\", \"Production\", \"Test\", \"Production\"]"],
        "{lines:?}"
    );
}

#[test]
fn older_server_lists_static_environments_and_says_that_it_has_no_others() {
    let world = format!("version = \"2025.1\"\n{}", shop(&[]));
    let script = r#"
        print(envs().map(|e| `${e.name} ${e.type}`));
        print(envs(#{type: ["static", "ephemeral"]}).len());
        wait(deploy("Project A", "2.0.0", "test"));
        print(attempt(|| envs(#{type: "ephemeral"})).error.message);
        create_environment("pr-451", "Project A");
    "#;
    let ran = simulate(&world, script);
    let expected = "[\"Development static\", \"Test static\", \"Production static\"]
3
cannot list an ephemeral environment: this server has none, as it knows no types of environments";
    assert_eq!(ran.printed(), expected);
    assert!(ran.error().contains("cannot make an ephemeral environment: this server has none"), "{}", ran.error());
}

/// A server whose list of environments of all types answers with `status`, and its old list with one environment.
fn behind(status: u16, kind: &str) -> String {
    let clock = http::virtual_clock();
    let kind = kind.to_owned();
    let server = http::Server::start(&clock, move |request| match request.path.as_str() {
        "/api/spaces" => http::spaces(),
        "/api" => {
            http::Reply::Json(200, json!({"Application": "Octopus Deploy", "Version": "2025.4.1", "ApiVersion": "3.0.0", "Links": {}}))
        }
        "/api/Spaces-1/environments/v2" if status == 200 => {
            let one = json!({"Id": "Environments-1", "SpaceId": "Spaces-1", "Name": "Moon", "Slug": "moon", "Description": "", "EnvironmentTags": [], "Type": kind});
            http::Reply::Json(
                200,
                json!({"ItemType": "Environment", "TotalResults": 1, "ItemsPerPage": 500, "NumberOfPages": 1, "LastPageNumber": 0, "Items": [one]}),
            )
        }
        "/api/Spaces-1/environments/v2" => http::Reply::Json(status, json!({"ErrorMessage": "No."})),
        "/api/Spaces-1/environments" => http::page(vec![json!({"Id": "Environments-1", "Name": "Old", "SortOrder": 0})]),
        _ => http::Reply::Json(404, json!({"ErrorMessage": "The resource you requested was not found."})),
    });
    let credential = Credential::api_key(&server.address, http::KEY).expect("a credential");
    let target = Target::Server { credential, space: None, ca_cert: None };
    let script = "envs(#{type: [\"static\", \"parent\", \"ephemeral\"]}).map(|e| `${e.name} ${e.type}`)";
    let outcome = octorhai::run::run(settings(target, script, Arc::new(Recorder::default())));
    outcome.failure.map_or_else(|| outcome.result.to_string(), |failure| failure.error.message().to_owned())
}

#[test]
fn only_a_server_that_does_not_know_the_new_list_is_asked_for_the_old_one() {
    assert_eq!(behind(404, ""), "[\"Old static\"]");
    assert_eq!(behind(200, "Parent"), "[\"Moon parent\"]");
    for status in [405, 501, 403] {
        let told = behind(status, "");
        assert!(told.contains(&format!("was answered {status}")), "{told}");
    }
}
