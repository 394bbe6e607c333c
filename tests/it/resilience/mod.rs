//! Runs in trouble: lost answers, cancellation, people, resumption.

mod branches;
mod cancel;
mod foreign;
mod golden;
mod mails;
pub mod people;
mod resume;
mod same;
mod stop;
mod trouble;
mod upgrade;
mod verbs;
mod wait;
mod writes;
