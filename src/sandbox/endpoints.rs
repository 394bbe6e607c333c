//! Every endpoint the sandbox knows, and which of them a request means.
//!
//! One list, so that requests, the check of permissions, the request log, the answers 405 and 501 and the table in docs/sandbox.md say the same.

use super::{
    actiontemplates, activity,
    answer::Refusal,
    api_keys, artifacts, build_information, channels, collection, dashboard, deployments,
    elsewhere::ELSEWHERE,
    environments, events, executions, feeds, interruptions,
    nouns::{Depth, NOUNS},
    packages, people, previews, processes, progression, projects, release_creation, releases,
    routing::{Endpoint, LINK, absent},
    runbooks, server, tasks, tenants, variables,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// What is not the same for all kinds of documents.
const OWN: &[&[Endpoint]] = &[
    server::ENDPOINTS,
    people::ENDPOINTS,
    api_keys::ENDPOINTS,
    tasks::ENDPOINTS,
    activity::ENDPOINTS,
    releases::ENDPOINTS,
    release_creation::ENDPOINTS,
    previews::ENDPOINTS,
    progression::ENDPOINTS,
    deployments::ENDPOINTS,
    executions::ENDPOINTS,
    runbooks::ENDPOINTS,
    projects::ENDPOINTS,
    processes::ENDPOINTS,
    channels::ENDPOINTS,
    environments::ENDPOINTS,
    tenants::ENDPOINTS,
    variables::ENDPOINTS,
    packages::ENDPOINTS,
    feeds::ENDPOINTS,
    build_information::ENDPOINTS,
    actiontemplates::ENDPOINTS,
    dashboard::ENDPOINTS,
    events::ENDPOINTS,
    interruptions::ENDPOINTS,
    artifacts::ENDPOINTS,
];

/// All of them.
pub(crate) static ALL: LazyLock<Vec<Endpoint>> = LazyLock::new(|| {
    let mut all: Vec<Endpoint> = OWN.concat();
    let mut seen: BTreeSet<(&str, Pattern)> = all.iter().map(|e| (e.method, pattern(e))).collect();
    // A kind may answer in its own way, and what hangs below a document is named there, if it is absent.
    let links = ELSEWHERE.iter().filter(|(_, template)| !template.contains("/{")).flat_map(|(_, template)| {
        let route = template.split("{?").next().unwrap_or(template);
        let list = route.split_once("{/").map(|(list, _)| list);
        [Some(&*route.replace("{/", "/{").leak()), list].into_iter().flatten().map(|route| absent("GET", route, LINK))
    });
    for endpoint in NOUNS.iter().flat_map(collection::endpoints).chain(links) {
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
    let wanted: String = segments.iter().flat_map(|s| ["/".to_owned(), s.to_lowercase().replace('/', "%")]).collect();
    let wanted = if wanted.is_empty() { "/" } else { &wanted };
    let there = PATHS.at(wanted).map_err(|_| Refusal::not_simulated(method, path))?.value;
    let is_meant = |e: &&&Endpoint| e.method == method && (!segments.is_empty() || e.route.ends_with("{space}") == spaced);
    there.iter().find(is_meant).copied().ok_or_else(|| Refusal::wrong_verb(method))
}

/// The identifiers in a path, as they were sent.
pub(crate) fn identifiers<'s>(endpoint: &Endpoint, segments: &'s [String]) -> Vec<&'s str> {
    endpoint.segments().zip(segments).filter(|(word, _)| word.starts_with('{')).map(|(_, id)| id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn each_handler_takes_the_identifiers_of_its_path() {
        for e in ALL.iter() {
            assert!(takes_its_identifiers(e), "{}", e.name());
        }
    }
}
