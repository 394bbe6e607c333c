//! `UriPart`: addresses as .NET takes them apart, as far as they are plain; what is not is an error that says so.

use super::{case::lower, done::Done};

const NAMES: [&str; 20] = [
    "absolutepath",
    "absoluteuri",
    "authority",
    "dnssafehost",
    "fragment",
    "host",
    "hostandport",
    "hostnametype",
    "isabsoluteuri",
    "isdefaultport",
    "isfile",
    "isloopback",
    "isunc",
    "path",
    "pathandquery",
    "port",
    "query",
    "scheme",
    "schemeandserver",
    "userinfo",
];

struct Uri<'t> {
    scheme: String,
    user: &'t str,
    host: String,
    port: Option<u16>,
    path: &'t str,
    query: &'t str,
    fragment: &'t str,
}

fn default_port(scheme: &str) -> Option<u16> {
    Some(match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "ftp" => 21,
        _ => return None,
    })
}

/// An address with a scheme whose rules are known, a host of plain letters, and nothing that would be rewritten.
fn read(text: &str) -> Option<Uri<'_>> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    default_port(&scheme)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=".contains(c);
    if !rest.chars().all(plain) {
        return None;
    }
    let (rest, fragment) = rest.find('#').map_or((rest, ""), |at| rest.split_at(at));
    let (rest, query) = rest.find('?').map_or((rest, ""), |at| rest.split_at(at));
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    if path.split('/').any(|part| part == "." || part == "..") || (scheme == "ftp" && !query.is_empty()) {
        return None;
    }
    let (user, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)));
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok()?),
    };
    let labels = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numbers = host.split('.').all(|label| label.bytes().all(|b| b.is_ascii_digit()));
    let address =
        host.split('.').count() == 4 && host.split('.').all(|part| part.parse::<u8>().is_ok_and(|number| number.to_string() == part));
    if user.contains('@') || !host.split('.').all(labels) || (numbers && !address) || host.len() > 60 {
        return None;
    }
    Some(Uri { scheme, user, host: host.to_ascii_lowercase(), port, path, query, fragment })
}

/// A text that .NET takes for a relative address whatever it is looked at for.
fn is_relative(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['/', '\\']) && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/?=&".contains(c))
}

pub(super) fn part(argument: &str, options: &[String]) -> Done {
    let Some(option) = options.first() else { return Ok(Some("[UriPart error: no argument given]".to_owned())) };
    let name = lower(option);
    let unknown = !NAMES.contains(&name.as_str());
    let not_supported = || Ok(Some(format!("[UriPart {option} error: argument '{option}' not supported]")));
    if is_relative(argument) {
        if unknown {
            return not_supported();
        }
        return Ok(Some(match name.as_str() {
            "isabsoluteuri" => "false".to_owned(),
            _ => format!("[UriPart {option} error: This operation is not supported for a relative URI.]"),
        }));
    }
    let Some(uri) = read(argument.trim()) else {
        return Err(format!("the sandbox does not take the address {argument:?} apart as Octostache does"));
    };
    if unknown {
        return not_supported();
    }
    let Uri { scheme, user, host, path, query, fragment, .. } = &uri;
    let usual = default_port(scheme);
    let port = uri.port.or(usual);
    let is_default = port == usual;
    let shown = if is_default { String::new() } else { format!(":{}", port.unwrap_or(0)) };
    let number = port.unwrap_or(0);
    let is_address = host.split('.').all(|label| label.bytes().all(|b| b.is_ascii_digit()));
    Ok(Some(match name.as_str() {
        "absolutepath" | "path" => (*path).to_owned(),
        "absoluteuri" => {
            let user = if user.is_empty() { String::new() } else { format!("{user}@") };
            format!("{scheme}://{user}{host}{shown}{path}{query}{fragment}")
        }
        "authority" => format!("{host}{shown}"),
        "dnssafehost" | "host" => host.clone(),
        "fragment" => (*fragment).to_owned(),
        "hostandport" => format!("{host}:{number}"),
        "hostnametype" => if is_address { "IPv4" } else { "Dns" }.to_owned(),
        "isabsoluteuri" => "true".to_owned(),
        "isdefaultport" => is_default.to_string(),
        "isfile" | "isunc" => "false".to_owned(),
        "isloopback" => (host == "localhost" || host == "loopback" || (is_address && host.starts_with("127."))).to_string(),
        "pathandquery" => format!("{path}{query}"),
        "port" => number.to_string(),
        "query" => (*query).to_owned(),
        "scheme" => scheme.clone(),
        "schemeandserver" => format!("{scheme}://{host}{shown}"),
        _ => (*user).to_owned(),
    }))
}
