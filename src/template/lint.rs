//! What a step template must be like: the rules of the community library, those of its checklists that a program can check, and ours
//! (octopus-step-contract.md §4.5).

use super::exported::{ACCOUNT, CHECKBOX, LINE, LINES, PACKAGE, SELECT, SENSITIVE};
use serde_json::Value;
use std::{collections::BTreeMap, fmt};
use uuid::Uuid;

/// A rule, and what to do about a template that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A short name.
    pub name: &'static str,
    /// What holds.
    pub says: &'static str,
    /// What to do.
    pub now: &'static str,
    /// Whose rule it is.
    pub of: &'static str,
}

macro_rules! rules {
    ($($id:ident $name:literal $of:literal $says:literal $now:literal;)*) => {
        $(const $id: Rule = Rule { name: $name, says: $says, now: $now, of: $of };)*
        /// All rules, in the order of the documentation.
        pub const RULES: &[Rule] = &[$($id,)*];
    };
}

rules! {
    JSON "json" "library" "the file is JSON" "export it again; what is edited by hand must stay JSON";
    BOM "bom" "library" "nothing stands before the JSON, no byte order mark either" "save it as UTF-8 without BOM";
    FILE "file" "library" "a folder of templates holds files that end in .json, and nothing else" "move other files elsewhere";
    LAST "last-modified-by" "library" "`LastModifiedBy` is there" "put the name of a GitHub user there";
    META "meta" "library" "`$Meta` has `ExportedAt`, and `Type` is `ActionTemplate`" "export the template from Octopus, or with `octorhai template export`";
    NAME "name" "library" "`Name` has 1 to 200 letters" "name what it does, shortly";
    NAME_ONCE "name-once" "library" "no two templates have the same `Name`" "tell them apart: `... (Bash)`, `... (PowerShell)`";
    ID "id" "library" "`Id` is a GUID of its own, not zeros and not an example" "make one (uuidgen); it stays for ever";
    ID_ONCE "id-once" "library" "no two templates have the same `Id`" "a copy needs an id of its own";
    FEED "feed" "library" "`FeedId` of a package is null or a binding" "leave the feed to who uses the template";
    CATEGORY "category" "library" "`Category` is in lower case, and has a logo: `octopus`, or one in `Logo`" "take `octopus`, or put a PNG into `Logo`";
    VERSION "version" "checklist" "`Version` is a whole number from 1" "raise it by one at every change";
    STYLE "name-style" "checklist" "`Name` is like `Noun - Verb`" "write what it is about, ` - `, what it does";
    DOLLAR "parameter-dollar" "checklist" "no parameter's name begins with `$`" "name it as `$OctopusParameters` has it";
    PREFIX "parameter-prefix" "checklist" "names of parameters have one prefix in common, `Prefix.Name`" "they share one space with all variables of a project";
    DEFAULT "default" "checklist" "`DefaultValue` is a text or null" "write numbers and truth values as texts";
    HELP "help" "checklist" "each parameter has a label and a help text" "say what it is for, and what is not obvious";
    DESCRIPTION "description" "checklist" "`Description` says what it does" "people choose by it";
    TYPE "action-type" "octorhai" "`ActionType` is `Octopus.Script`, with inline body in Bash or PowerShell" "others are not run by a launcher";
    GUIDS "guids" "octorhai" "ids are GUIDs in hexadecimal digits, also those of parameters and packages" "the library takes any letters; servers do not";
    TWICE "parameter-once" "octorhai" "no two parameters have the same name, in whatever case" "PowerShell does not tell them apart";
    CONTROL "control" "octorhai" "`Octopus.ControlType` is one that Octopus has; a `Select` has lines of `value|label`" "see the table of control types";
    SECRET "secret" "octorhai" "what sounds like a secret is `Sensitive`" "a plain box shows it to everybody who sees the step";
    SECRET_DEFAULT "secret-default" "octorhai" "a `Sensitive` parameter has no default" "whoever gets the file could read it";
    INLINE "binding" "octorhai" "the body holds no `#{...}`: Octopus would put a value, or a secret, into the text of the script" "read it with get_octopusvariable or $OctopusParameters, and write `##{` for the letters themselves";
    ASCII "ascii" "octorhai" "the body is ASCII" "files of scripts are written in other encodings on the way";
    SHORT "short" "octorhai" "the body has at most 60 lines" "a launcher hands on; what decides is a script";
    PACKAGES "packages" "octorhai" "each package reference has a parameter of its name, and the other way round" "give both the same name, `SelectionMode` deferred";
    PAIR "pair" "octorhai" "a template for Bash and its twin for PowerShell have the same parameters" "export both from one script";
}

/// A rule that a file breaks.
#[derive(Clone, Debug)]
pub struct LintFinding {
    /// The file.
    pub file: String,
    /// The rule.
    pub rule: Rule,
    /// What is wrong here.
    pub what: String,
}

impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}\n  rule: {}\n  help: {}", self.file, self.rule.name, self.what, self.rule.says, self.rule.now)
    }
}

/// Where findings of one file go.
struct Into<'a> {
    file: &'a str,
    found: &'a mut Vec<LintFinding>,
}

impl Into<'_> {
    fn unless(&mut self, holds: bool, rule: Rule, what: impl fmt::Display) {
        if !holds {
            self.found.push(LintFinding { file: self.file.to_owned(), rule, what: what.to_string() });
        }
    }
}

/// What is wrong with files, by name and content.
pub fn lint(files: &[(String, Vec<u8>)]) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let (mut names, mut ids): (BTreeMap<String, &str>, BTreeMap<String, &str>) = Default::default();
    // The file and the parameters of the first of two twins.
    let mut twins: BTreeMap<String, (&str, Vec<String>)> = BTreeMap::new();
    for (file, bytes) in files {
        let mut into = Into { file, found: &mut found };
        if std::path::Path::new(file).extension().is_none_or(|end| end != "json") {
            into.unless(false, FILE, "this is no template");
            continue;
        }
        into.unless(!bytes.starts_with(b"\xef\xbb\xbf"), BOM, "there is a byte order mark");
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let template: Value = match serde_json::from_slice(text) {
            Ok(template) => template,
            Err(problem) => {
                into.unless(false, JSON, problem);
                continue;
            }
        };
        one(&template, &mut into);
        let (name, id) = (word(&template, "Name").to_lowercase(), word(&template, "Id").to_lowercase());
        if let Some(other) = names.insert(name.clone(), file) {
            into.unless(name.is_empty(), NAME_ONCE, format_args!("{other} is called so too"));
        }
        if let Some(other) = ids.insert(id.clone(), file) {
            into.unless(id.is_empty(), ID_ONCE, format_args!("{other} has this id too"));
        }
        if let Some(twin) = ["(bash)", "(powershell)"].iter().find_map(|shell| name.strip_suffix(shell)) {
            let mine: Vec<String> = parameters(&template).map(|p| format!("{} {}", word(p, "Name"), p["DefaultValue"])).collect();
            match twins.get(twin) {
                Some((other, theirs)) => {
                    into.unless(mine == *theirs, PAIR, format_args!("{other} has other parameters, or other defaults"));
                }
                None => drop(twins.insert(twin.to_owned(), (file, mine))),
            }
        }
    }
    found
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn parameters(template: &Value) -> impl Iterator<Item = &Value> {
    template["Parameters"].as_array().into_iter().flatten()
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && Uuid::parse_str(text).is_ok_and(|id| !id.is_nil())
}

/// What the library's guide shows as an example.
const EXAMPLE: &str = "abcdef00-ab00-cd00-ef00-000000abcdef";

fn one(template: &Value, into: &mut Into<'_>) {
    into.unless(template.get("LastModifiedBy").is_some(), LAST, "it is not there");
    let meta = &template["$Meta"];
    into.unless(meta["ExportedAt"].is_string() && meta["Type"] == "ActionTemplate", META, "it is not as it should be");
    let (name, id) = (word(template, "Name"), word(template, "Id"));
    into.unless(!name.trim().is_empty() && name.chars().count() <= 200, NAME, format_args!("it has {} letters", name.chars().count()));
    into.unless(name.contains(" - ") || name.is_empty(), STYLE, format_args!("it is `{name}`"));
    into.unless(is_guid(id) && id != EXAMPLE, ID, format_args!("it is `{id}`"));
    into.unless(template["Version"].as_u64().is_some_and(|version| version >= 1), VERSION, format_args!("it is {}", template["Version"]));
    into.unless(!word(template, "Description").trim().is_empty(), DESCRIPTION, "there is none");
    let category = word(template, "Category");
    let has_logo = category == "octopus" || (!category.is_empty() && !word(template, "Logo").is_empty());
    into.unless(has_logo && category == category.to_lowercase(), CATEGORY, format_args!("it is `{category}`"));
    let properties = &template["Properties"];
    let syntax = word(properties, "Octopus.Action.Script.Syntax");
    let is_script = template["ActionType"] == "Octopus.Script" && ["Bash", "PowerShell"].contains(&syntax);
    into.unless(
        is_script && word(properties, "Octopus.Action.Script.ScriptSource") == "Inline",
        TYPE,
        format_args!("it is {} in `{syntax}`", template["ActionType"]),
    );
    body(word(properties, "Octopus.Action.Script.ScriptBody"), into);
    all_parameters(template, into);
    packages(template, into);
}

fn body(body: &str, into: &mut Into<'_>) {
    let lines = body.lines().count();
    into.unless((1..=60).contains(&lines), SHORT, format_args!("it has {lines}"));
    if let Some((number, line)) = body.lines().enumerate().find(|(_, line)| !line.is_ascii()) {
        let letter = line.chars().find(|c| !c.is_ascii()).unwrap_or(' ');
        into.unless(false, ASCII, format_args!("line {} holds `{letter}`", number + 1));
    }
    // What is written `##{` comes out as `#{`, and is no binding.
    let bound = |line: &str| line.match_indices("#{").any(|(at, _)| !line[..at].ends_with('#'));
    if let Some((number, _)) = body.lines().enumerate().find(|(_, line)| bound(line)) {
        into.unless(false, INLINE, format_args!("line {} holds one", number + 1));
    }
}

fn all_parameters(template: &Value, into: &mut Into<'_>) {
    let mut known: Vec<String> = Vec::new();
    let mut prefixes: Vec<&str> = Vec::new();
    for parameter in parameters(template) {
        let name = word(parameter, "Name");
        let control = word(&parameter["DisplaySettings"], "Octopus.ControlType");
        into.unless(!name.starts_with('$'), DOLLAR, format_args!("`{name}` does"));
        prefixes.push(name.split_once('.').map_or("", |(first, _)| first));
        into.unless(!known.contains(&name.to_lowercase()), TWICE, format_args!("`{name}` is there twice"));
        known.push(name.to_lowercase());
        let default = parameter.get("DefaultValue").unwrap_or(&Value::Null);
        into.unless(default.is_null() || default.is_string(), DEFAULT, format_args!("that of `{name}` is {default}"));
        let helped = !word(parameter, "Label").trim().is_empty() && !word(parameter, "HelpText").trim().is_empty();
        into.unless(helped, HELP, format_args!("`{name}` lacks one"));
        into.unless(is_guid(word(parameter, "Id")), GUIDS, format_args!("that of `{name}` is `{}`", word(parameter, "Id")));
        let options = word(&parameter["DisplaySettings"], "Octopus.SelectOptions");
        let is_list = control != SELECT || (!options.is_empty() && options.lines().all(|line| line.contains('|')));
        into.unless(CONTROLS.contains(&control) && is_list, CONTROL, format_args!("that of `{name}` is `{control}`"));
        let sounds = name.rsplit('.').next().unwrap_or(name).to_lowercase().replace(['-', '_'], "");
        let is_secret = ["apikey", "password", "token", "secret", "passphrase", "privatekey"].iter().any(|word| sounds.ends_with(word));
        into.unless(!is_secret || [SENSITIVE, "Certificate"].contains(&control), SECRET, format_args!("`{name}` is `{control}`"));
        into.unless(
            control != SENSITIVE || default.as_str().unwrap_or_default().is_empty(),
            SECRET_DEFAULT,
            format_args!("`{name}` has one"),
        );
    }
    let same = prefixes.first().is_none_or(|first| !first.is_empty() && prefixes.iter().all(|prefix| prefix == first));
    into.unless(same, PREFIX, "they have not");
}

/// What there is to choose from (octopus-step-contract.md §4.4).
const CONTROLS: &[&str] = &[
    LINE,
    LINES,
    CHECKBOX,
    SELECT,
    SENSITIVE,
    PACKAGE,
    ACCOUNT,
    "StepName",
    "AzureAccount",
    "AmazonWebServicesAccount",
    "GoogleCloudAccount",
    "UsernamePasswordAccount",
    "Certificate",
    "WorkerPool",
    "Custom",
];

fn packages(template: &Value, into: &mut Into<'_>) {
    let references: Vec<&Value> = template["Packages"].as_array().into_iter().flatten().collect();
    for reference in &references {
        let (feed, id) = (&reference["FeedId"], word(reference, "Id"));
        into.unless(feed.is_null() || feed.as_str().is_some_and(|feed| feed.starts_with('#')), FEED, format_args!("it is {feed}"));
        into.unless(is_guid(id), GUIDS, format_args!("that of the package `{}` is `{id}`", word(reference, "Name")));
        let wanted = word(&reference["Properties"], "PackageParameterName");
        let is_deferred = word(&reference["Properties"], "SelectionMode") == "deferred";
        let known =
            parameters(template).any(|p| word(p, "Name") == wanted && word(&p["DisplaySettings"], "Octopus.ControlType") == PACKAGE);
        into.unless(
            !is_deferred || (known && wanted == word(reference, "Name")),
            PACKAGES,
            format_args!("`{}` has none", word(reference, "Name")),
        );
    }
    for parameter in parameters(template).filter(|p| word(&p["DisplaySettings"], "Octopus.ControlType") == PACKAGE) {
        let name = word(parameter, "Name");
        into.unless(
            references.iter().any(|reference| word(reference, "Name") == name),
            PACKAGES,
            format_args!("`{name}` has no reference"),
        );
    }
}
