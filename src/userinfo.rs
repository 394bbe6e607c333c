//! Passwords in addresses that people give: what may be shown of an address, and which secrets are in it, whether or not it can be read.
//!
//! An address that does not parse is where a password shows most easily: the message about it wants to quote it. So this reads the
//! text, not a parsed address, and takes away too much rather than too little.

use percent_encoding::percent_decode_str;

/// Stands in the place of what is not shown.
const MASK: &str = "***";

/// Names of parameters whose value is a secret, in a query and in the keyword form of a PostgreSQL address.
const SECRET_PARAMETERS: [&str; 3] = ["password", "sslpassword", "pgpassword"];

/// `text` for a message about an address that is wrong: without user and password, without query and fragment. What may be a password
/// is masked even where it stands in a wrong place.
pub fn shown(text: &str) -> String {
    let (head, rest) = split(text);
    if let Some(at) = rest.rfind('@') {
        let host = &rest[at..];
        return format!("{head}{MASK}{}", &host[..host.find(['?', '#']).unwrap_or(host.len())]);
    }
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let keyword = SECRET_PARAMETERS.iter().any(|name| text.to_ascii_lowercase().contains(name));
    match authority.split_once(':') {
        _ if keyword => format!("{head}{MASK}"),
        // A port is a number; all else may be a password in front of a host that was left out.
        Some((host, port)) if !head.is_empty() && !port.bytes().all(|byte| byte.is_ascii_digit()) && !host.starts_with('[') => {
            format!("{head}{host}:{MASK}{path}")
        }
        _ => format!("{head}{rest}"),
    }
}

/// The passwords that `text` may hold, each as it is written and as it is meant; of an address that does not parse, all that may be one.
pub fn passwords(text: &str) -> Vec<String> {
    let (_, rest) = split(text);
    let mut found = Vec::new();
    match url::Url::parse(text) {
        Ok(url) if url.has_host() => found.extend(url.password().map(str::to_owned)),
        _ => found.extend(rest.rfind('@').and_then(|at| rest[..at].split_once(':')).map(|(_, password)| password.to_owned())),
    }
    for name in SECRET_PARAMETERS {
        let lower = text.to_ascii_lowercase();
        for (at, _) in lower.match_indices(name) {
            let Some(value) = text[at + name.len()..].trim_start().strip_prefix('=').map(str::trim_start) else { continue };
            let quoted = value.strip_prefix('\'').and_then(|value| value.split_once('\'')).map(|(value, _)| value);
            found.push(quoted.unwrap_or_else(|| value.split(['&', '#', ' ', '\t', '\n']).next().unwrap_or_default()).to_owned());
        }
    }
    let meant: Vec<String> = found.iter().map(|written| percent_decode_str(written).decode_utf8_lossy().into_owned()).collect();
    found.extend(meant);
    found.retain(|password| !password.is_empty());
    found.sort_unstable();
    found.dedup();
    found
}

/// The scheme with what belongs to it (`https://`), and the rest. A path of this machine and a word have no scheme.
fn split(text: &str) -> (&str, &str) {
    let scheme = text.find(':').filter(|end| {
        let mut letters = text[..*end].chars();
        *end > 1
            && letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    // `user:password@host` has no scheme, though its user looks like one.
    let Some(end) = scheme.filter(|end| text[end + 1..].starts_with(['/', '\\']) || !text.contains('@')) else { return ("", text) };
    let slashes = text[end + 1..].bytes().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    text.split_at(end + 1 + slashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_not_shown_wherever_it_stands() {
        for text in [
            "https://u:PASSWORD@h:bad/",
            "https://u:PASSWORD@h",
            "https://u:PASS/WORD@h:bad/",
            "https://u:P@SSWORD@h",
            "https:/u:PASSWORD@h",
            "https:\\\\u:PASSWORD@h",
            "https://u:PASSWORD",
            "https://PASSWORD@h:bad",
            "u:PASSWORD@h",
            "ann.b:PASSWORD@h:5432/db",
            "smtp:me:PASSWORD",
            "postgres://h:bad/db?password=PASSWORD",
            "host=h password=PASSWORD dbname=x",
            "host=h password = 'PASSWORD x'",
            "https://h:bad/#PASSWORD",
            "https://[::1:PASSWORD@h",
            "https://h h:PASSWORD@h/",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("WORD"), "{text}: {shown}");
        }
        for (text, wanted) in [
            ("octopus", "octopus"),
            ("ftp://octopus.example.com/x", "ftp://octopus.example.com/x"),
            ("https://u:PASSWORD@h:bad/", "https://***@h:bad/"),
            ("https://h:8080/x?y", "https://h:8080/x"),
            ("C:\\journal", "C:\\journal"),
            ("https://", "https://"),
            ("", ""),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn passwords_are_found_in_addresses_that_parse_and_in_others() {
        for text in [
            "https://u:PASSWORD@h:bad/",
            "https://u:PASSWORD@h/",
            "u:PASSWORD@h",
            "smtp:me:PASSWORD@h",
            "postgres://h/db?x=1&password=PASSWORD",
            "host=h password=PASSWORD dbname=x",
            "password = 'PASSWORD' host=h",
            "https://u:PASSW%4FRD@h:bad/",
            "https://u:PASSW%4FRD@h/",
        ] {
            assert!(passwords(text).iter().any(|found| found.ends_with("PASSWORD")), "{text}: {:?}", passwords(text));
        }
        for text in ["https://h:8080/x", "postgres://ann@h/db", "journal", "https://h/a@b:c"] {
            assert_eq!(passwords(text), Vec::<String>::new(), "{text}");
        }
    }
}
