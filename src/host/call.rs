//! A call that a script makes: what a function of the library receives of it.
//!
//! A function that only needs the run takes a [`Host`]; one that calls closures of the script takes a [`ScriptCall`], which is a host as well.

use super::Host;
use crate::{
    engine::{
        library::{Call, OfCall},
        thrown::{HostResult, Raise},
    },
    error::Error,
};
use rhai::{Dynamic, FnPtr, FuncArgs};

impl OfCall<'_> for Host {
    fn of_call(call: &Call<'_>) -> HostResult<Self> {
        call.state().ok_or_else(|| Error::bug(format!("`{}` was called in an engine without a host", call.function))).raise()
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
        self.call.closure(closure, args)
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
