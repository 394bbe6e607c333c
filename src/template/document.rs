//! The document of a step template as Octopus exports it (octopus-step-contract.md §4.1 to §4.4).

use super::exported::{Exported, Parameter, SELECT, Shell};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The template, without `$Meta`, which says when.
pub(super) fn template(exported: &Exported<'_>, shell: Shell, id: &str, version: u64, body: &str) -> Value {
    let own = |what: &str| Uuid::new_v5(&Uuid::parse_str(id).unwrap_or_default(), what.as_bytes()).to_string();
    let package = format!("{}.Package", exported.prefix);
    json!({
        "Id": id,
        "Name": format!("{} ({})", title(exported), shell.name()),
        "Description": description(exported, shell),
        "ActionType": "Octopus.Script",
        "Version": version,
        "CommunityActionTemplateId": null,
        "Packages": [{
            "Id": own("package"),
            "Name": package,
            "PackageId": null,
            "FeedId": null,
            "AcquisitionLocation": "Server",
            "Properties": {"Extract": "True", "SelectionMode": "deferred", "PackageParameterName": package, "Purpose": ""},
        }],
        "GitDependencies": [],
        "Properties": {
            "Octopus.Action.Script.ScriptSource": "Inline",
            "Octopus.Action.Script.Syntax": shell.name(),
            "Octopus.Action.Script.ScriptBody": body,
            "Octopus.Action.RunOnServer": "true",
            "OctopusUseBundledTooling": "False",
        },
        "Parameters": exported.parameters.iter().map(|parameter| shown(parameter, &own(&parameter.name))).collect::<Vec<_>>(),
        "StepPackageId": "Octopus.Script",
        "$Meta": null,
        "LastModifiedBy": "octorhai",
        "Category": "octopus",
    })
}

fn shown(parameter: &Parameter, id: &str) -> Value {
    let mut settings = Map::new();
    settings.insert("Octopus.ControlType".to_owned(), parameter.control.into());
    if parameter.control == SELECT {
        let lines: Vec<String> = parameter.choices.iter().map(|choice| format!("{choice}|{choice}")).collect();
        settings.insert("Octopus.SelectOptions".to_owned(), lines.join("\n").into());
    }
    json!({
        "Id": id,
        "Name": parameter.name,
        "Label": parameter.label,
        "HelpText": parameter.help,
        "DefaultValue": parameter.default,
        "DisplaySettings": settings,
    })
}

/// `octorhai - Master project`: noun and verb, as the names of a library are.
fn title(exported: &Exported<'_>) -> String {
    let stem = exported.script.name.trim_end_matches(".rhai").replace(['-', '_'], " ");
    let mut letters = stem.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect::<String>();
    format!("octorhai - {first}{}", letters.as_str())
}

/// What a person chooses by. Octopus evaluates no bindings in it.
fn description(exported: &Exported<'_>, shell: Shell) -> String {
    let about = exported.script.about.trim();
    let about = about
        .chars()
        .next()
        .map_or_else(String::new, |first| format!("{}{}.\n\n", first.to_uppercase(), about[first.len_utf8()..].trim_end_matches('.')));
    let needs = match shell {
        Shell::Bash => "a Linux worker with Bash and openssl",
        Shell::PowerShell => "a worker with Windows PowerShell 5.1 or PowerShell 7",
    };
    let text = exported.script.text.trim_end();
    let fence = "`".repeat(text.split(|c| c != '`').map(str::len).max().unwrap_or(0).max(2) + 1);
    format!(
        "{about}It runs this script with octorhai, on {needs}, and the package `octorhai` (or the program on the worker).\n\n\
         Output variables: `TaskIds`, `Task.1.Id`, `Task.1.State`, ..., `Result`, `ExitCode`, `Error.Kind`, `Error.Message`, and what the script sets. \
         When the step is tried again, it goes on with what its last attempt started.\n\n{fence}\n{text}\n{fence}"
    )
}

/// What counts when two of them are compared.
pub(super) fn without_meta(template: &Value) -> Value {
    let mut plain = template.clone();
    if let Some(members) = plain.as_object_mut() {
        members.remove("$Meta");
    }
    plain
}
