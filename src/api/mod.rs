//! The typed Octopus client, usable as a library by itself.
