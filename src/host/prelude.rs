//! The names that nearly every file here uses: the run, errors, events, times, and values of scripts. None of the nouns.

pub(super) use super::Host;
pub(super) use crate::{
    api,
    clock::{later, text},
    engine::{
        choice::{Chosen, Decide, Name, OneOrMore},
        options::{OptionValue, Shown, type_in_words},
        thrown::{HostResult, Raise, holds_secret, is_final, message, ours, raise, shown, stops, to_dynamic, to_json},
    },
    error::{Error, Kind, Result},
    event::{Level, Subject, What},
    json::JsonText,
};
pub(super) use jiff::{SignedDuration, Timestamp};
pub(super) use parking_lot::Mutex;
pub(super) use rhai::{Array, Dynamic, EvalAltResult, FnPtr, Map};
pub(super) use serde_json::{Value, json};
pub(super) use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
};
