//! A simulated Octopus Server over real HTTP. Shares only the ground with the rest of the crate.
