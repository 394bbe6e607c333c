//! Errors on their way through a script: how ours become values that `catch` sees, and how we get them back.
//!
//! A thrown value is a map, `#{kind, message, help?, ...facts}`. A map rather than a type of ours, because scripts throw maps of their
//! own too: `err.kind` on one of those is `()` and not another error.

use crate::{
    error::{Class, Error, Kind},
    json::JsonSlice,
    secrets::{Redactor, Secret},
};
use parking_lot::RwLock;
use rhai::{Dynamic, EvalAltResult, Map, Position};
use serde_json::Value;
use std::{any::TypeId, cell::RefCell, collections::BTreeMap, fmt::Write as _, sync::Arc};

/// The result of every function that scripts can call.
pub type HostResult<T> = Result<T, Box<EvalAltResult>>;

/// What a terminated script carries; scripts cannot catch it.
#[derive(Clone)]
struct Terminated {
    error: Error,
    /// The script ended itself, and all is well.
    exit: bool,
    /// File and place of the call that ended it: Rhai forgets the place of such an error where it leaves a closure.
    place: Option<(String, Position)>,
}

thread_local! {
    /// What a function of the library ended the script of this thread with. Rhai's own functions of lists wrap it into an error that `catch`
    /// takes for one of the script's, so it is raised again until it has come out.
    static ENDING: RefCell<Option<Dynamic>> = const { RefCell::new(None) };
}

/// Turns an error of ours into what a native function returns. Rhai fills in the position of the call.
pub fn raise(error: Error) -> Box<EvalAltResult> {
    if !error.stops() && error.kind().class() != Class::End {
        EvalAltResult::ErrorRuntime(Dynamic::from_map(to_map(&error)), Position::NONE).into()
    } else {
        EvalAltResult::ErrorTerminated(token(error), Position::NONE).into()
    }
}

impl From<Error> for Box<EvalAltResult> {
    fn from(error: Error) -> Self {
        raise(error)
    }
}

/// What `on_progress` returns to end a script; [`ours`] finds `error` again.
pub(in crate::engine) fn token(error: Error) -> Dynamic {
    Dynamic::from(Terminated { error, exit: false, place: None })
}

/// The same, remembered until it has come out, see [`ending`].
pub(in crate::engine) fn end(error: Error) -> Dynamic {
    let token = token(error);
    ENDING.set(Some(token.clone()));
    token
}

/// What `exit()` returns. To whoever keeps a record of it, the work it came out of was cancelled.
pub fn exit() -> Box<EvalAltResult> {
    let error = Error::new(Kind::Cancelled, "the script ended itself with `exit()`");
    EvalAltResult::ErrorTerminated(Dynamic::from(Terminated { error, exit: true, place: None }), Position::NONE).into()
}

/// Notes where the call is that ended the script, unless that is known.
pub(in crate::engine) fn placed<T>(mut result: HostResult<T>, file: &str, position: Position) -> HostResult<T> {
    fn place(error: &mut EvalAltResult, file: &str, at: Position) {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => place(inner, file, at),
            EvalAltResult::ErrorTerminated(token, _) => {
                if let Some(mut token) = token.write_lock::<Terminated>() {
                    token.place.get_or_insert_with(|| (file.to_owned(), at));
                }
            }
            _ => {}
        }
    }
    if let Err(error) = &mut result {
        place(error, file, position);
    }
    result
}

/// Puts another error of ours in the place of one, and leaves what is known about where it happened.
pub fn put(error: &mut EvalAltResult, changed: Error) {
    if let EvalAltResult::ErrorTerminated(token, _) = error
        && let Some(mut token) = token.write_lock::<Terminated>()
    {
        token.error = changed;
        return;
    }
    let at = error.position();
    *error = *raise(changed);
    error.set_position(at);
}

/// Takes secrets out of an error of ours: its text is for people, wherever the script sends it.
pub(in crate::engine) fn cleaned<T>(mut result: HostResult<T>, secrets: Option<&Redactor>, arguments: &[&mut Dynamic]) -> HostResult<T> {
    if let (Err(error), Some(secrets)) = (&mut result, secrets)
        && let Some(known) = ours(error)
    {
        let mut given = Vec::new();
        for argument in arguments {
            texts_in(argument, &mut given);
        }
        let clean = secrets.clean_call_error(known.clone(), &given);
        if clean.to_record() != known.to_record() {
            put(error, clean);
        }
    }
    result
}

/// The texts in a value.
fn texts_in(value: &Dynamic, found: &mut Vec<String>) {
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        found.push(text.to_string());
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        items.iter().for_each(|item| texts_in(item, found));
    } else if let Some(map) = value.read_lock::<Map>() {
        map.values().for_each(|item| texts_in(item, found));
    }
}

/// The same error with what helps.
pub fn helped(mut error: Box<EvalAltResult>, hint: String) -> Box<EvalAltResult> {
    if let Some(known) = ours(&error) {
        put(&mut error, known.help(hint));
    }
    error
}

/// File and place of the call that ended the script.
pub(in crate::engine) fn place(error: &EvalAltResult) -> Option<(String, Position)> {
    match error {
        EvalAltResult::ErrorTerminated(token, _) => token.read_lock::<Terminated>()?.place.clone(),
        _ => None,
    }
}

/// Whether this is `exit()` on its way out.
pub fn is_exit(error: &EvalAltResult) -> bool {
    matches!(innermost(error), EvalAltResult::ErrorTerminated(token, _) if token.read_lock::<Terminated>().is_some_and(|t| t.exit))
}

/// The door out of functions of the library: what ends the script is remembered, see [`ending`].
pub(in crate::engine) fn leaving<T>(result: HostResult<T>) -> HostResult<T> {
    if let Err(error) = &result
        && let EvalAltResult::ErrorTerminated(token, _) = innermost(error)
    {
        ENDING.set(Some(token.clone()));
    }
    result
}

/// What the script of this thread was ended with, if it has not come out yet.
pub(in crate::engine) fn ending() -> Option<Dynamic> {
    ENDING.with_borrow(Clone::clone)
}

/// The same, which is now up to the caller.
pub(in crate::engine) fn come_out() -> Option<Dynamic> {
    ENDING.take()
}

/// `result.map_err(raise)` for the many places that need just that.
pub trait Raise<T> {
    /// Turns our error into Rhai's.
    fn raise(self) -> HostResult<T>;
}

impl<T> Raise<T> for crate::error::Result<T> {
    fn raise(self) -> HostResult<T> {
        self.map_err(raise)
    }
}

/// The fact that names an environment: as JSON spells it, and as scripts do (`ctx.env`, `task.env`).
const ENVIRONMENT: (&str, &str) = ("environment", "env");

/// The value that `catch (err)` sees for `error`.
pub fn to_map(error: &Error) -> Map {
    let (in_json, in_scripts) = ENVIRONMENT;
    let mut map = Map::new();
    for (name, value) in error.facts() {
        let name = if name == in_json { in_scripts } else { name };
        map.insert(name.into(), to_dynamic(value));
    }
    map.insert("kind".into(), error.kind().name().into());
    map.insert("message".into(), error.message().to_owned().into());
    if !error.hints().is_empty() {
        map.insert("help".into(), error.hints().join("\n").into());
    }
    map
}

/// Our error inside a Rhai error, if there is one: thrown by us (perhaps caught and thrown again), or terminated by us.
pub fn ours(error: &EvalAltResult) -> Option<Error> {
    match innermost(error) {
        EvalAltResult::ErrorRuntime(value, _) => from_value(value),
        EvalAltResult::ErrorTerminated(token, _) => token.read_lock::<Terminated>().map(|t| t.error.clone()),
        _ => None,
    }
}

/// Our error in a value that a script caught (or threw again).
pub fn from_value(value: &Dynamic) -> Option<Error> {
    let map = value.read_lock::<Map>()?;
    let kind = map.get("kind")?.clone().into_string().ok()?;
    let kind = *Kind::ALL.iter().find(|k| k.name() == kind)?;
    let message = map.get("message").map(ToString::to_string).unwrap_or_default();
    let mut error = Error::new(kind, message);
    for (name, value) in map.iter() {
        match name.as_str() {
            "kind" | "message" => {}
            "help" => error = hints(&value.to_string()).into_iter().fold(error, Error::help),
            name if name == ENVIRONMENT.1 => error = error.with(ENVIRONMENT.0, to_json(value)),
            name => error = error.with(name, to_json(value)),
        }
    }
    Some(error)
}

/// The hints that [`to_map`] joined. A line that begins with a blank belongs to the one before it.
fn hints(help: &str) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    for line in help.split('\n') {
        match hints.last_mut() {
            Some(last) if line.starts_with(' ') => last.extend(["\n", line]),
            _ => hints.push(line.to_owned()),
        }
    }
    hints
}

/// Walks through `in call to function ...` wrappers to the error that started it.
pub fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}

/// Whether scripts cannot catch this error.
pub fn is_final(error: &EvalAltResult) -> bool {
    matches!(innermost(error), EvalAltResult::ErrorTerminated(..))
}

/// Whether this ends the run as it stands: nothing is undone because of it, nothing tidied up, nothing tried again.
pub fn stops(error: &EvalAltResult) -> bool {
    let stops = |token: &Terminated| !token.exit && token.error.stops();
    matches!(innermost(error), EvalAltResult::ErrorTerminated(token, _) if token.read_lock::<Terminated>().is_some_and(|token| stops(&token)))
}

/// The message for people: ours, or what the script threw itself, in its own words.
pub fn message(error: &EvalAltResult) -> String {
    match (ours(error), innermost(error)) {
        (Some(error), _) => error.message().to_owned(),
        (None, EvalAltResult::ErrorRuntime(value, _)) => shown(value),
        (None, other) => other.to_string(),
    }
}

/// JSON as a script value. Whole numbers that fit become integers.
pub fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => n.as_i64().map_or_else(|| n.as_f64().unwrap_or_default().into(), Into::into),
        Value::String(s) => s.clone().into(),
        Value::Array(items) => items.iter().map(to_dynamic).collect::<rhai::Array>().into(),
        Value::Object(members) => members.iter().map(|(k, v)| (k.as_str().into(), to_dynamic(v))).collect::<Map>().into(),
    }
}

/// The script value of a JSON text, without a tree of values between them: a document may be as large as a script's memory allows.
pub fn read_dynamic(json: JsonSlice<'_>) -> Dynamic {
    if let Some(text) = json.text() {
        text.into_owned().into()
    } else if let Some(items) = json.items() {
        items.map(read_dynamic).collect::<rhai::Array>().into()
    } else if let Some(members) = json.members() {
        members.map(|(name, value)| (name.as_ref().into(), read_dynamic(value))).collect::<Map>().into()
    } else {
        to_dynamic(&json.tree())
    }
}

/// No more levels of a value are shown or written: beyond them is nothing that a script can make.
const LEVELS: usize = 256;

/// A script value as JSON. A value of a type that JSON lacks becomes the text that `print` shows.
pub fn to_json(value: &Dynamic) -> Value {
    json_within(value, LEVELS)
}

fn json_within(value: &Dynamic, levels: usize) -> Value {
    if levels == 0 {
        "...".into()
    } else if value.is_unit() {
        Value::Null
    } else if let Ok(b) = value.as_bool() {
        b.into()
    } else if let Ok(i) = value.as_int() {
        i.into()
    } else if let Ok(f) = value.as_float() {
        serde_json::Number::from_f64(f).map_or(Value::Null, Value::Number)
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        items.iter().map(|item| json_within(item, levels - 1)).collect()
    } else if let Some(map) = value.read_lock::<Map>() {
        Value::Object(map.iter().map(|(k, v)| (k.to_string(), json_within(v, levels - 1))).collect())
    } else {
        shown(value).into()
    }
}

/// What helps where a text was wanted and a secret was given.
pub const REVEAL: &str = "`.reveal()` gives its text";

/// Whether a value is a secret, or a list or map that holds one.
pub fn holds_secret(value: &Dynamic) -> bool {
    if value.is::<Secret>() {
        return true;
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.iter().any(holds_secret);
    }
    value.read_lock::<Map>().is_some_and(|map| map.values().any(holds_secret))
}

type Display = Arc<dyn Fn(&Dynamic) -> Option<String> + Send + Sync>;

/// How values of our own types print, by type: Rhai prints the name of the Rust type. Filled once for each type when a
/// library is built, the same for all runs.
static DISPLAYS: RwLock<BTreeMap<TypeId, Display>> = RwLock::new(BTreeMap::new());

/// Says that values of type `T` print as `T` displays.
pub fn prints<T: std::fmt::Display + Clone + Send + Sync + 'static>() {
    prints_as::<T>(ToString::to_string);
}

/// Says how values of type `T` print.
pub fn prints_as<T: Clone + Send + Sync + 'static>(show: fn(&T) -> String) {
    let show = move |value: &Dynamic| value.clone().try_cast::<T>().map(|v| show(&v));
    DISPLAYS.write().insert(TypeId::of::<T>(), Arc::new(show));
}

/// A value as `print` shows it, our own types too.
pub fn shown(value: &Dynamic) -> String {
    let mut text = String::new();
    show(value, &mut text, LEVELS, false);
    without_closures(text)
}

/// `quoted` is what is inside of a map: texts stand in quotes there.
fn show(value: &Dynamic, text: &mut String, levels: usize, quoted: bool) {
    let display = DISPLAYS.read().get(&value.type_id()).cloned();
    if let Some(own) = display.and_then(|display| display(value)) {
        text.push_str(&own);
    } else if levels == 0 {
        text.push_str("...");
    } else if let Some(items) = value.read_lock::<rhai::Array>() {
        text.push('[');
        for (index, item) in items.iter().enumerate() {
            text.push_str(if index > 0 { ", " } else { "" });
            show(item, text, levels - 1, quoted);
        }
        text.push(']');
    } else if let Some(map) = value.read_lock::<Map>() {
        text.push_str("#{");
        for (index, (name, item)) in map.iter().enumerate() {
            let _never_fails = write!(text, "{}{name:?}: ", if index > 0 { ", " } else { "" });
            show(item, text, levels - 1, true);
        }
        text.push('}');
    } else if let Some(closure) = value.read_lock::<rhai::FnPtr>() {
        text.push_str(&closure.to_string());
    } else if quoted {
        let _never_fails = write!(text, "{value:?}");
    } else {
        let _never_fails = write!(text, "{value}");
    }
}

/// Rhai shows a closure as `Fn(anon$0123456789abcdef)` or `Fn*("anon$...")`, by a name that is one by chance.
pub(in crate::engine) fn without_closures(mut text: String) -> String {
    while let Some(name) = text.find("anon$")
        && let Some(start) = text[..name].trim_end_matches(['"', '(', '*']).strip_suffix("Fn").map(str::len)
        && let Some(length) = text[name..].find(')')
    {
        text.replace_range(start..=name + length, "closure");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_of_an_error_is_env_in_scripts_only() {
        let map = to_map(&Error::new(Kind::Failed, "no").with("environment", "Test"));
        assert_eq!(map["env"].to_string(), "Test");
        assert!(!map.contains_key("environment"));
        let back = from_value(&Dynamic::from_map(map)).expect("ours");
        assert_eq!((back.fact("environment"), back.fact("env")), (Some(&"Test".into()), None));
    }

    #[test]
    fn a_thrown_error_comes_back_with_its_facts() {
        let error = Error::new(Kind::Timeout, "it took too long")
            .with("open_tasks", vec!["ServerTasks-1"])
            .help("give it more")
            .help("it is: `a`\n   or: `b`")
            .help("or less");
        let back = ours(&raise(error)).expect("ours");
        assert_eq!(back.kind(), Kind::Timeout);
        assert_eq!(back.fact("open_tasks"), Some(&serde_json::json!(["ServerTasks-1"])));
        assert_eq!(back.hints(), ["give it more", "it is: `a`\n   or: `b`", "or less"]);
    }

    #[test]
    fn a_closure_is_shown_without_its_name() {
        let value = rhai::Engine::new().eval::<Dynamic>("#{a: |x| x, b: [|| 1]}").expect("a map");
        assert_eq!(shown(&value), r#"#{"a": closure, "b": [closure]}"#);
    }

    #[test]
    fn scripts_cannot_swallow_a_cancellation() {
        let mut engine = rhai::Engine::new();
        engine.register_fn("stop", || -> HostResult<()> { Err(raise(Error::new(Kind::Cancelled, "cancelled"))) });
        let error = engine.eval::<i64>("try { stop(); } catch { } 1").expect_err("not caught");
        assert_eq!(ours(&error).map(|e| e.kind()), Some(Kind::Cancelled));
    }
}
