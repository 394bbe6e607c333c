//! The filters of Octostache: `#{Name | ToUpper}`.

use super::{
    case::{lower, upper},
    date::{Date, Type, Zone},
    done::Done,
    escapes, format, hash, number, pattern, text, uri, version,
};
use jiff::Timestamp;

/// Filters that the library has and this module has not: a text with one of these is an error that names it.
pub(in crate::sandbox::worker) const LEFT_OUT: [&str; 2] = ["markdown", "markdowntohtml"];

/// What a filter makes of its argument. An unknown one comes to nothing.
pub(super) fn invoke(name: &str, argument: Option<&str>, options: &[String], now: Timestamp) -> Done {
    let name = lower(name);
    if LEFT_OUT.contains(&name.as_str()) && argument.is_some() && options.is_empty() {
        return Err(format!("the sandbox does not have the filter {name} of Octostache"));
    }
    match name.as_str() {
        "nowdate" | "nowdateutc" => return now_date(&name, argument, options, now),
        "append" | "prepend" => return Ok(joined(&name, argument, options)),
        _ => {}
    }
    // Every other one comes to nothing without a value.
    let Some(argument) = argument else { return Ok(None) };
    match (name.as_str(), options) {
        ("tolower", []) => Ok(Some(lower(argument))),
        ("toupper", []) => Ok(Some(upper(argument))),
        ("htmlescape", []) => Ok(Some(escapes::html(argument))),
        ("xmlescape", []) => Ok(Some(escapes::xml(argument))),
        ("jsonescape", []) => Ok(Some(escapes::json(argument))),
        ("yamlsinglequoteescape", []) => Ok(Some(escapes::yaml_single(argument))),
        ("yamldoublequoteescape", []) => Ok(Some(escapes::yaml_double(argument))),
        ("propertieskeyescape", []) => Ok(Some(escapes::properties_key(argument))),
        ("propertiesvalueescape", []) => Ok(Some(escapes::properties_value(argument))),
        ("uriescape", []) => Ok(Some(escapes::uri(argument))),
        ("uridataescape", []) => Ok(Some(escapes::uri_data(argument))),
        ("tobase64", _) => Ok(text::to_base64(argument, options)),
        ("frombase64", _) => text::from_base64(argument, options),
        ("startswith", [option]) => Ok(Some(argument.starts_with(option.as_str()).to_string())),
        ("endswith", [option]) => Ok(Some(argument.ends_with(option.as_str()).to_string())),
        ("contains", [option]) => Ok(Some(argument.contains(option.as_str()).to_string())),
        ("match", [option]) => pattern::matches(argument, option).map(Some),
        ("replace", [option]) => pattern::replace(argument, option, "").map(Some),
        ("replace", [option, with, ..]) => pattern::replace(argument, option, with).map(Some),
        ("substring", _) => text::substring(argument, options),
        ("truncate", [length, ..]) => Ok(text::truncate(argument, length, options.get(1))),
        ("trim", _) => Ok(text::trim(argument, options)),
        ("indent", _) => Ok(text::indent(argument, options)),
        ("uripart", _) => uri::part(argument, options),
        ("md5" | "sha1" | "sha256" | "sha384" | "sha512", _) => Ok(hash::hash(&name, argument, options)),
        ("addhours" | "adddays", [amount]) => added(&name, argument, amount, now),
        ("format", _) => formatted(argument, options, now),
        _ if name.starts_with("version") => version::part(&name, argument),
        _ => Ok(None),
    }
}

fn joined(name: &str, argument: Option<&str>, options: &[String]) -> Option<String> {
    if options.is_empty() {
        return None;
    }
    let (argument, more) = (argument.unwrap_or_default(), options.concat());
    Some(if name == "append" { format!("{argument}{more}") } else { format!("{more}{argument}") })
}

fn now_date(name: &str, argument: Option<&str>, options: &[String], now: Timestamp) -> Done {
    if argument.is_some() || options.len() > 1 {
        return Ok(None);
    }
    let date = Date::at(now, if name == "nowdate" { Zone::None } else { Zone::Utc });
    match date.written(options.first().map_or("O", String::as_str), Type::DateTime) {
        Some(text) => Ok(Some(text)),
        None => Err("FormatException: Input string was not in a correct format.".to_owned()),
    }
}

fn added(name: &str, argument: &str, amount: &str, now: Timestamp) -> Done {
    if amount.contains(',') {
        return Ok(None);
    }
    let Some(amount) = number::parse_double(amount) else { return Ok(None) };
    let Some(date) = Date::parse(argument, now)? else { return Ok(None) };
    let ticks = amount * if name == "addhours" { 36e9 } else { 864e9 };
    // Beyond what a time span holds.
    if ticks.is_nan() || ticks.abs() >= 9.2e18 {
        return Ok(None);
    }
    let kind = if let Zone::Offset(_) = date.zone { Type::DateTimeOffset } else { Type::DateTime };
    Ok(date.plus(ticks as i64).and_then(|date| date.written("O", kind)))
}

fn formatted(argument: &str, options: &[String], now: Timestamp) -> Done {
    let (kind, how) = match options {
        [how] => match format::decimal(argument, how)? {
            Some(done) => return Ok(done.0),
            None => ("offset", how),
        },
        [kind, how] => match format::type_of(kind) {
            Some(kind) => (kind, how),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    match kind {
        "int" => Ok(number::parse_int(argument).and_then(|number| format::int(number, how))),
        "double" => Ok(number::parse_double(argument).and_then(|number| format::double(number, how))),
        "decimal" => Ok(format::decimal(argument, how)?.and_then(|done| done.0)),
        "date" => Ok(Date::parse(argument, now)?.and_then(Date::local).and_then(|date| date.written(how, Type::DateTime))),
        _ => Ok(Date::parse(argument, now)?.and_then(|date| date.with_offset().written(how, Type::DateTimeOffset))),
    }
}
