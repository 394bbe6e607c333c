//! A small library as `host` writes them: a type with properties, a function of the type, functions with options and
//! with a closure.

use octorhai::{
    engine::{
        Hooks,
        compare::{Beside, Meaning},
        library::{Call, Library, LibraryBuilder},
        parallel,
        thrown::{HostResult, Raise, raise},
    },
    error::{Error, Kind},
};
use parking_lot::Mutex;
use rhai::{Dynamic, FnPtr};
use std::{fmt, sync::Arc};

octorhai::options! {
    /// How to start.
    pub struct StartOptions for ["start"] {
        /// How long at most.
        timeout: jiff::SignedDuration = jiff::SignedDuration::from_mins(30), "30m";
        /// Whom to tell.
        notify: Vec<String> = Vec::new(), "[]";
    }
}

/// A server task; clones share their state, as everything does that stands for something on a server.
#[derive(Clone)]
pub struct Task {
    title: String,
    state: Arc<Mutex<&'static str>>,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.title, self.state.lock())
    }
}

impl Meaning for Task {
    const INSTEAD: &'static str = "compare `task.state`";
    fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
    fn beside(&self, text: &str) -> Result<Beside, String> {
        Ok(Beside::name(self.title == text))
    }
}

octorhai::script_type! {
    /// A server task.
    Task as "Task" shows [title, state] {
        /// The state in words of Octopus, e.g. `Success`.
        state: "text" = |task| *task.state.lock();
        /// What the task is called.
        title: "text" = |task| task.title.clone();
    }
}

/// A space, in which every function can be called.
#[derive(Clone)]
pub struct Space(String);

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Meaning for Space {
    const INSTEAD: &'static str = "compare names";
    fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }
    fn beside(&self, text: &str) -> Result<Beside, String> {
        Ok(Beside::name(self.0 == text))
    }
}

octorhai::script_type! {
    /// A space.
    Space as "Space" shows [] {}
}

octorhai::functions! {
    group "act";

    /// A space by its name.
    ///
    /// ```rhai
    /// space("Ops").start("Project A", "Test");
    /// ```
    fn space(call, name: String) -> "Space" {
        Ok(Space(name))
    }

    /// Starts a deployment of `project` and returns its task. It does not wait.
    ///
    /// ```rhai
    /// let t = start("Project A", "Test", #{timeout: "45m"});
    /// ```
    fn start(call, project: String, environment: String; options: StartOptions) -> "Task" {
        if !project.starts_with("Project") {
            return Err(raise(
                Error::new(Kind::NotFound, format!("there is no project `{project}`"))
                    .help("did you mean `Project A`?")
                    .with("project", project),
            ));
        }
        Ok(Task { title: format!("{project} → {environment} within {}", options.timeout), state: Arc::new(Mutex::new("Queued")) })
    }

    /// Cancels the task.
    fn cancel[task: Task](call) -> "nothing" {
        *task.state.lock() = "Canceled";
        Ok(())
    }

    /// Calls `f` until it does not fail, at most `times` times.
    fn retry(call, times: i64, f: FnPtr) -> "any value" {
        let mut result = call.closure(&f, ());
        for _ in 1..times {
            if result.is_ok() {
                break;
            }
            result = call.closure(&f, ());
        }
        result
    }

    /// Calls `f` with each item, all at the same time.
    fn parallel(call, items: Vec<Dynamic>, f: FnPtr) -> "list" {
        parallel(&call.ctx, items, &f, 4, &hooks(call), None)
    }

    /// Waits.
    fn sleep(call, span: jiff::SignedDuration) -> "nothing" {
        let hooks = hooks(call);
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
    fn branch(call) -> "text" {
        Ok(octorhai::engine::branch())
    }

    /// Fails unless both are the same.
    fn assert_eq(call, left: Dynamic, right: Dynamic) -> "nothing" {
        if left.to_string() == right.to_string() {
            return Ok(Dynamic::UNIT);
        }
        HostResult::<()>::Err(raise(Error::new(Kind::Script, format!("`{left}` is not `{right}`"))))
    }
}

/// The state that the engine carries for the library.
fn hooks(call: &Call<'_>) -> Hooks {
    call.state::<Hooks>().expect("the test gave the engine its hooks")
}

pub fn library() -> Library {
    let mut library = LibraryBuilder::new();
    library.scripted::<Task>();
    library.scripted::<Space>();
    register(&mut library);
    library.also_on::<Space>(|_, state| state);
    library.build()
}
