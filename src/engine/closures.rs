//! Functions on lists that call a closure or compare: in Rhai's own some lose what the closure raised, and compare level by level without end.

use super::{
    compare,
    meter::over,
    native::{changing, reading},
    sizes::DEPTH,
    tag,
    thrown::{self, HostResult, raise},
};
use crate::error::{Error, Kind};
use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map, Module, NativeCallContext};
use std::cmp::Ordering;

/// Puts them into the place of Rhai's own.
pub(super) fn register(module: &mut Module) {
    // By what `<` says: Rhai's own sort versions as texts, and cannot sort times.
    changing("sort", &["array: &mut Array"]).set_into_module(module, |list: &mut Array| compare::sort(list, false));
    changing("sort_desc", &["array: &mut Array"]).set_into_module(module, |list: &mut Array| compare::sort(list, true));
    copying(module, "order", |_, list| compare::sort(list, false));
    copying(module, "order_desc", |_, list| compare::sort(list, true));
    for name in ["sort", "sort_by"] {
        changing(name, &["array: &mut Array", "comparer: FnPtr"])
            .set_into_module(module, move |context: NativeCallContext, list: &mut Array, closure: FnPtr| {
                sort(&context, name, list, &closure)
            });
    }
    for name in ["order", "order_by"] {
        let order = move |context: NativeCallContext, list: &mut Array, closure: FnPtr| {
            let mut list = list.clone();
            sort(&context, name, &mut list, &closure).map(|()| list)
        };
        reading(name, &["array: &mut Array", "comparer: FnPtr"]).set_into_module(module, order);
    }
    changing("dedup", &["array: &mut Array"])
        .set_into_module(module, |context: NativeCallContext, list: &mut Array| dedup(list, |one, next| same(&context, one, next, 0)));
    changing("dedup", &["array: &mut Array", "comparer: FnPtr"]).set_into_module(
        module,
        |context: NativeCallContext, list: &mut Array, closure: FnPtr| {
            dedup(list, |one, next| {
                let said = tag::call(&context, &closure, (one.clone(), next.clone()))?;
                said.as_bool().map_err(|_| wrong("dedup", "true or false", &said))
            })
        },
    );
    // Rhai's own gives a closure with one parameter the number of the item.
    changing("for_each", &["array: &mut Array", "map: FnPtr"]).set_into_module(
        module,
        |context: NativeCallContext, list: &mut Array, closure: FnPtr| {
            for (index, item) in list.iter_mut().enumerate() {
                let _returned =
                    closure.call_raw_with_extra_args("for_each", &context, Some(item), [], [Dynamic::from(index as i64)], Some(0))?;
            }
            HostResult::Ok(())
        },
    );
    for (sign, is_same) in [("==", true), ("!=", false)] {
        reading(sign, &["array1: &mut Array", "array2: Array"]).set_into_module(
            module,
            move |context: NativeCallContext, one: &mut Array, other: Array| {
                same_lists(&context, one, &mut other.clone(), 0).map(|same| same == is_same)
            },
        );
        reading(sign, &["map1: &mut Map", "map2: Map"]).set_into_module(
            module,
            move |context: NativeCallContext, one: &mut Map, other: Map| {
                same_maps(&context, one, &mut other.clone(), 0).map(|same| same == is_same)
            },
        );
    }
}

fn copying(module: &mut Module, name: &str, change: impl Fn(&NativeCallContext, &mut Array) -> HostResult<()> + Send + Sync + 'static) {
    let copy = move |context: NativeCallContext, list: &mut Array| {
        let mut list = list.clone();
        change(&context, &mut list).map(|()| list)
    };
    reading(name, &["array: &mut Array"]).set_into_module(module, copy);
}

#[allow(clippy::unnecessary_box_returns, reason = "errors of Rhai are handed on in boxes")]
fn wrong(function: &str, wanted: &str, said: &Dynamic) -> Box<EvalAltResult> {
    let error = format!("the closure of `{function}` must return {wanted}, not `{}`", thrown::shown(said));
    raise(Error::new(Kind::Script, error).help("`list.sort(|a, b| if a > b { 1 } else { -1 })`; `list.dedup(|a, b| a == b)`"))
}

/// Sorts by what a closure says. The first error ends it, and the list is then as it was.
fn sort(context: &NativeCallContext, name: &str, list: &mut Array, closure: &FnPtr) -> HostResult<()> {
    let order = sorted(list.len(), |one, other| {
        let said = tag::call(context, closure, (list[one].clone(), list[other].clone()))?;
        // As Rhai has it: a number, or whether the first one comes first.
        let number = said.as_int().or_else(|_| said.as_bool().map(|first| if first { -1 } else { 1 }));
        number.map(|number| number.cmp(&0)).map_err(|_| wrong(name, "a number or true or false", &said))
    })?;
    let mut items: Vec<Option<Dynamic>> = std::mem::take(list).into_iter().map(Some).collect();
    list.extend(order.into_iter().filter_map(|index| items[index].take()));
    Ok(())
}

/// The numbers below `count` in order: a merge sort, which ends with any answers and stops at the first error.
fn sorted(count: usize, mut compare: impl FnMut(usize, usize) -> HostResult<Ordering>) -> HostResult<Vec<usize>> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut width = 1;
    while width < count {
        let mut merged = Vec::with_capacity(count);
        for pair in order.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((one, left_rest)), Some((other, right_rest))) = (left.split_first(), right.split_first()) {
                if compare(*one, *other)?.is_gt() {
                    merged.push(*other);
                    right = right_rest;
                } else {
                    merged.push(*one);
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        order = merged;
        width *= 2;
    }
    Ok(order)
}

/// Takes items away that are the same as the one before them. The first error ends it, and the list is then as it was.
fn dedup(list: &mut Array, mut is_same: impl FnMut(&mut Dynamic, &mut Dynamic) -> HostResult<bool>) -> HostResult<()> {
    let mut kept: Vec<bool> = vec![true; list.len()];
    let mut last = 0;
    for (next, kept) in kept.iter_mut().enumerate().skip(1) {
        let (before, after) = list.split_at_mut(next);
        *kept = !is_same(&mut before[last], &mut after[0])?;
        if *kept {
            last = next;
        }
    }
    let mut kept = kept.into_iter();
    list.retain(|_| kept.next().unwrap_or(true));
    Ok(())
}

/// What `==` says.
fn same(context: &NativeCallContext, one: &mut Dynamic, other: &mut Dynamic, depth: usize) -> HostResult<bool> {
    if depth > DEPTH {
        return over(format!("lists or maps are nested more than {DEPTH} deep"), "does a loop put a value into itself?");
    }
    if let (Some(mut one), Some(mut other)) = (one.write_lock::<Array>(), other.write_lock::<Array>()) {
        return same_lists(context, &mut one, &mut other, depth);
    }
    if let (Some(mut one), Some(mut other)) = (one.write_lock::<Map>(), other.write_lock::<Map>()) {
        return same_maps(context, &mut one, &mut other, depth);
    }
    match context.call_native_fn_raw("==", true, &mut [one, other]) {
        Ok(said) => Ok(said.as_bool().unwrap_or(false)),
        // Of different types, between which there is no comparison.
        Err(error)
            if matches!(*error, EvalAltResult::ErrorFunctionNotFound(ref name, _) if name.starts_with("=="))
                && one.type_id() != other.type_id() =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn same_lists(context: &NativeCallContext, one: &mut Array, other: &mut Array, depth: usize) -> HostResult<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    for (one, other) in one.iter_mut().zip(other.iter_mut()) {
        if !same(context, one, other, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_maps(context: &NativeCallContext, one: &mut Map, other: &mut Map, depth: usize) -> HostResult<bool> {
    if one.len() != other.len() {
        return Ok(false);
    }
    for (key, one) in one.iter_mut() {
        let Some(other) = other.get_mut(key) else { return Ok(false) };
        if !same(context, one, other, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Interpreter, Limits, Source, docs::builtins, thrown::to_json};
    use crate::error::{Error, Kind};
    use std::collections::BTreeSet;

    fn run(script: &str) -> Result<String, Error> {
        let interpreter = Interpreter::new(Config { limits: Limits { operations: 100_000, ..Limits::default() }, ..Config::default() });
        let source = Source::text("main.rhai", script);
        let program = interpreter.load(&source).expect("compiles");
        interpreter.run(&program).map(|value| to_json(&value).to_string()).map_err(|failure| failure.error)
    }

    /// Each function of Rhai's own that calls a closure, with a closure that does what stands for `@`.
    const CALLING: &[&str] = &[
        "[3, 1, 2].all(|x| @)",
        "[3, 1, 2].dedup(|x, y| @)",
        "[3, 1, 2].drain(|x| @)",
        "[3, 1, 2].filter(|x| @)",
        "[3, 1, 2].find(|x| @)",
        "[3, 1, 2].find(|x| @, 1)",
        "[3, 1, 2].find_map(|x| @)",
        "[3, 1, 2].find_map(|x| @, 1)",
        "[3, 1, 2].for_each(|x| @)",
        "[3, 1, 2].for_each(|| @)",
        "[3, 1, 2].for_each(|x, i| @)",
        "[3, 1, 2].index_of(|x| @)",
        "[3, 1, 2].index_of(|x| @, 1)",
        "[3, 1, 2].map(|x| @)",
        "[3, 1, 2].order(|x, y| @)",
        "[3, 1, 2].order_by(|x, y| @)",
        "[3, 1, 2].reduce(|x, y| @)",
        "[3, 1, 2].reduce(|x, y| @, 0)",
        "[3, 1, 2].reduce_rev(|x, y| @)",
        "[3, 1, 2].reduce_rev(|x, y| @, 0)",
        "[3, 1, 2].retain(|x| @)",
        "[3, 1, 2].some(|x| @)",
        "[3, 1, 2].sort(|x, y| @)",
        "[3, 1, 2].sort_by(|x, y| @)",
        "[3, 1, 2].zip([1, 2, 3], |x, y| @)",
        "#{a: 1, b: 2}.drain(|k, v| @)",
        "#{a: 1, b: 2}.filter(|k, v| @)",
        "#{a: 1, b: 2}.map(|k, v| @)",
        "#{a: 1, b: 2}.retain(|k, v| @)",
        "(|x| @).call(1)",
    ];

    #[test]
    fn table_has_each_function_that_takes_a_closure() {
        let known: BTreeSet<&str> = CALLING
            .iter()
            .filter_map(|call| call.rsplit_once('|')?.0.rsplit_once('.').map(|_| call))
            .map(|call| {
                let before = call.split_once("(|").map_or(*call, |(before, _)| before);
                let before = before.split_once(", |").map_or(before, |(before, _)| before);
                before.rsplit('.').next().unwrap_or_default().split('(').next().unwrap_or_default()
            })
            .collect();
        let missing: BTreeSet<&str> = builtins()
            .iter()
            .filter(|builtin| builtin.on != "closure" && builtin.signature.contains("closure"))
            .map(|builtin| builtin.name.as_str())
            .filter(|name| !known.contains(name) && !["is_anonymous", "name"].contains(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}; known: {known:?}");
    }

    #[test]
    fn first_error_in_a_closure_reaches_the_script() {
        for call in CALLING {
            let throwing = format!("let told = (); try {{ {} }} catch (e) {{ told = e; }} told", call.replace('@', "{ throw `no` }"));
            assert_eq!(run(&throwing).map_err(|error| error.message().to_owned()), Ok("\"no\"".to_owned()), "{call}");
            let endless = format!("try {{ {} }} catch {{ }} 1", call.replace('@', "{ loop { } }"));
            assert_eq!(run(&endless).expect_err(call).kind(), Kind::Limit, "{call}");
        }
    }

    #[test]
    fn functions_do_what_their_names_say() {
        for (script, result) in [
            ("let l = [3, 1, 2]; l.sort(|a, b| a - b); l", "[1,2,3]"),
            ("let l = [3, 1, 2]; l.sort_by(|a, b| a > b); l", "[3,2,1]"),
            ("let l = [3, 1, 2]; l.order_by(|a, b| if a > b { 1 } else { -1 }) + l", "[1,2,3,3,1,2]"),
            ("[3, 1, 2].order() + [3, 1, 2].order_desc()", "[1,2,3,3,2,1]"),
            (
                "let l = [[`b`, 1], [`a`, 2], [`b`, 0], [`a`, 1]]; l.sort(|a, b| if a[0] > b[0] { 1 } else if a[0] < b[0] { -1 } else { 0 }); l",
                r#"[["a",2],["a",1],["b",1],["b",0]]"#,
            ),
            ("const L = [2, 1]; L.order(|a, b| a - b) + L.order()", "[1,2,1,2]"),
            ("let l = [1, 1, 2, 1, 1, 1]; l.dedup(); l", "[1,2,1]"),
            ("let l = [1, 2, 4, 5, 9]; l.dedup(|a, b| b - a == 1); l", "[1,4,9]"),
            ("let l = []; l.dedup(); l.sort(|a, b| 1); l", "[]"),
            // In any order of answers it ends.
            ("let l = [3, 1, 2, 5, 4]; l.sort(|a, b| 1); l.len()", "5"),
            ("let seen = []; [7, 8].for_each(|x| seen.push(x)); seen", "[7,8]"),
            ("let seen = []; [7, 8].for_each(|x, i| seen.push(x + 10 * i)); seen", "[7,18]"),
            ("let l = [7, 8]; l.for_each(|| this += 1); l", "[8,9]"),
            (
                "[[1, #{a: [2]}] == [1, #{a: [2]}], [1] != [1], [1] == [2], #{a: 1} == #{b: 1}, [1] == [`1`], [()] == [()], [1, 2] == [1]]",
                "[true,false,false,false,false,true,false]",
            ),
            ("[[1, 2], [3]].contains([3]) && [#{a: 1}].index_of(#{a: 1}) == 0", "true"),
        ] {
            assert_eq!(run(script).map_err(|error| error.message().to_owned()), Ok(result.to_owned()), "{script}");
        }
    }

    #[test]
    fn list_that_could_not_be_sorted_is_as_it_was() {
        for script in [
            "let l = [3, 1, 2]; try { l.sort(|a, b| throw 1) } catch { } l",
            "let l = [3, 1, 2]; try { l.sort(|a, b| `x`) } catch { } l",
            "let l = [3, 1, 2]; try { l.dedup(|a, b| 1) } catch { } l",
        ] {
            assert_eq!(run(script).expect("runs"), "[3,1,2]", "{script}");
        }
        let error = run("[3, 1].sort(|a, b| `x`)").expect_err("no number");
        assert_eq!(error.message(), "the closure of `sort` must return a number or true or false, not `x`");
    }
}
