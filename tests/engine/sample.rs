//! A small library as `host` writes them: a type with a property, a function of the type, functions with options and
//! with a closure.

use octorhai::{
    engine::{
        Hooks,
        options::Options,
        parallel,
        thrown::{HostResult, Raise, raise},
    },
    error::{Error, Kind},
    options,
};
use rhai::{Array, Dynamic, FnPtr, Map, Module, NativeCallContext, Shared, plugin::*};

options! {
    /// How to start.
    pub struct StartOptions for ["start"] {
        /// How long at most.
        timeout: jiff::SignedDuration = jiff::SignedDuration::from_mins(30), "30m";
        /// Whom to tell.
        notify: Vec<String> = Vec::new(), "[]";
    }
}

/// A server task; cheap to clone, as everything that scripts hold.
#[derive(Clone, Debug)]
pub struct Task {
    pub title: String,
    pub state: String,
}

/// Tasks: start and cancel them.
#[export_module]
#[allow(clippy::unwrap_used, reason = "in what the macro makes of `&mut` parameters")]
pub mod tasks {
    /// A server task.
    pub type Task = super::Task;

    /// The state in words of Octopus, e.g. `Success`.
    #[rhai_fn(get = "state", pure)]
    pub fn state(task: &mut Task) -> String {
        task.state.clone()
    }

    /// What the task is called.
    #[rhai_fn(get = "title", pure)]
    pub fn title(task: &mut Task) -> String {
        task.title.clone()
    }

    /// What `print` shows.
    #[rhai_fn(global, name = "to_string", name = "to_debug", pure)]
    pub fn show(task: &mut Task) -> String {
        format!("{} ({})", task.title, task.state)
    }

    /// Starts a deployment of `project` and returns its task. It does not wait.
    ///
    /// Since 0.1.0.
    ///
    /// ```rhai
    /// let t = start("Project A", "Test", #{timeout: "45m"});
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn start(context: NativeCallContext, project: &str, environment: &str, options: Map) -> HostResult<Task> {
        start_task(&context, project, environment, options)
    }

    #[rhai_fn(name = "start", return_raw, volatile)]
    pub fn start_with_defaults(context: NativeCallContext, project: &str, environment: &str) -> HostResult<Task> {
        start_task(&context, project, environment, Map::new())
    }

    /// Cancels the task.
    #[rhai_fn(return_raw, volatile)]
    pub fn cancel(task: &mut Task) -> HostResult<()> {
        if task.state == "Canceled" {
            return Err(raise(Error::new(Kind::Refused, "the task is complete")));
        }
        "Canceled".clone_into(&mut task.state);
        Ok(())
    }

    /// Calls `f` until it does not fail, at most `times` times.
    #[rhai_fn(return_raw, volatile)]
    pub fn retry(context: NativeCallContext, times: i64, f: FnPtr) -> HostResult<Dynamic> {
        let mut result = f.call_within_context(&context, ());
        for _ in 1..times {
            if result.is_ok() {
                break;
            }
            result = f.call_within_context(&context, ());
        }
        result
    }

    /// Calls `f` with each item, all at the same time.
    #[rhai_fn(name = "parallel", return_raw, volatile)]
    pub fn in_parallel(context: NativeCallContext, items: Array, f: FnPtr) -> HostResult<Array> {
        parallel(&context, items, &f, 4, &hooks(&context))
    }

    /// Waits.
    #[rhai_fn(return_raw, volatile)]
    pub fn sleep(context: NativeCallContext, span: &str) -> HostResult<()> {
        let hooks = hooks(&context);
        let span = octorhai::clock::text::duration(span).raise()?;
        // One future for both: a cancelled sleep ends at once.
        octorhai::engine::baton::wait(
            &hooks.runtime,
            hooks.cancel.guard(async {
                hooks.clock.sleep(span).await;
                Ok(())
            }),
        )
        .raise()
    }

    /// The branch of `parallel` that calls this.
    #[rhai_fn(volatile)]
    pub fn branch() -> String {
        octorhai::engine::branch()
    }
}

fn start_task(_context: &NativeCallContext, project: &str, environment: &str, options: Map) -> HostResult<Task> {
    let options = StartOptions::parse("start", options)?;
    if !project.starts_with("Project") {
        return Err(raise(
            Error::new(Kind::NotFound, format!("there is no project `{project}`"))
                .help("did you mean `Project A`?")
                .with("project", project),
        ));
    }
    Ok(Task { title: format!("{project} → {environment} within {}", options.timeout), state: "Queued".to_owned() })
}

/// The state that the engine carries for the library.
fn hooks(context: &NativeCallContext) -> Hooks {
    context.tag().and_then(|tag| tag.clone().try_cast::<Hooks>()).expect("the test gave the engine its hooks")
}

pub fn library() -> Shared<Module> {
    rhai::exported_module!(tasks).into()
}
