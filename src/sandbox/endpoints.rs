//! Every endpoint the sandbox knows, and which of them a request means.
//!
//! One list, so that requests, the check of permissions, the request log, the answers 405 and 501 and the table in docs/sandbox.md say the same.

use super::{
    answer::Refusal,
    collection, links,
    nouns::{Depth, NOUNS},
    routing::{Endpoint, LINK, absent},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// What is not the same for all kinds of documents.
const OWN: &[&[Endpoint]] = &[
    super::server::ENDPOINTS,
    super::rate_limiting_policies::ENDPOINTS,
    super::people::ENDPOINTS,
    super::api_keys::ENDPOINTS,
    super::tasks::ENDPOINTS,
    super::activity::ENDPOINTS,
    super::releases::ENDPOINTS,
    super::release_creation::ENDPOINTS,
    super::previews::ENDPOINTS,
    super::progression::ENDPOINTS,
    super::deployments::ENDPOINTS,
    super::executions::ENDPOINTS,
    super::runbooks::ENDPOINTS,
    super::at_reference::ENDPOINTS,
    super::git_runbooks::ENDPOINTS,
    super::projects::ENDPOINTS,
    super::processes::ENDPOINTS,
    super::channels::ENDPOINTS,
    super::channel_types::ENDPOINTS,
    super::environments::ENDPOINTS,
    super::parent_environments::ENDPOINTS,
    super::provisioning::ENDPOINTS,
    super::tenants::ENDPOINTS,
    super::variables::ENDPOINTS,
    super::variable_snapshots::ENDPOINTS,
    super::packages::ENDPOINTS,
    super::feeds::ENDPOINTS,
    super::build_information::ENDPOINTS,
    super::actiontemplates::ENDPOINTS,
    super::dashboard::ENDPOINTS,
    super::events::ENDPOINTS,
    super::freezes::ENDPOINTS,
    super::interruptions::ENDPOINTS,
    super::approvals::ENDPOINTS,
    super::approval_rules::ENDPOINTS,
    super::triggers::ENDPOINTS,
    super::artifacts::ENDPOINTS,
];

/// All of them.
pub(crate) static ALL: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let mut all: Vec<Endpoint> = OWN.concat();
    let mut seen: BTreeSet<(&str, Pattern)> = all.iter().map(|e| (e.method, pattern(e))).collect();
    // A kind may answer in its own way, and what hangs below a document is named there, if it is absent.
    let absent_links = links::elsewhere().iter().filter(|(_, template)| !template.contains("/{")).flat_map(|(_, template)| {
        let route = template.split("{?").next().unwrap_or(template);
        let list = route.split_once("{/").map(|(list, _)| list);
        [Some(&*route.replace("{/", "/{").leak()), list].into_iter().flatten().map(|route| absent("GET", route, LINK))
    });
    for endpoint in NOUNS.iter().flat_map(collection::endpoints).chain(absent_links) {
        if seen.insert((endpoint.method, pattern(&endpoint))) {
            all.push(endpoint);
        }
    }
    all
});

/// The endpoints of each path.
static PATHS: LazyLock<matchit::Router<Vec<&'static Endpoint>>> = LazyLock::new(|| {
    let mut paths: BTreeMap<Pattern, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in ALL.iter() {
        debug_assert!(takes_its_identifiers(endpoint), "{}", endpoint.name());
        paths.entry(pattern(endpoint)).or_default().push(endpoint);
    }
    let mut router = matchit::Router::new();
    for (path, endpoints) in paths {
        let inserted = router.insert(path, endpoints);
        debug_assert!(inserted.is_ok(), "{inserted:?}");
    }
    router
});

fn takes_its_identifiers(endpoint: &Endpoint) -> bool {
    let wanted = endpoint.segments().filter(|word| word.starts_with('{')).count();
    matches!(endpoint.depth, Depth::Absent(_)) || endpoint.handler.takes() == wanted
}

/// The path of an endpoint behind `/api` and the space: its words in lower case, and no names of identifiers.
type Pattern = String;

fn pattern(endpoint: &Endpoint) -> Pattern {
    let parts = endpoint
        .segments()
        .enumerate()
        .map(|(i, s)| if s.starts_with('{') { format!("/{{{i}}}") } else { format!("/{}", s.to_lowercase()) });
    Some(parts.collect()).filter(|path: &String| !path.is_empty()).unwrap_or_else(|| "/".to_owned())
}

/// The space that a path behind `/api` names, by its id or as `spaces/{id or slug}`, and the segments behind it.
pub(crate) fn behind_space(segments: &[String]) -> (Option<&String>, &[String]) {
    match segments {
        [space, rest @ ..] if space.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("spaces-")) => (Some(space), rest),
        [spaces, space, rest @ ..]
            if spaces.eq_ignore_ascii_case("spaces")
                && rest.first().is_some_and(|s| !["logo", "search"].iter().any(|own| s.eq_ignore_ascii_case(own))) =>
        {
            (Some(space), rest)
        }
        all => (None, all),
    }
}

/// The endpoint of a request; `segments` is what stands behind `/api` and the space, `spaced` whether there was one. A word goes before an
/// identifier: `/users/me` before `/users/{id}`.
///
/// # Errors
/// 405 for a path that has other methods, and 501 for one that is not known.
pub(crate) fn find(method: &str, path: &str, spaced: bool, segments: &[String]) -> Result<&'static Endpoint, Refusal> {
    // A slash that was sent as %2F separates nothing.
    let wanted = segments.iter().map(|s| s.to_lowercase().replace('/', "%")).collect::<Vec<_>>().join("/");
    let wanted = format!("/{wanted}");
    let there = PATHS.at(&wanted).map_err(|_| Refusal::not_simulated(method, path))?.value;
    let is_meant = |e: &&&Endpoint| e.method == method && (!segments.is_empty() || e.route.ends_with("{space}") == spaced);
    there.iter().find(is_meant).copied().ok_or_else(|| Refusal::wrong_verb(method))
}

/// The identifiers in a path, as they were sent.
pub(crate) fn identifiers<'s>(endpoint: &Endpoint, segments: &'s [String]) -> Vec<&'s str> {
    endpoint.segments().zip(segments).filter(|(word, _)| word.starts_with('{')).map(|(_, id)| id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            answer::{Answer, str_of},
            build, http,
            state::State,
            world::World,
        },
        *,
    };
    use axum::http::HeaderMap;

    fn found(method: &str, path: &str) -> Result<String, u16> {
        let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(str::to_owned).collect();
        find(method, path, true, &segments).map(Endpoint::path).map_err(|refusal| refusal.status)
    }

    #[test]
    fn what_is_spelt_out_goes_before_what_is_not() {
        assert_eq!(found("GET", "users/me").as_deref(), Ok("/api/users/me"));
        assert_eq!(found("GET", "users/Users-1").as_deref(), Ok("/api/users/{id}"));
        assert_eq!(found("GET", "Tasks/ServerTasks-1/details").as_deref(), Ok("/api/{space}/tasks/{id}/details"));
        assert_eq!(found("GET", "projects/Projects-1/git/tags").as_deref(), Ok("/api/{space}/projects/{id}/git/tags"));
        assert_eq!(found("GET", "projects/Projects-1/git/variables").as_deref(), Ok("/api/{space}/projects/{id}/{gitref}/variables"));
        assert_eq!(found("GET", "moon"), Err(501));
        assert_eq!(found("PATCH", "users/me"), Err(405));
    }

    #[test]
    fn the_two_roots_are_told_apart() {
        let root = |spaced| find("GET", "", spaced, &[]).map(|e| e.route).map_err(|refusal| refusal.status);
        assert_eq!((root(false), root(true)), (Ok("/api"), Ok("/api/{space}")));
    }

    #[test]
    fn each_is_there_once() {
        let mut seen = BTreeSet::new();
        for e in ALL.iter() {
            assert!(seen.insert((e.method, pattern(e), e.route == "/api")), "{} is there twice", e.name());
        }
    }

    #[test]
    fn each_path_is_known_in_any_case_and_refuses_methods_that_it_has_not() {
        for e in ALL.iter() {
            let segments: Vec<String> =
                e.segments().map(|s| if s.starts_with('{') { "Aa-1".to_owned() } else { s.to_uppercase() }).collect();
            let spaced = e.route == "/api/{space}";
            let name = |method: &str| find(method, "", spaced, &segments).map(Endpoint::name).map_err(|refusal| refusal.status);
            assert_eq!(name(e.method), Ok(e.name()));
            let others = ALL.iter().filter(|o| pattern(o) == pattern(e)).map(|o| o.method).collect::<BTreeSet<_>>();
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"].into_iter().filter(|m| !others.contains(m)) {
                assert_eq!(name(method), Err(405), "{method} {}", e.path());
            }
        }
    }

    fn shop() -> State {
        let text = World::builtin_toml("shop").expect("a world");
        build::state(&World::from_toml("shop", &text).expect("a good world"), "API-TEST")
    }

    /// What a path names: the first thing of the kind before it.
    fn first_of(state: &State, kind: Option<&str>) -> String {
        let kind = kind.unwrap_or_default();
        let numbered = [("tasks", "ServerTasks-1"), ("releases", "Releases-1"), ("deployments", "Deployments-1"), ("events", "Events-1")];
        let known = numbered.into_iter().find(|(path, _)| *path == kind).map(|(_, id)| id.to_owned());
        let stored = || NOUNS.iter().find(|n| n.path == kind).and_then(|n| state.store.of(n.path).iter().next());
        known.or_else(|| stored().map(|doc| str_of(doc, "Id").to_owned())).unwrap_or_else(|| "Projects-1".to_owned())
    }

    /// Status and body in lower case, for addresses are shown as they were sent.
    fn answer(state: &mut State, method: &str, path: &str) -> (u16, String) {
        let headers = HeaderMap::from_iter([("X-Octopus-ApiKey".parse().expect("a name"), "API-TEST".parse().expect("a value"))]);
        let (status, body) = match http::respond(state, method, path, Vec::new(), &headers, "{}".into(), &mut http::Seen::default()) {
            Ok(Answer::Json(status, shown)) => {
                let mut text = Vec::new();
                shown.tell(&mut text).expect("it can be written");
                (status, text)
            }
            Ok(Answer::Bytes(status, _, bytes)) => (status, bytes.to_vec()),
            Err(refusal) => (refusal.status, refusal.body().to_string().into_bytes()),
        };
        (status, String::from_utf8_lossy(&body).to_lowercase())
    }

    #[test]
    fn each_is_answered_and_alike_whatever_the_case_of_its_words() {
        let (mut one, mut other) = (shop(), shop());
        // What is deleted is asked for no more, and the caller goes last.
        let mut all: Vec<&Endpoint> = ALL.iter().collect();
        all.sort_by_key(|e| (["GET", "POST", "PUT", "DELETE"].iter().position(|m| *m == e.method), e.route.starts_with("/api/users")));
        for e in all {
            let mut words = vec!["/api".to_owned()];
            words.extend(e.route.starts_with("S/").then(|| "Spaces-1".to_owned()));
            let mut before = None;
            let (mut plain, mut shouted) = (words.join("/"), words.join("/").to_uppercase());
            for word in e.segments() {
                let is_id = word.starts_with('{');
                let part = if is_id { first_of(&one, before) } else { word.to_owned() };
                plain = format!("{plain}/{part}");
                shouted = format!("{shouted}/{}", if is_id { part } else { part.to_uppercase() });
                before = Some(word);
            }
            let (answered, alike) = (answer(&mut one, e.method, &plain), answer(&mut other, e.method, &shouted));
            assert_eq!(answered, alike, "{} {shouted}", e.method);
            assert_eq!(matches!(e.depth, Depth::Absent(_)), matches!(answered.0, 401 | 405 | 501), "{} {plain}: {answered:?}", e.method);
        }
    }

    #[test]
    fn each_handler_takes_the_identifiers_of_its_path() {
        for e in ALL.iter() {
            assert!(takes_its_identifiers(e), "{}", e.name());
        }
    }
}
