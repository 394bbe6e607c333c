//! Who may talk to the sandbox at all: whoever calls it by a name of its own, and no page of another origin.
//!
//! A page in somebody's browser can reach every port of their machine. What gives it away is what no page can change: `Host` is the name
//! that the browser believes to be talking to (forged by a name server that answers with 127.0.0.1), `Origin` and `Sec-Fetch-Site` say
//! where the page came from. Clients that are no browsers send neither of the last two. Ports do not count in `Host`: a forwarded port
//! (`ssh -L`, a container) has another number, and a name server cannot forge a number.

use axum::http::{HeaderValue, header, request::Parts};
use std::net::{IpAddr, SocketAddr};

/// Why a request is not looked at.
pub(crate) struct Stranger {
    pub(crate) status: u16,
    pub(crate) why: String,
}

/// The names that the sandbox answers to.
pub(crate) struct Gate {
    listens: IpAddr,
    /// In lower case.
    names: Vec<String>,
}

impl Gate {
    /// `names` are those that clients use beside the address and `localhost`.
    pub(crate) fn new(listens: SocketAddr, names: &[String]) -> Self {
        Self { listens: listens.ip().to_canonical(), names: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Why nobody may hear an answer to this request; none when it may go on.
    pub(crate) fn refuses(&self, parts: &Parts) -> Option<Stranger> {
        let all = |name| parts.headers.get_all(name).iter().collect::<Vec<&HeaderValue>>();
        let hosts = all(header::HOST);
        let [host] = hosts.as_slice() else {
            let why = if hosts.is_empty() { "the request has no Host" } else { "the request has more than one Host" };
            return Some(Stranger { status: 400, why: format!("{why}: it must say once to whom it is sent") });
        };
        let host = host.to_str().unwrap_or_default();
        // A client of a proxy writes the address into the first line, too; what counts for whom must not be a matter of opinion.
        for name in parts.uri.authority().map(http::uri::Authority::as_str).into_iter().chain([host]) {
            if !self.is_own(name) {
                return Some(self.foreign_host(name));
            }
        }
        let origins = all(header::ORIGIN);
        let is_own = |origin: &&HeaderValue| {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme).is_some_and(|rest| rest.eq_ignore_ascii_case(host)))
        };
        if origins.len() > 1 || !origins.iter().all(is_own) {
            return Some(foreign_origin("Origin", &origins));
        }
        let sites = all(header::HeaderName::from_static("sec-fetch-site"));
        if !sites.iter().all(|site| *site == "same-origin" || *site == "none") {
            return Some(foreign_origin("Sec-Fetch-Site", &sites));
        }
        None
    }

    /// Whether `host` or `host:port` means this server and nothing that a name server could have made up.
    fn is_own(&self, host: &str) -> bool {
        let end = host.rfind(']').map_or(0, |at| at + 1);
        let (name, port) = match host[end..].split_once(':') {
            Some((between, port)) => (&host[..end + between.len()], Some(port)),
            None => (host, None),
        };
        if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
            return false;
        }
        let address = match name.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').and_then(|inside| inside.parse().ok()).map(IpAddr::V6),
            None => name.parse().ok().map(IpAddr::V4),
        };
        match address {
            Some(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address == self.listens || self.listens.is_unspecified()
            }
            None => name.eq_ignore_ascii_case("localhost") || self.names.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    fn foreign_host(&self, host: &str) -> Stranger {
        let host = shown(host);
        let mut own = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
        if self.listens.is_unspecified() {
            own.push("each address of this machine".to_owned());
        } else if !self.listens.is_loopback() {
            own.push(self.listens.to_string());
        }
        own.extend(self.names.iter().cloned());
        let why = format!(
            "the sandbox does not answer to the Host `{host}`, only to {}: a web page could have made up that name. If it is a name of this machine, start the sandbox with `--host NAME`",
            own.join(", ")
        );
        Stranger { status: 403, why }
    }
}

fn foreign_origin(header: &str, values: &[&HeaderValue]) -> Stranger {
    let said: Vec<String> = values.iter().map(|value| shown(&String::from_utf8_lossy(value.as_bytes()))).collect();
    let why = format!("the sandbox does not answer to web pages of other origins: this request says `{header}: {}`", said.join(", "));
    Stranger { status: 403, why }
}

/// What a stranger wrote, short and without what moves a terminal.
fn shown(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_ascii_graphic() && c != '`' || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn status(gate: &Gate, target: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        gate.refuses(&parts).map_or(200, |stranger| stranger.status)
    }

    fn host(gate: &Gate, host: &str) -> u16 {
        status(gate, "/api", &[("Host", host)])
    }

    #[test]
    fn only_names_that_nobody_can_make_up() {
        let gate = Gate::new("127.0.0.1:8065".parse().expect("an address"), &["build-7".to_owned()]);
        for own in [
            "127.0.0.1:8065",
            "127.0.0.1",
            "127.9.8.7:1",
            "localhost:8065",
            "LocalHost",
            "[::1]:8065",
            "[::1]",
            "[0:0:0:0:0:0:0:1]:80",
            "[::ffff:127.0.0.1]:8065",
            "localhost:9000",
            "BUILD-7:8065",
        ] {
            assert_eq!(host(&gate, own), 200, "{own}");
        }
        for foreign in [
            "evil.example",
            "evil.example:8065",
            "localhost.:8065",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8065",
            "127.0.0.1.",
            "127.0.0.1@evil.example",
            "evil.example@127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "0.0.0.0:8065",
            "[::]:8065",
            "[::1%lo]:80",
            "[::1",
            "::1",
            "[::1]evil",
            "[evil]:80",
            "10.0.0.1",
            "localhost:",
            "localhost:80:80",
            "localhost:+80",
            "localhost:99999",
            "localhost:x",
            "",
            "local host",
            "127.0.0.1,evil.example",
            "build-7.evil.example",
        ] {
            assert_ne!(host(&gate, foreign), 200, "{foreign}");
        }
        assert_eq!(status(&gate, "/api", &[]), 400, "none");
        assert_eq!(status(&gate, "/api", &[("Host", "localhost"), ("Host", "localhost")]), 400, "two");
        assert_eq!(status(&gate, "http://evil.example/api", &[("Host", "localhost")]), 403, "in the first line");
        assert_eq!(status(&gate, "http://localhost:8065/api", &[("Host", "evil.example")]), 403, "both count");
        assert_eq!(status(&gate, "http://localhost:8065/api", &[("Host", "localhost:8065")]), 200);
    }

    #[test]
    fn beyond_loopback_addresses_count_and_names_are_given() {
        let all = Gate::new("0.0.0.0:8065".parse().expect("an address"), &[]);
        assert_eq!([host(&all, "10.1.2.3:8065"), host(&all, "[2001:db8::1]:8065"), host(&all, "build-7:8065")], [200, 200, 403]);
        let one = Gate::new("10.1.2.3:8065".parse().expect("an address"), &[]);
        assert_eq!([host(&one, "10.1.2.3:8065"), host(&one, "127.0.0.1"), host(&one, "10.1.2.4")], [200, 200, 403]);
    }

    #[test]
    fn pages_of_other_origins_hear_nothing() {
        let gate = Gate::new("127.0.0.1:8065".parse().expect("an address"), &[]);
        let with = |name: &str, value: &str| status(&gate, "/api", &[("Host", "127.0.0.1:8065"), (name, value)]);
        for own in ["http://127.0.0.1:8065", "HTTP://127.0.0.1:8065", "https://127.0.0.1:8065"] {
            assert_eq!(with("Origin", own), 200, "{own}");
        }
        for foreign in [
            "null",
            "",
            "http://evil.example",
            "http://127.0.0.1",
            "http://127.0.0.1:80",
            "http://127.0.0.2:8065",
            "http://localhost:8065",
            "file://",
            "http://127.0.0.1:8065/",
        ] {
            assert_eq!(with("Origin", foreign), 403, "{foreign}");
        }
        assert_eq!(["same-origin", "none"].map(|site| with("Sec-Fetch-Site", site)), [200, 200]);
        assert_eq!(["same-site", "cross-site", "", "Same-Origin", "x"].map(|site| with("Sec-Fetch-Site", site)), [403; 5]);
        let twice = [("Host", "127.0.0.1:8065"), ("Origin", "http://127.0.0.1:8065"), ("Origin", "http://127.0.0.1:8065")];
        assert_eq!(status(&gate, "/api", &twice), 403);
    }
}
