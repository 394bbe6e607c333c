//! The scripts, each in a world in which it has something to do.

use crate::support::{self, root};
use octorhai::sandbox::World;
use std::path::{Path, PathBuf};

/// A script, where it runs, and what it is told.
#[derive(Clone)]
pub struct Scene {
    /// For messages.
    pub name: &'static str,
    /// `scripts/SCRIPT.rhai`, or what a script is called that is here only.
    pub script: &'static str,
    /// A script that is not in `scripts/`.
    pub text: Option<&'static str>,
    pub world: String,
    /// What others did just before, on the same server.
    pub before: &'static str,
    /// Options of `octorhai run` and, behind the script, its parameters.
    pub arguments: &'static [&'static str],
    /// How it ends when nobody disturbs it.
    pub code: i32,
}

const LIVE: &str = "live = { Production = \"1.0.0\", Test = \"1.1.0\", Development = \"2.0.0\" }";

fn scene(name: &'static str, script: &'static str) -> Scene {
    Scene { name, script, text: None, world: quick(&support::shop(&[])), before: "", arguments: &[], code: 0 }
}

/// A script that is here only, in the shop.
pub fn own(name: &'static str, text: &'static str) -> Scene {
    Scene { text: Some(text.trim_start()), ..scene(name, "own") }
}

/// The world with steps that take seconds instead of minutes: less polling between the places that matter, so that there is
/// time for more of them.
fn quick(world: &str) -> String {
    let mut quick = world.to_owned();
    for minutes in 1..=10 {
        quick = quick.replace(&format!("takes = \"{minutes}m\""), &format!("takes = \"{}s\"", minutes * 6));
    }
    quick
}

/// One or more scenes for each script.
pub fn all() -> Vec<Scene> {
    let a_is_live = quick(&support::shop(&[]).replacen(LIVE, &LIVE.replace("1.1.0", "2.0.0"), 1));
    let tenants = World::builtin_toml("tenants").expect("a built-in world");
    let one_till = tenants.replace(
        "{ name = \"Verify store\",  takes = \"1m\" }",
        "{ name = \"Verify store\", takes = \"1m\", fails = [{ tenant = \"Cardiff\", release = \"3.1.0\", error = \"the till does not open\" }] }",
    );
    assert_ne!(tenants, one_till);
    let all = vec![
        scene("the train arrives", "master-project"),
        Scene { world: quick(&support::shop_where_c_fails()), code: 5, ..scene("the train goes back", "master-project") },
        Scene { world: quick(&one_till), ..scene("ring after ring", "tenant-rings") },
        scene("everything is promoted", "promote-all"),
        scene("each as soon as it can", "dependency-graph"),
        Scene { before: "deploy(\"Project C\", \"latest\", \"Test\");", ..scene("A comes, C is busy", "cooperating-project") },
        Scene {
            world: a_is_live,
            before: "deploy(\"Project B\", \"latest\", \"Test\");",
            ..scene("B is on its way", "cooperating-project")
        },
        scene("a report", "daily-report"),
        Scene {
            before: "deploy(\"Project A\", \"latest\", \"Test\"); deploy(\"Project B\", \"latest\", \"Test\", #{at: at(\"08:05\")});",
            arguments: &["--Range", "2.*"],
            ..scene("a mail when all are live", "mail-when-live")
        },
        Scene { world: quick(&queued()), before: OWN, arguments: REQUEUED, code: 7, ..scene("again tonight", "requeue-self") },
        scene("a version is there", "require-version"),
        scene("a version is not there", "require-version").told(&["--Range", "2.*"], 1),
        scene("one deployment", "trigger-and-wait"),
        scene("one deployment is too slow", "trigger-and-wait").told(&["--Timeout", "1m"], 3),
        Scene { before: "deploy(\"Project B\", \"latest\", \"Test\");", ..scene("a step is passed", "wait-for-step") },
        Scene { before: "deploy(\"Project C\", \"latest\", \"Test\");", ..scene("another is busy", "wait-or-fail-if-running") },
    ];
    for script in std::fs::read_dir(root().join("scripts")).expect("scripts").flatten() {
        let path = script.path();
        if path.extension().is_some_and(|end| end == "rhai") {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            assert!(all.iter().any(|scene| scene.script == stem), "no scene plays {stem}");
        }
    }
    all
}

/// The scene of that name.
pub fn named(name: &str) -> Scene {
    all().into_iter().find(|scene| scene.name == name).unwrap_or_else(|| panic!("no scene {name}"))
}

impl Scene {
    /// The file with its script; one that is here only is written into a folder.
    pub fn file(&self, folder: &Path) -> PathBuf {
        let Some(text) = self.text else { return root().join(format!("scripts/{}.rhai", self.script)) };
        let file = folder.join(format!("{}.rhai", self.script));
        std::fs::write(&file, text).expect("written");
        file
    }

    fn told(self, arguments: &'static [&'static str], code: i32) -> Self {
        Self { arguments, code, ..self }
    }
}

const REQUEUED: &[&str] = &["--deployment", "Deployments-1"];

/// The deployment that runs `requeue-self`.
const OWN: &str = "deploy(\"Store\", \"3.0.0\", \"Production\", #{variables: #{\"Change number\": \"CHG-7\"}});";

fn queued() -> String {
    r#"
environments = [{ name = "Production" }]
[context]
environment = "Production"
[[projects]]
name = "Store"
steps = [{ name = "Deploy store", takes = "3m" }, { name = "Verify store", takes = "1m" }]
variables = [{ name = "Change", prompt = "Change number", required = true }]
releases = [{ version = "3.0.0" }, { version = "3.1.0" }]
"#
    .to_owned()
}
