//! Functions on texts, and those that make texts of values: what they make is bounded before it is made.
//!
//! A function of Rhai's own that makes something big out of something small (`x.replace("a", x)`) takes the memory before anybody can look at the
//! result. These take their places. Those that change a text also return it, because that is what most languages do; where the value is
//! used, the text before the dot stays as it is (`unlocked`).

use super::{
    Limits,
    limits::{LIST, TEXT},
    meter::over,
    native::{changing, reading},
    sizes::{DEPTH, Sizes},
    thrown::{HostResult, REVEAL, holds_secret, raise, to_dynamic, to_json},
};
use crate::error::{Error, Kind, size, with_commas};
use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, Module, NativeCallContext};
use std::{
    fmt::Write as _,
    ops::{Range, RangeInclusive},
};

/// No list and no text is filled up (`pad`) to more items or characters.
const PADDED: i64 = 1_000_000;

/// Puts them into the place of Rhai's own.
pub(super) fn register(module: &mut Module) {
    joining(module);
    changed_texts(module);
    splitting(module);
    showing(module);
    // Rhai's throws a text in words of its reader.
    changing("parse_json", &["text: ImmutableString"]).set_into_module(module, |text: ImmutableString| read_json(&text));
    // Rhai's writes the names of Rust's types for values of ours.
    reader(module, "to_json", "map: &mut Map", |_, map: &mut Map| write_json(&Dynamic::from_map(map.clone())));
}

fn reader<T: Clone + Send + Sync + 'static, R: Clone + Send + Sync + 'static>(
    module: &mut Module,
    name: &str,
    parameter: &str,
    read: impl Fn(NativeCallContext<'_>, &mut T) -> HostResult<R> + Send + Sync + 'static,
) {
    reading(name, &[parameter]).set_into_module(module, read);
}

fn too_long<T>() -> HostResult<T> {
    over(format!("a text is longer than {}", size(TEXT as u64)), "does a loop add to it without end?")
}

fn fits(length: usize) -> HostResult<()> {
    if length > TEXT { too_long() } else { Ok(()) }
}

fn joined(one: &str, other: &str) -> HostResult<ImmutableString> {
    fits(one.len() + other.len())?;
    Ok([one, other].concat().into())
}

fn joining(module: &mut Module) {
    changing("+", &["one: ImmutableString", "other: ImmutableString"])
        .set_into_module(module, |one: ImmutableString, other: ImmutableString| joined(&one, &other));
    changing("+", &["text: ImmutableString", "character: char"])
        .set_into_module(module, |text: ImmutableString, character: char| joined(&text, character.encode_utf8(&mut [0; 4])));
    changing("+", &["character: char", "text: ImmutableString"])
        .set_into_module(module, |character: char, text: ImmutableString| joined(character.encode_utf8(&mut [0; 4]), &text));
    changing("+", &["text: ImmutableString", "item: Dynamic"])
        .set_into_module(module, |context: NativeCallContext, text: ImmutableString, mut item: Dynamic| {
            joined(&text, &text_of(&context, &mut item)?)
        });
    changing("+", &["item: Dynamic", "text: ImmutableString"])
        .set_into_module(module, |context: NativeCallContext, mut item: Dynamic, text: ImmutableString| {
            joined(&text_of(&context, &mut item)?, &text)
        });
    for name in ["+=", "append"] {
        changing(name, &["text: &mut ImmutableString", "other: ImmutableString"])
            .set_into_module(module, |text: &mut ImmutableString, other: ImmutableString| add(text, &other));
        changing(name, &["text: &mut ImmutableString", "item: Dynamic"])
            .set_into_module(module, |context: NativeCallContext, text: &mut ImmutableString, mut item: Dynamic| {
                add(text, &text_of(&context, &mut item)?)
            });
    }
}

fn add(text: &mut ImmutableString, other: &str) -> HostResult<()> {
    fits(text.len() + other.len())?;
    // In place where nobody shares it: a loop that adds is quick.
    *text += other;
    Ok(())
}

fn changed_texts(module: &mut Module) {
    type Text = ImmutableString;
    changing("trim", &["text: &mut ImmutableString"]).set_into_module(module, |text: &mut Text| changed(text, |text| text.trim().into()));
    changing("make_upper", &["text: &mut ImmutableString"])
        .set_into_module(module, |text: &mut Text| changed(text, |text| text.to_uppercase().into()));
    changing("make_lower", &["text: &mut ImmutableString"])
        .set_into_module(module, |text: &mut Text| changed(text, |text| text.to_lowercase().into()));
    changing("truncate", &["text: &mut ImmutableString", "length: i64"]).set_into_module(module, |text: &mut Text, length: i64| {
        changed(text, |text| text.chars().take(usize::try_from(length).unwrap_or(0)).collect())
    });
    changing("replace", &["text: &mut ImmutableString", "from: ImmutableString", "to: ImmutableString"])
        .set_into_module(module, |text: &mut Text, from: Text, to: Text| replace(text, &from, &to));
    changing("replace", &["text: &mut ImmutableString", "from: ImmutableString", "to: char"])
        .set_into_module(module, |text: &mut Text, from: Text, to: char| replace(text, &from, to.encode_utf8(&mut [0; 4])));
    changing("replace", &["text: &mut ImmutableString", "from: char", "to: ImmutableString"])
        .set_into_module(module, |text: &mut Text, from: char, to: Text| replace(text, from.encode_utf8(&mut [0; 4]), &to));
    changing("replace", &["text: &mut ImmutableString", "from: char", "to: char"])
        .set_into_module(module, |text: &mut Text, from: char, to: char| {
            replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
        });
    changing("crop", &["text: &mut ImmutableString", "start: i64", "length: i64"])
        .set_into_module(module, |text: &mut Text, start: i64, length: i64| crop(text, start, length));
    changing("crop", &["text: &mut ImmutableString", "start: i64"])
        .set_into_module(module, |text: &mut Text, start: i64| crop(text, start, i64::MAX));
    changing("crop", &["text: &mut ImmutableString", "range: Range<i64>"]).set_into_module(module, |text: &mut Text, range: Range<i64>| {
        let start = range.start.max(0);
        crop(text, start, range.end.saturating_sub(start))
    });
    changing("crop", &["text: &mut ImmutableString", "range: RangeInclusive<i64>"]).set_into_module(
        module,
        |text: &mut Text, range: RangeInclusive<i64>| {
            let start = (*range.start()).max(0);
            crop(text, start, range.end().saturating_sub(start).saturating_add(1))
        },
    );
    changing("pad", &["text: &mut ImmutableString", "length: i64", "sign: char"])
        .set_into_module(module, |text: &mut Text, length: i64, sign: char| fill(text, length, sign.encode_utf8(&mut [0; 4])));
    changing("pad", &["text: &mut ImmutableString", "length: i64", "with: ImmutableString"])
        .set_into_module(module, |text: &mut Text, length: i64, with: Text| fill(text, length, &with));
    changing("pad", &["list: &mut Array", "length: i64", "item: Dynamic"]).set_into_module(
        module,
        |list: &mut Array, length: i64, item: Dynamic| {
            list.resize(padded(length)?.max(list.len()), item);
            HostResult::Ok(())
        },
    );
}

fn changed(text: &mut ImmutableString, change: impl FnOnce(&str) -> ImmutableString) -> ImmutableString {
    *text = change(text);
    text.clone()
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> HostResult<ImmutableString> {
    if to.len() > from.len() {
        let places = text.matches(from).count();
        fits(places.saturating_mul(to.len() - from.len()).saturating_add(text.len()))?;
    }
    Ok(changed(text, |text| text.replace(from, to).into()))
}

fn crop(text: &mut ImmutableString, start: i64, length: i64) -> ImmutableString {
    changed(text, |text| {
        let skipped = if start < 0 { (text.chars().count() as i64).saturating_add(start).max(0) } else { start };
        text.chars().skip(usize::try_from(skipped).unwrap_or(0)).take(usize::try_from(length).unwrap_or(0)).collect()
    })
}

/// `Err` when `pad` is asked for more than it may.
fn padded(length: i64) -> HostResult<usize> {
    if length > PADDED {
        return over(format!("`pad` fills up to {} at most", with_commas(PADDED.unsigned_abs())), "is the length right?");
    }
    Ok(usize::try_from(length).unwrap_or(0))
}

fn fill(text: &mut ImmutableString, length: i64, with: &str) -> HostResult<ImmutableString> {
    let missing = padded(length)?.saturating_sub(text.chars().count());
    if missing == 0 || with.is_empty() {
        return Ok(text.clone());
    }
    Ok(changed(text, |text| text.chars().chain(with.chars().cycle().take(missing)).collect::<String>().into()))
}

/// A list of at most as many texts as a list may have items.
fn listed<T: Into<Dynamic>>(parts: impl Iterator<Item = T>) -> HostResult<Array> {
    let list: Array = parts.take(LIST + 1).map(Into::into).collect();
    if list.len() > LIST {
        return over(
            format!("a list has more than {} items", with_commas(LIST as u64)),
            "split the text at something that is not in it so often",
        );
    }
    Ok(list)
}

fn splitting(module: &mut Module) {
    type Text = ImmutableString;
    let most = |parts: i64| usize::try_from(parts).unwrap_or(0).max(1);
    reader(module, "to_chars", "string: &mut ImmutableString", |_, text: &mut Text| listed(text.chars()));
    reader(module, "split", "string: &mut ImmutableString", |_, text: &mut Text| listed(text.split_whitespace()));
    let mut at = |name: &str, split: fn(&str, &str, usize) -> HostResult<Array>| {
        let parts = |delimiter, most: &[&str]| reading(name, &[&["string: &mut ImmutableString", delimiter], most].concat());
        let (text, character, segments) = ("delimiter: ImmutableString", "delimiter: char", "segments: i64");
        parts(text, &[]).set_into_module(module, move |text: &mut Text, at: Text| split(text, &at, usize::MAX));
        parts(character, &[])
            .set_into_module(module, move |text: &mut Text, at: char| split(text, at.encode_utf8(&mut [0; 4]), usize::MAX));
        parts(text, &[segments]).set_into_module(module, move |text: &mut Text, at: Text, parts: i64| split(text, &at, most(parts)));
        parts(character, &[segments])
            .set_into_module(module, move |text: &mut Text, at: char, parts: i64| split(text, at.encode_utf8(&mut [0; 4]), most(parts)));
    };
    at("split", |text, at, most| listed(text.splitn(most, at)));
    at("split_rev", |text, at, most| listed(text.rsplitn(most, at)));
}

fn showing(module: &mut Module) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        reader(module, name, "array: &mut Array", |context, list: &mut Array| Ok(all_of(&context, &mut Dynamic::from_array(list.clone()))));
        reader(module, name, "map: &mut Map", |context, map: &mut Map| Ok(all_of(&context, &mut Dynamic::from_map(map.clone()))));
        reader(module, name, "closure: &mut FnPtr", |_, closure: &mut FnPtr| Ok(ImmutableString::from(closure.to_string())));
    }
}

/// A list or map as a text; the empty text when it is too long, and then the script ends. In a text with values in it Rhai would show the value itself
/// when it got an error.
fn all_of(context: &NativeCallContext, value: &mut Dynamic) -> ImmutableString {
    let mut shown = String::new();
    show(context, value, &mut shown, 0).map(|()| shown.into()).unwrap_or_default()
}

/// A value as `print` shows it.
fn text_of(context: &NativeCallContext, value: &mut Dynamic) -> HostResult<ImmutableString> {
    if value.is_array() || value.is_map() {
        return Ok(all_of(context, value));
    }
    let text = context.call_native_fn_raw("to_string", true, &mut [value])?;
    Ok(text.into_immutable_string().unwrap_or_default())
}

fn show(context: &NativeCallContext, value: &mut Dynamic, shown: &mut String, depth: usize) -> HostResult<()> {
    fits(shown.len())?;
    if depth > DEPTH {
        return over(format!("lists or maps are nested more than {DEPTH} deep"), "does a loop put a value into itself?");
    }
    if let Some(mut list) = value.write_lock::<Array>() {
        shown.push('[');
        for (index, item) in list.iter_mut().enumerate() {
            shown.push_str(if index > 0 { ", " } else { "" });
            show(context, item, shown, depth + 1)?;
        }
        shown.push(']');
    } else if let Some(mut map) = value.write_lock::<Map>() {
        shown.push_str("#{");
        for (index, (key, item)) in map.iter_mut().enumerate() {
            let _never_fails = write!(shown, "{}{key:?}: ", if index > 0 { ", " } else { "" });
            show(context, item, shown, depth + 1)?;
        }
        shown.push('}');
    } else {
        match context.call_native_fn_raw("to_debug", true, &mut [value]) {
            Ok(text) => shown.push_str(&text.into_immutable_string().unwrap_or_default()),
            Err(_) => shown.push_str(context.engine().map_type_name(value.type_name())),
        }
    }
    fits(shown.len())
}

fn write_json(value: &Dynamic) -> HostResult<String> {
    if holds_secret(value) {
        return Err(raise(Error::new(Kind::Script, "`to_json`: the map holds a secret, and JSON is data").help(REVEAL)));
    }
    Sizes::from(&Limits::default()).check_as_text(value)?;
    let text = to_json(value).to_string();
    fits(text.len())?;
    Ok(text)
}

fn read_json(text: &str) -> HostResult<Dynamic> {
    fits(text.len())?;
    // Counted before they are made: a value takes fifty times as much memory as `0,`.
    let (mut values, mut inside, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b',' | b'[' | b'{' if !inside => values += 1,
            _ => {}
        }
    }
    if values > LIST {
        return over(format!("the JSON has more than {} values", with_commas(LIST as u64)), "ask for less at a time");
    }
    let read = serde_json::from_str(text).map(|value| to_dynamic(&value));
    read.map_err(|why| {
        raise(
            Error::new(Kind::Script, format!("the text is not JSON: {why}"))
                .help("JSON has keys and texts in double quotes: `{\"env\": \"Test\"}`"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Interpreter, Source, thrown::to_json};
    use crate::error::Error;

    fn run(script: &str) -> Result<String, Error> {
        let interpreter = Interpreter::new(Config::default());
        let source = Source::text("main.rhai", script);
        let program = interpreter.load(&source).expect("compiles");
        interpreter.run(&program).map(|value| to_json(&value).to_string()).map_err(|failure| failure.error)
    }

    #[test]
    fn functions_on_texts_do_what_their_names_say() {
        for (script, result) in [
            // The value is used: the text stays. A statement of its own changes it.
            ("let s = ` a `; let t = s.trim(); [s, t]", r#"[" a ","a"]"#),
            ("let s = ` a `; s.trim(); s", r#""a""#),
            ("let s = ` a `; let f = || s.trim(); [f.call(), ` b `.trim()]", r#"["a","b"]"#),
            ("const S = ` a `; let t = S.trim().len(); t", "1"),
            ("let m = #{s: `a-b`}; let t = m.s.replace(`-`, `+`); [m.s, t]", r#"["a-b","a+b"]"#),
            ("let m = #{s: `a-b`}; m.s.replace('-', '+'); m.s", r#""a+b""#),
            ("let s = `aXbX`; [s.replace(`X`, ``), s.replace(`X`, 'y'), s.replace('X', `yy`), s]", r#"["ab","ayby","ayybyy","aXbX"]"#),
            (
                "let s = `héllo`; [s.crop(1, 2), s.crop(-2), s.crop(1..3), s.crop(1..=3), s.crop(9), s.crop(-9, 2)]",
                r#"["él","lo","él","éll","","hé"]"#,
            ),
            ("let s = `hello`; s.truncate(2); s", r#""he""#),
            ("let s = `a`; let t = s.pad(3, 'b'); t", r#""abb""#),
            ("[`Ab`.make_upper(), `Ab`.make_lower(), `Ab`.to_upper()]", r#"["AB","ab","AB"]"#),
            (
                "`a,b,c`.split(`,`) + `a,b,c`.split(',', 2) + `a,b,c`.split_rev(`,`, 2) + ` x  y `.split() + `ab`.to_chars()",
                r#"["a","b","c","a","b,c","c","a,b","x","y","a","b"]"#,
            ),
            ("let s = `a`; s += 'b'; s += 1; s += `c` + 2 + 'd' + (); s += [1, `x`]; 3 + s", r#""3ab1c2d[1, \"x\"]""#),
            ("let s = `a`; s.append(`b`); s.append(1); s", r#""ab1""#),
            ("`${[1, `a`, #{b: [()]}]}`", r#""[1, \"a\", #{\"b\": [()]}]""#),
            ("const M = #{a: 1}; M.to_json() + M.to_string()", r#""{\"a\":1}#{\"a\": 1}""#),
            ("parse_json(`{\"a\": [1, 2.5, null, \"x,[{\"]}`)", r#"{"a":[1,2.5,null,"x,[{"]}"#),
        ] {
            assert_eq!(run(script).map_err(|error| error.message().to_owned()), Ok(result.to_owned()), "{script}");
        }
    }
}
