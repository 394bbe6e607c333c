//! Scripts on projects in Git: releases and runs at a reference, custom fields, git resources, notes; and what the latest release is.

use crate::support::{InProcess, simulate};

const WORLD: &str = r#"
[[environments]]
name = "Test"

[[packages]]
id = "Acme.Web"
versions = ["1.1.0", "1.0.9"]
[[packages]]
id = "acme/web"
feed = "Registry"
versions = ["19-bookworm", "20-bookworm", "nightly", "latest"]

[[projects]]
name = "Loft"
git = { branches = ["feature/sails"], tags = ["v1"], commits = ["00112233445566778899aabbccddeeff00112233"], runbooks = true }
steps = [
  { name = "Sew", git = [ { repository = "https://git.example/cloth.git" } ] },
  { name = "Dye", git = [ { repository = "https://git.example/red.git", name = "red" }, { repository = "https://git.example/blue.git", name = "blue" } ] },
]
channels = [ { name = "Default", default = true }, { name = "Tracked", fields = { Ticket = "who asked for it", Board = "" } } ]
releases = [ { version = "1.0.0" } ]
variables = [ { name = "Thread", prompt = "Thread" } ]
runbooks = [ { name = "Mend", steps = [ { name = "Mend", takes = "1m", package = "Acme.Web" } ] } ]

[[projects]]
name = "Shed"
steps = [ { name = "Deploy web", package = "Acme.Web" } ]
channels = [ { name = "Default", default = true }, { name = "Recent", rules = [ { step = "Deploy web", newest = "published" } ] } ]
releases = [
  { version = "1.0.9", assembled = "2026-01-02T00:00:00Z" },
  { version = "1.1.0", assembled = "2026-01-03T00:00:00Z" },
  { version = "0.5.0", assembled = "2026-01-04T00:00:00Z" },
]
runbooks = [ { name = "Sweep", steps = [ { name = "Sweep" } ] } ]

[[projects]]
name = "Image"
steps = [ { name = "Run image", package = "acme/web" } ]
channels = [ { name = "Default", default = true, rules = [ { step = "Run image", matches = "^[0-9]+-bookworm$" } ] }, { name = "Any" } ]
releases = [ { version = "19-bookworm" }, { version = "nightly" }, { version = "20-bookworm" } ]
"#;

fn run(script: &str) -> InProcess {
    simulate(WORLD, script)
}

fn prints(script: &str, expected: &str) {
    let ran = run(script);
    assert_eq!(ran.printed(), expected, "{}", ran.error());
}

/// The message and the hints of the error that ends the script.
fn told(script: &str) -> String {
    let ran = run(script);
    let failure = ran.outcome.failure.expect("it fails").error;
    format!("{:?}: {} | {}", failure.kind(), failure.message(), failure.hints().join(" | "))
}

#[test]
fn release_in_git_is_made_of_the_default_branch_or_of_what_is_named() {
    prints(
        r#"let r = create_release("Loft"); print(r.git_ref);
           let hash = "00112233445566778899aabbccddeeff00112233";
           let r = create_release("Loft", #{git_ref: "feature/sails", git_commit: hash}); print(`${r.git_ref} ${r.git_commit == hash}`);
           print(create_release("Shed", #{version: "3.0.0"}).git_ref);"#,
        "refs/heads/main\nrefs/heads/feature/sails true\n",
    );
    let ran = run(r#"create_release("Loft");"#);
    assert!(format!("{:?}", ran.events).contains("made of `main`, the default branch"), "{:?}", ran.events);
    let why = told(r#"create_release("Loft", #{git_ref: "mian"});"#);
    assert!(why.starts_with("NotFound: project `Loft` has no branch or tag `mian`: ") && why.ends_with("did you mean `main`?"), "{why}");
    let why = told(r#"run_runbook("Loft", "Mend", "Test", #{git_ref: "feature/sail"});"#);
    assert!(why.starts_with("NotFound: project `Loft` has no branch") && why.ends_with("did you mean `feature/sails`?"), "{why}");
}

#[test]
fn reference_of_a_project_that_is_not_in_git_is_refused_before_any_request() {
    let count = r#"let before = get("/sandbox/requests").len();"#;
    for (call, why) in [
        (
            r#"create_release("Shed", #{git_ref: "main"})"#,
            "Refused: project `Shed` is not in Git, so its releases have no `git_ref`; given is `main`",
        ),
        (r#"create_release("Shed", #{git_commit: "ab"})"#, "Refused: project `Shed` is not in Git"),
        (r#"run_runbook("Shed", "Sweep", "Test", #{git_ref: "main"})"#, "Refused: the runbooks of project `Shed` are not in Git"),
    ] {
        let told = told(&format!("{call};"));
        assert!(told.starts_with(why), "{told}");
        let ran =
            run(&format!(r#"{count} try {{ {call} }} catch {{}} print(get("/sandbox/requests").filter(|r| r.method != "GET").len());"#));
        assert_eq!(ran.printed(), "0", "{}", ran.error());
    }
}

#[test]
fn git_resources_are_the_default_branches_or_what_is_named() {
    let show =
        r"print(r.raw.SelectedGitResources.map(|g| `${g.ActionName} ${g.GitResourceReferenceName} ${g.GitReferenceResource.GitRef}`));";
    prints(
        &format!(r#"let r = create_release("Loft", #{{git_resources: #{{sew: "refs/tags/v2", Dye: #{{blue: "trunk"}}}}}}); {show}"#),
        r#"["Sew  refs/tags/v2", "Dye red refs/heads/main", "Dye blue refs/heads/trunk"]"#,
    );
    for (given, why) in [
        (r#"#{Sow: "main"}"#, "NotFound: no step `Sow` of Loft takes files from Git | did you mean `Sew`?"),
        (r#"#{Dye: "main"}"#, "Ambiguous: the step `Dye` takes files from 2 repositories"),
        (r#"#{Dye: #{green: "main"}}"#, "NotFound: the step `Dye` takes files from no repository called `green`"),
        (r#"#{Sew: ""}"#, "Script: `git_resources` for the step `Sew`: it is empty"),
    ] {
        let told = told(&format!(r#"create_release("Loft", #{{git_resources: {given}}});"#));
        assert!(told.starts_with(why), "{told}");
    }
}

#[test]
fn custom_field_that_is_missing_is_named_before_anything_is_made() {
    prints(
        r#"let r = create_release("Loft", #{channel: "Tracked", fields: #{ticket: "OPS-1", Board: "yes"}}); print(r.fields); print(latest("Shed").fields);"#,
        "#{\"Board\": \"yes\", \"Ticket\": \"OPS-1\"}\n#{}",
    );
    for (fields, why) in [
        (
            "#{}",
            "Refused: releases of channel Tracked need the custom field `Board` and `Ticket` (who asked for it) | give it: #{fields: #{\"Board\": \"...\"}}",
        ),
        (r#"#{Board: "yes"}"#, "Refused: releases of channel Tracked need the custom field `Ticket` (who asked for it) |"),
        (r#"#{Tikcet: "OPS-1"}"#, "NotFound: channel Tracked has no custom field `Tikcet` | did you mean `Ticket`?"),
        (r#"#{Ticket: ""}"#, "Script: the custom field `Ticket`: it is empty"),
        ("#{Ticket: []}", "Script: the custom field `Ticket`: "),
    ] {
        let told = told(&format!(r#"create_release("Loft", #{{channel: "Tracked", fields: {fields}}});"#));
        assert!(told.starts_with(why), "{told}");
    }
    // A channel that asks for none takes what it is given.
    prints(r#"print(create_release("Shed", #{fields: #{Free: "x"}}).fields);"#, "#{\"Free\": \"x\"}");
}

#[test]
fn runbook_in_git_is_run_at_a_reference() {
    prints(
        r#"let t = wait(run_runbook("Loft", "mend", "Test", #{comment: "by hand", variables: #{Thread: "red"}}));
           print(t.title);
           wait(run_runbook("Loft", "Mend", "Test", #{git_ref: "v1"}));
           for s in get("runbookSnapshots").Items.filter(|s| s.GitReference != ()) { print(`${s.GitReference.GitRef} ${s.SelectedPackages[0].Version}`); }
           print(get("runbookRuns").Items.filter(|r| r.Comments.contains("by hand [octorhai:")).len());
           print(get("/sandbox/state").deployments.len());"#,
        "Loft / Mend → Test\nrefs/tags/v1 1.1.0\nrefs/heads/main 1.1.0\n1\n0",
    );
    for (call, why) in [
        (r#"run_runbook("Loft", "Mend", "Test", #{snapshot: "Snapshot 1"})"#, "Refused: the runbooks of project `Loft` are in Git"),
        (r#"run_runbook("Loft", "Mnd", "Test")"#, "NotFound: project `Loft` at `main`: "),
        (r#"run_runbook("Shed", "Sweep", "Test", #{git_resources: #{a: "b"}})"#, "Refused: runbook `Sweep` is not in Git"),
    ] {
        let told = told(&format!("{call};"));
        assert!(told.starts_with(why), "{told}");
    }
}

#[test]
fn run_in_git_whose_answer_is_lost_is_found_by_its_comment() {
    let fault = "[[faults]]\nmatch = \"POST */run/v1\"\nnth = 1\naction = \"drop_after\"\n";
    let ran = simulate(&format!("{WORLD}{fault}"), r#"wait(run_runbook("Loft", "Mend", "Test")); print(get("runbookRuns").Items.len());"#);
    assert_eq!(ran.printed(), "1", "{}", ran.error());
}

#[test]
fn latest_differs_by_version_by_creation_and_by_publication() {
    let by = |by: &str| format!(r#"print(latest("Shed", #{{by: "{by}"}}).version);"#);
    // The world gives 0.5.0 the highest version of the package; 1.0.9 was published after it.
    prints(&format!("{} {}", by("version"), by("created")), "1.1.0\n0.5.0");
    let two = format!(r#"create_release("Shed", #{{version: "0.9.0", packages: #{{"Deploy web": "1.1.0"}}}}); {}"#, by("published"));
    prints(&two, "1.0.9");
    let why =
        told(r#"create_release("Shed", #{version: "0.9.0", packages: #{"Deploy web": "1.0.9"}}); latest("Shed", #{by: "published"});"#);
    assert!(
        why.starts_with(
            "Ambiguous: several releases of Shed in channel Default are the latest: `0.9.0` and `1.0.9` share their newest package"
        ),
        "{why}"
    );
    let why = told(r#"latest("Loft", #{by: "published"});"#);
    assert!(why.starts_with("NotFound: no release of Loft in channel Default has a package"), "{why}");
    let why = told(r#"latest("Shed", #{by: "newest"});"#);
    assert!(why.contains("must be \"version\", \"published\" or \"created\", not `newest`"), "{why}");
}

#[test]
fn channel_takes_the_package_that_was_published_last() {
    let made = |channel: &str| {
        format!(r#"print(create_release("Shed", #{{channel: "{channel}", version: "2.0.0-{channel}"}}).raw.SelectedPackages[0].Version);"#)
    };
    prints(&format!("{} {}", made("Default"), made("Recent")), "1.1.0\n1.0.9");
}

#[test]
fn image_tags_are_versions_of_packages_and_releases() {
    let long = "t".repeat(349);
    prints(
        &format!(
            r#"print(create_release("Image", #{{version: "2026-03-02_build.7"}}).raw.SelectedPackages[0].Version);
               print(create_release("Image", #{{version: "{long}", channel: "Any"}}).version.len());
               print(latest("Image", #{{channel: "Any"}}).version.len());
               print(latest("Image", #{{range: "<21-0"}}).version);
               print(release("Image", "nightly").version);
               wait(deploy("Image", "nightly", "Test")); print(deployed("Image", "Test").release);"#
        ),
        "20-bookworm\n349\n349\n20-bookworm\nnightly\nnightly",
    );
    let why = told(&format!(r#"create_release("Image", #{{version: "{long}x"}});"#));
    assert!(why.contains("is not a valid release version"), "{why}");
}

#[test]
fn notes_change_alone_on_new_and_old_servers() {
    let script = r#"let r = create_release("Loft", #{channel: "Tracked", notes: "old", fields: #{Ticket: "1", Board: "2"}});
        let n = set_notes(r, "new"); print(`${n.notes} ${n.fields} ${n.git_ref}`); print(set_notes(n, "").notes == "");
        print(get("/sandbox/requests").filter(|q| q.method == "PUT").len());"#;
    for (version, puts) in [("2026.3", "0"), ("2026.1", "2")] {
        let ran = simulate(&format!("version = \"{version}\"\n{WORLD}"), script);
        let expected = format!("new #{{\"Board\": \"2\", \"Ticket\": \"1\"}} refs/heads/main\ntrue\n{puts}");
        assert_eq!(ran.printed(), expected, "{version}: {}", ran.error());
    }
    let why = told(r#"set_notes("Loft", "x");"#);
    assert!(why.contains("takes a Release"), "{why}");
}
