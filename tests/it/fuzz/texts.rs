//! Texts: scripts, worlds, versions, times, frames, service messages, addresses.

use super::{Read, Reader, fuzz};
use crate::support::{golden, root};
use jiff::tz::TimeZone;
use octorhai::{
    api::{self, Version, VersionRange, decode::timestamp},
    check,
    clock::text,
    engine::{Config, Files, Interpreter, Source, docs, params, scene::Scene, session::is_unfinished},
    host,
    repl::{Helper, names::Names},
    sandbox::{self, World},
    step::{frame::Frame, octostache},
};
use std::fs;

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Reads a text, the wrong bytes of which are replaced.
fn of_text(mut read: impl FnMut(&str) -> Result<(), String> + Send + 'static) -> Read {
    Box::new(move |input| read(&String::from_utf8_lossy(input)))
}

#[test]
fn scripts_are_read_and_checked() {
    let files = ["scripts", "stdlib"].into_iter().flat_map(|folder| fs::read_dir(root().join(folder)).expect("there").flatten());
    let scripts = files.map(|file| fs::read(file.path()).expect("readable"));
    let cases =
        ["mistakes", "engine_ok", "engine_fails"].into_iter().flat_map(golden::cases).map(|case| case.read("script.rhai").into_bytes());
    let seeds: Vec<Vec<u8>> = scripts.chain(cases).filter(|text| text.len() < 3000).collect();
    let scene = Scene { entries: docs::entries(host::library().docs()), ..Scene::default() };
    let interpreter = Interpreter::new(Config { library: host::library(), ..Config::default() });
    let helper = Helper::new(scene.clone(), Names::none(), &[(":help", "")], true);
    let words = &[
        "let x = ",
        "fn f(a) { ",
        "for x in ",
        "while ",
        "switch 1 { ",
        "|a| ",
        "try { ",
        "} catch (e) { ",
        "import \"std/x\" as y; ",
        "this.",
        "x.x",
        "return ",
        "throw ",
        "param(\"X\", #{type: \"int\", default: ",
        "deploy(\"A\", \"1\", \"T\", #{",
        "const X = ",
        "/* ",
        "*/",
        "// ",
        "`${",
        "if ",
        " else ",
        " in ",
        "?.",
        "??",
        "..=",
        "**",
        "do { ",
        "loop { ",
        "break ",
        "global::",
        "private ",
        "export ",
        "#[",
        "debug(",
        "eval(",
        "secret(\"",
    ];
    fuzz(Reader {
        name: "script",
        seeds,
        words,
        usual: 500,
        read: of_text(move |text| {
            let source = Source { name: "x.rhai".to_owned(), text: text.to_owned(), files: Files::None };
            let _more = is_unfinished(text);
            let findings = match interpreter.load(&source) {
                Ok(program) => {
                    if let Err(failure) = params::declarations(&program) {
                        let _shown = check::of_failure(&failure, "x.rhai", text);
                    }
                    let _refused = check::refusals(&program, &scene);
                    check::check(&program, &scene)
                }
                Err(failure) => {
                    let _shown = check::of_failure(&failure, "x.rhai", text);
                    check::of_text("x.rhai", text, &scene)
                }
            };
            for finding in findings {
                if text.get(finding.range.clone()).is_none() {
                    return Err(format!("`{}` is at {:?}, which is no place in the text", finding.message, finding.range));
                }
            }
            let (from, _) = helper.candidates(text, text.len());
            if text.is_char_boundary(from) { Ok(()) } else { Err(format!("completes from {from}")) }
        }),
    });
}

#[test]
fn worlds_are_read() {
    let mut seeds = bytes(&[]);
    seeds.extend(["shop", "tenants", "fleet(2)"].map(|name| World::builtin_toml(name).expect("a world").into_bytes()));
    for file in fs::read_dir(root().join("tests/fixtures")).into_iter().flatten().flatten() {
        if file.path().extension().is_some_and(|kind| kind == "toml") {
            seeds.push(fs::read(file.path()).expect("readable"));
        }
    }
    let words = &[
        "[[projects]]\n",
        "name = \"Project A\"\n",
        "steps = [",
        "takes = \"4m\"",
        "fails = [ { release = \"*\", environment = \"Test\" } ]",
        "[[tenants]]\n",
        "environments = [\"Test\"]",
        "history = [",
        "at = \"-2d\"",
        "[server]\n",
        "start = \"2026-03-02T08:00:00Z\"\n",
        "cron = \"0 0 * * *\"",
        "count = 3",
        "[[freezes]]\n",
        "[[faults]]\n",
        "status = 500",
        "[[machines]]\n",
        "\"\"\"",
        "zone = \"Europe/Berlin\"\n",
    ];
    fuzz(Reader {
        name: "world",
        seeds,
        words,
        usual: 800,
        read: of_text(|text| match World::from_toml("world.toml", text) {
            Err(error) if error.message().is_empty() => Err("no message".to_owned()),
            _ => Ok(()),
        }),
    });
}

#[test]
fn versions_and_ranges_are_read() {
    let seeds = bytes(&[
        "1.2.3-beta.4+build.5",
        "[1.0,2.0)",
        "(,1.0]",
        ">=1.2.3 <2.0.0",
        "^1.2",
        "~> 1.4",
        "1.*",
        "1.x || 2.x",
        "1.0 - 2.0",
        "01.002.3.4-rc+x",
        "*",
        "!=1",
        "",
    ]);
    fuzz(Reader {
        name: "version",
        seeds,
        words: &["[", ")", ">=", "<", "^", "~", "||", " - ", "*", "x", "-", "+", ".", "1.0", "v"],
        usual: 2500,
        read: of_text(|text| {
            let version = Version::parse(text);
            let other = Version::parse("1.2.3-beta+x");
            if version.cmp(&other) != other.cmp(&version).reverse() {
                return Err("an order that is none".to_owned());
            }
            if let Ok(range) = VersionRange::parse(text) {
                let _held = (range.matches(&version), range.matches(&other), range.holds(text), range.exact());
            }
            Ok(())
        }),
    });
}

#[test]
fn times_are_read() {
    let seeds = bytes(&[
        "1h 30m",
        "90s",
        "5d",
        "2026-03-07T17:58:04.1234567+01:00",
        "2026-03-07",
        "22:00",
        "22:00 Europe/Berlin",
        "tomorrow 03:00",
        "Mon 08:00",
        "Mo-Fr 22:00-04:00",
        "Sat,Sun 00:00-24:00 UTC",
        "now",
        "-5m",
        "in 3h",
        "9999-12-31T23:59:59Z",
        "monday",
        "1.5h",
        "2 weeks",
    ]);
    let now = "2026-03-29T00:59:59Z".parse().expect("a time");
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    fuzz(Reader {
        name: "time",
        seeds,
        words: &["d", "h", "ms", "w", "y", "Mo", "Fr-", "24:00", "25:61", "T", "Z", "+99:99", "UTC", "America/New_York", "tomorrow", "ago"],
        usual: 2500,
        read: of_text(move |text| {
            if let Ok(span) = text::duration(text) {
                let shown = text::show(span);
                if shown.is_empty() {
                    return Err(format!("{span:?} is shown as nothing"));
                }
            }
            let _ago = text::ago(text, now);
            let _point = text::point(text, now, &zone);
            let _zone = text::zone(text);
            let _read = timestamp(text);
            if let Ok(window) = text::Window::parse(text, &zone) {
                for at in [now, jiff::Timestamp::MAX, jiff::Timestamp::MIN] {
                    let _when = (window.contains(at), window.next_start(at), window.next_end(at));
                }
            }
            Ok(())
        }),
    });
}

#[test]
fn frames_are_read() {
    let frame = |pairs: &[&str]| pairs.iter().flat_map(|word| word.bytes().chain([0])).collect::<Vec<u8>>();
    let seeds = vec![
        frame(&[
            "@protocol",
            "2",
            "@prefix",
            "P",
            "@name",
            "x.rhai",
            "@script",
            "cHJpbnQoMSk7",
            "@secrets",
            "P.Token",
            "P.Token",
            "x",
            "@file:a.rhai",
            "",
            "@end",
            "",
        ]),
        frame(&[
            "@protocol",
            "1",
            "@prefix",
            "P",
            "@script",
            "cHJpbnQoMSk7",
            "Octopus.Web.ServerUri",
            "http://o",
            "P.Name",
            "x",
            "@end",
            "",
        ]),
        frame(&[
            "@protocol",
            "2",
            "@script",
            "eA==",
            "@names",
            "A B",
            "@key",
            "0123",
            "@functions",
            "decrypt_variable() {\n echo $1 | openssl enc -a -A -d\n}\nget_octopusvariable() {\n case $1 in\n \"QQ==\")\n decrypt_variable \"eA==\" \"00\"\n ;;\n esac }",
            "@end",
            "",
        ]),
        fs::read(root().join("src/step/frame.rs")).expect("readable").into_iter().take(4000).collect(),
    ];
    fuzz(Reader {
        name: "frame",
        seeds,
        words: &[
            "\0",
            "@protocol\x002\0",
            "@end\0\0",
            "@script\0",
            "@file:../x\0",
            "@secrets\0",
            "@nul\0",
            "@probe\0",
            "@key\0",
            "@functions\0",
            "Octopus.Web.ServerUri\0",
            "\0\0\0",
        ],
        usual: 2500,
        read: Box::new(|input| {
            if let Ok(frame) = Frame::parse(input) {
                let _all = (frame.script(), frame.files(), frame.secrets().count(), frame.get("X"), frame.own("X"), frame.is_secret("X"));
            }
            Ok(())
        }),
    });
}

#[test]
fn service_messages_and_templates_of_octopus_are_read() {
    let seeds = bytes(&[
        "##octopus[setVariable name='YQ==' value='Yg==' sensitive='VHJ1ZQ==']",
        "##octopus[progress percentage='NTA=' message='eA==']",
        "##octopus[createArtifact path='L3g=' name='eA==' length='MQ==']",
        "##octopus[stdout-verbose]\nhello\n##octopus[stdout-default]",
        "#{Octopus.Action[x].Name | Replace \"a\" \"b\"} ##{no} #{if X}a#{else}b#{/if}",
    ]);
    fuzz(Reader {
        name: "service-message",
        seeds,
        words: &["##octopus[", "setVariable ", "name='", "'", "]", "YQ==", "=", "stdout-error", "#{each x in y}", "#{/each}"],
        usual: 2500,
        read: of_text(|text| {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            let _heard = sandbox::messages_in(&lines);
            let escaped = octostache::escape(text);
            if octostache::is_unresolved(&escaped) {
                return Err("an escaped text is a template".to_owned());
            }
            let _left = octostache::unresolved(text);
            Ok(())
        }),
    });
}

#[test]
fn addresses_are_read() {
    let seeds =
        bytes(&["https://o.test/dir/app#/Spaces-1", "http://[::1]:8065/api/", "~/api/tasks?skip=1", "http://a:b@c/d", "//x/y", "/\\x"]);
    fuzz(Reader {
        name: "address",
        seeds,
        words: &["http://", "https://", "@", ":", "//", "\\", "#", "?", "%00", "%2e%2e", "[::", "127.0.0.1", "..", "/api"],
        usual: 2500,
        read: of_text(|text| {
            let _base = api::base_address(text);
            // Wherever a link of the server's says it leads: it is an address on that server, or none.
            for server in ["http://octopus.test:8065/dir", "https://octopus.test"] {
                if let Some(url) = api::web_url(server, text)
                    && let origin = server.trim_end_matches("/dir")
                    && !url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
                {
                    return Err(format!("leads to {url}"));
                }
            }
            Ok(())
        }),
    });
}
