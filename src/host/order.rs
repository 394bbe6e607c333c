//! A graph of things to start, each when what it needs is done.

use super::prelude::*;
use super::{
    call::ScriptCall,
    raised::{as_error, with_place},
    task::Task,
    tasks::tasks_of,
    time_limit::Limit,
    wait::{Until, failures, for_tasks, too_late},
    wait_options::WaitOptions,
};
use crate::{engine::options::list, error::suggestion};

crate::options! {
    /// How to go through a graph.
    pub struct OrderOptions for ["in_order"] {
        /// How many at the same time at most.
        width: i64 = 100, "100";
        /// How long all of it may take.
        timeout: SignedDuration = SignedDuration::from_hours(2), "2h";
    }
}

/// Who needs whom, checked: names are known and there is no circle.
fn needs(graph: &Map) -> HostResult<BTreeMap<String, Vec<String>>> {
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in graph {
        let wanted = if value.is_unit() { Vec::new() } else { list(value.clone()) };
        needs.insert(name.to_string(), wanted.iter().map(ToString::to_string).collect());
    }
    for (name, wanted) in &needs {
        for other in wanted {
            if !needs.contains_key(other) {
                let mut error = Error::new(Kind::Script, format!("`{name}` needs `{other}`, which is not in the graph"));
                if let Some(help) = suggestion(other, needs.keys().map(String::as_str)) {
                    error = error.help(help);
                }
                return Err(raise(error.help(format!("add it: \"{other}\": []"))));
            }
        }
    }
    let mut done: BTreeSet<&str> = BTreeSet::new();
    loop {
        let ready: Vec<&str> = needs
            .iter()
            .filter(|(n, w)| !done.contains(n.as_str()) && w.iter().all(|x| done.contains(x.as_str())))
            .map(|(n, _)| n.as_str())
            .collect();
        if ready.is_empty() {
            break;
        }
        done.extend(ready);
    }
    if done.len() < needs.len() {
        return Err(raise(Error::new(Kind::Script, format!("the graph has a circle: {}", circle(&needs, &done)))));
    }
    Ok(needs)
}

/// One circle among those that are not in `done`, as `a → b → a`.
fn circle(needs: &BTreeMap<String, Vec<String>>, done: &BTreeSet<&str>) -> String {
    let mut path: Vec<&str> = needs.keys().map(String::as_str).find(|n| !done.contains(n)).into_iter().collect();
    while let Some(last) = path.last() {
        let Some(next) = needs[*last].iter().map(String::as_str).find(|n| !done.contains(n)) else { break };
        if let Some(start) = path.iter().position(|n| *n == next) {
            path.push(next);
            return path[start..].join(" → ");
        }
        path.push(next);
    }
    path.join(" → ")
}

crate::functions! {
    group "order";

    /// Goes through a graph of who needs whom: calls `start` with each name as soon as all that it needs is done well.
    /// `start` returns a task (or a list of tasks, or nothing when there is nothing to wait for). Returns a map from
    /// name to what `start` returned. When one fails, nothing that needs it is started; what runs is waited for, then
    /// an error of kind `deployment_failed` names what failed and what was not started.
    ///
    /// ```rhai
    /// in_order(#{"Project A": [], "Project B": [], "Project C": ["Project A", "Project B"]},
    ///     |project| deploy(project, "latest", "Test"));
    /// ```
    fn in_order(host: ScriptCall, graph: Map, start: FnPtr; options: OrderOptions) -> "map" raises "timeout, deployment_failed, closure, request" {
        let needs = needs(&graph)?;
        host.emit(What::Planned { tasks: needs.len() });
        let limit = Limit::at(&host, later(host.now(), options.timeout)).of("in_order");
        let width = usize::try_from(options.width).unwrap_or(1).max(1);
        let mut results = Map::new();
        let mut running: BTreeMap<String, Vec<Task>> = BTreeMap::new();
        let mut good: BTreeSet<String> = BTreeSet::new();
        // What `start` itself raised first: what runs is waited for all the same.
        let mut not_startable: Option<Box<EvalAltResult>> = None;
        let mut all: Vec<Task> = Vec::new();
        let late = |results: &Map, open: &[Task]| {
            let left = needs.keys().filter(|name| !results.contains_key(name.as_str())).cloned().collect();
            HostResult::Ok(raise(too_late(&host, "in_order", options.timeout, open, left)?))
        };
        loop {
            let ready: Vec<String> = needs
                .iter()
                .filter(|(name, wanted)| !results.contains_key(name.as_str()) && wanted.iter().all(|w| good.contains(w)))
                .map(|(name, _)| name.clone())
                .take(width.saturating_sub(running.len()))
                .collect();
            for name in ready {
                let value: Dynamic = match limit.around(&host, || host.closure(&start, (name.clone(),))) {
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) if Limit::has_passed(&error) => return Err(late(&results, &all)?),
                    Err(error) => {
                        results.insert(name.as_str().into(), Dynamic::UNIT);
                        not_startable.get_or_insert(error);
                        continue;
                    }
                    Ok(value) => value,
                };
                let tasks = tasks_of(&host, value.clone())?;
                results.insert(name.as_str().into(), value);
                all.extend(tasks.iter().cloned());
                running.insert(name, tasks);
            }
            running.retain(|name, tasks| {
                let open = tasks.iter().any(|t| !t.last().is_completed());
                if !open && tasks.iter().all(|t| t.last().finished_successfully()) {
                    good.insert(name.clone());
                }
                open
            });
            let startable = needs.iter().any(|(n, w)| !results.contains_key(n.as_str()) && w.iter().all(|x| good.contains(x)));
            if running.is_empty() && !startable {
                break;
            }
            if running.is_empty() {
                continue;
            }
            let open: Vec<Task> = running.values().flatten().filter(|t| !t.last().is_completed()).cloned().collect();
            let left = limit.now_at(&host).duration_since(host.now()).max(SignedDuration::ZERO);
            let wait = WaitOptions { timeout: left, ..WaitOptions::default() };
            if !for_tasks(&host, &open, &wait, Until::Any)? {
                return Err(late(&results, &open)?);
            }
        }
        let skipped: Vec<String> = needs.keys().filter(|n| !results.contains_key(n.as_str())).cloned().collect();
        let failure = not_startable.as_deref().map(as_error).or_else(|| failures(&host, &all));
        match failure {
            None => Ok(results),
            Some(error) => {
                let error = if skipped.is_empty() {
                    error
                } else {
                    host.note(Level::Warning, format!("not started: {}", skipped.join(", ")));
                    error.with("not_started", skipped.clone()).help(format!("not started because of that: {}", skipped.join(", ")))
                };
                Err(match not_startable {
                    Some(first) => with_place(first, error),
                    None => raise(error),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::thrown::ours;

    fn graph(pairs: &[(&str, &[&str])]) -> Map {
        pairs.iter().map(|(n, w)| ((*n).into(), w.iter().map(|x| Dynamic::from((*x).to_owned())).collect::<Array>().into())).collect()
    }

    #[test]
    fn a_circle_is_named() {
        let error = needs(&graph(&[("A", &["C"]), ("B", &["A"]), ("C", &["B"]), ("D", &[])])).expect_err("a circle");
        assert_eq!(ours(&error).expect("ours").message(), "the graph has a circle: A → C → B → A");
    }

    #[test]
    fn an_unknown_name_is_named() {
        let error = needs(&graph(&[("Project A", &["Projct B"]), ("Project B", &[])])).expect_err("unknown");
        let error = ours(&error).expect("ours");
        assert_eq!(error.message(), "`Project A` needs `Projct B`, which is not in the graph");
        assert!(error.hints()[0].starts_with("did you mean `Project B`?"));
    }
}
