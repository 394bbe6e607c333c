//! separate
