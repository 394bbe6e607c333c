//! `octorhai doctor`.

mod advice;
mod findings;
