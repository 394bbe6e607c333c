//! What functions find with each call of theirs, and how they call a closure of the script.

use super::{
    meter::Meter,
    sizes::Sizes,
    thrown::{self, HostResult},
};
use crate::secrets::Redactor;
use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, FuncArgs, NativeCallContext, Position};
use std::sync::Arc;

/// Puts errors into words of ours.
pub(super) trait Reword: Send + Sync {
    /// Puts our error in the place of an error of Rhai's own that came out of a closure of `file`.
    fn reword(&self, error: &mut EvalAltResult, file: &str, engine: &Engine);
}

/// The tag of a call.
#[derive(Clone)]
pub(super) struct Tag {
    /// The run's own, see [`Config::state`](super::Config::state).
    pub(super) state: Dynamic,
    pub(super) secrets: Redactor,
    pub(super) words: Arc<dyn Reword>,
    pub(super) meter: Arc<Meter>,
    pub(super) sizes: Sizes,
}

impl Tag {
    /// What is asked of the tag of a call; an engine without an interpreter has none, in tests.
    pub(super) fn with<T>(context: &NativeCallContext, look: impl FnOnce(&Self) -> T) -> Option<T> {
        context.tag()?.read_lock::<Self>().map(|tag| look(&tag))
    }

    /// A copy of the tag of a call.
    pub(super) fn of(context: &NativeCallContext) -> Option<Self> {
        Self::with(context, Self::clone)
    }
}

/// Calls a closure of the script; what goes wrong in it comes out as an error of ours, or as what the script threw.
pub(super) fn call(context: &NativeCallContext, closure: &FnPtr, args: impl FuncArgs) -> HostResult<Dynamic> {
    let result = closure.call_within_context(context, args);
    // The caller has it in the error.
    let ending = thrown::come_out();
    let tag = Tag::of(context);
    let result = match (result, ending) {
        (Ok(_), Some(ending)) => Err(EvalAltResult::ErrorTerminated(ending, Position::NONE).into()),
        (Ok(value), None) => tag.as_ref().map_or(Ok(()), |tag| tag.sizes.check_all(&value)).map(|()| value),
        (Err(error), _) => Err(error),
    };
    result.map_err(|mut error| {
        if let Some(tag) = &tag {
            error = bounded(tag.sizes, error);
        }
        // What was too big has been told in the error.
        thrown::come_out();
        if let Some(tag) = tag {
            tag.words.reword(&mut error, context.call_source().unwrap_or_default(), context.engine());
        }
        error
    })
}

/// [`call`] with another [`Tag::state`] for what the closure calls.
pub(super) fn call_with(context: &NativeCallContext, state: Dynamic, closure: &FnPtr, args: impl FuncArgs) -> HostResult<Dynamic> {
    let Some(tag) = Tag::of(context) else { return call(context, closure, args) };
    let mut global = context.global_runtime_state().clone();
    global.tag = Dynamic::from(Tag { state, ..tag });
    let (name, source, position) = (context.fn_name(), context.fn_source(), context.call_position());
    call(&NativeCallContext::new_with_all_fields(context.engine(), name, source, &global, position), closure, args)
}

/// The same error, unless it carries a value that is too big or too deep to be handed on.
#[allow(clippy::unnecessary_box_returns, reason = "errors of Rhai are handed on in boxes")]
pub(super) fn bounded(sizes: Sizes, error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    match thrown::innermost(&error) {
        EvalAltResult::ErrorRuntime(value, position) => match sizes.check_all(value) {
            Ok(()) => error,
            Err(mut too_big) => {
                too_big.set_position(*position);
                too_big
            }
        },
        _ => error,
    }
}
