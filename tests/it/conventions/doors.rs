//! Doors: time, network and output are reached through one place each; `unwrap()` and `unsafe` nowhere.

use super::{
    reader::places,
    repository::{File, none, sources},
};

/// Words that only some files may use: what for, the words, where they may stand.
struct Door {
    name: &'static str,
    words: &'static [&'static str],
    allowed: &'static [&'static str],
}

const DOORS: &[Door] = &[
    Door {
        name: "time (use crate::clock)",
        words: &["Instant::now", "SystemTime::now", "Timestamp::now", "ZonedDateTime::now", "tokio::time", "thread::sleep", "time::sleep"],
        allowed: &["src/clock/"],
    },
    Door {
        name: "network",
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
            "to_socket_addrs",
            "reqwest::Client",
            "reqwest::get",
            "axum",
            "SmtpTransport",
            "AsyncSmtpTransport",
        ],
        allowed: &["src/api/client", "src/api/tls", "src/mail", "src/sandbox/"],
    },
    Door {
        name: "stdout and stderr (use cli::ui)",
        words: &[
            "println!",
            "print!",
            "eprintln!",
            "eprint!",
            "dbg!",
            "io::stdout",
            "io::stderr",
            "stdout()",
            "stderr()",
            "ProgressDrawTarget::std",
        ],
        // The reader at its other end is looked at without a word.
        allowed: &["src/cli/ui.rs", "src/platform/console.rs"],
    },
    // A second reader would know other names.
    Door { name: "time zones by name (use clock::text::zone)", words: &["TimeZone::get"], allowed: &["src/clock/text/zones.rs"] },
    Door {
        name: "which one a name means (use api::meant)",
        words: &["eq_ignore_ascii_case", "to_lowercase() =="],
        // Not of the server's documents: words of scripts, files, addresses, parameters; the sandbox is the other side.
        allowed: &[
            "src/api/meant.rs",
            "src/api/address.rs",
            "src/api/decode.rs",
            "src/api/id.rs",
            "src/host/mod.rs",
            // A value against a text, a word of a closed set: nothing is chosen.
            "src/host/meanings.rs",
            "src/host/words.rs",
            "src/check/",
            "src/cli/",
            "src/clock/",
            "src/engine/",
            "src/mail",
            "src/sandbox/",
            "src/step/",
            "src/template/",
        ],
    },
    Door {
        name: "the same word in any case (to choose one, use api::meant::the_one)",
        words: &["same_word("],
        allowed: &[
            "src/api/meant.rs",
            // A word of a closed set; rules that name the server's own steps.
            "src/api/previews.rs",
            "src/api/releases.rs",
            "src/api/version.rs",
            "src/host/pending.rs",
            "src/host/releases.rs",
            "src/host/tags.rs",
            // Of sets that two creators made at once the one with the smallest id counts.
            "src/lock/octopus.rs",
        ],
    },
    Door {
        name: "a secret and the server that it is for (a front end asks cli::keyring)",
        words: &["Credential::api_key", "Credential::access_token", "with_key_of_the_same_server"],
        allowed: &[
            "src/api/credential.rs",
            "src/cli/keyring.rs",
            // The key that the doctor makes and revokes.
            "src/cli/doctor.rs",
            // The boxes of a step hold both.
            "src/cli/step_run.rs",
            // The sandbox of a run says both.
            "src/run/mod.rs",
        ],
    },
    Door {
        name: "reading files (use platform::files::read, which is bounded and reads only files)",
        words: &["fs::read(", "fs::read_to_string", "File::open"],
        // Its own files, which nobody names; what a launcher hands over as an open file.
        allowed: &["src/platform/", "src/journal/sqlite/", "src/cli/step_run.rs"],
    },
    Door { name: "unwrap (use expect with the reason, or an error)", words: &[".unwrap()"], allowed: &[] },
    Door { name: "unsafe", words: &["unsafe"], allowed: &[] },
];

fn through_a_wrong_door(door: &Door, files: &[File]) -> Vec<String> {
    let mut offenders = Vec::new();
    for file in files.iter().filter(|file| !door.allowed.iter().any(|allowed| file.path.starts_with(allowed))) {
        for (line, word) in places(&file.shipped(), door.words) {
            offenders.push(format!("{}:{line}: `{word}`: the door for {} is elsewhere: {:?}", file.path, door.name, door.allowed));
        }
    }
    offenders
}

#[test]
fn time_network_and_output_have_one_door_each() {
    let sources = sources();
    none(DOORS.iter().flat_map(|door| through_a_wrong_door(door, &sources)).collect());
}

#[test]
fn each_word_at_a_wrong_door_is_found() {
    for door in DOORS {
        for word in door.words {
            let text = format!("fn f() {{ x\n{word} }}");
            let found = through_a_wrong_door(door, &[File::new("src/host/a.rs", &text)]);
            // One word may hold another (`std::thread::sleep`); each must be found at its line.
            assert!(found.iter().any(|offender| offender.contains(&format!("src/host/a.rs:2: `{word}`"))), "{word}: {found:?}");
            for hidden in
                [format!("// {word}"), format!("fn f() {{ g(\"{word}\") }}"), format!("#[cfg(test)]\nmod t {{ fn f() {{ {word} }} }}")]
            {
                assert!(through_a_wrong_door(door, &[File::new("src/host/a.rs", &hidden)]).is_empty(), "{hidden}");
            }
            for allowed in door.allowed {
                let path =
                    if std::path::Path::new(allowed).extension().is_some() { (*allowed).to_owned() } else { format!("{allowed}x.rs") };
                assert!(through_a_wrong_door(door, &[File::new(&path, &text)]).is_empty(), "{path}");
            }
        }
    }
}
