//! A simulated Octopus Server over real HTTP. Shares only the ground with the rest of the crate.

pub mod mailbox;

/// A world: everything that is true on a simulated server when it starts.
pub struct World;
