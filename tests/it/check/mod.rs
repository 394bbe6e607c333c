//! `octorhai check`.

mod found;
mod kinds;
mod rules;
mod typing;
