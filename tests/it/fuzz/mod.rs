//! Fuzzing of everything that reads what others wrote: no panic, no hang, no overflow of the stack.
//!
//! A sample runs with the other tests. `OCTORHAI_FUZZ_MINUTES=N` tries each reader for so long, `OCTORHAI_SEED=N` makes up other inputs. An
//! input that broke something is kept below `fuzz`, in a folder of the reader's name, and tried first from then on.

mod answers;
mod mutate;
mod sandbox;
mod stores;
mod texts;

use crate::support::{cases, octostache::seed, root};
use mutate::Mutator;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// An input that takes longer hangs. The slowest takes a hundredth of it.
const HANGS: Duration = Duration::from_secs(120);

/// One reader.
struct Reader {
    name: &'static str,
    /// Inputs to begin with.
    seeds: Vec<Vec<u8>>,
    /// Words that mean something to it.
    words: &'static [&'static str],
    /// How many inputs the sample has.
    usual: u32,
    /// Reads an input; `Err` says what is wrong with how it was read.
    read: Read,
}

type Read = Box<dyn FnMut(&[u8]) -> Result<(), String> + Send>;

fn kept(reader: &str) -> PathBuf {
    root().join("tests/fuzz").join(reader)
}

/// Inputs that broke it once.
fn kept_inputs(reader: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(kept(reader)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a kept input")).collect()
}

/// Tries a reader with what is kept, with its seeds as they are, and with changed ones.
#[allow(clippy::print_stderr, reason = "how much was tried is of interest")]
fn fuzz(mut reader: Reader) {
    let minutes = std::env::var("OCTORHAI_FUZZ_MINUTES").ok().map(|text| text.parse::<u64>().expect("OCTORHAI_FUZZ_MINUTES is a number"));
    let (name, first) = (reader.name, kept_inputs(reader.name));
    assert!(!reader.seeds.is_empty(), "{name}: nothing to begin with");
    let folder = root().join("target/fuzz");
    fs::create_dir_all(&folder).expect("a folder");
    // An input that overflows the stack ends the process: then it is here.
    let current = folder.join(format!("{name}.current"));
    let path = current.clone();
    let (send, tried) = mpsc::channel();
    let worker = thread::Builder::new().name(format!("fuzz {name}")).spawn(move || {
        let began = Instant::now();
        let mut mutator = Mutator::new(seed() ^ mutate::hash(name.as_bytes()), reader.words);
        let fixed: Vec<Vec<u8>> = first.into_iter().chain(reader.seeds.iter().cloned()).collect();
        let most = fixed.len() as u64 + u64::from(cases(reader.usual));
        for number in 0.. {
            let goes_on = match minutes {
                Some(minutes) => number < fixed.len() as u64 || began.elapsed() < Duration::from_secs(minutes * 60),
                None => number < most,
            };
            if !goes_on {
                break;
            }
            let input = fixed.get(number as usize).cloned().unwrap_or_else(|| mutator.changed(&reader.seeds));
            fs::write(&current, &input).expect("written");
            let problem = match catch_unwind(AssertUnwindSafe(|| (reader.read)(&input))) {
                Ok(Ok(())) => None,
                Ok(Err(problem)) => Some(problem),
                Err(panic) => {
                    let words =
                        panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    Some(format!("a panic: {}", words.unwrap_or_default()))
                }
            };
            if send.send(problem.map(|problem| (input, problem))).is_err() {
                break;
            }
        }
    });
    let worker = worker.expect("a thread");
    let (mut count, mut broken) = (0, Vec::new());
    loop {
        match tried.recv_timeout(HANGS) {
            Ok(None) => count += 1,
            Ok(Some((input, problem))) => {
                let file = kept(name).join(format!("{:016x}", mutate::hash(&input)));
                fs::create_dir_all(kept(name)).expect("a folder");
                fs::write(&file, &input).expect("kept");
                let shown: String = String::from_utf8_lossy(&input).chars().take(300).collect();
                broken.push(format!("{}: {problem}\n{shown}", file.display()));
                if broken.len() >= 5 {
                    break;
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: the input in {} is not read to its end", path.display()),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(tried);
    let _ended = worker.join();
    eprintln!("fuzz {name}: {count} inputs");
    assert!(broken.is_empty(), "{name}, after {count} inputs:\n\n{}", broken.join("\n\n"));
    assert!(count > 50, "{name}: {count} inputs");
    let _gone = fs::remove_file(path);
}
