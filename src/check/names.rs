//! Rules that need a server: names that it does not know, and what it knows of projects.

use super::{File, Finding, LATEST_WITHOUT_CHANNEL, TENANT_MISSING, UNKNOWN_NAME, is_allowed, risks::DEPLOYS};
use crate::{
    engine::{
        Program,
        options::Takes,
        scene::Scene,
        text::{
            calls::{Call, calls},
            kinds::Kinds,
        },
    },
    error::{Kind, Result, suggestion},
    host::{
        Host,
        nouns::{self, Noun},
    },
};
use std::collections::BTreeMap;

/// What the server says against the names that a script writes out.
///
/// # Errors
/// When the server cannot be asked.
pub fn check(program: &Program, scene: &Scene, host: &Host) -> Result<Vec<Finding>> {
    let files: Vec<File> = program.files().map(|(name, text)| File::new(name, text)).collect();
    let mut known: BTreeMap<Noun, Vec<String>> = BTreeMap::new();
    let mut found = Vec::new();
    let made = files.iter().flat_map(made_in).collect::<Vec<_>>();
    for file in &files {
        let all = calls(&file.reading);
        let kinds = Kinds::new(&file.reading, scene);
        for call in &all {
            let receiver = call.receiver.and_then(|end| kinds.ending(end));
            // Names inside of another space or server are not ours to judge.
            if receiver.as_deref() == Some("Space") {
                continue;
            }
            let Some(entry) = scene.called(call.name, receiver.as_deref()).first().copied() else { continue };
            let shift = call.receiver.map_or(0, |_| entry.params_before_dot(receiver.as_deref()));
            let about = call.args.first().and_then(|first| file.reading.literal(first)).filter(|_| shift == 0);
            let mut places = Vec::new();
            for (at, argument) in call.args.iter().enumerate() {
                if let Some(param) = entry.params.get(at + shift).filter(|param| param.options.is_empty()) {
                    places.push((param.name, &param.takes, argument.clone()));
                } else {
                    for pair in file.reading.map(argument).unwrap_or_default() {
                        let option = entry.options.iter().find(|option| option.name == pair.key);
                        places.extend(option.map(|option| (option.name, &option.takes, pair.value)));
                    }
                }
            }
            for (_, takes, place) in &places {
                let Some(noun) = nouns::of(takes, about) else { continue };
                // A release that the script makes itself is not on the server yet.
                if let Noun::Releases(project) = &noun
                    && made.iter().any(|made| made.is_none_or(|made| made.eq_ignore_ascii_case(project)))
                {
                    continue;
                }
                // A list of names is where one name is.
                let items = if file.reading.word(place.start) == "[" {
                    (place.start + 1..place.end).map(|at| at..at + 1).collect()
                } else {
                    vec![place.clone()]
                };
                for item in items {
                    let Some(written) = file.reading.literal(&item) else { continue };
                    let names = names(host, &noun, &mut known)?;
                    if let Some(finding) = unknown(file, &noun, written, item.start, &names) {
                        found.push(finding);
                    }
                }
            }
            if DEPLOYS.contains(&call.name)
                && let Some(project) = about
            {
                found.extend(of_project(file, host, call, project, &places)?);
            }
        }
    }
    found.retain(|finding| !is_allowed(&files, finding));
    Ok(found)
}

/// The projects of which a file makes releases; none for one that is not written out.
fn made_in<'a>(file: &File<'a>) -> Vec<Option<&'a str>> {
    let makes = |call: &Call<'_>| call.name == "create_release" || call.name == "post";
    calls(&file.reading)
        .iter()
        .filter(|call| makes(call))
        .map(|call| {
            let project = call.args.first().and_then(|first| file.reading.literal(first));
            project.filter(|_| call.name == "create_release" && call.receiver.is_none())
        })
        .collect()
}

fn names(host: &Host, noun: &Noun, known: &mut BTreeMap<Noun, Vec<String>>) -> Result<Vec<String>> {
    if let Some(names) = known.get(noun) {
        return Ok(names.clone());
    }
    let names = match host.block(nouns::names(host, noun)) {
        // The project itself is unknown: that is a finding by itself.
        Err(error) if error.kind() == Kind::NotFound => Vec::new(),
        names => names?,
    };
    known.insert(noun.clone(), names.clone());
    Ok(names)
}

fn unknown(file: &File<'_>, noun: &Noun, written: &str, at: usize, names: &[String]) -> Option<Finding> {
    let slug = |name: &str| name.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "-");
    let is_id = written.split_once('-').is_some_and(|(_, number)| number.chars().all(|c| c.is_ascii_digit()) && !number.is_empty());
    let known = names.iter().any(|name| name.eq_ignore_ascii_case(written) || slug(name) == written.to_lowercase());
    if names.is_empty() || known || is_id || matches!(noun, Noun::Releases(_)) && !is_version(written) {
        return None;
    }
    let of = noun.project().map_or_else(String::new, |project| format!(" of project `{project}`"));
    let finding = file.finding(&UNKNOWN_NAME, at..at + 1, format!("the server has no {} `{written}`{of}", noun.word()));
    Some(match suggestion(written, names.iter().map(String::as_str)) {
        Some(hint) => finding.help(hint),
        None => finding,
    })
}

/// Whether a text is one version: not `latest`, not a range.
fn is_version(written: &str) -> bool {
    written.starts_with(|c: char| c.is_ascii_digit()) && !written.contains(['*', '<', '>', ' '])
}

/// What the server knows of a project that is deployed.
fn of_project(
    file: &File<'_>,
    host: &Host,
    call: &Call<'_>,
    project: &str,
    places: &[(&str, &Takes, std::ops::Range<usize>)],
) -> Result<Vec<Finding>> {
    let known = match host.block(host.servers.home.project(project)) {
        Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
        known => known?,
    };
    let says = |option: &str| places.iter().any(|(name, ..)| *name == option);
    let mut found = Vec::new();
    if known.tenanted_deployment_mode.as_str() == "Tenanted" && !says("tenant") {
        let message = format!("{} is deployed only for tenants, and `{}` names none", known.name, call.name);
        let finding = file.finding(&TENANT_MISSING, call.at..call.at + 1, message);
        found.push(finding.help("name one with #{tenant: \"...\"}, or go through `tenants(#{project: ...})`"));
    }
    let version = places.iter().find(|(name, ..)| *name == "version");
    let latest = version.is_some_and(|(.., place)| file.reading.literal(place) == Some("latest"));
    if latest && !says("channel") {
        let channels = host.block(host.servers.home.space.channels(&known.id))?;
        if channels.len() > 1 {
            let names: Vec<String> = channels.iter().map(|channel| format!("`{}`", channel.name)).collect();
            let message =
                format!("{} has the channels {}: `latest` means the newest release of the default one", known.name, names.join(", "));
            let place = version.map_or(call.at..call.at + 1, |(.., place)| place.clone());
            found.push(file.finding(&LATEST_WITHOUT_CHANNEL, place, message).help("say which one: #{channel: \"...\"}"));
        }
    }
    Ok(found)
}
