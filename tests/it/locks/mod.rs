//! Locks: the algorithm, runs that hold them, what scripts say.

mod dead;
mod runs;
mod scripts;
mod takers;
mod turns;
