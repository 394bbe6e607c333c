//! requeue
