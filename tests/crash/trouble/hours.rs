//! Hours pass between a kill and the next start: nothing new starts after the limit of what the run was in.

use super::{
    End,
    gate::Moment,
    play::{Ground, shown},
    quiet::{Quiet, telling},
    signals,
};
use crate::{
    oracle::{Ended, differences, show},
    scenes::{Scene, own},
};
use jiff::SignedDuration;
use octorhai::{error::Kind, journal::RunState};

/// Longer than the limits of the scenes below, and than the six hours a server may keep a deployment queued.
const AWAY: SignedDuration = SignedDuration::from_hours(13);

const TIMEOUT: i32 = Kind::Timeout.exit_code() as i32;

/// Each is within one limit from its first to its last deployment.
pub fn scenes() -> Vec<Scene> {
    vec![
        own(
            "a rollout with a limit",
            r#"
rollout(["Project A", "Project B", "Project C"], |p| deploy(p, "latest", "Test"), #{width: 1, max_failures: 1, timeout: "1h"});
"#,
        ),
        own(
            "side by side with a limit",
            r#"
rollout(["Project A", "Project B", "Project C"], |p| deploy(p, "latest", "Test"), #{width: 2, timeout: "1h"});
"#,
        ),
        own(
            "in order with a limit",
            r#"
let needs = #{"Project A": [], "Project B": ["Project A"], "Project C": ["Project A", "Project B"]};
in_order(needs, |p| deploy(p, "latest", "Test"), #{timeout: "1h"});
"#,
        ),
        own(
            "in a circle of closures",
            r#"
in_order(#{"Project A": [], "Project B": ["Project A"]}, |p| retry(3, || deploy(p, "latest", "Test")), #{timeout: "1h"});
"#,
        ),
    ]
}

/// A kill at a request.
pub struct Point<'a> {
    quiet: &'a Quiet,
    nth: usize,
    moment: Moment,
    at: String,
}

pub fn points(quiet: &Quiet) -> Vec<Point<'_>> {
    let mut points = Vec::new();
    for (nth, request) in telling(&quiet.requests) {
        for moment in [Moment::Request, Moment::Answer] {
            points.push(Point { quiet, nth, moment, at: format!("request {nth}, {request}, {moment:?}") });
        }
    }
    points
}

impl super::Point for Point<'_> {
    fn quiet(&self) -> &Quiet {
        self.quiet
    }

    fn kind(&self) -> &'static str {
        "killed, and hours pass"
    }

    fn play(&self) -> End {
        let mut ground = Ground::new(&self.quiet.scene, self.quiet.measured);
        let gate = ground.behind_gate();
        signals::signalled(&mut ground, &gate, "-KILL", self.nth, self.moment);
        ground.stage.clock.advance(AWAY);
        let (killed, in_doubt) = (ground.world(), ground.in_doubt());
        while ground.starts.len() < 4 && ground.starts.last().is_some_and(|last| last.state.as_ref().is_none_or(RunState::is_unfinished)) {
            ground.start();
            ground.measured |= ground.starts.last().is_some_and(|start| start.code == Some(Kind::InDoubt.exit_code().into()));
        }
        let wrong = wrong(self.quiet, &ground, &killed, in_doubt);
        End { at: self.at.clone(), wrong: (!wrong.is_empty()).then_some(wrong), talk: ground.talk() }
    }
}

/// One that was begun before the limit and never came to the server, `in_doubt`, may still be sent.
fn wrong(quiet: &Quiet, ground: &Ground<'_>, killed: &Ended, in_doubt: usize) -> Vec<String> {
    let world = ground.end();
    let last = ground.starts.last().expect("it was started");
    let others = differences(&quiet.wanted, &world, false);
    let mut problems = Vec::new();
    let late = world.deployments.len().saturating_sub(killed.deployments.len());
    if ground.is_over() && others.is_empty() {
        // Nothing had begun, and so no limit; or all had.
        if !killed.deployments.is_empty() && late > in_doubt {
            problems.push(format!("{late} deployments began after the limit"));
        }
    } else {
        if last.code != Some(TIMEOUT) || !matches!(last.state, Some(RunState::Failed { .. })) {
            problems.push(format!("it did not end by its limit: {:?}, {}", last.code, shown(last.state.as_ref())));
        }
        if late > in_doubt {
            problems.push(format!("{late} deployments began after the limit"));
        }
        problems.extend(others.into_iter().filter(|problem| problem.contains("too often") && !problem.starts_with("live")));
    }
    if !problems.is_empty() {
        problems.push(format!("at the end:\n{}", show(&world)));
    }
    problems
}
