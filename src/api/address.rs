//! Addresses: the server's base address and the paths below it, encoded, whatever links and users write.

use crate::{
    error::{Error, Kind, Result},
    userinfo,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{self, Write};
use url::Url;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The server's base address: origin and virtual directory, without `/api`. Two that are equal are one server: the host's case, the usual
/// port, a final slash and the spelling of an international name make no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// `https://host:port`, without a final slash.
    origin: String,
    /// `/octopus`, or empty.
    directory: String,
    /// Whether the host is this machine itself, which no proxy knows.
    pub(crate) loopback: bool,
    /// Whether TLS is used.
    pub(crate) tls: bool,
}

impl Base {
    /// Reads what a user writes: with or without `/api`, `/app#/Spaces-1` or final slashes.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::usage(format!("`{}` is not the address of an Octopus Server: {why}", userinfo::shown(text.trim())))
                .help("write it like `https://octopus.example.com` or `https://example.com/octopus`")
        };
        let url = Url::parse(text.trim()).map_err(|problem| match problem {
            url::ParseError::RelativeUrlWithoutBase => wrong("it must start with https:// or http://"),
            problem => wrong(&problem.to_string()),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it must start with https:// or http://"));
        }
        let Some(host) = url.host() else { return Err(wrong("it has no host")) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("a user name or password does not belong in it, every user of this machine can see it there")
                .help("log in with an API key or an access token: OCTOPUS_API_KEY, --api-key-file FILE, OCTOPUS_ACCESS_TOKEN"));
        }
        let loopback = match host {
            url::Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
            url::Host::Ipv4(ip) => ip.is_loopback(),
            url::Host::Ipv6(ip) => ip.is_loopback(),
        };
        let mut directory = url.path().trim_end_matches('/');
        for ending in ["/api", "/app"] {
            directory = directory.strip_suffix(ending).unwrap_or(directory);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            directory: directory.trim_end_matches('/').to_owned(),
            loopback,
            tls: url.scheme() == "https",
        })
    }

    /// The absolute address of `path`: a path of ours (`/api/...`), a link of the server's (which repeats the virtual
    /// directory), a web link (`/app#/...`), or an absolute address on the same server.
    pub(crate) fn resolve(&self, path: &str) -> Result<Url> {
        let text = if path.starts_with("http://") || path.starts_with("https://") {
            path.to_owned()
        } else {
            let path = path.strip_prefix('~').unwrap_or(path);
            let repeats = !self.directory.is_empty()
                && path.get(..self.directory.len()).is_some_and(|head| head.eq_ignore_ascii_case(&self.directory))
                && path[self.directory.len()..].starts_with('/');
            if repeats {
                format!("{}{path}", self.origin)
            } else if path.starts_with('/') {
                format!("{}{}{path}", self.origin, self.directory)
            } else {
                format!("{}{}/api/{path}", self.origin, self.directory)
            }
        };
        let url = Url::parse(&text).map_err(|e| Error::usage(format!("`{path}` is not a path on the server: {e}")))?;
        if !self.covers(&url) {
            return Err(Error::new(Kind::BadAnswer, format!("`{path}` leads to another server"))
                .help(format!("the credential is for `{self}`, and is sent nowhere else")));
        }
        Ok(url)
    }

    /// Whether `url` is on this very server: behind the same host there may be others, each in a directory of its own.
    pub(crate) fn covers(&self, url: &Url) -> bool {
        let path = url.path();
        let is_below = path.get(..self.directory.len()).is_some_and(|head| head.eq_ignore_ascii_case(&self.directory));
        url.origin().ascii_serialization() == self.origin
            && is_below
            && matches!(path.as_bytes().get(self.directory.len()), None | Some(b'/'))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.directory)
    }
}

/// The base address as [`super::Client::address`] shows it, from what a user writes: one name for each server.
pub fn base_address(text: &str) -> Result<String> {
    Base::parse(text).map(|base| base.to_string())
}

/// The address for people of a link of the server's (`/app#/Spaces-1/...`); none when it leads elsewhere.
pub fn web_url(server: &str, link: &str) -> Option<String> {
    Base::parse(server).ok()?.resolve(link).ok().map(String::from)
}

/// A path below `/api`, put together from parts that are encoded on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    text: String,
    has_query: bool,
}

impl Route {
    /// A route that begins with `path`, which is taken as it is (`/api/spaces`).
    pub fn new(path: impl Into<String>) -> Self {
        let text = path.into();
        let has_query = text.contains('?');
        Self { text, has_query }
    }

    /// Adds a path segment, encoded: a name with blanks or a version with `+` and even `/` stays one segment.
    #[must_use]
    pub fn then(mut self, segment: impl AsRef<str>) -> Self {
        let segment = segment.as_ref();
        // A segment of dots climbs, for every URL library on the way, `%2E%2E` like `..`. Encoded twice it is a name that nothing has.
        let encoded = if matches!(segment, "." | "..") { segment.replace('.', "%252E") } else { encode(segment) };
        let _ = write!(self.text, "/{encoded}");
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        let mark = if self.has_query { '&' } else { '?' };
        self.has_query = true;
        let _ = write!(self.text, "{mark}{name}={}", encode(&value.to_string()));
        self
    }

    /// Adds a segment when there is one.
    #[must_use]
    pub fn then_maybe(self, segment: Option<impl AsRef<str>>) -> Self {
        match segment {
            Some(segment) => self.then(segment),
            None => self,
        }
    }

    /// Adds a query parameter when there is a value.
    #[must_use]
    pub fn maybe(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list, comma-joined; an empty one is left out, because servers take it as "everything" (octopus-api.md §6).
    #[must_use]
    pub fn list<T: AsRef<str>>(self, name: &str, values: &[T]) -> Self {
        if values.is_empty() {
            return self;
        }
        let joined = values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",");
        self.with(name, joined)
    }

    /// The path and query.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_write_the_address_in_many_ways() {
        for text in [
            "https://o.test/dir",
            "https://o.test/dir/",
            "https://o.test/dir/api",
            "https://o.test/dir/api/",
            "https://o.test/dir/app#/Spaces-1",
        ] {
            let base = Base::parse(text).expect(text);
            assert_eq!(base.to_string(), "https://o.test/dir", "{text}");
        }
        for text in ["o.test", "ftp://o.test", "", "https://", "https://key:secret@o.test"] {
            let error = Base::parse(text).expect_err(text);
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn paths_and_links_lead_to_the_same_place() {
        let base = Base::parse("http://o.test:8080/dir").expect("an address");
        for path in ["/api/tasks", "tasks", "~/api/tasks", "/dir/api/tasks", "http://o.test:8080/dir/api/tasks"] {
            assert_eq!(base.resolve(path).expect(path).as_str(), "http://o.test:8080/dir/api/tasks", "{path}");
        }
        for elsewhere in [
            "http://evil.test/api/tasks",
            "https://o.test:8080/dir/api",
            "http://o.test:8080/api/tasks",
            "http://o.test:8080/directory/api/tasks",
            "../../other/api",
            "/api/../../other",
            "/dir/../other",
            "/api/%2e%2e/%2E./other",
            "http://o.test:8080@evil.test/dir/api",
        ] {
            assert!(base.resolve(elsewhere).is_err(), "{elsewhere}");
        }
        // What looks like an address and is not one of ours is a name below `/api`, never another host.
        for odd in [
            "HTTP://evil.test/api",
            "\\\\evil.test\\api",
            "//evil.test/api",
            "~@evil.test/",
            "@evil.test/",
            "~//evil.test",
            ":80@evil.test/",
        ] {
            let url = base.resolve(odd).expect(odd);
            assert!(url.as_str().starts_with("http://o.test:8080/dir/"), "{odd}: {url}");
        }
        assert_eq!(
            base.resolve("/app#/Spaces-1/tasks/ServerTasks-1").expect("a link").as_str(),
            "http://o.test:8080/dir/app#/Spaces-1/tasks/ServerTasks-1"
        );
    }

    #[test]
    fn one_server_has_one_address() {
        let base = |text: &str| Base::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        for (one, other) in [
            ("https://O.test/dir", "HTTPS://o.TEST:443/dir/"),
            ("http://o.test:80", "http://o.test/"),
            ("https://b\u{fc}ro.example", "https://xn--bro-hoa.example/"),
            ("https://B\u{dc}RO.example/api", "https://b\u{fc}ro.example"),
            ("https://o.test/app#/Spaces-1/projects", "https://o.test"),
            ("http://[0:0::1]:8065", "http://[::1]:8065/"),
            ("http://127.1/", "http://127.0.0.1"),
        ] {
            assert_eq!(base(one), base(other), "{one} {other}");
        }
        for (one, other) in [
            ("https://o.test", "http://o.test"),
            ("https://o.test", "https://o.test:8443"),
            ("https://o.test", "https://o.test/dir"),
            ("https://o.test/dir", "https://o.test/directory"),
            ("https://o.test", "https://o.test.evil.test"),
            ("http://localhost", "http://127.0.0.1"),
        ] {
            assert_ne!(base(one), base(other), "{one} {other}");
        }
    }

    #[test]
    fn no_id_climbs_out_of_its_place() {
        let base = Base::parse("http://o.test/dir").expect("an address");
        for id in [
            "..",
            ".",
            "../..",
            "..%2f..",
            "%2e%2e",
            ".%2E",
            "a/../../users/me",
            "a?x=1",
            "a#b",
            "\\..\\",
            "..;",
            "\u{202e}..",
            "..\t",
            "\n..",
        ] {
            let url = base.resolve(Route::new("/api/Spaces-1/tasks").then(id).then("cancel").as_str()).expect("an address");
            let segments: Vec<&str> = url.path_segments().expect("a path").collect();
            assert_eq!(
                (segments.len(), &segments[..4], segments[5]),
                (6, &["dir", "api", "Spaces-1", "tasks"][..], "cancel"),
                "{id:?}: {url}"
            );
            assert!(url.query().is_none() && url.fragment().is_none(), "{id:?}: {url}");
        }
    }

    #[test]
    fn segments_and_values_are_encoded() {
        let route = Route::new("/api/Spaces-1/projects")
            .then("a/b c")
            .then("..")
            .with("partialName", "x&y+z")
            .list("ids", &["A", "B"])
            .list::<&str>("none", &[]);
        assert_eq!(route.as_str(), "/api/Spaces-1/projects/a%2Fb%20c/%252E%252E?partialName=x%26y%2Bz&ids=A%2CB");
    }
}
