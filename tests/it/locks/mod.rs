//! Locks: the algorithm, runs that hold them, what scripts say.

mod runs;
mod scripts;
mod takers;
