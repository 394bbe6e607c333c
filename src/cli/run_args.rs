//! What `octorhai run` takes.

use super::shared_args::Output;
use crate::{engine::param_names::ANY_VARIABLE, run::RunOptions};
use clap::Args;
use std::path::PathBuf;

/// What `octorhai run` takes.
#[derive(Args, Debug, Default)]
#[command(
    override_usage = "octorhai run [OPTIONS] SCRIPT [--PARAMETER VALUE]... [-- --PARAMETER VALUE ...]",
    after_help = format!(
        "Parameters of the script stand after it, or after `--` when an option above has the same name. Where a parameter's value \
         comes from, first found: command line, --params file, environment variable {ANY_VARIABLE}, default in the script."
    )
)]
pub struct RunArgs {
    /// The script
    #[arg(value_name = "SCRIPT")]
    pub script: PathBuf,

    /// Run on a simulated server in virtual time: shop, tenants, fleet(N) or a world FILE (.toml) [default: shop]
    #[arg(long, value_name = "NAME|FILE", num_args = 0..=1, require_equals = true, default_missing_value = "shop", conflicts_with_all = ["server", "virtual_time"])]
    pub sandbox: Option<String>,

    /// Run the scripts of steps of that world, in Bash and PowerShell, as this user on this machine
    #[arg(long, requires = "sandbox")]
    pub run_scripts: bool,

    /// Where the run works, and how.
    #[command(flatten)]
    pub options: RunOptions,

    /// Name of this run: an unfinished run of that name is continued, one that ended is not done again [default: in an Octopus step
    /// that hands on OCTOPUS_TASK_ID and OCTOPUS_ACTION_ID made of these, otherwise made up]
    #[arg(long, value_name = "NAME")]
    pub run_id: Option<String>,

    /// Begin anew when the run of that name has ended
    #[arg(long, requires = "run_id")]
    pub anew: bool,

    /// Of a run that is continued by its name: also when another user began it.
    #[arg(skip)]
    pub any_user: bool,

    /// Where runs are journaled: a folder, postgres://USER@HOST/DATABASE for several machines, or none [env: OCTORHAI_STORE]
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,

    /// What stdout carries: what the script prints, or one event a line as JSON
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub output: Output,

    /// Show how many requests were sent, in total and per minute
    #[arg(long)]
    pub stats: bool,

    /// Tell more
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,

    /// Tell warnings and errors only
    #[arg(short, long)]
    pub quiet: bool,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,

    /// Parameters of the script
    #[arg(last = true, value_name = "PARAMETERS", hide = true, allow_hyphen_values = true)]
    pub parameters: Vec<String>,

    /// Set when the command line is read: the script's own help was asked for.
    #[arg(long = "script-help", hide = true)]
    pub script_help: bool,
}

impl RunArgs {
    /// The script's name without folder and ending.
    pub(super) fn stem(&self) -> String {
        self.script.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
    }
}
