//! How a run may end with trouble around it.

use super::{
    play::{Ground, IN_DOUBT, OVER, shown},
    quiet::Quiet,
    scenes,
};
use crate::oracle::{Ended, differences, show};
use octorhai::journal::RunState;
use std::collections::BTreeMap;

/// What is wrong with how the first start ended, or with what came of it when all was well again. `one_more_mail`: a letter may
/// have come again, with the same Message-ID.
pub fn ended(quiet: &Quiet, ground: &mut Ground<'_>, one_more_mail: bool) -> Option<Vec<String>> {
    let mut problems = Vec::new();
    if !ground.is_over() {
        let (first, world) = (ground.starts.first().expect("it was started"), ground.world());
        // Who never was answered by an Octopus Server has the wrong address, for all it knows: that run ends, and has done nothing.
        let never_met = first.code == Some(USAGE) && ground.requests().iter().all(|(name, _)| is_first_contact(quiet, name));
        let can_go_on = match &first.state {
            _ if never_met => world.deployments.len() == ground.before.deployments.len() && world.mails.is_empty(),
            // It has not begun.
            None => world.deployments.len() == ground.before.deployments.len() && world.runbook_runs.is_empty() && world.mails.is_empty(),
            // Only the last word of the process was another.
            Some(RunState::Succeeded { .. }) => quiet.scene.code == 0,
            Some(state) => state.is_unfinished(),
        };
        if !can_go_on {
            problems.push(format!("it cannot be resumed: exit {:?}, {}", first.code, shown(first.state.as_ref())));
        }
        problems.extend(undone(&quiet.wanted, &world));
        if first.code == Some(IN_DOUBT) && !scenes::SIDE_BY_SIDE.contains(&quiet.scene.name) {
            problems.extend(created_after_doubt(&ground.requests()));
        }
        ground.stage.clock.advance(OVER);
        if never_met {
            ground.start_anew();
        }
        ground.go_on();
    }
    if !ground.is_over() {
        let last = ground.starts.last().expect("it was started");
        problems.push(format!("it ended with {:?}, {} instead of {}", last.code, shown(last.state.as_ref()), quiet.scene.code));
    }
    let world = ground.end();
    let (locks, others): (Vec<_>, Vec<_>) =
        differences(&quiet.wanted, &world, one_more_mail).into_iter().partition(|problem| problem.contains("\"lock/"));
    // A lock that could not be given back is held by nobody who lives.
    if !others.is_empty() || !locks.is_empty() && !ground.next_gets_the_locks() {
        problems.extend(others.into_iter().chain(locks));
        problems.push(format!("at the end:\n{}", show(&world)));
    }
    (!problems.is_empty()).then_some(problems)
}

const USAGE: i32 = octorhai::error::Kind::Usage.exit_code() as i32;

/// Whether a request is the first of a run, or what it was redirected to.
fn is_first_contact(quiet: &Quiet, request: &str) -> bool {
    request.starts_with("GET /login") || quiet.requests.first().is_some_and(|first| first == request)
}

/// What was done to the server at a stop that an undisturbed run does not do: something put back, or cancelled.
pub fn undone(wanted: &Ended, stopped: &Ended) -> Vec<String> {
    let place = |line: &String| {
        // `Project A 2.0.0 Test - Success: comment` without the state.
        let (head, comment) = line.split_once(": ").unwrap_or((line, ""));
        let (head, state) = head.rsplit_once(' ').unwrap_or((head, ""));
        (format!("{head}: {comment}"), state.to_owned())
    };
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for line in wanted.deployments.iter().chain(&wanted.runbook_runs) {
        *left.entry(place(line).0).or_default() += 1;
    }
    let cancelled =
        |line: &str, state: &str| matches!(state, "Cancelling" | "Canceled") && !wanted.deployments.iter().any(|wanted| wanted == line);
    let mut problems = Vec::new();
    for line in stopped.deployments.iter().chain(&stopped.runbook_runs) {
        let (what, state) = place(line);
        if cancelled(line, &state) {
            problems.push(format!("cancelled at the stop: {line}"));
        }
        match left.get_mut(&what) {
            Some(count) if *count > 0 => *count -= 1,
            _ => problems.push(format!("begun although stopped: {line}")),
        }
    }
    problems
}

/// What was created on the server after a request of which it was not known whether it creates something.
pub fn created_after_doubt(requests: &[(String, i64)]) -> Vec<String> {
    let creates =
        |name: &str| name.starts_with("POST ") && ["/deployments", "/runbookRuns", "/releases"].iter().any(|end| name.ends_with(end));
    // What was turned away at the door is sent again.
    let is_doubt = |(name, status): &(String, i64)| creates(name) && !matches!(status, 201 | 429);
    let after = requests.iter().position(is_doubt).map_or(&[][..], |doubt| &requests[doubt..]);
    after.iter().filter(|(name, status)| creates(name) && *status == 201).map(|(name, _)| format!("sent after a doubt: {name}")).collect()
}

mod tests {
    use super::*;

    fn ended(deployments: &[&str]) -> Ended {
        Ended { deployments: deployments.iter().map(|line| (*line).to_owned()).collect(), ..Ended::default() }
    }

    #[test]
    fn a_stop_on_the_way_is_not_an_undo() {
        let wanted = ended(&["A 2 Test - Success: ", "B 2 Test - Success: ", "C 2 Test - Failed: "]);
        for stopped in [&["A 2 Test - Success: ", "B 2 Test - Executing: "][..], &["C 2 Test - Queued: "], &[]] {
            assert_eq!(undone(&wanted, &ended(stopped)), [""; 0], "{stopped:?}");
        }
    }

    #[test]
    fn what_is_put_back_cancelled_or_done_twice_at_a_stop_is_found() {
        let wanted = ended(&["A 2 Test - Success: ", "B 2 Test - Success: "]);
        assert_eq!(
            undone(&wanted, &ended(&["A 2 Test - Success: ", "A 1 Test - Executing: "])),
            ["begun although stopped: A 1 Test - Executing: "]
        );
        assert_eq!(undone(&wanted, &ended(&["A 2 Test - Cancelling: "])), ["cancelled at the stop: A 2 Test - Cancelling: "]);
        assert_eq!(
            undone(&wanted, &ended(&["B 2 Test - Queued: ", "B 2 Test - Success: "])),
            ["begun although stopped: B 2 Test - Success: "]
        );
        // An undisturbed run that cancels something itself may have done so.
        let cancels = ended(&["A 2 Test - Canceled: "]);
        assert_eq!(undone(&cancels, &cancels), [""; 0]);
    }

    #[test]
    fn what_is_created_after_a_doubt_is_found() {
        let sent =
            |all: &[(&str, i64)]| created_after_doubt(&all.iter().map(|(name, status)| ((*name).to_owned(), *status)).collect::<Vec<_>>());
        let (post, look) = ("POST /api/Spaces-1/deployments", "GET /api/Spaces-1/deployments?skip=0");
        assert_eq!(sent(&[(post, 201), (post, 429), (post, 201), (look, 0), (post, 201), (post, 0), (look, 200)]), [""; 0]);
        for doubt in [0, 200, 302, 502] {
            assert_eq!(sent(&[(post, doubt), (look, 200), ("POST /api/Spaces-1/runbookRuns", 201)]).len(), 1, "{doubt}");
        }
    }
}
