//! The journal on files and on PostgreSQL.

mod postgres;
mod store;
