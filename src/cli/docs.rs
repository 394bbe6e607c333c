//! `octorhai docs`: what is generated from the functions and the command line, for whoever wants it as a file.

use super::{
    shipped,
    subcommand::{Stage, Subcommand},
};
use crate::{
    error::{Error, Kind, Result, suggestion},
    manual,
};
use clap::Args;
use clap_complete::Shell;
use std::fmt::Write as _;

/// What `octorhai docs` takes.
#[derive(Args, Debug)]
pub struct DocsArgs {
    /// What to print.
    #[command(subcommand)]
    what: DocsPage,
}

/// What there is.
#[derive(Debug, clap::Subcommand)]
enum DocsPage {
    /// The reference of all functions and types, as Markdown
    Reference,
    /// Definitions for editors that read Rhai's (`.d.rhai`)
    Definitions,
    /// Snippets for Visual Studio Code
    Snippets,
    /// A manual page: of octorhai, or of a subcommand
    Man {
        /// The subcommand
        subcommand: Option<String>,
    },
    /// Completion of this command line for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Subcommand for DocsArgs {
    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(go(self, stage).map(|()| 0))
    }
}

fn go(args: &DocsArgs, stage: &Stage<'_>) -> Result<()> {
    let mut cli = (stage.cli)();
    let text = match &args.what {
        DocsPage::Reference => manual::reference(),
        DocsPage::Definitions => manual::definitions(),
        DocsPage::Snippets => manual::snippets(shipped::scripts()),
        DocsPage::Man { subcommand } => page(subcommand.as_deref(), cli)?,
        DocsPage::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut cli, "octorhai", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    stage.ui.data(text.trim_end());
    Ok(())
}

/// A manual page; that of the whole program ends with the exit codes.
fn page(subcommand: Option<&str>, mut cli: clap::Command) -> Result<String> {
    cli.build();
    let command = match subcommand {
        None => cli,
        Some(name) => cli.find_subcommand(name).cloned().ok_or_else(|| {
            let error = Error::usage(format!("there is no subcommand `{name}`"));
            match suggestion(name, cli.get_subcommands().map(clap::Command::get_name).collect::<Vec<_>>()) {
                Some(help) => error.help(help),
                None => error,
            }
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(|why| Error::bug(format!("the page was not written: {why}")))?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    if subcommand.is_none() {
        page.push_str(".SH \"EXIT STATUS\"\n.TP\n0\nall went well\n");
        for kind in Kind::ALL {
            let _ = writeln!(page, ".TP\n{} ({kind})\n{}", kind.exit_code(), kind.meaning().replace('\\', "\\\\"));
        }
    }
    Ok(page)
}
