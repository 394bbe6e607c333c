//! A call that a script makes: what a function of the library receives of it, and the frame that the call carries.
//!
//! A function that only needs the run takes a [`Host`]; one that calls closures of the script takes a [`ScriptCall`], which is a host as well.
//! Calls that a closure makes begin with the frame of the function that called it: they work in its space and within its limits.

use super::prelude::*;
use super::{space::Space, time_limit::Limit};
use crate::{
    engine::{
        branch,
        library::{Call, OfCall},
    },
    journal::Step,
};
use rhai::FuncArgs;

/// What one call carries. All copies of the [`Host`] that the call works with share it.
pub struct CallFrame {
    /// The branch of the script: empty for the main one, see [`branch`].
    pub(super) branch: String,
    /// Server and space that functions mean.
    pub(super) place: Space,
    /// The function, and what it was called with; none outside of the script.
    pub(super) function: Option<(&'static str, Arc<[Dynamic]>)>,
    /// The wait that the call is inside of, as its record has it.
    pub(super) wait: Mutex<Option<Step>>,
    /// Why the call is about to wait: told, and the wait has not begun.
    pub(super) reason: Mutex<Option<Value>>,
    now: Mutex<FrameState>,
}

/// What holds for a part of a call.
#[derive(Clone, Default)]
pub(super) struct FrameState {
    /// Inside of a step of the record.
    in_step: bool,
    /// What happens has happened before.
    again: bool,
    /// Limits that the call works within, the innermost last.
    pub(super) limits: Vec<Limit>,
    /// The end of the wait that the call is in the middle of: its requests are tried as long.
    pub(super) patient_until: Option<Timestamp>,
}

/// Puts a frame back into the state it had before when it is dropped.
pub(super) struct FrameChanged<'f> {
    frame: &'f CallFrame,
    before: FrameState,
}

impl Drop for FrameChanged<'_> {
    fn drop(&mut self) {
        *self.frame.now.lock() = std::mem::take(&mut self.before);
    }
}

impl CallFrame {
    /// The frame of what belongs to the run and not to a call.
    pub(super) fn of_run(place: Space) -> Self {
        Self { branch: String::new(), place, function: None, wait: Mutex::default(), reason: Mutex::default(), now: Mutex::default() }
    }

    /// The frame of a call that this one makes.
    fn within(&self, branch: String, place: Space, function: Option<(&'static str, Arc<[Dynamic]>)>) -> Self {
        Self { branch, function, now: Mutex::new(self.state()), ..Self::of_run(place) }
    }

    /// What holds now.
    pub(super) fn state(&self) -> FrameState {
        self.now.lock().clone()
    }

    /// Changes what holds, until the returned value is dropped.
    #[must_use = "the change ends when this is dropped"]
    pub(super) fn change(&self, change: impl FnOnce(&mut FrameState)) -> FrameChanged<'_> {
        let mut now = self.now.lock();
        let before = now.clone();
        change(&mut now);
        FrameChanged { frame: self, before }
    }

    /// Enters a step of the record; with `again` it has happened before.
    #[must_use = "the step ends when this is dropped"]
    pub(super) fn step(&self, again: bool) -> FrameChanged<'_> {
        self.change(|now| {
            now.in_step = true;
            now.again |= again;
        })
    }

    /// Whether the call is inside of a step of the record.
    pub(super) fn is_in_step(&self) -> bool {
        self.now.lock().in_step
    }

    /// Whether the call is inside of a step that has happened before.
    pub(super) fn is_again(&self) -> bool {
        self.now.lock().again
    }
}

impl Host {
    fn with_frame(self, frame: CallFrame) -> Self {
        Self { frame: Arc::new(frame), ..self }
    }

    /// The host for functions that are called as methods of a space.
    #[must_use]
    pub fn in_place(self, place: Space) -> Self {
        let frame = self.frame.within(self.frame.branch.clone(), place, None);
        self.with_frame(frame)
    }

    /// The host of the branch that this thread works for. Rhai's hook for `print` is not told which call prints.
    #[must_use]
    pub fn of_this_branch(&self) -> Self {
        let frame = self.frame.within(branch(), self.place(), None);
        self.clone().with_frame(frame)
    }

    /// Server and space that the call means.
    pub fn place(&self) -> Space {
        self.frame.place.clone()
    }

    /// Does something for a wait that ends then: its requests are tried as long, when that is longer than usual.
    pub(super) fn patiently<T>(&self, until: Timestamp, work: impl FnOnce() -> T) -> T {
        let _back = self.frame.change(|now| now.patient_until = Some(now.patient_until.map_or(until, |outer| outer.max(until))));
        work()
    }
}

impl OfCall<'_> for Host {
    fn of_call(call: &Call<'_>) -> HostResult<Self> {
        let outer: Option<Self> = call.state();
        let outer = outer.ok_or_else(|| Error::bug(format!("`{}` was called in an engine without a host", call.function))).raise()?;
        let frame = outer.frame.within(branch(), outer.place(), Some((call.function, call.arguments.clone())));
        Ok(outer.with_frame(frame))
    }
}

/// A call of a function that calls back.
pub struct ScriptCall<'c> {
    call: &'c Call<'c>,
    host: Host,
}

impl<'c> OfCall<'c> for ScriptCall<'c> {
    fn of_call(call: &'c Call<'c>) -> HostResult<Self> {
        Ok(Self { call, host: Host::of_call(call)? })
    }
}

impl std::ops::Deref for ScriptCall<'_> {
    type Target = Host;
    fn deref(&self) -> &Host {
        &self.host
    }
}

impl<'c> ScriptCall<'c> {
    /// Name of the function.
    pub fn function(&self) -> &'static str {
        self.call.function
    }

    /// Calls a closure of the script. An error that Rhai raised in it comes back as one of ours.
    pub fn closure(&self, closure: &FnPtr, args: impl FuncArgs) -> HostResult<Dynamic> {
        self.call.closure_with(Dynamic::from(self.host.clone()), closure, args)
    }

    /// Does what must be done also when the run has used up what it may, see [`Call::tidying`].
    pub fn tidying<T>(&self, work: impl FnOnce() -> T) -> T {
        self.call.tidying(work)
    }

    /// The call as the engine made it.
    pub fn engine_call(&self) -> &'c Call<'c> {
        self.call
    }
}
