//! Steps that clients put into processes, on a sandbox that runs them: from a download to a green step, packages beside a body, the
//! variables of the system, and what is not simulated.
#![cfg(target_os = "linux")]

use super::steps::on;
use crate::support::{self, ground::Ground, kits::kit, shop};
use std::{fs, io::Write as _, os::unix::fs::PermissionsExt as _};

/// A shop whose steps run, with a script's helpers in front: `process` replaces the steps of Project B, `ran` releases and deploys it.
fn ground(world: &str) -> Ground {
    Ground::with_clock(world, &["--speed", "2000", "--run-scripts"])
}

const HELPERS: &str = r#"
fn process(actions) {
    let id = get("projects").Items.filter(|p| p.Name == "Project B")[0].DeploymentProcessId;
    let process = get(`deploymentprocesses/${id}`);
    process.Steps = actions.map(|a| #{Name: a.Name, Actions: [a]});
    put(`deploymentprocesses/${id}`, process);
}
fn action(name, properties, packages) {
    let all = #{"Octopus.Action.Script.ScriptSource": "Inline", "Octopus.Action.Script.Syntax": "Bash"};
    for key in properties.keys() { all[key] = properties[key]; }
    #{Name: name, ActionType: "Octopus.Script", Properties: all, Packages: packages}
}
fn released(version) { post("releases/create/v1", #{spaceIdOrName: "Default", projectName: "Project B", releaseVersion: version}); }
fn ran(version) {
    let t = deploy("Project B", version, "Development");
    settle(t, #{timeout: "10h"});
    print(t.state);
    print(t.log);
}
"#;

fn says(ground: &Ground, script: &str) -> String {
    on(ground, &format!("{HELPERS}{script}")).stdout
}

#[test]
fn from_a_download_to_a_green_step() {
    let ground = ground(&shop(&[]));
    let program = ground.folder.path().join("program");
    // The program of the package tells where it stands, and is the one that is tested.
    let trace = ground.folder.path().join("trace");
    let own = assert_cmd::cargo::cargo_bin!("octorhai").display().to_string();
    fs::write(&program, format!("#!/bin/sh\necho \"$0\" >> '{}'\nexec '{own}' \"$@\"\n", trace.display())).expect("written");
    let binary = format!("linux-x64={}", program.display());
    let server = ["--server", ground.sandbox.url.as_str()];
    let packed = ground.octorhai(&[&["template", "pack", "--push", "--binary", &binary][..], &server].concat(), &[]);
    assert!(packed.code == 0 && packed.stderr.contains("is in the built-in feed"), "{packed:?}");
    let shells = [Some("bash"), kit("a step in PowerShell", "powershell/pwsh.sh").map(|_| "powershell")];
    for (round, shell) in shells.into_iter().flatten().enumerate() {
        let template = support::root().join(format!("templates/trigger-and-wait.{shell}.json")).display().to_string();
        let pushed = ground.octorhai(&[&["template", "push", &template][..], &server].concat(), &[]);
        assert!(pushed.code == 0 && pushed.stdout.contains("created"), "{pushed:?}");
        let script =
            GREEN.replace("SHELL", if shell == "bash" { "Bash" } else { "PowerShell" }).replace("VERSION", &format!("9.0.{round}"));
        let said = says(&ground, &script);
        assert!(said.starts_with("Success"), "{said}");
        let version = env!("CARGO_PKG_VERSION");
        for part in [format!("octorhai@S{version}@"), "Project A 2.0.0 → Development".to_owned()] {
            assert!(said.contains(&part), "{part:?} is not in\n{said}");
        }
        let traced = fs::read_to_string(&trace).expect("the program of the package ran");
        fs::remove_file(&trace).expect("gone");
        assert!(traced.lines().all(|path| path.ends_with("/Octorhai.TriggerAndWait.Package/linux-x64/octorhai")), "{traced}");
        assert_eq!(ground.deployed()[round * 2..], ["Project B", "Project A"]);
    }
}

const GREEN: &str = r#"
let template = get("actiontemplates").Items.filter(|t| t.Name == "octorhai - Trigger and wait (SHELL)")[0];
let properties = template.Properties;
properties["Octopus.Action.Template.Id"] = template.Id;
properties["Octopus.Action.Template.Version"] = `${template.Version}`;
properties["Octorhai.TriggerAndWait.Project"] = "Project A";
properties["Octorhai.TriggerAndWait.Version"] = "latest";
properties["Octorhai.TriggerAndWait.Server.ApiKey"] = #{HasValue: true, NewValue: "API-SANDBOX"};
properties["Octorhai.TriggerAndWait.Package"] = "{\"PackageId\":\"octorhai\",\"FeedId\":\"feeds-builtin\"}";
let one = template.Packages[0];
one.PackageId = "octorhai";
one.FeedId = "feeds-builtin";
process([action("Trigger and wait", properties, [one])]);
released("VERSION");
ran("VERSION");
"#;

/// A zip with a program, a folder, a link, as others make it.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = |mode| zip::write::SimpleFileOptions::default().unix_permissions(mode);
    zip.start_file("bin/tool", options(0o755)).expect("begun");
    zip.write_all(b"#!/bin/sh\necho tool\n").expect("written");
    zip.add_symlink("link", "bin/tool", options(0o777)).expect("written");
    zip.add_directory("empty", options(0o755)).expect("written");
    zip.finish().expect("ended").into_inner()
}

#[test]
fn packages_stand_beside_a_body_as_the_agent_puts_them() {
    let ground = ground(&shop(&[]));
    let file = ground.folder.path().join("Acme.Tools.1.2.0.zip");
    fs::write(&file, archive()).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("changed");
    let pushed = std::process::Command::new("curl")
        .args(["-sf", "-H", "X-Octopus-ApiKey: API-SANDBOX", "-F", &format!("file=@{}", file.display())])
        .arg(format!("{}/api/Spaces-1/packages/raw", ground.sandbox.url))
        .output()
        .expect("curl runs");
    assert!(pushed.status.success(), "{pushed:?}");
    let said = says(
        &ground,
        r#"
        let body = `cd "$(get_octopusvariable OctopusCalamariWorkingDirectory)"
            for what in PackageId PackageVersion FeedId Extract SelectionMode; do echo "$what: $(get_octopusvariable "Octopus.Action.Package[Ex:tract].$what")"; done
            [ "$(get_octopusvariable "Octopus.Action.Package[Ex:tract].ExtractedPath")" = "$PWD/Extract" ] && echo "extracted path is right"
            [ "$(get_octopusvariable "Octopus.Action.Package[Copy].PackageFilePath")" = "$PWD/Copy.zip" ] && echo "file path is right"
            echo "file: $(get_octopusvariable "Octopus.Action.Package[Copy].PackageFileName")"
            cmp "$(get_octopusvariable "Octopus.Action.Package[Copy].OriginalPath")" Copy.zip && echo "same bytes"
            test -x Extract/bin/tool || echo "not executable"; test -e Extract/link || echo "no link"; test -d Extract/empty && echo "a folder"; bash Extract/bin/tool
            echo "none: <$(get_octopusvariable "Octopus.Action.Package[None].ExtractedPath")> $(get_octopusvariable "Octopus.Action.Package[None].PackageVersion")"`;
        let of = |name, place, extract| #{Name: name, PackageId: "Acme.Tools", FeedId: "feeds-builtin", AcquisitionLocation: place, Properties: #{Extract: extract, SelectionMode: "immediate"}};
        process([action("Look", #{"Octopus.Action.Script.ScriptBody": body}, [of.call("Ex:tract", "Server", "True"), of.call("Copy", "Server", "False"), of.call("None", "NotAcquired", "True")])]);
        released("9.0.0");
        ran("9.0.0");
        delete("packages/packages-Acme.Tools.1.2.0");
        ran("9.0.0");
        "#,
    );
    let (first, second) = said.split_once("\nFailed").unwrap_or_else(|| panic!("{said}"));
    for part in [
        "PackageId: Acme.Tools",
        "PackageVersion: 1.2.0",
        "FeedId: feeds-builtin",
        "Extract: True",
        "SelectionMode: immediate",
        "extracted path is right",
        "file path is right",
        "file: Copy.zip",
        "same bytes",
        "not executable",
        "no link",
        "a folder",
        "       tool\n",
        "none: <> 1.2.0",
        "Cannot create symbolic link: link",
        "Dependency 'None' was not acquired",
    ] {
        assert!(first.starts_with("Success") && first.contains(part), "{part:?} is not in\n{first}");
    }
    assert!(second.contains("The package Acme.Tools version 1.2.0 could not be located in the built-in repository."), "{second}");
}

#[test]
fn what_is_not_simulated_fails_by_name() {
    let ground = ground(&shop(&[]));
    for (set, why) in [
        (
            "a.Properties[\"Octopus.Action.Script.Syntax\"] = \"Python\";",
            "The script of the step 'Odd' is written in Python: the sandbox runs Bash and PowerShell.",
        ),
        ("a.Properties[\"Octopus.Action.Script.Syntax\"] = \"CSharp\";", "is written in CSharp"),
        ("a.Properties[\"Octopus.Action.Script.ScriptSource\"] = \"Package\";", "The script of the step 'Odd' comes from a Package"),
        ("a.Properties[\"Octopus.Action.Script.ScriptSource\"] = \"GitRepository\";", "comes from a GitRepository"),
        ("a.ActionType = \"Octopus.KubernetesRunScript\";", "The step 'Odd' is of the type Octopus.KubernetesRunScript"),
        (
            "a.Packages = [#{Name: \"Tools\", PackageId: \"Acme\", FeedId: \"feeds-github\", Version: \"1.0.0\", Properties: #{}}];",
            "the sandbox has the built-in repository only",
        ),
    ] {
        let script = format!(
            "let a = action(\"Odd\", #{{\"Octopus.Action.Script.ScriptBody\": \"echo it ran\"}}, []); {set} process([a]); ran(\"2.0.0\");"
        );
        let said = says(&ground, &script);
        assert!(said.starts_with("Failed") && said.contains(why) && !said.contains("it ran"), "{why:?} is not in\n{said}");
    }
}
