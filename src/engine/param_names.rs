//! The spellings of a parameter's name: option on the command line, environment variable, parameter of a step template.
//!
//! No other file builds a spelling from a name, so that a message never names a variable that is not read.

/// The prefix of environment variables that hold values of parameters.
const PREFIX: &str = "OCTORHAI_PARAM_";

/// All environment variables of parameters, as help texts write them.
pub const ANY_VARIABLE: &str = "OCTORHAI_PARAM_<NAME>";

/// The name of a parameter as its script declares it, such as `NotifyTo` or `dry run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamName<'a>(pub &'a str);

impl ParamName<'_> {
    /// The option on the command line: `NotifyTo` → `--NotifyTo`, `dry run` → `--dry-run`.
    pub fn option(self) -> String {
        format!("--{}", self.0.replace(char::is_whitespace, "-"))
    }

    /// The environment variable: `NotifyTo` → `OCTORHAI_PARAM_NOTIFY_TO`, `dry run` → `OCTORHAI_PARAM_DRY_RUN`.
    pub fn variable(self) -> String {
        let mut variable = PREFIX.to_owned();
        let mut before = '_';
        for letter in self.0.chars() {
            if letter.is_uppercase() && before.is_lowercase() {
                variable.push('_');
            }
            variable.extend(if letter.is_alphanumeric() { letter } else { '_' }.to_uppercase());
            before = letter;
        }
        variable
    }

    /// The parameter of a step template, behind the template's prefix: `The Token` → `TheToken`, because names in Octopus
    /// have no spaces.
    pub fn in_template(self) -> String {
        self.0.chars().filter(|letter| !letter.is_whitespace()).collect()
    }

    /// Whether `written`, without `--` or the prefix of variables, means this parameter. Only letters and digits count, in
    /// upper or lower case.
    pub fn is_meant_by(self, written: &str) -> bool {
        let (own, written) = (letters(self.0), letters(written));
        own == written && !own.is_empty()
    }
}

/// The part of an environment variable's name that names a parameter; `None` for all other variables.
pub fn named_by(variable: &str) -> Option<&str> {
    variable.strip_prefix(PREFIX)
}

fn letters(name: &str) -> String {
    // By way of the upper case, as `variable` writes it: that of `ß` is `SS`.
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).filter(|letter| letter.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn each_spelling_means_the_parameter() {
        for (name, option, variable, in_template) in [
            ("NotifyTo", "--NotifyTo", "OCTORHAI_PARAM_NOTIFY_TO", "NotifyTo"),
            ("dry run", "--dry-run", "OCTORHAI_PARAM_DRY_RUN", "dryrun"),
            ("width", "--width", "OCTORHAI_PARAM_WIDTH", "width"),
            ("smtp.host-name_2", "--smtp.host-name_2", "OCTORHAI_PARAM_SMTP_HOST_NAME_2", "smtp.host-name_2"),
            ("a/b", "--a/b", "OCTORHAI_PARAM_A_B", "a/b"),
            ("Straße", "--Straße", "OCTORHAI_PARAM_STRASSE", "Straße"),
        ] {
            let param = ParamName(name);
            assert_eq!((param.option(), param.variable(), param.in_template()), (option.into(), variable.into(), in_template.into()));
            let written = [&option[2..], named_by(variable).expect("a variable of ours"), in_template, &name.to_lowercase()];
            assert!(written.iter().all(|written| param.is_meant_by(written)), "{name}");
            assert!(!param.is_meant_by("other") && !param.is_meant_by(""), "{name}");
        }
        assert!(!ParamName("?").is_meant_by("-"));
        assert_eq!((named_by("HOME"), named_by("OCTORHAI_STORE")), (None, None));
    }

    /// Shipped lines, without comments, that build a spelling from a name.
    fn builders(path: &str, text: &str) -> Vec<String> {
        let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines = shipped.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        // The options of octorhai itself, which `args.rs` names, are no parameters.
        let built: &[&str] =
            if path.ends_with("cli/args.rs") { &["OCTORHAI_PARAM"] } else { &["OCTORHAI_PARAM", "--{}", "--{name}", "--{param"] };
        lines
            .filter(|(_, line)| built.iter().any(|word| line.contains(word)))
            .map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim()))
            .collect()
    }

    fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push((path.to_string_lossy().replace('\\', "/"), fs::read_to_string(&path).expect("text")));
            }
        }
    }

    #[test]
    fn no_other_file_builds_a_spelling() {
        let mut all = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
        assert!(all.len() > 10);
        let others = all.iter().filter(|(path, _)| !path.ends_with("engine/param_names.rs"));
        let found: Vec<String> = others.flat_map(|(path, text)| builders(path, text)).collect();
        assert!(found.is_empty(), "use ParamName:\n{}", found.join("\n"));
    }

    #[test]
    fn a_file_that_builds_a_spelling_is_found() {
        let text =
            "fn f(name: &str) {\n    format!(\"OCTORHAI_PARAM_{name}\");\n    // OCTORHAI_PARAM_X\n    format!(\"--{}\", name);\n}\n";
        assert_eq!(builders("a.rs", text).len(), 2);
        assert_eq!(builders("src/cli/args.rs", text).len(), 1);
        assert!(builders("a.rs", "x();\n#[cfg(test)]\nmod tests {\n    const X: &str = \"OCTORHAI_PARAM_X\";\n}\n").is_empty());
    }

    #[test]
    fn documents_name_variables_that_are_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let example = ParamName("NotifyTo").variable();
        for path in
            ["src/host/context.rs", "docs/reference.md", "docs/repl.md", "stdlib/host.d.rhai", "editors/vscode/octorhai.code-snippets"]
        {
            let text = fs::read_to_string(root.join(path)).expect(path);
            assert!(text.contains(&example) && !text.contains("OCTORHAI_PARAM_NOTIFYTO"), "{path}");
        }
    }
}
