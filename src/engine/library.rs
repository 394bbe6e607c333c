//! What scripts can call: a function's name, parameters, prose, example and code declared in one place.
//!
//! [`functions!`](crate::functions) and [`script_type!`](crate::script_type) register native code with Rhai and keep the
//! documentation beside it; help, completion, reference and the "did you mean" of error messages read it from [`Docs`].
//!
//! All parameters are registered as "anything": the conversion is ours, so that a wrong argument is told in the words of
//! the documentation (`` `wait`: argument `tasks` must be ... ``) and not as an unknown overload.

use super::{
    compare::{self, Comparison, Meaning},
    options::{OptionDoc, OptionValue, Takes},
    tag,
    thrown::{self, HostResult, raise, read_dynamic, to_dynamic},
    words::counted,
};
use crate::{
    error::{Error, Kind, suggestion},
    json::JsonText,
};
use parking_lot::RwLock;
use rhai::{Dynamic, FnPtr, FuncArgs, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};
use serde_json::Value;
use std::{any::TypeId, collections::BTreeMap, sync::Arc};

/// One parameter as documentation shows it.
#[derive(Clone, Copy, Debug)]
pub struct ParamDoc {
    /// Name of the parameter.
    pub name: &'static str,
    /// What it may be.
    pub takes: Takes,
    /// Whether a call may leave it out.
    pub optional: bool,
    /// The keys of the map, when it is an options map.
    pub options: &'static [OptionDoc],
}

/// A function that scripts can call.
#[derive(Clone, Copy, Debug)]
pub struct FunctionDoc {
    /// Name by which scripts call it, e.g. `deploy`.
    pub name: &'static str,
    /// The help group, e.g. `act`.
    pub group: &'static str,
    /// The type it is a method of, e.g. `Task`.
    pub receiver: Option<&'static str>,
    /// Its parameters, without the receiver.
    pub params: &'static [ParamDoc],
    /// What it returns, in words of users.
    pub returns: &'static str,
    /// The kinds of error it may raise besides `script` for a wrong argument, separated by commas; `request` stands for those of each
    /// request to the server, `closure` for what a closure that it calls raises.
    pub raises: &'static str,
    /// The doc comment: prose and one example in a fence marked `rhai`.
    pub doc: &'static str,
}

impl FunctionDoc {
    /// E.g. `deploy(project, version, env, #{...}) -> Task`; an argument in brackets may be left out, an options map always.
    pub fn signature(&self) -> String {
        let shown = |param: &ParamDoc| match (param.options.is_empty(), param.optional) {
            (false, _) => "#{...}".to_owned(),
            (true, true) => format!("[{}]", param.name),
            (true, false) => param.name.to_owned(),
        };
        let params: Vec<String> = self.params.iter().map(shown).collect();
        let receiver = self.receiver.map(|r| format!("{}.", r.to_lowercase())).unwrap_or_default();
        format!("{receiver}{}({}) -> {}", self.name, params.join(", "), self.returns)
    }

    /// How many arguments a call has: at least, at most.
    pub fn counts(&self) -> (usize, usize) {
        (self.params.iter().filter(|p| !p.optional).count(), self.params.len())
    }
}

/// A property of a type.
#[derive(Clone, Copy, Debug)]
pub struct PropertyDoc {
    /// Name behind the dot, e.g. `state`.
    pub name: &'static str,
    /// Its type, in words of users.
    pub kind: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Whether reading it may ask the server: its code takes the call.
    pub asks: bool,
}

/// A type of values that functions return.
#[derive(Clone, Copy, Debug)]
pub struct TypeDoc {
    /// Its name, e.g. `Task`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its properties.
    pub properties: &'static [PropertyDoc],
    /// The properties that a report shows as columns unless told otherwise; without any a value is shown as `print` shows it.
    pub columns: &'static [&'static str],
}

/// The surroundings of one call.
pub struct Call<'a> {
    /// Rhai's view of the call.
    pub ctx: NativeCallContext<'a>,
    /// The name of the function.
    pub function: &'static str,
    /// What it was called with, the value before the dot included.
    pub arguments: Arc<[Dynamic]>,
    /// What the call finds instead of its tag's state, see [`LibraryBuilder::also_on`].
    state: Option<Dynamic>,
}

impl<'a> Call<'a> {
    fn new(ctx: NativeCallContext<'a>, function: &'static str, arguments: &[Dynamic]) -> Self {
        Self { ctx, function, arguments: arguments.into(), state: None }
    }

    /// Calls a closure of the script. An error that Rhai raised in it comes back as one of ours.
    pub fn closure(&self, closure: &FnPtr, args: impl FuncArgs) -> HostResult<Dynamic> {
        tag::call(&self.ctx, closure, args)
    }

    /// [`Call::closure`], in which calls find `state` as [`Call::state`].
    pub fn closure_with(&self, state: Dynamic, closure: &FnPtr, args: impl FuncArgs) -> HostResult<Dynamic> {
        tag::call_with(&self.ctx, state, closure, args)
    }

    /// Does what must be done also when the run has used up what it may: an undo, tidying up. It may use up a part of a reserve.
    pub fn tidying<T>(&self, work: impl FnOnce() -> T) -> T {
        match tag::Tag::with(&self.ctx, |tag| tag.meter.clone()) {
            Some(meter) => meter.tidying(work),
            None => work(),
        }
    }

    /// What the run gave to its interpreter, see [`Config::state`](super::Config::state), or the function to its closure that makes this call.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let state = self.state.clone().or_else(|| tag::Tag::with(&self.ctx, |tag| tag.state.clone()));
        state?.try_cast()
    }
}

/// What the code of a function or of a property receives of its call: a type that a library declares behind a colon, `fn wait(host: Host, ...)`.
pub trait OfCall<'c>: Sized {
    /// From the call.
    ///
    /// # Errors
    /// A defect of ours: an engine without what its library needs.
    fn of_call(call: &'c Call<'c>) -> HostResult<Self>;
}

/// A value on its way to the script.
pub trait Give {
    /// As a script value. "Nothing" is `()`.
    fn give(self) -> Dynamic;
}

macro_rules! give_as_is {
    ($($type:ty),*) => { $(impl Give for $type { fn give(self) -> Dynamic { self.into() } })* };
}
give_as_is!(bool, i64, f64, String, &str, FnPtr, rhai::Array, rhai::Map);

impl Give for () {
    fn give(self) -> Dynamic {
        Dynamic::UNIT
    }
}

impl Give for Dynamic {
    fn give(self) -> Dynamic {
        self
    }
}

impl Give for Value {
    fn give(self) -> Dynamic {
        to_dynamic(&self)
    }
}

impl Give for JsonText {
    fn give(self) -> Dynamic {
        read_dynamic(self.json())
    }
}

impl Give for jiff::SignedDuration {
    fn give(self) -> Dynamic {
        Dynamic::from(self)
    }
}

impl Give for Arc<str> {
    fn give(self) -> Dynamic {
        (*self).into()
    }
}

impl<T: Give> Give for Option<T> {
    fn give(self) -> Dynamic {
        self.map_or(Dynamic::UNIT, Give::give)
    }
}

impl<T: Give> Give for Vec<T>
where
    Vec<T>: NotArray,
{
    fn give(self) -> Dynamic {
        self.into_iter().map(Give::give).collect::<rhai::Array>().into()
    }
}

/// Keeps `Vec<T>` and `Array` (a `Vec<Dynamic>`) apart.
pub trait NotArray {}
impl NotArray for Vec<String> {}
impl<T: Scripted> NotArray for Vec<T> {}

/// A type made by [`script_type!`](crate::script_type).
pub trait Scripted: Meaning + std::fmt::Display {
    /// Its documentation.
    const DOC: TypeDoc;
    /// One property; `None` when there is none of that name.
    fn property(&self, call: &Call<'_>, name: &str) -> Option<HostResult<Dynamic>>;
}

impl<T: Scripted> Give for T {
    fn give(self) -> Dynamic {
        Dynamic::from(self)
    }
}

/// The code of a function: arguments in, value out.
pub type Body = fn(&Call<'_>, &mut Arguments) -> HostResult<Dynamic>;

/// The arguments of one call, taken one after the other.
pub struct Arguments {
    function: &'static str,
    values: std::vec::IntoIter<Dynamic>,
}

impl Arguments {
    /// The value before the dot: Rhai has checked its type already.
    pub fn receiver<T: Scripted>(&mut self) -> HostResult<T> {
        let value = self.values.next().and_then(Dynamic::try_cast);
        value.ok_or_else(|| raise(Error::bug(format!("`{}` was called without a {}", self.function, T::DOC.name))))
    }

    /// The next argument; an optional one that was left out reads as `()`.
    pub fn next<T: OptionValue>(&mut self, name: &'static str) -> HostResult<T> {
        T::argument(self.function, name, self.values.next().unwrap_or(Dynamic::UNIT))
    }
}

/// Everything scripts can call, ready for engines: they share it.
#[derive(Clone, Default)]
pub struct Library {
    module: Shared<Module>,
    docs: Arc<Docs>,
}

impl Library {
    /// What is known about it.
    pub fn docs(&self) -> &Arc<Docs> {
        &self.docs
    }

    /// The module that holds it all.
    pub fn module(&self) -> Shared<Module> {
        self.module.clone()
    }
}

/// A library that is being put together.
#[derive(Default)]
pub struct LibraryBuilder {
    module: Module,
    bodies: Vec<(FunctionDoc, Body)>,
    docs: Docs,
}

/// What a library says about itself.
#[derive(Clone, Debug, Default)]
pub struct Docs {
    /// All functions in order of declaration.
    pub functions: Vec<FunctionDoc>,
    /// All types in order of declaration.
    pub types: Vec<TypeDoc>,
    /// The types that have every function as a method too, see [`LibraryBuilder::also_on`].
    pub places: Vec<&'static str>,
}

impl LibraryBuilder {
    /// A library without functions and types.
    pub fn new() -> Self {
        Self::default()
    }

    /// The library, ready for engines.
    pub fn build(mut self) -> Library {
        self.module.build_index();
        Library { module: self.module.into(), docs: self.docs.into() }
    }

    /// Adds a function under all numbers of arguments it may have. `receiver` is the type of the value before the dot.
    pub fn function(&mut self, doc: FunctionDoc, receiver: Option<TypeId>, body: Body) {
        self.overloads(&doc, receiver, move |call, arguments| body(&call, arguments));
        self.docs.functions.push(doc);
        self.bodies.push((doc, body));
    }

    fn overloads(
        &mut self,
        doc: &FunctionDoc,
        receiver: Option<TypeId>,
        body: impl Fn(Call<'_>, &mut Arguments) -> HostResult<Dynamic> + Clone + Send + Sync + 'static,
    ) {
        let (least, most) = doc.counts();
        for count in least..=most {
            let types: Vec<TypeId> = receiver.into_iter().chain(std::iter::repeat_n(TypeId::of::<Dynamic>(), count)).collect();
            let (function, body) = (doc.name, body.clone());
            self.raw(function, &types, move |ctx, args| {
                let sizes = tag::Tag::with(&ctx, |tag| tag.sizes);
                for argument in args.iter() {
                    sizes.map_or(Ok(()), |sizes| sizes.check_all(argument))?;
                }
                let values = args.iter().map(|a| a.flatten_clone()).collect::<Vec<_>>();
                body(Call::new(ctx, function, &values), &mut Arguments { function, values: values.into_iter() })
            });
        }
    }

    /// Makes every function so far also a method of `T`: `enter` makes the state that it then finds. That is how `space("Ops").deploy(...)`
    /// comes about without being written twice.
    pub fn also_on<T: Scripted>(&mut self, enter: fn(T, Dynamic) -> Dynamic) {
        let own = TypeId::of::<T>();
        for (doc, body) in self.bodies.clone() {
            if doc.receiver.is_some() {
                continue;
            }
            self.overloads(&doc, Some(own), move |mut call, arguments| {
                let value = arguments.receiver()?;
                call.state = tag::Tag::with(&call.ctx, |tag| enter(value, tag.state.clone()));
                body(&call, arguments)
            });
            // With one argument less, Rhai would take the value before the dot for the first argument.
            if let (Some(given), most) = (doc.counts().0.checked_sub(1), doc.counts().1) {
                let types: Vec<TypeId> = std::iter::once(own).chain(std::iter::repeat_n(TypeId::of::<Dynamic>(), given)).collect();
                self.raw(doc.name, &types, move |_, _| {
                    let wanted = counted(given + 1..=most);
                    let error = Error::new(Kind::Script, format!("`{}` takes {wanted}, not {given}", doc.name));
                    Err(raise(error.help(format!("it is: `{}`", doc.signature()))))
                });
            }
        }
        self.docs.places.push(T::DOC.name);
    }

    /// Adds a type: its name, its properties, how it prints, what comparisons with it mean, and its columns in reports.
    pub fn scripted<T: Scripted>(&mut self) {
        let own = TypeId::of::<T>();
        self.module.set_custom_type::<T>(T::DOC.name);
        thrown::prints::<T>();
        for property in T::DOC.properties {
            self.raw(&format!("get${}", property.name), &[own], |ctx, args| {
                let value = args[0].flatten_clone();
                let call = Call::new(ctx, property.name, std::slice::from_ref(&value));
                value.cast::<T>().property(&call, property.name).unwrap_or(Ok(Dynamic::UNIT))
            });
        }
        for name in ["to_string", "to_debug", "print", "debug"] {
            self.raw(name, &[own], |_, args| Ok(args[0].flatten_clone().cast::<T>().to_string().into()));
        }
        self.compared::<T>();
        let property = |value: &Dynamic, call: &Call<'_>, name: &str| {
            if value.is_shared() {
                // Not locked while a property asks the server.
                return value.clone().try_cast::<T>()?.property(call, name);
            }
            value.read_lock::<T>()?.property(call, name)
        };
        ROWS.write().insert(own, RowType { doc: T::DOC, property });
        self.describe(T::DOC);
    }

    /// Adds comparisons of a type with itself and with everything else.
    pub fn compared<T: Meaning>(&mut self) {
        compare::know::<T>();
        let (own, any) = (TypeId::of::<T>(), TypeId::of::<Dynamic>());
        for comparison in Comparison::ALL {
            for types in [[own, any], [any, own]] {
                self.operator(comparison, types, Comparison::between::<T>);
            }
        }
    }

    /// Adds comparisons of texts, which may be versions or words of a closed set, and of texts with numbers.
    pub fn compared_texts(&mut self) {
        let text = TypeId::of::<rhai::ImmutableString>();
        for comparison in Comparison::ALL {
            self.operator(comparison, [text, text], |comparison, _, left, right| comparison.between_texts(left, right));
            if !comparison.is_equality() {
                for types in compare::texts_and_numbers() {
                    self.operator(comparison, types, |comparison, _, left, right| comparison.between_text_and_number(left, right));
                }
            }
        }
    }

    fn operator(&mut self, comparison: Comparison, types: [TypeId; 2], holds: Compare) {
        let func = RhaiFunc::Pure {
            func: Arc::new(move |ctx, args| {
                let ctx = ctx.ok_or_else(|| raise(Error::bug(format!("`{}` was called without a context", comparison.sign))))?;
                holds(comparison, ctx.engine(), args[0], args[1]).map(Into::into)
            }),
            has_context: true,
            is_pure: true,
            is_volatile: false,
        };
        FuncRegistration::new(comparison.sign).in_global_namespace().set_into_module_raw(&mut self.module, types, func);
    }

    /// What a type is called in messages.
    pub fn name<T: 'static>(&mut self, name: &'static str) {
        self.module.set_custom_type::<T>(name);
    }

    /// Documents a type whose properties are registered by [`LibraryBuilder::raw`].
    pub fn describe(&mut self, doc: TypeDoc) {
        self.docs.types.push(doc);
    }

    /// Adds native code under exact argument types: operators, and properties of types that are not ours.
    pub fn raw(
        &mut self,
        name: &str,
        types: &[TypeId],
        code: impl Fn(NativeCallContext<'_>, &mut [&mut Dynamic]) -> HostResult<Dynamic> + Send + Sync + 'static,
    ) {
        let func = RhaiFunc::Pure { func: Arc::new(door(name, code)), has_context: true, is_pure: true, is_volatile: true };
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(&mut self.module, types, func);
    }

    /// The same for code that changes its first argument, a variable of the script.
    pub fn raw_changing(
        &mut self,
        name: &str,
        types: &[TypeId],
        code: impl Fn(NativeCallContext<'_>, &mut [&mut Dynamic]) -> HostResult<Dynamic> + Send + Sync + 'static,
    ) {
        let func = RhaiFunc::Method { func: Arc::new(door(name, code)), has_context: true, is_pure: false, is_volatile: true };
        FuncRegistration::new(name).in_global_namespace().set_into_module_raw(&mut self.module, types, func);
    }
}

/// Native code with what each call of it needs: its errors know their place and hold no secret.
fn door(
    name: &str,
    code: impl Fn(NativeCallContext<'_>, &mut [&mut Dynamic]) -> HostResult<Dynamic> + Send + Sync + 'static,
) -> impl Fn(Option<NativeCallContext<'_>>, &mut [&mut Dynamic]) -> HostResult<Dynamic> + Send + Sync + 'static {
    let name = name.to_owned();
    move |ctx, args| {
        let ctx = ctx.ok_or_else(|| raise(Error::bug(format!("`{name}` was called without a context"))))?;
        let (file, position) = (ctx.call_source().unwrap_or_default().to_owned(), ctx.call_position());
        let run = tag::Tag::with(&ctx, |tag| (tag.secrets.clone(), tag.meter.clone()));
        let result = thrown::cleaned(code(ctx, args), run.as_ref().map(|(secrets, _)| secrets), args);
        let result = thrown::leaving(thrown::placed(result, &file, position));
        run.inspect(|(_, meter)| meter.function_returns());
        result
    }
}

type Compare = fn(Comparison, &rhai::Engine, &Dynamic, &Dynamic) -> HostResult<bool>;

/// A type whose values are rows of reports.
#[derive(Clone, Copy)]
struct RowType {
    doc: TypeDoc,
    property: fn(&Dynamic, &Call<'_>, &str) -> Option<HostResult<Dynamic>>,
}

/// All types that were registered, by the type of their values. The same for all runs of the process.
static ROWS: RwLock<BTreeMap<TypeId, RowType>> = RwLock::new(BTreeMap::new());

/// The columns of a value of one of our types: those that are wanted, otherwise those of its type. None when it is a value of another type,
/// or one that is shown as `print` shows it.
pub fn columns<'n>(call: &Call<'_>, value: &Dynamic, wanted: &'n [String]) -> HostResult<Option<Vec<(&'n str, Dynamic)>>> {
    let Some(row) = ROWS.read().get(&value.type_id()).copied() else { return Ok(None) };
    let names: Vec<&'n str> = if wanted.is_empty() { row.doc.columns.to_vec() } else { wanted.iter().map(String::as_str).collect() };
    if names.is_empty() {
        return Ok(None);
    }
    let cell = |name: &'n str| {
        if let Some(property) = (row.property)(value, call, name) {
            return Ok((name, property?));
        }
        let error = Error::new(Kind::Script, format!("a {} has no column `{name}`", row.doc.name));
        Err(raise(suggestion(name, row.doc.properties.iter().map(|p| p.name)).into_iter().fold(error, Error::help)))
    };
    names.into_iter().map(cell).collect::<HostResult<Vec<_>>>().map(Some)
}

/// Declares functions that scripts can call, and `pub fn register(library: &mut LibraryBuilder)` for all of them.
///
/// `fn name(call, required: Type, ...; optional: Type, ...) -> "returned type" raises "kinds" { body }`; a method of a scripted type is
/// `fn name[receiver: Type](call, ...)`. `call` is the [`Call`], and with a type behind it (`host: Host`) what that type takes of it, see [`OfCall`].
/// `group "name";` stands above the functions of a help group. The body is a `HostResult` of something to [`Give`].
#[macro_export]
macro_rules! functions {
    ($(group $group:literal; $($(#[doc = $doc:literal])+ fn $name:ident $([$this:ident: $receiver:ty])? ($call:ident $(: $carrier:ty)? $(, $param:ident: $type:ty)* $(; $($optional:ident: $opttype:ty),+)?) -> $returns:literal $(raises $raises:literal)? $body:block)*)+) => {
        /// Adds the functions of this file.
        pub fn register(library: &mut $crate::engine::library::LibraryBuilder) {
            #[allow(unused_imports, reason = "not every group has parameters")]
            use $crate::engine::{library::{FunctionDoc, Give, ParamDoc}, options::{OptionValue, Takes}};
            $($({
                const DOC: FunctionDoc = FunctionDoc {
                    name: stringify!($name),
                    group: $group,
                    receiver: $crate::functions!(@receiver $($receiver)?),
                    params: &[
                        $(ParamDoc { name: stringify!($param), takes: Takes::of::<$type>(), optional: false, options: <$type as OptionValue>::OPTIONS },)*
                        $($(ParamDoc { name: stringify!($optional), takes: Takes::of::<$opttype>(), optional: true, options: <$opttype as OptionValue>::OPTIONS },)+)?
                    ],
                    returns: $returns,
                    raises: concat!($($raises)?),
                    doc: concat!($($doc, "\n"),+),
                };
                library.function(DOC, $crate::functions!(@id $($receiver)?), |$call, arguments| {
                    $(let $this = arguments.receiver::<$receiver>()?;)?
                    $(let $param = arguments.next::<$type>(stringify!($param))?;)*
                    $($(let $optional = arguments.next::<$opttype>(stringify!($optional))?;)+)?
                    $(let $call = <$carrier as $crate::engine::library::OfCall>::of_call($call)?;)?
                    let _ = (&$call, &arguments);
                    let result: $crate::engine::thrown::HostResult<_> = $body;
                    result.map(Give::give)
                });
            })*)+
        }
    };
    (@receiver) => { None };
    (@receiver $receiver:ty) => { Some(<$receiver as $crate::engine::library::Scripted>::DOC.name) };
    (@id) => { None };
    (@id $receiver:ty) => { Some(std::any::TypeId::of::<$receiver>()) };
}

/// Declares the properties of a type that functions return.
///
/// `property: "kind" = |value| expression;` where the expression is something to [`Give`] and may use `?`. One that may ask the server says what it
/// needs of the call, see [`OfCall`]: `|value, host: Host|`. The names after `shows` are the columns of reports: properties that cost no request.
#[macro_export]
macro_rules! script_type {
    ($(#[doc = $doc:literal])+ $type:ty as $name:literal shows [$($column:ident),*] {
        $($(#[doc = $prose:literal])+ $property:ident: $kind:literal = |$value:ident $(, $call:ident: $carrier:ty)?| $code:expr;)*
    }) => {
        impl $crate::engine::library::Scripted for $type {
            const DOC: $crate::engine::library::TypeDoc = $crate::engine::library::TypeDoc {
                name: $name,
                doc: concat!($($doc, "\n"),+),
                properties: &[$($crate::engine::library::PropertyDoc { name: $crate::engine::options::written(stringify!($property)), kind: $kind, doc: concat!($($prose, "\n"),+), asks: $crate::script_type!(@asks $($carrier)?) },)*],
                columns: &[$($crate::engine::options::written(stringify!($column))),*],
            };
            fn property(&self, call: &$crate::engine::library::Call<'_>, name: &str) -> Option<$crate::engine::thrown::HostResult<rhai::Dynamic>> {
                #[allow(unused_imports, reason = "a type may have no properties")]
                use $crate::engine::library::Give;
                let _ = call;
                $(if name == $crate::engine::options::written(stringify!($property)) {
                    let $value = self;
                    let value = || -> $crate::engine::thrown::HostResult<rhai::Dynamic> {
                        $(let $call = <$carrier as $crate::engine::library::OfCall>::of_call(call)?;)?
                        Ok(Give::give($code))
                    };
                    return Some(value());
                })*
                None
            }
        }
    };
    (@asks) => { false };
    (@asks $carrier:ty) => { true };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{compare::Beside, options::Options as _, thrown};

    #[derive(Clone)]
    struct Boat {
        name: String,
    }
    impl std::fmt::Display for Boat {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "the {}", self.name)
        }
    }
    impl Meaning for Boat {
        const INSTEAD: &'static str = "compare `boat.name`";
        fn same(&self, other: &Self) -> bool {
            self.name == other.name
        }
        fn beside(&self, text: &str) -> Result<Beside, String> {
            Ok(Beside::name(self.name == text))
        }
    }
    crate::script_type! {
        /// A boat.
        Boat as "Boat" shows [name] {
            /// Its name.
            name: "text" = |boat| boat.name.clone();
        }
    }
    crate::options! {
        /// How to sail.
        pub struct SailOptions for ["sail"] {
            /// How fast.
            knots: i64 = 5, "5";
        }
    }
    mod exported {
        use super::*;
        crate::functions! {
            group "boats";
            /// Builds a boat.
            ///
            /// ```rhai
            /// boat("Ann")
            /// ```
            fn boat(call, name: String) -> "Boat" { Ok(Boat { name }) }
            /// Sails it. Comes back.
            fn sail[boat: Boat](call; options: SailOptions) -> "text" { Ok(format!("{boat} at {}", options.knots)) }
            /// Calls back.
            fn twice(call, f: FnPtr) -> "anything" { call.closure(&f, (2_i64,)) }
        }
    }

    fn engine() -> (rhai::Engine, Vec<FunctionDoc>) {
        let mut library = LibraryBuilder::new();
        library.scripted::<Boat>();
        exported::register(&mut library);
        let library = library.build();
        let mut engine = rhai::Engine::new();
        engine.register_global_module(library.module());
        (engine, library.docs().functions.clone())
    }

    #[test]
    fn functions_methods_properties_and_closures_work() {
        let (engine, docs) = engine();
        assert_eq!(engine.eval::<String>(r#"boat("Ann").name"#).expect("runs"), "Ann");
        assert_eq!(engine.eval::<String>(r#"let b = boat("Ann"); b.sail(#{knots: 7})"#).expect("runs"), "the Ann at 7");
        assert_eq!(engine.eval::<String>(r#"boat("Ann").sail()"#).expect("runs"), "the Ann at 5");
        assert_eq!(engine.eval::<i64>("let k = 4; twice(|x| x + k)").expect("runs"), 6);
        assert!(engine.eval::<bool>(r#"boat("A") == boat("A") && boat("A") != boat("B")"#).expect("runs"));
        assert_eq!(engine.eval::<String>(r#"`${boat("A")}`"#).expect("runs"), "the A");
        assert_eq!(docs[1].signature(), "boat.sail(#{...}) -> text");
        assert_eq!(docs[1].counts(), (0, 1));
        assert_eq!(SailOptions::DOCS.len(), 1);
    }

    #[test]
    fn a_wrong_argument_is_told_in_our_words() {
        let (engine, _) = engine();
        let error = engine.eval::<Dynamic>("boat([1])").expect_err("a list is no name");
        let error = thrown::ours(&error).expect("ours");
        assert_eq!(error.message(), "`boat`: argument `name` must be: text; got a list: `[1]`");
    }
}
