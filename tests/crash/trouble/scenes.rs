//! What scripts do, each in a few lines: every construct that could take trouble for a failure.

use crate::scenes::{Scene, all, own};

/// Scenes with branches that do not know of each other: one may start something while another is in doubt.
pub const SIDE_BY_SIDE: &[&str] = &["beside each other", "a saga side by side", "ring after ring", "each as soon as it can"];

/// Every construct once, and the scripts of `scripts/` that build on them.
pub fn scenes() -> Vec<Scene> {
    let own = [
        own(
            "beside each other",
            r#"
parallel(["Project A", "Project B", "Project C"], |p| wait(deploy(p, "latest", "Test"), #{timeout: "12h"}));
email(#{to: "team@example.com", subject: "All are live", body: report(dashboard(#{env: "Test"}))});
"#,
        ),
        own(
            "a saga in a lock",
            r#"
lock("shop", #{wait_up_to: "12h"}, || saga(|s| {
    wait(s.deploy("Project A", "latest", "Test"), #{timeout: "12h"});
    wait(s.deploy("Project B", "latest", "Test"), #{timeout: "12h"});
}));
"#,
        ),
        own(
            "locks in a saga",
            r#"
saga(|s| {
    wait(s.deploy("Project A", "latest", "Test"), #{timeout: "12h"});
    lock("payment", #{wait_up_to: "12h"}, || wait(s.deploy("Project C", "latest", "Test"), #{timeout: "12h"}));
    lock("web", #{wait_up_to: "12h"}, || wait(s.deploy("Project B", "latest", "Test"), #{timeout: "12h"}));
});
"#,
        ),
        own(
            "a saga side by side",
            r#"
saga(|s| {
    parallel(["Project A", "Project B"], |p| wait(s.deploy(p, "latest", "Test"), #{timeout: "12h"}));
    wait(s.deploy("Project C", "latest", "Test"), #{timeout: "12h"});
});
"#,
        ),
        own(
            "what is remembered",
            r#"
let told = once("announce 2.0.0", || {
    email(#{to: "team@example.com", subject: "2.0.0 is coming", body: "Tonight."});
    "by mail"
});
remember("last announcement", told);
wait(deploy("Project A", "latest", "Test"), #{timeout: "12h"});
arrive("2.0.0 in Test", "shop");
wait_arrivals("2.0.0 in Test", ["shop"], #{timeout: "12h"});
"#,
        ),
        own(
            "runbooks",
            r#"
wait(run_runbook("Project A", "Smoke test", "Test"), #{timeout: "12h"});
saga(|s| {
    wait(s.deploy("Project B", "latest", "Test"), #{timeout: "12h"});
    wait(s.run_runbook("Project B", "Smoke test", "Test"), #{timeout: "12h"});
});
wait([run_runbook("Project A", "Smoke test", "Test"), run_runbook("Project C", "Smoke test", "Test")], #{timeout: "12h"});
"#,
        ),
        own(
            "a new release",
            r#"
let r = create_release("Project A", #{version: "2.1.0", notes: "made by a script"});
wait(deploy("Project A", r, "Development"), #{timeout: "12h"});
let next = create_release("Project B", #{version: "2.1.0"});
email(#{to: "team@example.com", subject: `${r.version} and ${next.version}`, body: "There they are."});
"#,
        ),
        own(
            "blocked meanwhile",
            r#"
let r = latest("Project A");
block(r, "while B is on its way");
wait(deploy("Project B", "latest", "Test"), #{timeout: "12h"});
unblock(r);
wait(deploy("Project A", r, "Test"), #{timeout: "12h"});
block(latest("Project C"), "a memory leak");
"#,
        ),
        own(
            "a rollout with a budget",
            r#"
let done = rollout(["Project A", "Project B", "Project C"], |p| deploy(p, "latest", "Test"),
    #{width: 1, max_failures: 1, bake: "1m", timeout: "12h"});
print(report(done));
"#,
        ),
        own(
            "in order",
            r#"
let needs = #{"Project A": [], "Project B": ["Project A"], "Project C": ["Project A", "Project B"]};
in_order(needs, |p| deploy(p, "latest", "Test"), #{timeout: "12h"});
"#,
        ),
        own(
            "tried and caught",
            r#"
retry(3, || wait(deploy("Project A", "latest", "Test"), #{timeout: "12h"}));
let b = attempt(|| wait(deploy("Project B", "latest", "Test"), #{timeout: "12h"}));
try {
    wait(deploy("Project C", "latest", "Test"), #{timeout: "12h"});
} catch (err) {
    wait(deploy("Project C", "1.0.0", "Test"), #{timeout: "12h"});
}
finally(|| run_runbook("Project A", "Smoke test", "Test"),
    || email(#{to: "team@example.com", subject: `B went well: ${b.ok}`, body: "So it is."}));
"#,
        ),
    ];
    let shipped = ["the train arrives", "the train goes back", "ring after ring", "each as soon as it can", "A comes, C is busy"];
    own.into_iter().chain(all().into_iter().filter(|scene| shipped.contains(&scene.name))).collect()
}
