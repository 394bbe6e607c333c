//! Runs in trouble: lost answers, cancellation, people, resumption.

mod approvals;
mod branches;
mod cancel;
#[cfg(target_os = "linux")]
mod documents;
mod foreign;
mod golden;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(unix)]
mod hostile_scripts;
mod mails;
mod pace;
pub mod people;
mod resume;
mod same;
mod stop;
mod trouble;
mod upgrade;
mod verbs;
mod wait;
mod writes;
