//! Slips that come from other languages: what PowerShell, C#, JavaScript, Python and YAML write, and how it is written here.

use crate::error::nearest;

/// Help on a word that means nothing here, as a variable or as a reserved word; `before` and `after` are the text around it.
pub(super) fn word(word: &str, before: &str, after: &str) -> Option<String> {
    let after = after.trim_start();
    let first = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    let open = before.trim_end();
    if open.ends_with("function(") || open.ends_with("func(") {
        return Some("a function is declared with `fn`: `fn name(x) { ... }`; a closure is `|x| ...`".to_owned());
    }
    let help = match word {
        "let" | "const" if open.ends_with('(') => {
            "a loop over a list is `for p in projects() { ... }`; a variable is declared in a line of its own".to_owned()
        }
        "$" => format!("names have no `$`: write `{}`", some(&first(after), "name")),
        "var" | "val" | "auto" | "dim" | "Dim" | "set" | "local" => "a variable is declared with `let`: `let x = ...;`".to_owned(),
        "null" | "nil" | "None" | "NULL" | "undefined" | "nothing" => "nothing is written `()`: `if x == () { ... }`".to_owned(),
        "True" | "TRUE" => "it is written `true`".to_owned(),
        "False" | "FALSE" => "it is written `false`".to_owned(),
        "foreach" | "ForEach" | "each" => "a loop over a list is `for p in projects() { ... }`".to_owned(),
        "not" => "`not` is written `!`: `if !x { ... }`".to_owned(),
        "and" => "`and` is written `&&`".to_owned(),
        "or" => "`or` is written `||`".to_owned(),
        "def" | "function" | "func" | "sub" | "proc" | "lambda" => {
            "a function is declared with `fn`: `fn name(x) { ... }`; a closure is `|x| ...`".to_owned()
        }
        "await" | "async" => "nothing has to be awaited: `deploy` returns at once, and `wait(task)` waits".to_owned(),
        "elif" | "elseif" | "elsif" | "ElseIf" => "it is written `else if`".to_owned(),
        "then" | "begin" | "end" | "fi" | "done" | "endif" => "blocks stand in braces: `if x { ... }`".to_owned(),
        "finally" => "what must always happen stands in `finally(|| work, || cleanup)`".to_owned(),
        "except" | "rescue" => "it is written `catch (err) { ... }`".to_owned(),
        "raise" | "error" | "die" => "an error is raised with `throw \"...\"`, or `fail(\"...\")`".to_owned(),
        "echo" | "console" | "puts" | "printf" | "Write" => "a line is written with `print(...)`".to_owned(),
        "new" if before.trim_end().ends_with('=') => "values are made by functions, without `new`".to_owned(),
        "default" | "case" if before.contains("switch") => {
            "`switch x { \"a\" => 1, \"b\" => 2, _ => 3 }`: `_` is any other value".to_owned()
        }
        "public" | "private" | "static" | "protected" => "leave it out: functions are seen by whoever imports the file".to_owned(),
        "include" | "require" | "use" | "using" => "files are imported: `import \"./name\" as name;`".to_owned(),
        "#" if after.starts_with("#{") || before.ends_with('#') => ESCAPED.to_owned(),
        "#" => "a comment begins with `//`".to_owned(),
        "f" | "F" | "r" | "b" | "u" if after.starts_with(['"', '\'']) => TEXT_WITH_VALUES.to_owned(),
        "@" => "write it without `@`".to_owned(),
        _ if after.starts_with("=>") => format!("a closure is written `|{word}| ...`"),
        _ if after.starts_with('=') && !after.starts_with("==") && open.ends_with(['(', ',']) => {
            "arguments have no names here: they stand in order; options stand in a map at the end: `#{name: value}`".to_owned()
        }
        _ if after.starts_with('=') && !after.starts_with("==") => format!("a variable is declared before it is used: `let {word} = ...;`"),
        _ if open.ends_with(['(', ',']) && (after.starts_with([',', ')']) || after.starts_with(char::is_alphanumeric)) => {
            let words = after.split([',', ')', ';', '\n']).next().unwrap_or_default().trim_end();
            let whole = if words.is_empty() { word.to_owned() } else { format!("{word} {words}") };
            format!("text stands in double quotes: \"{whole}\"")
        }
        _ => return None,
    };
    Some(help)
}

/// Help on `##{`.
pub(super) const ESCAPED: &str = "`##{` is how `#{` is written in a step's inline script, for Octopus; here it is `#{`";

/// How a text holds values.
pub const TEXT_WITH_VALUES: &str = "a text with values in it stands in backticks: `Test of ${ctx.env}`";

/// What other languages call methods, and what they are here.
const METHODS: &[(&[&str], &str)] = &[
    (&["each", "forEach", "foreach", "ForEach"], "`for x in list { ... }` goes through a list; `list.for_each(|x| ...)` too"),
    (&["length", "size", "count", "Count", "Length"], "it is `.len()`"),
    (&["where", "Where", "select_if"], "it is `.filter(|x| ...)`"),
    (&["Select", "collect"], "it is `.map(|x| ...)`"),
    (&["add", "Add", "append", "push_back"], "it is `.push(x)`"),
    (&["includes", "Contains", "has"], "it is `.contains(x)`"),
    (&["startsWith", "StartsWith", "startswith"], "it is `.starts_with(\"...\")`"),
    (&["endsWith", "EndsWith", "endswith"], "it is `.ends_with(\"...\")`"),
    (&["toUpper", "toUpperCase", "ToUpper", "upper"], "it is `.to_upper()`"),
    (&["toLower", "toLowerCase", "ToLower", "lower"], "it is `.to_lower()`"),
    (&["toString", "ToString", "str"], "it is `.to_string()`, or `${x}` in a text in backticks"),
    (&["Trim", "strip"], "it is `.trim()`"),
    (&["Replace"], "it is `.replace(\"a\", \"b\")`"),
    (&["Split"], "it is `.split(\",\")`"),
    (&["push_all", "addAll", "AddRange", "concat", "extend"], "it is `.append(list)`, or `a + b`"),
    (&["first", "First"], "it is `list[0]`"),
    (&["last", "Last"], "it is `list[-1]`"),
    (&["join"], "a list of texts is joined by a loop, or printed as it is"),
];

/// What people call functions, and the line that works.
const FUNCTIONS: &[(&[&str], &str)] = &[
    (&["mail", "send_mail", "sendmail", "send_email", "mailto"], "`email(#{to: \"team@example.com\", subject: \"...\", body: \"...\"})`"),
    (&["runbook", "start_runbook", "execute_runbook"], "`run_runbook(project, runbook, env)`"),
    (&["csv", "to_csv"], "`report(rows, #{format: \"csv\"})`"),
    (&["html", "to_html"], "`report(rows, #{format: \"html\"})`"),
    (&["markdown", "table"], "`report(rows, #{format: \"markdown\"})`"),
    (&["wait_for_step", "waitStep"], "`wait_step(task, \"step\")`"),
    (&["wait_for_deployment", "wait_all", "wait_for_task", "wait_until_done"], "`wait(task, #{timeout: \"1h\"})`"),
    (&["latest_release", "newest", "get_latest"], "`latest(project)`"),
    (&["current_release", "live", "current", "get_deployed"], "`deployed(project, env)`"),
    (&["is_deployed"], "`deployed(project, env) != ()`"),
    (&["deploy_release", "start_deployment", "create_deployment"], "`deploy(project, version, env)`"),
    (&["new_release", "make_release"], "`create_release(project, #{version: \"1.0.0\"})`"),
    (&["environments", "get_environments"], "`envs()`"),
    (&["is_running", "in_progress", "busy"], "`running(project, env).len() > 0`"),
    (&["undo_on_failure", "transaction"], "`saga(|s| { ... })`"),
    (&["exclusive", "mutex", "with_lock"], "`lock(name, || ...)`"),
    (&["log", "log_info"], "`print(...)`"),
    (&["raise_error", "abort"], "`fail(\"...\")`"),
];

/// The line that works, for a function that people call otherwise.
pub fn function(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(names, _)| names.contains(&name)).map(|(_, line)| *line)
}

/// What people call options, and what they are here.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["skip", "skip_step", "exclude_steps"], "skip_steps"),
    (&["environment", "environments", "envs"], "env"),
    (&["project"], "projects"),
    (&["tenants"], "tenant"),
    (&["tenant"], "tenants"),
    (&["targets", "machine", "target"], "machines"),
    (&["exclude_targets", "except_machines"], "exclude_machines"),
    (&["max_wait", "wait", "time_out", "limit", "max"], "timeout"),
    (&["prompted", "vars", "prompts", "form_values", "values"], "variables"),
    (&["comments", "reason"], "comment"),
    (&["when", "start_at", "queue_time"], "at"),
    (&["type", "as"], "format"),
    (&["recipients", "address"], "to"),
    (&["text", "message"], "body"),
    (&["release_notes"], "notes"),
    (&["category"], "categories"),
];

/// What to write instead of an option that `function` does not have; `known` are those that it has.
pub fn option(function: &str, name: &str, known: &[&str]) -> Option<String> {
    if name == "tenant_tags" && known.contains(&"tenant") {
        let line = format!("for t in tenants(#{{tags: \"Ring/One\"}}) {{ {function}(..., #{{tenant: t}}); }}");
        return Some(format!("tenants are chosen first: `{line}`"));
    }
    let here = OPTIONS.iter().filter(|(names, _)| names.contains(&name)).map(|(_, here)| *here);
    here.filter(|here| known.contains(here)).map(|here| format!("write `#{{{here}: ...}}`")).next()
}

/// What another language's method is called here.
pub fn method(name: &str) -> Option<&'static str> {
    METHODS.iter().find(|(names, _)| names.contains(&name)).map(|(_, help)| *help)
}

/// The same for a name with a slip in it.
pub(super) fn method_like(name: &str) -> Option<&'static str> {
    method(nearest(name, METHODS.iter().flat_map(|(names, _)| names.iter().copied()))?)
}

/// What values of Rhai's own types are often asked for.
pub(super) fn often(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "map" => "an entry is read with `map.key`; often used: `.keys()`, `.values()`, `.len()`, `.contains(\"key\")`",
        "text" => "often used: `.len`, `.contains(\"x\")`, `.split(\",\")`, `.starts_with(\"x\")`, `.to_upper()`",
        "whole number" | "number" => "often used: `5.minutes` for durations, `${x}` in back-ticks for text",
        kind if kind.starts_with("list") => {
            "often used: `.len()`, `.map(|x| ...)`, `.filter(|x| ...)`, `.contains(x)`, `.push(x)`, `.sort()`; `import \"std/lists\" as lists;` has more"
        }
        _ => return None,
    })
}

/// What helps where a value of this type is needed and another one is there.
pub(super) fn fitting(wanted: &str) -> Option<&'static str> {
    Some(match wanted {
        "true or false" => "a condition is true or false, such as a comparison: `x > 0`, `x != ()`, `list.len() > 0`",
        "whole number" => "items of a list are taken by number, `list[0]`, entries of a map by name, `map[\"key\"]`",
        "closure" => "a closure is written `|x| ...`, one without parameters `|| ...`",
        _ => return None,
    })
}

/// Help on values that an operator is not for.
pub(super) fn operands(sign: &str, kinds: &[String]) -> Option<&'static str> {
    let any = |kind: &str| kinds.iter().any(|k| k == kind);
    Some(match sign {
        "!" => "`!` turns true into false: compare first, `!(x == 1)`",
        "+" | "-" if any("Moment") => "a duration is added to a point in time: `now() + 5.minutes`",
        "+" | "-" if any("duration") => "a number becomes a duration with its unit: `5.minutes`, `2.hours`",
        _ if any("nothing") => "one of them has no value: `x ?? 0` puts another one in its place",
        "+" | "-" | "*" | "/" | "%" | "**" | "<" | ">" | "<=" | ">=" if any("text") => {
            "`parse_int(text)` and `parse_float(text)` make a number of a text; versions are compared with `version_in(version, \">=2\")`"
        }
        _ => return None,
    })
}

/// Help on an operator of another language.
pub(super) fn operator(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "++" => "write `i += 1`",
        "--" => "write `i -= 1`",
        "?" => "write `if condition { a } else { b }`: it has a value",
        "===" => "write `==`",
        "!==" | "<>" => "write `!=`",
        "=>" | "->" => "a closure is written `|x| ...`",
        ":=" => "write `=`",
        "|>" => "write `.function()` behind the value",
        _ => return None,
    })
}

fn some<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// What Octopus should have filled in and did not: the first `#{Octopus...}` or `#{Name}` in a text.
pub(super) fn binding(text: &str) -> Option<&str> {
    let start = text.find("#{")?;
    let inner = &text[start + 2..];
    let end = inner.find('}')?;
    let letters = |c: char| c.is_alphanumeric() || " _-.[]".contains(c);
    (end > 0 && inner[..end].chars().all(letters)).then(|| &text[start..start + end + 3])
}

/// Help on such a text.
pub(super) fn unfilled(binding: &str) -> String {
    let name = binding.trim_start_matches("#{").trim_end_matches('}').trim();
    let here = match name {
        "Octopus.Environment.Name" => Some("ctx.env"),
        "Octopus.Project.Name" => Some("ctx.project"),
        "Octopus.Deployment.Tenant.Name" => Some("ctx.tenant"),
        "Octopus.Release.Number" => Some("ctx.release"),
        "Octopus.Release.Channel.Name" => Some("ctx.channel"),
        "Octopus.Space.Name" => Some("ctx.space"),
        _ => None,
    };
    let instead = here.map_or_else(|| "take it as a parameter: `param(\"...\")`".to_owned(), |here| format!("here it is `{here}`"));
    format!("`{binding}` is for Octopus to fill in, which it does in a step's inline script only: {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bindings_are_told_from_maps() {
        assert_eq!(binding("deploy(\"#{Octopus.Project.Name}\")"), Some("#{Octopus.Project.Name}"));
        assert_eq!(binding("#{timeout: \"5m\"}"), None);
        assert_eq!(binding("#{}"), None);
        assert!(unfilled("#{Octopus.Environment.Name}").contains("`ctx.env`"));
    }

    #[test]
    fn methods_are_found_with_a_slip_in_them() {
        assert_eq!(method("length"), Some("it is `.len()`"));
        assert_eq!(method_like("lenght"), Some("it is `.len()`"));
        assert_eq!(method_like("frobnicate"), None);
    }

    #[test]
    fn a_name_in_an_argument_is_a_text_without_its_quotes() {
        assert_eq!(word("Project", "deploy(", " A, \"latest\")").as_deref(), Some("text stands in double quotes: \"Project A\""));
        assert_eq!(word("latest", "deploy(\"A\", ", ", x)").as_deref(), Some("text stands in double quotes: \"latest\""));
        assert_eq!(word("p", "filter(", " => p.name)").as_deref(), Some("a closure is written `|p| ...`"));
        assert_eq!(word("x", "let y = ", " + 1"), None);
    }

    /// What each advice on methods means, run: the text that advises, a script that does it, and its result.
    const DONE: &[(&str, &str, &str)] = &[
        ("`for x in list", "let s = 0; for x in [7, 8] { s += x; } s", "15"),
        ("`list.for_each(|x| ...)` too", "let s = []; [7, 8].for_each(|x| s.push(x)); s", "[7,8]"),
        ("`.len()`", "[[1].len(), `ab`.len(), #{a: 1}.len(), `ab`.len]", "[1,2,1,2]"),
        ("`.filter(|x| ...)`", "[1, 2, 3].filter(|x| x > 1)", "[2,3]"),
        ("`.map(|x| ...)`", "[1, 2].map(|x| x * 2)", "[2,4]"),
        ("`.push(x)`", "let l = [1]; l.push(2); l", "[1,2]"),
        ("`.contains(x)`", "[[1].contains(1), `ab`.contains(`b`), #{key: 1}.contains(`key`)]", "[true,true,true]"),
        ("`.starts_with(", "`ab`.starts_with(`a`)", "true"),
        ("`.ends_with(", "`ab`.ends_with(`b`)", "true"),
        ("`.to_upper()`", "`ab`.to_upper()", "\"AB\""),
        ("`.to_lower()`", "`AB`.to_lower()", "\"ab\""),
        ("`.to_string()`", "1.to_string()", "\"1\""),
        ("`${x}` in a text in backticks", "let x = 1; `${x}`", "\"1\""),
        ("`.trim()`", "let s = ` a `; let t = s.trim(); [s, t, ` b `.trim()]", "[\" a \",\"a\",\"b\"]"),
        ("`.replace(\"a\", \"b\")`", "let s = `aa`; let t = s.replace(`a`, `b`); [s, t]", "[\"aa\",\"bb\"]"),
        ("`.split(\",\")`", "`a,b`.split(`,`)", "[\"a\",\"b\"]"),
        ("`.append(list)`", "let l = [1]; l.append([2]); l", "[1,2]"),
        ("`a + b`", "[1] + [2]", "[1,2]"),
        ("`list[0]`", "[1, 2][0]", "1"),
        ("`list[-1]`", "[1, 2][-1]", "2"),
        ("joined by a loop", "let t = ``; for x in [`a`, `b`] { t += x; } t", "\"ab\""),
        ("`map.key`", "#{key: 1}.key", "1"),
        ("`.keys()`", "#{a: 1}.keys() + #{a: 1}.values()", "[\"a\",1]"),
        ("`.sort()`", "let l = [2, 1]; l.sort(); l", "[1,2]"),
        ("`import \"std/lists\" as lists;` has more", "import \"std/lists\" as lists; lists::chunks([1, 2], 1)", "[[1],[2]]"),
        ("`i += 1`", "let i = 1; i += 1; i", "2"),
        ("`i -= 1`", "let i = 1; i -= 1; i", "0"),
        ("`if condition { a } else { b }`", "let x = if true { 1 } else { 2 }; x", "1"),
        ("`x ?? 0`", "let x = (); x ?? 0", "0"),
        ("`parse_int(text)`", "[parse_int(`1`), parse_float(`1.5`)]", "[1,1.5]"),
        ("`!(x == 1)`", "let x = 2; !(x == 1)", "true"),
    ];

    #[test]
    fn each_advice_on_a_method_is_done_and_does_what_it_says() {
        use crate::engine::{Config, Interpreter, Source, thrown::to_json};
        for (advice, script, result) in DONE {
            let interpreter = Interpreter::new(Config::default());
            let program = interpreter.load(&Source::text("main.rhai", script)).expect(script);
            let value = interpreter.run(&program).unwrap_or_else(|failure| panic!("{advice}: {failure:?}"));
            assert_eq!(to_json(&value).to_string(), *result, "{advice}: {script}");
        }
        let other = ["map", "text", "list of text"].into_iter().filter_map(often);
        let signs = ["++", "--", "?"].into_iter().filter_map(operator);
        for advice in METHODS.iter().map(|(_, advice)| *advice).chain(other).chain(signs) {
            assert!(DONE.iter().any(|(known, ..)| advice.contains(known)), "nobody does what is advised: {advice}");
        }
    }
}
