//! The client: against a server that answers as a test says, and against documents of real servers.

mod client;
mod elsewhere;
mod moving;
mod nouns;
mod pacing;
mod payloads;
mod roundtrip;
mod trust;
mod waits;
