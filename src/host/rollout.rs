//! Rolling something out over many items with a budget of failures: canary, width, pause, stop.

use super::prelude::*;
use super::{
    call::ScriptCall,
    raised::{as_error, with_place},
    task::Task,
    tasks::tasks_of,
    time_limit::Limit,
    wait::{Until, for_tasks, too_late},
    wait_options::WaitOptions,
    words::OUTCOMES,
};
use std::collections::VecDeque;

/// How it went for one item.
#[derive(Clone)]
pub struct Outcome {
    item: String,
    state: String,
    wave: i64,
    task: Option<Task>,
    error: String,
}

impl Outcome {
    /// Whether the same came of the same item.
    pub fn same(&self, other: &Self) -> bool {
        (&self.item, &self.state, self.wave) == (&other.item, &other.state, other.wave)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item, self.state)
    }
}

crate::script_type! {
    /// How a rollout went for one item.
    Outcome as "Outcome" shows [item, wave, state, error] {
        /// The item, e.g. a tenant's name.
        item: "text" = |o| o.item.clone();
        /// `Success`, `Failed`, ..., or `NotStarted`.
        state: "text" = |o| OUTCOMES.give(&o.state);
        /// The wave it was in, from 1.
        wave: "whole number" = |o| o.wave;
        /// The task; `()` when none was started.
        task: "Task" = |o| o.task.clone();
        /// Why it failed; empty when it did not.
        error: "text" = |o| o.error.clone();
    }
}

crate::options! {
    /// How to roll out.
    pub struct RolloutOptions for ["rollout"] {
        /// How many items at the same time at most.
        width: i64 = 5, "5";
        /// How many items go first, as a wave of their own; none of them may fail. With rings: more than 0 makes the
        /// first ring that wave.
        canary: i64 = 0, "0";
        /// How many failures are tolerated. One more, and nothing further is started.
        max_failures: i64 = 0, "0";
        /// How long to pause after each wave but the last.
        bake: SignedDuration = SignedDuration::ZERO, "0s";
        /// How long a wave may take.
        timeout: SignedDuration = SignedDuration::from_hours(2), "2h";
    }
}

/// Waves: a canary first, or the rings when the items are lists.
fn waves(items: Array, canary: usize) -> Vec<Array> {
    if items.iter().any(Dynamic::is_array) {
        return items.into_iter().map(crate::engine::options::list).filter(|w| !w.is_empty()).collect();
    }
    let mut items = items;
    let rest = items.split_off(canary.min(items.len()));
    [items, rest].into_iter().filter(|w| !w.is_empty()).collect()
}

crate::functions! {
    group "order";

    /// Calls `start` with each item (a tenant, an environment, a project, ...) and waits for the tasks it returns: at
    /// most `width` at the same time, `canary` items first, a pause (`bake`) after each wave, and a stop when more than
    /// `max_failures` failed. Items that are lists are waves of their own (rings). Returns an `Outcome` for each item;
    /// a stop is an error of kind `deployment_failed` that names what failed and what was not started.
    ///
    /// ```rhai
    /// rollout(["Project A", "Project B", "Project C"], |p| deploy(p, "latest", "Test"),
    ///     #{canary: 1, bake: "10m", width: 2, max_failures: 1});
    /// ```
    fn rollout(host: ScriptCall, items: Array, start: FnPtr; options: RolloutOptions) -> "list of Outcome" raises "deployment_failed, closure, request" {
        let width = usize::try_from(options.width).unwrap_or(1).max(1);
        let waves = waves(items, usize::try_from(options.canary).unwrap_or(0));
        host.emit(What::Planned { tasks: waves.iter().map(Vec::len).sum() });
        let count = waves.len();
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut failed = 0_i64;
        let mut stopped = false;
        // What `start` itself raised first: its place in the script is worth showing.
        let mut not_startable: Option<Box<EvalAltResult>> = None;
        let mut waves: VecDeque<Array> = waves.into();
        while let Some(wave) = waves.pop_front() {
            let index = count - waves.len() - 1;
            let number = index as i64 + 1;
            let late = |queue: &VecDeque<Dynamic>, open: &[Task]| {
                let left = queue.iter().chain(waves.iter().flatten()).map(shown).collect();
                HostResult::Ok(raise(too_late(&host, "rollout", options.timeout, open, left)?))
            };
            if stopped {
                outcomes.extend(wave.into_iter().map(|item| not_started(&item, number)));
                continue;
            }
            // The canary's budget is none: that is what it is for.
            let budget = if options.canary > 0 && index == 0 && count > 1 { 0 } else { options.max_failures };
            let limit = Limit::at(&host, later(host.now(), options.timeout)).of("rollout");
            let mut queue: VecDeque<Dynamic> = wave.into();
            let mut running: Vec<(String, Vec<Task>)> = Vec::new();
            loop {
                while running.len() < width && failed <= budget && let Some(item) = queue.pop_front() {
                    let started = limit.around(&host, || host.closure(&start, (item.clone(),))).and_then(|value| tasks_of(&host, value));
                    match started {
                        Ok(tasks) => running.push((shown(&item), tasks)),
                        Err(error) if is_final(&error) => return Err(error),
                        Err(error) if Limit::has_passed(&error) => {
                            let open: Vec<Task> = running.iter().flat_map(|(_, tasks)| tasks).cloned().collect();
                            queue.push_front(item);
                            return Err(late(&queue, &open)?);
                        }
                        // What could not even start counts like what failed.
                        Err(raised) => {
                            failed += 1;
                            let error = format!("{}: {}", shown(&item), message(&raised));
                            outcomes.push(Outcome { item: shown(&item), state: "Failed".to_owned(), wave: number, task: None, error });
                            not_startable.get_or_insert(raised);
                        }
                    }
                }
                let mut still = Vec::new();
                for (item, tasks) in running {
                    if tasks.iter().any(|t| !t.last().is_completed()) {
                        still.push((item, tasks));
                        continue;
                    }
                    let outcome = ended(&host, item, number, &tasks)?;
                    if outcome.state != "Success" {
                        failed += 1;
                    }
                    outcomes.push(outcome);
                }
                running = still;
                if running.is_empty() {
                    if queue.is_empty() || failed > budget {
                        break;
                    }
                    continue;
                }
                let open: Vec<Task> = running.iter().flat_map(|(_, t)| t).filter(|t| !t.last().is_completed()).cloned().collect();
                let left = limit.now_at(&host).duration_since(host.now()).max(SignedDuration::ZERO);
                let wait = WaitOptions { timeout: left, ..WaitOptions::default() };
                if !for_tasks(&host, &open, &wait, Until::Any)? {
                    return Err(late(&queue, &open)?);
                }
            }
            if failed > budget {
                stopped = true;
                outcomes.extend(queue.into_iter().map(|item| not_started(&item, number)));
            } else if number < count as i64 && options.bake > SignedDuration::ZERO {
                let until = later(host.now(), options.bake);
                host.note(Level::Info, format!("wave {number} of {count} is done; the next starts after {}", text::show(options.bake)));
                host.sleep_until(until)?;
            }
        }
        if stopped {
            let error = stop(&host, &outcomes, failed);
            Err(match not_startable {
                Some(first) => {
                    let hints = as_error(&first).hints().to_vec();
                    with_place(first, hints.into_iter().fold(error, Error::help))
                }
                None => raise(error),
            })
        } else {
            if failed > 0 {
                host.note(Level::Warning, format!("{failed} of {} failed, within the budget of {}", outcomes.len(), options.max_failures));
            }
            Ok(outcomes.into_iter().map(Dynamic::from).collect::<Array>())
        }
    }
}

fn not_started(item: &Dynamic, wave: i64) -> Outcome {
    Outcome { item: shown(item), state: "NotStarted".to_owned(), wave, task: None, error: String::new() }
}

fn ended(host: &Host, item: String, wave: i64, tasks: &[Task]) -> HostResult<Outcome> {
    let Some(task) = tasks.iter().find(|task| !task.last().finished_successfully()) else {
        return Ok(Outcome { item, state: "Success".to_owned(), wave, task: tasks.first().cloned(), error: String::new() });
    };
    let why = host.block(task.failure())?;
    Ok(Outcome { item, state: task.last().state.to_string(), wave, task: Some(task.clone()), error: why.message().to_owned() })
}

fn stop(host: &Host, outcomes: &[Outcome], failed: i64) -> Error {
    let bad: Vec<&Outcome> = outcomes.iter().filter(|o| o.state != "Success" && o.state != "NotStarted").collect();
    let skipped: Vec<String> = outcomes.iter().filter(|o| o.state == "NotStarted").map(|o| o.item.clone()).collect();
    let lines: Vec<&str> = bad.iter().take(5).map(|o| o.error.as_str()).collect();
    if !skipped.is_empty() {
        host.note(Level::Warning, format!("not started: {}", skipped.join(", ")));
    }
    Error::new(
        Kind::DeploymentFailed,
        format!(
            "the rollout was stopped after {}: {}",
            if failed == 1 { "1 failure".to_owned() } else { format!("{failed} failures") },
            lines.join("; ")
        ),
    )
    .with("failed", bad.iter().map(|o| o.item.clone()).collect::<Vec<_>>())
    .with("not_started", skipped)
    .with("tasks", bad.iter().filter_map(|o| o.task.as_ref()).map(|t| t.id.to_string()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: i64) -> Array {
        (1..=count).map(Dynamic::from).collect()
    }

    #[test]
    fn a_canary_is_the_first_wave_and_rings_are_waves() {
        assert_eq!(waves(items(5), 2).iter().map(Vec::len).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(waves(items(5), 0).len(), 1);
        assert_eq!(waves(vec![items(1).into(), items(2).into(), Array::new().into()], 0).iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }
}
