//! `octorhai sandbox`: a simulated Octopus Server in a process of its own, for any client, until Ctrl-C.

use super::{
    connect, signals,
    subcommand::{Stage, Subcommand},
    ui::Ui,
    worlds,
};
use crate::{
    clock::Clock,
    error::{Error, Result},
    sandbox::{self, Sandbox, World},
};
use clap::Args;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// What `octorhai sandbox` takes.
#[derive(Args, Debug)]
pub struct SandboxArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8065")]
    pub listen: String,

    /// What is on the server: shop, tenants, fleet(N) or a FILE (.toml)
    #[arg(long, value_name = "NAME|FILE", default_value = "shop")]
    pub world: String,

    /// How many times faster than real its clock runs
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = factor)]
    pub speed: f64,

    /// Its clock stands, and goes on by `POST /sandbox/advance` and with `octorhai run --virtual-time`
    #[arg(long = "virtual", conflicts_with = "speed")]
    pub virtual_time: bool,

    /// Run the scripts of steps, those of the world and those that clients put into processes, in Bash and PowerShell, as this user on this machine
    #[arg(long)]
    pub run_scripts: bool,

    /// A name beside localhost and its addresses by which clients call it; requests to other names are refused
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,

    /// Write every request and its answer to FILE, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Print every endpoint the sandbox knows, one JSON object a line, and leave
    #[arg(long)]
    pub endpoints: bool,

    /// Print a world as TOML, to start one's own from, and leave
    #[arg(long, value_name = "NAME")]
    pub print_world: Option<String>,

    /// Write without colour, as with NO_COLOR
    #[arg(long)]
    pub no_color: bool,
}

fn factor(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && (0.001..=1_000_000.0).contains(&factor) => Ok(factor),
        _ => Err("a number between 0.001 and 1000000 is wanted".to_owned()),
    }
}

impl Subcommand for SandboxArgs {
    fn has_colour(&self) -> bool {
        !self.no_color
    }

    fn perform(&self, stage: &Stage<'_>) -> u8 {
        stage.ui.exit_code(perform(self, stage.ui).map(|()| 0))
    }
}

fn perform(args: &SandboxArgs, ui: &Ui) -> Result<()> {
    if let Some(name) = &args.print_world {
        ui.data(worlds::text(name)?.trim_end());
        return Ok(());
    }
    if args.endpoints {
        sandbox::endpoints().for_each(|endpoint| ui.data(&endpoint.to_string()));
        return Ok(());
    }
    let address = address(&args.listen)?;
    let world = worlds::named(&args.world, args.run_scripts)?;
    let speed = (!args.virtual_time).then_some(args.speed);
    serve(world, address, speed, &args.host, args.log.as_deref(), |ready| {
        for line in instructions(&ready) {
            ui.talk(&line);
        }
        if let Some(warning) = beyond(address, args.run_scripts) {
            ui.warning(&warning);
        }
        if args.run_scripts {
            for line in sandbox::shells() {
                ui.talk(&line);
            }
        }
    })
}

/// Serves `world` at `address` with a clock `speed` times as fast as the one on the wall, or one that stands until a client
/// moves it (none), tells when it listens, and returns when a signal asks for the end, or fails when the log can no longer be written.
fn serve(
    world: World,
    address: SocketAddr,
    speed: Option<f64>,
    hosts: &[String],
    log: Option<&Path>,
    tell: impl FnOnce(Ready),
) -> Result<()> {
    connect::runtime()?.block_on(async {
        let (sandbox, ready) = start(world, address, speed, hosts).await?;
        if let Some(log) = log {
            sandbox.log_to(log)?;
        }
        tell(ready);
        tokio::select! {
            _ = signals::first() => Ok(()),
            error = sandbox.log_breaks() => Err(error),
        }
    })
}

/// Starts a simulated server; it ends when what comes first is dropped.
async fn start(world: World, address: SocketAddr, speed: Option<f64>, hosts: &[String]) -> Result<(Sandbox, Ready)> {
    let clock = speed.map_or_else(|| Clock::virtual_at(world.start()), |speed| Clock::scaled(world.start(), speed));
    let environment = world.default_environment();
    let sandbox = Sandbox::start_as(world, clock, address, hosts).await?;
    let smtp = sandbox.smtp_url().trim_start_matches("smtp://").to_owned();
    let ready = Ready { url: sandbox.url(), key: sandbox.api_key(), smtp, space: "Default".to_owned(), environment, speed };
    Ok((sandbox, ready))
}

/// What it means that other machines reach it.
fn beyond(listens: SocketAddr, run_scripts: bool) -> Option<String> {
    let ip = listens.ip().to_canonical();
    if ip.is_loopback() {
        return None;
    }
    let whom = if ip.is_unspecified() { "on all addresses of this machine".to_owned() } else { format!("on {ip}") };
    let scripts = if run_scripts { ", and runs commands of theirs as this user" } else { "" };
    Some(format!(
        "it listens {whom}: who reaches this machine over the network and knows the key, which travels in plain text, does with it what they like{scripts}. \
         The key is none that everybody knows, unless the world names it. Names of this machine that clients use are given with `--host NAME`"
    ))
}

/// What a sandbox that listens tells about itself.
pub(super) struct Ready {
    /// Base address.
    pub url: String,
    /// An API key that may do everything.
    pub key: String,
    /// Host and port that take mail.
    pub smtp: String,
    /// Name of the space.
    pub space: String,
    /// The environment that `ctx.env` is, if the world says.
    pub environment: Option<String>,
    /// Factor of its clock; none when it stands until a client moves it.
    pub speed: Option<f64>,
}

/// How to use it from octorhai and from the official CLI, ready to be copied. The key is shown here and nowhere else.
fn instructions(ready: &Ready) -> Vec<String> {
    let Ready { url, key, smtp, space, environment, speed } = ready;
    let env = environment.as_ref().map(|name| format!(" --env {name}")).unwrap_or_default();
    let clock = speed.map_or_else(|| "clock stands until a client moves it".to_owned(), |speed| format!("clock x {speed}"));
    vec![
        format!("sandbox listens on {url}, mail on {smtp}, {clock}; Ctrl-C ends it"),
        String::new(),
        "octorhai on it:".to_owned(),
        format!("  OCTOPUS_URL={url} OCTOPUS_API_KEY={key} OCTORHAI_SMTP_URL=smtp://{smtp} octorhai run{env} SCRIPT"),
        "the official CLI on it:".to_owned(),
        format!("  OCTOPUS_URL={url} OCTOPUS_API_KEY={key} OCTOPUS_SPACE={space} octopus project list"),
    ]
}

fn address(text: &str) -> Result<SocketAddr> {
    // Names are not looked up: a simulator belongs on this machine, and on others an address is known.
    let spelt = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    spelt.parse().map_err(|_| Error::usage(format!("`{text}` is not an address to listen on")).help("write it like 127.0.0.1:8065"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_checked() {
        assert!(address("127.0.0.1:0").is_ok() && address("[::1]:80").is_ok());
        assert_eq!(address("localhost:80").expect("an address").to_string(), "127.0.0.1:80");
        assert_eq!(address("8065").expect_err("no host").kind(), crate::error::Kind::Usage);
    }

    #[test]
    fn instructions_can_be_copied() {
        let ready = Ready {
            url: "http://127.0.0.1:8065".into(),
            key: "API-SANDBOX".into(),
            smtp: "127.0.0.1:2525".into(),
            space: "Default".into(),
            environment: Some("Test".into()),
            speed: Some(60.0),
        };
        assert_eq!(
            instructions(&ready).join("\n"),
            "sandbox listens on http://127.0.0.1:8065, mail on 127.0.0.1:2525, clock x 60; Ctrl-C ends it

octorhai on it:
  OCTOPUS_URL=http://127.0.0.1:8065 OCTOPUS_API_KEY=API-SANDBOX OCTORHAI_SMTP_URL=smtp://127.0.0.1:2525 octorhai run --env Test SCRIPT
the official CLI on it:
  OCTOPUS_URL=http://127.0.0.1:8065 OCTOPUS_API_KEY=API-SANDBOX OCTOPUS_SPACE=Default octopus project list"
        );
    }
}
