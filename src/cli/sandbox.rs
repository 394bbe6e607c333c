//! `octorhai sandbox`: a simulated Octopus Server in a process of its own, for any client, until Ctrl-C.

use super::{args::SandboxArgs, below, ui::Ui};
use crate::error::{Error, Result};
use std::net::SocketAddr;

/// Prints a world, or serves one until a signal comes, and returns the exit code.
pub fn run(args: &SandboxArgs, ui: &Ui) -> u8 {
    ui.exit_code(perform(args, ui).map(|()| 0))
}

fn perform(args: &SandboxArgs, ui: &Ui) -> Result<()> {
    if let Some(name) = &args.print_world {
        ui.data(below::world_text(name)?.trim_end());
        return Ok(());
    }
    if args.endpoints {
        below::endpoints().for_each(|line| ui.data(&line));
        return Ok(());
    }
    let address = address(&args.listen)?;
    let world = below::world(&args.world, args.run_scripts)?;
    let speed = (!args.virtual_time).then_some(args.speed);
    below::serve(world, address, speed, &args.host, args.log.as_deref(), |ready| {
        for line in instructions(&ready) {
            ui.talk(&line);
        }
        if let Some(warning) = beyond(address, args.run_scripts) {
            ui.warning(&warning);
        }
        if args.run_scripts {
            for line in below::shells() {
                ui.talk(&line);
            }
        }
    })
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
