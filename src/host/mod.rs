//! The joint: what scripts can say, and what that means on an Octopus Server.
