//! Whatever is typed, however unfinished: completion, hints, colours and checks answer, and change nothing.

use crate::support::{self, golden};
use octorhai::{
    check,
    engine::{docs, scene::Scene, session::is_unfinished},
    host,
    repl::{Helper, names::Names},
};
use rustyline::{highlight::Highlighter, hint::Hinter, history::DefaultHistory};
use std::fs;

fn scene() -> Scene {
    Scene { entries: docs::entries(host::library().docs()), ..Scene::default() }
}

/// Scripts, good and bad.
fn texts() -> Vec<String> {
    let files = ["scripts", "stdlib"].into_iter().flat_map(|folder| fs::read_dir(support::root().join(folder)).expect("there").flatten());
    let scripts = files.map(|file| fs::read_to_string(file.path()).expect("readable"));
    let cases = ["mistakes", "engine_ok", "engine_fails"].into_iter().flat_map(golden::cases).map(|case| case.read("script.rhai"));
    let mut all: Vec<String> = scripts.chain(cases).filter(|text| text.len() < 4000).collect();
    all.extend(
        ["let x = x.y; let y = x; y.", "for x in x { x.", "`${`${`${", "|a, b|", "#{#{#{", "a.b.c.d(e[f](g).", "é.ü(\"ß", "/* /* */"]
            .map(str::to_owned),
    );
    all
}

/// Without the colours.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    out + rest
}

#[test]
fn every_beginning_of_every_script_has_an_answer() {
    let helper = Helper::new(scene(), Names::none(), &[(":help", "")], true);
    let history = DefaultHistory::new();
    let context = rustyline::Context::new(&history);
    let mut looked = 0;
    for text in texts() {
        // The last few hundred letters are what a person types at.
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
            let start = (end.saturating_sub(400)..=end).find(|start| text.is_char_boundary(*start)).expect("a start");
            let typed = &text[start..end];
            let (from, candidates) = helper.candidates(typed, typed.len());
            assert!(from <= typed.len() && typed.is_char_boundary(from), "{typed}");
            assert!(candidates.iter().all(|pair| !pair.replacement.is_empty()), "{typed}");
            let _shown = helper.hint(typed, typed.len(), &context);
            assert_eq!(plain(&helper.highlight(typed, 0)), typed);
            looked += 1;
        }
    }
    assert!(looked > 2000, "{looked}");
}

#[test]
fn every_script_with_a_piece_missing_is_checked_and_asked_about() {
    let scene = scene();
    for text in texts() {
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)).step_by(97) {
            let _findings = check::of_text("x.rhai", &text[..end], &scene);
            let _findings = check::of_text("x.rhai", &text[end..], &scene);
            let _more = is_unfinished(&text[..end]);
        }
        // A whole script is never unfinished; who presses Enter behind it has it evaluated.
        if octorhai::engine::is_well_formed(&text) {
            assert!(!is_unfinished(&text) || text.contains("/*"), "{text}");
        }
    }
}
