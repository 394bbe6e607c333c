//! Arguments that several subcommands take.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What stdout carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// What the script prints.
    #[default]
    Text,
    /// One event a line.
    Json,
}

/// Where a subcommand without a script finds the server.
#[derive(Args, Debug)]
pub struct ServerArgs {
    /// Address of the Octopus Server [env: OCTOPUS_URL]; log in with OCTOPUS_API_KEY or OCTOPUS_ACCESS_TOKEN
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,

    /// Read the API key from a file instead of OCTOPUS_API_KEY
    #[arg(long, value_name = "FILE", global = true)]
    pub api_key_file: Option<PathBuf>,

    /// Space, by name, slug or id [env: OCTOPUS_SPACE] [default: the server's default space]
    #[arg(long, value_name = "SPACE", global = true)]
    pub space: Option<String>,

    /// Trust the certificates in a PEM file too: of an authority, or of the server itself [env: OCTORHAI_CA_CERT]
    #[arg(long, value_name = "FILE", global = true)]
    pub ca_cert: Option<PathBuf>,
}
