//! Changes inputs at random: bytes, words, pieces of other inputs, numbers and brackets.

use crate::support::octostache::Dice;

/// No input is longer; what is larger is the concern of the limits' own tests.
const LONGEST: usize = 64 << 10;

/// What breaks readers of anything.
const HARD: &[&str] = &[
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{1f468}\u{200d}\u{1f469}",
    "ß",
    "İ",
    "é",
    "\u{10ffff}",
    "\r\n",
    "\r",
    "\t",
    "\\",
    "\"",
    "'",
    "`",
    "${",
    "#{",
    "}",
    "##octopus[",
    "-1",
    "0",
    "1e999",
    "NaN",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "0x",
    "1.",
    "null",
    "true",
    "[",
    "]",
    "{",
    "(",
    ")",
    ",",
    ":",
    ";",
    "=",
    "..",
    "%",
    "~",
    "9999-12-31T23:59:59.9999999Z",
    "-009999-01-01T00:00:00Z",
];

/// Makes inputs.
pub struct Mutator {
    dice: Dice,
    words: &'static [&'static str],
}

/// FNV-1a.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Mutator {
    pub fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Self { dice: Dice::new(seed), words }
    }

    /// One of the inputs, changed in one to eight places.
    pub fn changed(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.dice.below(seeds.len())].clone();
        for _ in 0..=self.dice.below(8) {
            self.change(&mut input, seeds);
            input.truncate(LONGEST);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let range = self.range(input.len());
        match self.dice.below(12) {
            0 if !input.is_empty() => {
                let at = self.dice.below(input.len());
                input[at] ^= 1 << self.dice.below(8);
            }
            1 => {
                let byte = self.dice.below(256) as u8;
                input.insert(range.start, byte);
            }
            2 => drop(input.drain(range)),
            3 => input.truncate(range.start),
            4 => {
                // Again and again, which also nests.
                let piece = input[range.clone()].to_vec();
                let most = [2, 20, 2000][self.dice.below(3)];
                let times = 1 + self.dice.below(most);
                let times = times.min(LONGEST / piece.len().max(1));
                input.splice(range.end..range.end, piece.repeat(times));
            }
            5 => {
                let other = &seeds[self.dice.below(seeds.len())];
                let from = self.range(other.len());
                input.splice(range, other[from].iter().copied());
            }
            6 => {
                // Another number where one is.
                let digits: Vec<usize> = (0..input.len()).filter(|at| input[*at].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    let at = digits[self.dice.below(digits.len())];
                    let end = (at..input.len()).find(|at| !input[*at].is_ascii_digit()).unwrap_or(input.len());
                    let number = self.dice.pick(&["0", "-1", "1", "4294967296", "9223372036854775807", "99999999999999999999", "1e308"]);
                    input.splice(at..end, number.bytes());
                }
            }
            7 => {
                let (open, close) = [("[", "]"), ("{", "}"), ("(", ")"), ("#{", "}"), ("${", "}"), ("{\"a\":", "}")][self.dice.below(6)];
                let most = [4, 40, 4000][self.dice.below(3)];
                let times = 1 + self.dice.below(most);
                input.splice(range.end..range.end, close.repeat(times).into_bytes());
                input.splice(range.start..range.start, open.repeat(times).into_bytes());
            }
            8 | 9 if !self.words.is_empty() => {
                let word = self.dice.pick(self.words);
                input.splice(range, word.bytes());
            }
            10 => {
                let word = self.dice.pick(HARD);
                input.splice(range.start..range.start, word.bytes());
            }
            _ => {
                let word = self.dice.pick(HARD);
                input.splice(range, word.bytes());
            }
        }
    }

    /// A place in something of this length: mostly short.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.dice.below(length + 1);
        let most = [1, 8, 64, length + 1][self.dice.below(4)];
        start..(start + self.dice.below(most)).min(length)
    }
}
