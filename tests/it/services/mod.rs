//! Mail and reports.

mod mail;
mod report;
