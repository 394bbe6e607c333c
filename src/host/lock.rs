//! One at a time: locks around a closure, or around the whole script.

use super::prelude::*;
use super::{
    call::ScriptCall,
    context::own,
    held_locks::{Hold, LockAnswer, LockOptions, Otherwise},
    requeue::{RequeueOptions, RequeueTime},
    started_inside::StartedInside,
    time::When,
};
use crate::engine::options::OptionDoc;
use rhai::Position;

/// Options, or the closure when there are none.
#[derive(Clone)]
struct Before(Dynamic);

impl OptionValue for Before {
    const KIND: &'static str = "options map";
    const OPTIONS: &'static [OptionDoc] = LockOptions::OPTIONS;
    fn read(value: Dynamic) -> Result<Self, String> {
        Ok(Self(value))
    }
}

/// The closure, or options when they come last.
#[derive(Clone)]
struct Around(Dynamic);

impl OptionValue for Around {
    const KIND: &'static str = "closure";
    fn read(value: Dynamic) -> Result<Self, String> {
        Ok(Self(value))
    }
    fn argument(_: &str, _: &str, value: Dynamic) -> HostResult<Self> {
        Ok(Self(value))
    }
}

/// Which of the two is the closure, and what the options say.
fn sorted(function: &'static str, Before(first): Before, Around(second): Around) -> HostResult<(Option<FnPtr>, LockOptions)> {
    let (closure, options) = if first.is::<FnPtr>() { (first, second) } else { (second, first) };
    let closure = if closure.is_unit() { None } else { Some(FnPtr::argument(function, "closure", closure)?) };
    let options = LockOptions::argument(function, "options", options)?;
    if !(1..=100).contains(&options.slots) {
        return Err(raise(Error::new(Kind::Script, format!("`{function}`: option `slots` is 1 to 100, not {}", options.slots))));
    }
    Ok((closure, options))
}

/// The closure that must be there.
fn needed(function: &str, closure: Option<FnPtr>) -> HostResult<FnPtr> {
    closure.ok_or_else(|| {
        raise(
            Error::new(Kind::Script, format!("`{function}` needs a closure: what is done while the lock is held"))
                .help(format!("{function}(\"shop-database\", || {{ wait(deploy(\"Project A\", \"latest\", ctx.env)); }})")),
        )
    })
}

/// Calls what is done while the lock is held, up to the end of all that it starts.
fn around(host: &ScriptCall<'_>, closure: &FnPtr) -> HostResult<Dynamic> {
    let begun = StartedInside::now(host);
    let result = host.closure(closure, ());
    begun.ended(host, result)
}

impl Host {
    /// Takes a lock; none when it is held and the options say to go on without. `requeue` ends the script.
    fn enter_lock(&self, name: &str, options: &LockOptions) -> HostResult<Option<Arc<Hold>>> {
        match self.ask_for_lock(name, options)? {
            LockAnswer::Inside(hold) => Ok(Some(hold)),
            LockAnswer::Held(Otherwise::Requeue, why) => {
                let comment = Some(format!("requeued: lock {name} is {why}"));
                let at = later(self.now(), options.requeue_in);
                self.requeue(&RequeueTime::At(When::Moment(at)), &RequeueOptions { comment, go_on: false, ..RequeueOptions::default() })
                    .map(|_| None)
            }
            LockAnswer::Held(_, why) => {
                self.note(Level::Highlight, format!("skipped: lock `{name}` is {why}"));
                Ok(None)
            }
        }
    }

    /// Does `work` with all the locks taken, in the order of names, and gives them back however it ends.
    pub(super) fn with_locks(
        &self,
        names: &[String],
        options: &LockOptions,
        work: impl FnOnce() -> HostResult<Dynamic>,
    ) -> HostResult<Dynamic> {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        let mut inside = Vec::new();
        let mut entered = Ok(());
        for name in &names {
            match self.enter_lock(name, options) {
                Ok(Some(hold)) => inside.push(hold),
                Ok(None) => break,
                Err(error) => {
                    entered = Err(error);
                    break;
                }
            }
        }
        let mut result = match entered {
            Err(error) => Err(error),
            Ok(()) if inside.len() < names.len() => Ok(Dynamic::UNIT),
            Ok(()) => work(),
        };
        let ended_by = result.as_ref().err().and_then(|error| ours(error)).map(|error| error.kind());
        for hold in inside.iter().rev() {
            if let Err(error) = self.leave(hold, ended_by) {
                result = result.and(Err(error));
            }
        }
        result
    }

    /// What `only_one` calls this script: several projects may use the same one.
    fn script_name(&self) -> HostResult<String> {
        let script =
            std::path::Path::new(&self.script).file_stem().map_or_else(|| self.script.clone(), |stem| stem.to_string_lossy().into_owned());
        let project = if own(self)?.is_some() { self.project()? } else { None };
        Ok(match project {
            Some(project) => format!("only one: {script} of {project}"),
            None => format!("only one: {script}"),
        })
    }
}

crate::functions! {
    group "one at a time";

    /// Calls the closure while no other run holds the lock `name`, and returns what it returns. Who waits is told who
    /// holds it, and since when. The holder is never robbed while it lives; when it is gone, the lock is taken over
    /// once nothing it sent can still take effect. Options stand before the closure, or after it.
    ///
    /// A deployment that was started in the closure and is still open at its end is waited for, 30 minutes at most, before
    /// the lock is given back; its failure is an error of `lock`. One that was scheduled with `at` is not.
    ///
    /// ```rhai
    /// lock("shop-database", #{wait_up_to: "15m"}, || wait(deploy("Project A", "latest", "Test")));
    /// ```
    fn lock(host: ScriptCall, name: Name; options: Before, closure: Around) -> "what the closure returns" raises "lock_busy, timeout, suspended, fenced, in_doubt, closure, request" {
        let (closure, options) = sorted("lock", options, closure)?;
        let closure = needed("lock", closure)?;
        host.with_locks(&[name.into()], &options, || around(&host, &closure))
    }

    /// Calls the closure while no other run holds any of the locks. They are taken in the order of their names, so that
    /// two runs never wait for each other. What was started in the closure is waited for, as by `lock`.
    ///
    /// ```rhai
    /// locks(["shop-database", "payments"], || wait(deploy("Project A", "latest", "Test")));
    /// ```
    fn locks(host: ScriptCall, names: Vec<Name>; options: Before, closure: Around) -> "what the closure returns" raises "lock_busy, timeout, suspended, fenced, in_doubt, closure, request" {
        let (closure, options) = sorted("locks", options, closure)?;
        let closure = needed("locks", closure)?;
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        host.with_locks(&names, &options, || around(&host, &closure))
    }

    /// From here to its end this script runs only once at a time: another run of it waits at this line, or does what
    /// `on_busy` says. In an Octopus step the script of each project counts by itself. With a name and a closure it
    /// is a lock of that name around the closure. What was started meanwhile is waited for before the lock is given back, as by
    /// `lock`.
    ///
    /// ```rhai
    /// only_one(#{on_busy: "skip"});
    /// wait(deploy("Project A", "latest", "Test"));
    /// ```
    fn only_one(host: ScriptCall; name: Dynamic, options: Before, closure: Around) -> "what the closure returns" raises "lock_busy, timeout, suspended, fenced, in_doubt, closure, request" {
        if name.is_string() {
            let name: String = Name::argument("only_one", "name", name)?.into();
            let (closure, options) = sorted("only_one", options, closure)?;
            let closure = needed("only_one", closure)?;
            return host.with_locks(&[format!("only one: {name}")], &options, || around(&host, &closure));
        }
        let (closure, options) = sorted("only_one", Before(name), Around(options.0))?;
        let name = host.script_name()?;
        match closure {
            Some(closure) => host.with_locks(&[name], &options, || around(&host, &closure)),
            None if !host.frame.branch.is_empty() => Err(Error::new(Kind::Script, "`only_one` without a closure is about the whole script, so it cannot stand in `parallel`")
                    .help("put it at the beginning of the script, or give it a closure").into()),
            None => match host.enter_lock(&name, &options)? {
                Some(_) => Ok(Dynamic::UNIT),
                None => Err(EvalAltResult::Exit(Dynamic::UNIT, Position::NONE).into()),
            },
        }
    }

    /// Who has a lock now: a map with `held`, `generation`, `slots` and `owners`, each with `run`, `task`, `host`, `pid`,
    /// `since` and `url`. By the next line it may have changed: to be safe, take the lock.
    ///
    /// ```rhai
    /// if lock_info("shop-database").held { warn("the database is being changed"); }
    /// ```
    fn lock_info(host: Host, name: Name) -> "map" raises "request" {
        let look = |_| {
            let locks = host.locks().raise()?;
            let record = host.block(locks.record(&name))?;
            let shown = |o: &crate::lock::Owner| json!({"run": o.run, "task": o.task, "host": o.host, "pid": o.pid, "since": o.since.to_string(), "url": o.url});
            let owners: Vec<_> = record.owners.iter().map(shown).collect();
            let told = json!({"held": !owners.is_empty(), "generation": record.generation, "slots": record.slots, "owners": owners});
            Ok((told.clone(), told))
        };
        let told = host.waited("lock_info", json!({"name": &*name}), look, |record| Ok(record.clone()))?;
        Ok(to_dynamic(&told))
    }
}
