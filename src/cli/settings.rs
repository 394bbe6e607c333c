//! Options of a run and the environment become [`Settings`], wherever the run begins.

use super::{
    environment::{Environment, certificates, variable},
    keyring::{self, Keyring},
    store,
    ui::Ui,
};
use crate::{
    api::Credential,
    cancel::Cancel,
    clock::text,
    error::{Error, Kind, Result},
    platform::zones,
    run::{Address, ContextSettings, RunOptions, Settings, Source, Target},
};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Options with what the environment says where they are silent.
///
/// # Errors
/// A usage error for a mail server that is none.
pub(super) fn with_environment(options: &RunOptions, ui: &Ui, environment: &Environment) -> Result<RunOptions> {
    let smtp = options.smtp.as_ref().and_then(Address::as_str).or_else(|| variable(environment, "OCTORHAI_SMTP_URL"));
    if let Some(url) = smtp {
        learn_mail_server(ui, url)?;
    }
    let mail_from = options.mail_from.as_deref().or_else(|| variable(environment, "OCTORHAI_MAIL_FROM"));
    Ok(RunOptions { smtp: smtp.map(Address::from), mail_from: mail_from.map(str::to_owned), ..options.clone() })
}

fn learn_mail_server(ui: &Ui, smtp: &str) -> Result<()> {
    ui.redactor().learn_address(smtp);
    let url =
        url::Url::parse(smtp).map_err(|_| Error::usage("the SMTP address is not an address").help("write it like smtp://host:587"))?;
    if !matches!(url.scheme(), "smtp" | "smtps") || url.host().is_none() {
        return Err(
            Error::usage("the SMTP address must start with smtp:// or smtps:// and name a host").help("write it like smtp://host:587")
        );
    }
    Ok(())
}

/// The server that `--server`, otherwise OCTOPUS_URL, names; none when neither does.
///
/// # Errors
/// Those of [`Keyring::login`], and for certificates that cannot be used.
pub(super) fn login(options: &RunOptions, ui: &Ui, environment: &Environment) -> Result<Option<Target>> {
    let keyring = Keyring { ui, environment, server: options.server.as_deref(), key_file: options.api_key_file.as_deref() };
    keyring.login()?.map(|credential| server(options, credential, environment)).transpose()
}

/// The server of a credential as a run's target.
pub(super) fn server(options: &RunOptions, credential: Credential, environment: &Environment) -> Result<Target> {
    let space = options.space.as_deref().or_else(|| variable(environment, "OCTOPUS_SPACE")).map(str::to_owned);
    Ok(Target::Server { credential, space, ca_cert: certificates(options.ca_cert.as_deref(), environment)? })
}

/// The zone of times that do not name one: that of the record when a run is continued, otherwise `--tz`, otherwise the zone of the
/// sandbox's world or of this machine.
///
/// # Errors
/// A usage error for a name that is not a time zone.
pub(super) fn zone(options: &RunOptions, target: &Target) -> Result<TimeZone> {
    let written = match (options.zone.as_ref().or(options.tz.as_ref()), target) {
        (Some(name), _) => Some(name.clone()),
        (None, Target::Sandbox(world)) => Some(world.zone().unwrap_or_else(|| "UTC".to_owned())),
        (None, Target::Server { .. }) => None,
    };
    match written {
        None => Ok(zones::of_machine()),
        Some(name) => text::zone(&name).map_err(|error| error.into_kind(Kind::Usage)),
    }
}

/// The settings that follow from options and environment; script and sinks are for the caller to add. `store` is what `--store` says.
///
/// # Errors
/// Usage errors for a place of locks that is none, and a patience that is no time.
pub(super) fn settings(
    options: &RunOptions,
    store: Option<&str>,
    target: Target,
    zone: TimeZone,
    ui: &Ui,
    environment: &Environment,
) -> Result<Settings> {
    let locks = options.locks.as_ref().and_then(Address::as_str);
    Ok(Settings {
        script: Source::text("", ""),
        params: BTreeMap::new(),
        target,
        virtual_time: options.virtual_time,
        servers: keyring::servers(environment),
        context: ContextSettings {
            space: options.space.clone(),
            environment: options.env.clone(),
            tenant: options.tenant.clone(),
            project: options.project.clone(),
            deployment: options.deployment.clone(),
            ..ContextSettings::default()
        },
        zone,
        on_cancel: options.on_cancel,
        on_failure: options.on_failure,
        smtp: options.smtp.as_ref().and_then(Address::as_str).map(str::to_owned),
        mail_from: options.mail_from.clone(),
        artifacts: options.artifacts.clone(),
        secrets: ui.redactor().clone(),
        max_operations: options.max_operations,
        sinks: Vec::new(),
        cancel: Cancel::new(),
        locks: store::locks(locks, store, environment, ui)?,
        journal: None,
        measured: store::doctor_file(environment),
        store_patience: store::patience(environment)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::ui::{Loudness, testing},
        *,
    };

    #[test]
    fn zone_is_that_of_the_record_then_of_the_option_then_of_the_world() {
        let world = Target::Sandbox(crate::sandbox::World::named_or_file("tenants").expect("a world"));
        let of = |tz: Option<&str>, recorded: Option<&str>| {
            zone(&RunOptions { tz: tz.map(str::to_owned), zone: recorded.map(str::to_owned), ..RunOptions::default() }, &world)
        };
        let named = |tz, recorded| of(tz, recorded).expect("a zone").iana_name().map(str::to_owned);
        assert_eq!(named(Some("Asia/Tokyo"), Some("America/Lima")).as_deref(), Some("America/Lima"));
        assert_eq!(named(Some("Asia/Tokyo"), None).as_deref(), Some("Asia/Tokyo"));
        // As in scripts.
        assert_eq!(named(Some("W. Europe Standard Time"), None).as_deref(), Some("Europe/Berlin"));
        assert_eq!(
            of(Some("Berlin"), None).map_err(|error| (error.kind(), error.hints().to_vec())).err(),
            Some((Kind::Usage, vec!["did you mean `Europe/Berlin`?".to_owned()]))
        );
        let Target::Sandbox(of_world) = &world else { panic!("a sandbox") };
        assert_eq!(named(None, None), TimeZone::get(&of_world.zone().expect("a zone")).expect("a zone").iana_name().map(str::to_owned));
    }

    #[test]
    fn an_smtp_password_is_learnt_in_both_spellings() {
        let (ui, _, talk) = testing::ui(Loudness::Normal);
        learn_mail_server(&ui, "smtp://me:p%40ssword@mail:587").expect("an address");
        ui.talk("p%40ssword p@ssword");
        assert_eq!(talk.text(), "*** ***\n");
        assert!(learn_mail_server(&ui, "http://mail").is_err());
    }
}
