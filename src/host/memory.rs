//! What outlives a run: values that scripts keep, work that is done once, and meeting points of several scripts.
//! All of it stands beside the locks.

use super::prelude::*;
use super::{
    call::ScriptCall,
    held_locks::LockOptions,
    started_inside::StartedInside,
    wait_for::{ConditionOptions, condition},
};
use crate::{
    engine::{options::Data, thrown::REVEAL},
    lock::{is_name, memo},
};
use serde::{Deserialize, Serialize};

crate::options! {
    /// How often is once.
    pub struct OnceOptions for ["once"] {
        /// After so long it is done again.
        again_after: Option<SignedDuration> = None, "never";
        /// How long to wait at most for another run that is doing it.
        wait_up_to: SignedDuration = SignedDuration::from_mins(30), "30m";
    }
}

crate::options! {
    /// How to wait at a meeting point.
    pub struct ArrivalOptions for ["wait_arrivals"] {
        /// How long at most. A time-out is an error of kind `timeout`.
        timeout: SignedDuration = SignedDuration::from_mins(30), "30m";
        /// How often to look.
        every: SignedDuration = SignedDuration::from_secs(15), "15s";
        /// Arrivals that are longer ago do not count.
        within: SignedDuration = SignedDuration::from_hours(24), "24h";
    }
}

/// What stands there of something done once.
#[derive(Serialize, Deserialize)]
struct Done {
    at: Timestamp,
    run: String,
    result: Value,
}

/// Who arrived, by name.
type Arrivals = BTreeMap<String, Timestamp>;

/// Older arrivals are taken away by the next one.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24 * 30);

fn checked(function: &str, what: &str, name: &str) -> HostResult<()> {
    if is_name(name, 200) {
        return Ok(());
    }
    Err(Error::new(Kind::Script, format!("`{function}`: `{}` cannot be a {what}", name.escape_debug()))
        .help("it has 1 to 200 characters, none of them a control character, and no space at its ends")
        .into())
}

impl Host {
    fn cell(&self, name: &str) -> Result<Option<Value>> {
        let locks = self.locks()?;
        Ok(self.block(locks.register.read(name))?.value)
    }

    /// Changes a cell as a step of the run. Doing it twice does no harm: what is wanted is looked at each time.
    fn change(
        &self,
        kind: &str,
        arguments: Value,
        cell: &str,
        next: impl FnMut(Option<&Value>) -> Result<Option<Value>>,
    ) -> HostResult<()> {
        let work = |_| {
            self.check_cancelled()?;
            self.still_inside().raise()?;
            let locks = self.locks().raise()?;
            self.finish(memo::change(&locks, cell, next)).raise()?;
            Ok(((), Value::Null))
        };
        self.waited(kind, arguments, work, |_| Ok(()))
    }

    fn done_before(&self, key: &str, again_after: Option<SignedDuration>) -> HostResult<Option<Value>> {
        let look = |_| {
            let found = self.cell(&format!("once/{key}")).raise()?.and_then(|value| serde_json::from_value::<Done>(value).ok());
            let now = self.clock.now();
            let fresh = found.filter(|done| again_after.is_none_or(|after| later(done.at, after) > now));
            let result = fresh.map(|done| json!({"result": done.result}));
            Ok((result.clone(), result.unwrap_or_default()))
        };
        let found = self.waited("once", json!({"key": key}), look, |record| Ok(Some(record.clone()).filter(|record| !record.is_null())))?;
        Ok(found.map(|found| found["result"].clone()))
    }
}

/// The names of those who are to arrive, or how many.
enum Expected {
    Names(Vec<String>),
    Number(usize),
}

impl Expected {
    fn read(value: Dynamic) -> HostResult<Self> {
        if let Ok(number) = value.as_int() {
            return Ok(Self::Number(usize::try_from(number).unwrap_or(0).max(1)));
        }
        Vec::<String>::argument("wait_arrivals", "who", value).map(Self::Names)
    }

    /// In words, who is missing.
    fn missing(&self, here: &[String]) -> Option<String> {
        match self {
            Self::Names(names) => {
                let missing: Vec<&str> = names.iter().filter(|name| !here.contains(name)).map(String::as_str).collect();
                (!missing.is_empty()).then(|| format!("not here yet: {}", missing.join(", ")))
            }
            Self::Number(number) => (here.len() < *number).then(|| format!("{} of {number} are here: {}", here.len(), here.join(", "))),
        }
    }
}

crate::functions! {
    group "memory";

    /// Keeps a value under a key until it is overwritten, for later runs and other scripts: text, numbers, lists, maps.
    /// `()` takes the key away. Not for secrets: who may see the space's variables may read it.
    ///
    /// ```rhai
    /// remember("last good", "2.0.0");
    /// ```
    fn remember(host: Host, key: String, value: Data) -> "nothing" raises "in_doubt, request" {
        checked("remember", "key", &key)?;
        let value = to_json(&value.0);
        let arguments = json!({"key": key, "value": value});
        host.change("remember", arguments, &format!("memo/{key}"), |found| {
            let stands = found.cloned().unwrap_or_default();
            Ok((stands != value).then(|| value.clone()))
        })
    }

    /// What was remembered under a key; `default`, or `()`, when there is nothing.
    ///
    /// ```rhai
    /// let last = recall("last good", "1.0.0");
    /// ```
    fn recall(host: Host, key: String; default: Dynamic) -> "any value" raises "request" {
        checked("recall", "key", &key)?;
        let look = |_| {
            let found = host.cell(&format!("memo/{key}")).raise()?.unwrap_or_default();
            Ok((found.clone(), found))
        };
        let found = host.waited("recall", json!({"key": key}), look, |record| Ok(record.clone()))?;
        Ok(if found.is_null() { default } else { to_dynamic(&found) })
    }

    /// Calls the closure if that was not done before under this key, by whatever run, and keeps what it returns; later
    /// calls return that. Two runs at once: the second waits for the first. An error keeps nothing.
    ///
    /// ```rhai
    /// once("announce 2.0.0", || email(#{to: "team@example.com", subject: "2.0.0 is coming", body: "Tonight."}));
    /// ```
    fn once(host: ScriptCall, key: String, closure: FnPtr; options: OnceOptions) -> "what the closure returned" raises "timeout, in_doubt, closure, request" {
        checked("once", "key", &key)?;
        if let Some(before) = host.done_before(&key, options.again_after)? {
            return Ok(to_dynamic(&before));
        }
        let lock = LockOptions { wait_up_to: options.wait_up_to, ..LockOptions::default() };
        host.with_locks(&[format!("once: {key}")], &lock, || {
            if let Some(before) = host.done_before(&key, options.again_after)? {
                return Ok(to_dynamic(&before));
            }
            let begun = StartedInside::now(&host);
            let result = host.closure(&closure, ());
            let result = begun.ended(&host, result)?;
            if holds_secret(&result) {
                let error = Error::new(Kind::Script, "`once`: the closure returned a secret, and what it returns is kept where others read it");
                return Err(raise(error.help("let it return something else").help(REVEAL)));
            }
            let done = Done { at: host.now(), run: host.run_id.clone(), result: to_json(&result) };
            let value = serde_json::to_value(&done).unwrap_or_default();
            host.change("once done", json!({"key": key}), &format!("once/{key}"), |found| Ok((found != Some(&value)).then(|| value.clone())))?;
            Ok(result)
        })
    }

    /// Says at a meeting point that one more is here: other scripts wait for it with `wait_arrivals`. `who` is this
    /// project if nothing else is said. Put what the meeting is about into its name, e.g. a release.
    ///
    /// ```rhai
    /// arrive("2.0.0 in Test", "shop");
    /// ```
    fn arrive(host: Host, name: String; who: Option<String>) -> "nothing" raises "in_doubt, request" {
        checked("arrive", "name of a meeting point", &name)?;
        let who = match who {
            Some(who) => who,
            None => host.project()?.ok_or_else(|| {
                raise(Error::new(Kind::Script, "`arrive` does not know who arrives: this script runs in no project").help("say it: arrive(name, \"shop\")"))
            })?,
        };
        let at = host.now();
        host.change("arrive", json!({"name": name, "who": who}), &format!("arrive/{name}"), |found| {
            let mut all: Arrivals = found.and_then(|found| serde_json::from_value(found.clone()).ok()).unwrap_or_default();
            if all.get(&who).is_some_and(|there| *there >= at) {
                return Ok(None);
            }
            all.retain(|_, there| later(*there, FORGOTTEN) > at);
            all.insert(who.clone(), at);
            serde_json::to_value(all).map(Some).map_err(|problem| Error::bug(problem.to_string()))
        })
    }

    /// Waits until all who are named, or so many, have arrived at a meeting point during the last day (`within`).
    /// Returns who is here. A time-out is an error that names who is missing.
    ///
    /// ```rhai
    /// arrive("2.0.0 in Test", "shop");
    /// wait_arrivals("2.0.0 in Test", ["shop"], #{timeout: "2h"});
    /// ```
    fn wait_arrivals(host: Host, name: String, who: Dynamic; options: ArrivalOptions) -> "list of texts" raises "timeout, request" {
        checked("wait_arrivals", "name of a meeting point", &name)?;
        let expected = Expected::read(who)?;
        let how = ConditionOptions { timeout: options.timeout, every: options.every, ..ConditionOptions::default() };
        let here = condition(&host, &format!("arrivals at `{name}`"), &how, || {
            let look = |_| {
                let found = host.cell(&format!("arrive/{name}")).raise()?.unwrap_or_default();
                let all: Arrivals = serde_json::from_value(found).unwrap_or_default();
                let now = host.clock.now();
                let here: Vec<String> = all.into_iter().filter(|(_, at)| later(*at, options.within) > now).map(|(who, _)| who).collect();
                Ok((here.clone(), json!(here)))
            };
            let here = host.waited("arrivals", json!({"name": name}), look, |record| Ok(serde_json::from_value(record.clone()).unwrap_or_default()))?;
            Ok(expected.missing(&here).map_or(Ok(here), Err))
        })?;
        Ok(here.into_iter().map(Dynamic::from).collect::<Array>())
    }
}
