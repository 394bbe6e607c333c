//! The explorer: every state that a model can reach, breadth first; what is wrong in it; and from where nobody can finish.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// The most words that a state packs into.
const WORDS: usize = 4;

/// A state as the explorer keeps it.
type Packed = [u64; WORDS];

/// One step of somebody, in words.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    /// The process that does it or whose request it is about.
    pub(crate) who: u8,
    pub(crate) what: &'static str,
    /// Something that must not be needed for finishing: a crash, a lost request.
    pub(crate) fault: bool,
}

/// What follows from a state.
pub(crate) type Steps<S> = Vec<(Step, S)>;

/// A protocol with its surroundings.
pub(crate) trait Model {
    type State: Copy + Default;

    fn start(&self) -> Self::State;

    /// Everything that may happen next.
    fn steps(&self, state: &Self::State, out: &mut Steps<Self::State>);

    /// What is wrong in this state.
    fn wrong(&self, state: &Self::State) -> Option<&'static str>;

    /// Everyone has finished.
    fn finished(&self, state: &Self::State) -> bool;

    /// Names every field with the number of its bits, in one order: so states are packed and unpacked.
    fn fields(state: &mut Self::State, field: &mut impl FnMut(&mut u8, u32));

    /// The state in a line of a trace.
    fn show(&self, state: &Self::State) -> String;
}

/// How an exploration ended.
pub(crate) enum Verdict {
    /// All states seen: nothing is wrong anywhere and everyone can still finish from everywhere.
    Holds,
    /// Something is wrong at the end of the trace, which is a shortest one.
    Violated(&'static str, Vec<String>),
    /// From the end of the trace nobody gets to a state in which all have finished.
    DeadEnd(Vec<String>),
}

/// What was found, and how much was looked at.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) verdict: Verdict,
}

/// Folds words: states are short, and the default hasher costs more than the steps in a debug build.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, _: usize) {} // the length, which is always the same
}

fn pack<M: Model>(mut state: M::State) -> Packed {
    let (mut words, mut at) = ([0; WORDS], 0);
    M::fields(&mut state, &mut |value, bits| {
        debug_assert!(u32::from(*value) >> bits == 0, "a field of {bits} bits holds {value}");
        if at % 64 + bits > 64 {
            at += 64 - at % 64;
        }
        words[(at / 64) as usize] |= u64::from(*value) << (at % 64);
        at += bits;
    });
    words
}

fn unpack<M: Model>(words: &Packed) -> M::State {
    let (mut state, mut at) = (M::State::default(), 0);
    M::fields(&mut state, &mut |value, bits| {
        if at % 64 + bits > 64 {
            at += 64 - at % 64;
        }
        *value = ((words[(at / 64) as usize] >> (at % 64)) & ((1 << bits) - 1)) as u8;
        at += bits;
    });
    state
}

/// Sees every state, or stops at the first in which something is wrong.
pub(crate) fn explore<M: Model>(model: &M) -> Found {
    let mut seen: HashMap<Packed, u32, BuildHasherDefault<Fold>> = HashMap::default();
    let mut states = vec![pack::<M>(model.start())];
    let mut parents = vec![0];
    seen.insert(states[0], 0);
    let mut back = Vec::new(); // (to, from) of every step that is not a fault
    let (mut next, mut count, mut out) = (0, 0, Vec::new());
    while next < states.len() {
        let from = next as u32;
        let state = unpack::<M>(&states[next]);
        next += 1;
        if let Some(what) = model.wrong(&state) {
            let trace = trace(model, &states, &parents, from);
            return Found { states: states.len(), steps: count, verdict: Verdict::Violated(what, trace) };
        }
        out.clear();
        model.steps(&state, &mut out);
        count += out.len();
        for (step, state) in &out {
            let packed = pack::<M>(*state);
            let to = *seen.entry(packed).or_insert_with(|| {
                states.push(packed);
                parents.push(from);
                (states.len() - 1) as u32
            });
            if !step.fault {
                back.push((to, from));
            }
        }
    }
    let verdict = match dead_end(model, &states, &back) {
        Some(state) => Verdict::DeadEnd(trace(model, &states, &parents, state)),
        None => Verdict::Holds,
    };
    Found { states: states.len(), steps: count, verdict }
}

/// The first state from which no state in which all have finished can be reached.
fn dead_end<M: Model>(model: &M, states: &[Packed], back: &[(u32, u32)]) -> Option<u32> {
    // The steps by where they lead to: where the ones to a state begin, and where each comes from.
    let mut begins = vec![0_u32; states.len() + 1];
    for (to, _) in back {
        begins[*to as usize + 1] += 1;
    }
    for i in 1..begins.len() {
        begins[i] += begins[i - 1];
    }
    let (mut free, mut origins) = (begins.clone(), vec![0; back.len()]);
    for (to, from) in back {
        let place = &mut free[*to as usize];
        origins[*place as usize] = *from;
        *place += 1;
    }
    let mut good: Vec<bool> = states.iter().map(|s| model.finished(&unpack::<M>(s))).collect();
    let mut left: Vec<usize> = (0..states.len()).filter(|i| good[*i]).collect();
    while let Some(to) = left.pop() {
        for from in &origins[begins[to] as usize..begins[to + 1] as usize] {
            if !std::mem::replace(&mut good[*from as usize], true) {
                left.push(*from as usize);
            }
        }
    }
    good.iter().position(|good| !good).map(|i| i as u32)
}

/// The way to a state, a step a line.
fn trace<M: Model>(model: &M, states: &[Packed], parents: &[u32], end: u32) -> Vec<String> {
    let mut way = vec![end];
    while let Some(last) = way.last().filter(|l| **l != 0) {
        way.push(parents[*last as usize]);
    }
    way.reverse();
    let (mut lines, mut out) = (vec![format!(" 0  {:62} {}", "the start", model.show(&model.start()))], Vec::new());
    for (number, pair) in way.windows(2).enumerate() {
        out.clear();
        model.steps(&unpack::<M>(&states[pair[0] as usize]), &mut out);
        let taken = out.iter().find(|(_, s)| pack::<M>(*s) == states[pair[1] as usize]);
        let (step, state) = taken.expect("a state follows from its parent");
        let words = format!("{}: {}", char::from(b'A' + step.who), step.what);
        lines.push(format!("{:2}  {words:62} {}", number + 1, model.show(state)));
    }
    lines
}
