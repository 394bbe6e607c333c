//! A session: one host and one server for many inputs, until the person leaves.
//!
//! Between inputs a virtual clock stands; on a real one, tasks that the session started go on and are looked at.

use super::{Grounds, Manners, OnCancel, Settings, Target, grounds, interpreter, run_id, time};
use crate::{
    api,
    clock::{Busy, Clock, Stopwatch, later},
    engine::{self, Failure, Interpreter, on_script_thread},
    error::{Error, Kind, Result},
    event::Events,
    host::{Host, space::Space},
    sandbox::Sandbox,
};
use jiff::SignedDuration;
use rhai::Dynamic;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// How often tasks are looked at while nobody waits for them.
const LOOK: SignedDuration = SignedDuration::from_secs(2);

/// How long a request is tried: a person who sees that the server is gone does not wait as long as a run.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// An open session.
pub struct Session {
    runtime: Option<tokio::runtime::Runtime>,
    clock: Clock,
    /// Holds a virtual clock while no input works.
    busy: Option<Busy>,
    events: Events,
    host: Host,
    sandbox: Option<Sandbox>,
    interpreter: Interpreter,
    inputs: engine::session::Session,
    settings: Settings,
}

/// What became of an input.
pub struct Reply {
    /// The value of its last expression, or what went wrong.
    pub result: std::result::Result<Dynamic, Failure>,
    /// Requests it made.
    pub requests: u64,
    /// Time it took on the session's clock, in seconds.
    pub seconds: f64,
    /// Time it took on the wall, in seconds.
    pub real_seconds: f64,
}

/// Looks at open tasks until it is dropped.
pub struct OpenTaskWatch(tokio::task::JoinHandle<()>);

impl Drop for OpenTaskWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Session {
    /// Connects to the server of `settings`, or starts their sandbox. A real server gets no writes until [`Session::go_live`].
    pub fn begin(settings: Settings) -> Result<Self> {
        let clock = time::of(&settings)?;
        let events = Events::new(clock.clone(), settings.secrets.clone());
        for sink in &settings.sinks {
            events.listen(Arc::clone(sink));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("octorhai").enable_all().build();
        let runtime = runtime.map_err(|problem| Error::bug(format!("no runtime: {problem}")))?;
        let busy = clock.enter();
        let begun = grounds(
            &settings,
            settings.advice(),
            &clock,
            &events,
            run_id(&settings, &clock),
            None,
            Manners { patience: Some(PATIENCE), ..Manners::default() },
        );
        let Grounds { host, client: _, sandbox } = runtime.block_on(settings.cancel.guard(begun))?;
        host.servers.connection.dry.set(sandbox.is_none());
        let interpreter = interpreter(&settings, &host, &events);
        let inputs = engine::session::Session::new(settings.script.files.clone());
        Ok(Self { runtime: Some(runtime), clock, busy: Some(busy), events, host, sandbox, interpreter, inputs, settings })
    }

    /// Evaluates an input.
    pub fn enter(&mut self, input: &str) -> Reply {
        let (before, began, watch) = (self.host.servers.home.client.stats().requests, self.clock.now(), Stopwatch::start());
        let result = self.on_thread(|session| session.interpreter.enter(&mut session.inputs, input));
        let result = result.map_err(Failure::from).and_then(|result| result);
        Reply {
            result,
            requests: self.host.servers.home.client.stats().requests - before,
            seconds: self.clock.since(began).as_secs_f64(),
            real_seconds: watch.elapsed().as_secs_f64(),
        }
    }

    /// Gives parameters values, for the inputs from now on.
    pub fn give(&self, values: BTreeMap<String, Value>) {
        self.host.params.lock().extend(values);
    }

    /// Looks at a value: evaluates `expression`, which is no input of the session.
    pub fn look(&mut self, expression: &str) -> Option<Dynamic> {
        self.on_thread(|session| session.interpreter.look(&session.inputs, expression)).ok().flatten()
    }

    /// Lets time pass: on a sandbox of this session only.
    pub fn advance(&mut self, span: SignedDuration) -> Result<()> {
        if self.sandbox.is_none() {
            return Err(Error::usage("only a sandbox of this session has a clock that can be moved"));
        }
        let host = self.host.clone();
        let due = later(self.clock.now(), span);
        let slept = self.on_thread(move |_| host.sleep_until(due).map_err(|error| engine::thrown::ours(&error)))?;
        slept.map_err(|error| error.unwrap_or_else(|| Error::bug("the clock did not move")))
    }

    /// Does `work` on a thread for scripts. A cancel ends it, and with it what it started on the server; the session goes on.
    fn on_thread<T: Send>(&mut self, work: impl FnOnce(&mut Self) -> T + Send) -> Result<T> {
        let (clock, busy) = (self.clock.clone(), self.busy.take());
        let open_before: Vec<String> = self.host.open_tasks().iter().map(|task| task.id.to_string()).collect();
        let done = on_script_thread(|| {
            // The token moves to the thread that works: time stands until the input waits.
            let working = clock.enter();
            drop(busy);
            let done = work(self);
            self.busy = Some(working);
            done
        });
        if self.busy.is_none() {
            self.busy = Some(self.clock.enter());
        }
        if self.settings.cancel.is_cancelled() {
            if self.settings.on_cancel == OnCancel::Cancel {
                let mut open = self.host.open_tasks();
                open.retain(|task| !open_before.contains(&task.id.to_string()));
                self.host.cancel_on_the_way_out(&open);
            }
            self.host.give_back_left();
            self.settings.cancel.take_back();
        }
        done
    }

    /// Tells of open tasks when they end, while nobody waits for them; nothing where time stands between inputs.
    pub fn watch(&self) -> Option<OpenTaskWatch> {
        let host = self.host.clone();
        if self.clock.is_virtual() || host.open_tasks().is_empty() {
            return None;
        }
        let look = async move {
            while !host.open_tasks().is_empty() {
                host.clock.sleep(LOOK).await;
                for task in host.open_tasks() {
                    if let Ok(seen) = task.place.space.until(host.clock.now()).task(&task.id).await {
                        task.saw(&host, Arc::new(seen));
                    }
                }
            }
        };
        self.runtime.as_ref().map(|runtime| OpenTaskWatch(runtime.spawn(look)))
    }

    /// What scripts reach the server by.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The settings it began with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What inputs have declared.
    pub fn inputs(&self) -> &engine::session::Session {
        &self.inputs
    }

    /// Gives a variable a value.
    pub fn set(&mut self, name: &str, value: Dynamic) {
        self.inputs.set(name, value);
    }

    /// Whether the server is simulated, in this process.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// What is true in the sandbox now; null on a server.
    pub fn truth(&self) -> Value {
        self.sandbox.as_ref().map_or(Value::Null, Sandbox::state)
    }

    /// Whether writes are shown instead of sent.
    pub fn is_dry(&self) -> bool {
        self.host.servers.connection.dry.is_on()
    }

    /// From now on writes are sent, or are not.
    pub fn go_live(&self, live: bool) {
        self.host.servers.connection.dry.set(!live);
    }

    /// The space that names mean.
    pub fn space(&self) -> &str {
        &self.host.servers.home.space.space().name
    }

    /// From now on names mean things of another space.
    pub fn move_to(&mut self, space: &str) -> Result<()> {
        let home = &self.host.servers.home;
        let found = self.block(home.client.space(Some(space)))?;
        self.host = self.host.moved(Space::new(home.client.clone(), found, home.advice));
        self.interpreter = interpreter(&self.settings, &self.host, &self.events);
        Ok(())
    }

    /// Asks the server something.
    pub fn block<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = self.runtime.as_ref().ok_or_else(|| Error::bug("the session is over"))?;
        runtime.block_on(self.settings.cancel.guard(work))
    }

    /// What the server says about itself, and under which address.
    pub fn server(&self) -> Result<(String, api::ServerInfo)> {
        let address = match &self.settings.target {
            Target::Server { credential, .. } => credential.address(),
            Target::Sandbox(world) => format!("sandbox {}", world.name()),
        };
        Ok((address, self.block(self.host.servers.home.client.server_info())?))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What is held to the end of a script is held to the end of the session.
        let _said = self.host.leave_all(Some(Kind::Cancelled).filter(|_| self.settings.cancel.is_cancelled()));
        self.host.close_outbox(None);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
