//! `octorhai check`.

mod rules;
mod typing;
