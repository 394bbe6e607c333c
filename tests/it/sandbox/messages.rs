//! Service messages in the output of a step: what the sandbox hears of them, and what the agent's own parser does.

use crate::support::kits::kit;
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Lines that were thought of, text by text.
const TEXTS: &str = include_str!("messages.txt");

/// Reads texts from stdin, and says what the agent's parser hears in each.
const DRIVER: &str = r"
        $ErrorActionPreference = 'Stop'
        Add-Type -Path $env:CALAMARI
        $texts = [Console]::In.ReadToEnd() | ConvertFrom-Json
        $all = foreach ($text in $texts) {
            $script:said = [Collections.Generic.List[object]]::new()
            $parser = [Calamari.Common.Plumbing.ServiceMessages.ServiceMessageParser]::new({
                param($m)
                $attributes = [Collections.Generic.SortedDictionary[string,string]]::new([StringComparer]::Ordinal)
                foreach ($pair in $m.Properties.GetEnumerator()) { $attributes[$pair.Key.ToLowerInvariant()] = $pair.Value }
                $script:said.Add(@{ name = $m.Name; attributes = $attributes })
            })
            foreach ($line in $text) { [void]$parser.Parse($line) }
            , @{ said = $script:said }
        }
        [Console]::Out.Write((ConvertTo-Json -Compress -Depth 9 -InputObject @($all)))
    ";

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % n
    }
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Lines that hit where readers differ: pieces of marks, of messages, of XML and of base64.
fn generated(dice: &mut Dice) -> Vec<String> {
    const PIECES: [&str; 24] = [
        "##octopus[",
        "##octopus",
        "##octopus ",
        "#",
        "##",
        "###",
        "##o",
        "##octopu",
        "]",
        "[",
        "text ",
        " ",
        "\t",
        "setVariable",
        "x",
        "/",
        "<",
        "é",
        "##Octopus[",
        "##octopus[setVariable name='QQ==' value='Qg==']",
        "##octopus[stdout-verbose]",
        "\u{a0}",
        "=",
        "'",
    ];
    const VALUES: [&str; 18] = [
        "",
        "QQ==",
        "QQ",
        "QR==",
        "Q Q\t==",
        "QUJD",
        "%",
        "&#81;Q==",
        "&amp;",
        "Q&#x51;==",
        "4pyT",
        "/w==",
        "Q&lt;",
        "Q<",
        "w6k=",
        "=",
        "QQ===",
        "UVFR\u{a0}",
    ];
    let message = |dice: &mut Dice| {
        let mut text = format!(
            "##octopus{}{}",
            dice.one(&["[", "[", "[", " ", "", "[[", " ["]),
            dice.one(&["setVariable", "progress", "a-b.c_d", "1x", "_x", "é", "", "x:y", "-x", "stdout-wait"])
        );
        for _ in 0..dice.below(4) {
            let quote = dice.one(&["'", "'", "\""]);
            let name = dice.one(&["name", "value", "Value", "é", "2x", "a:b", "sensitive"]);
            for part in [dice.one(&[" ", " ", "  ", "\t", ""]), name, dice.one(&["=", "=", " = "]), quote, dice.one(&VALUES), quote] {
                text.push_str(part);
            }
        }
        text + dice.one(&["]", "]", "]", " ]", "", "/]", "]]"])
    };
    (0..=dice.below(5))
        .map(|_| (0..dice.below(5)).map(|_| if dice.below(3) == 0 { message(dice) } else { dice.one(&PIECES).to_owned() }).collect())
        .collect()
}

/// What the agent's parser heard, with levels as the sandbox says them.
fn told(said: &Value) -> Value {
    let all = said.as_array().expect("a list").iter().map(|one| match one["name"].as_str().expect("a name").strip_prefix("stdout-") {
        None => one.clone(),
        Some("ignore") => json!({"level": null}),
        Some("default") => json!({"level": "Info"}),
        Some(level) => json!({"level": level[..1].to_uppercase() + &level[1..]}),
    });
    Value::Array(all.collect())
}

#[test]
fn messages_are_heard_as_the_agents_own_parser_hears_them() {
    let test = "service messages beside the agent's own parser";
    let (Some(powershell), Some(parser)) = (kit(test, "powershell/pwsh.sh"), kit(test, "calamari/Calamari.Common.dll")) else { return };
    let mut texts: Vec<Vec<String>> = TEXTS.split("\n---\n").map(|text| text.lines().map(str::to_owned).collect()).collect();
    let mut dice = Dice(27);
    texts.extend((0..3000).map(|_| generated(&mut dice)));
    let mut child = Command::new(powershell)
        .args(["-NoProfile", "-NoLogo", "-NonInteractive", "-Command", DRIVER])
        .env("CALAMARI", parser)
        .env("HOME", std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("PowerShell starts");
    let asked = serde_json::to_vec(&texts).expect("JSON");
    child.stdin.take().expect("a pipe").write_all(&asked).expect("it reads");
    let answer = child.wait_with_output().expect("it ends");
    let said: Vec<Value> = serde_json::from_slice(&answer.stdout).unwrap_or_else(|problem| panic!("{problem}: {answer:?}"));
    assert_eq!(said.len(), texts.len());
    let mut messages = 0;
    let mut different = Vec::new();
    for (lines, said) in texts.iter().zip(&said) {
        let (ours, agents) = (octorhai::sandbox::messages_in(lines), told(&said["said"]));
        messages += agents.as_array().map_or(0, Vec::len);
        if ours != agents {
            different.push(format!("{lines:?}\n  ours   {ours}\n  agents {agents}"));
        }
    }
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), texts.len(), different.join("\n"));
    assert!(messages > 1000, "too few messages to say anything: {messages}");
}
