//! Scenes that nobody disturbs: what they leave, and what they ask.

use super::play::Ground;
use crate::{oracle::Ended, scenes::Scene};
use std::collections::BTreeMap;

/// A scene on a server, how it goes undisturbed, and the requests it sends.
pub struct Quiet {
    pub scene: Scene,
    pub measured: bool,
    pub wanted: Ended,
    pub requests: Vec<String>,
}

impl Quiet {
    pub fn of(scene: Scene, measured: bool) -> Self {
        let mut ground = Ground::new(&scene, measured);
        ground.start();
        assert!(ground.is_over(), "{}, undisturbed\n{}", scene.name, ground.talk());
        let requests = ground.requests().into_iter().map(|(name, _)| name).collect();
        let wanted = ground.end();
        drop(ground);
        Self { scene, measured, wanted, requests }
    }

    /// The name of scene and server.
    pub fn name(&self) -> String {
        format!("{}, {}", self.scene.name, if self.measured { "measured" } else { "not measured" })
    }
}

/// The requests, counted from 1. Of those that ask the same again and again, as waits do, only the first two and the last.
pub fn telling(requests: &[String]) -> Vec<(usize, &String)> {
    let mut places: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (nth, request) in (1..).zip(requests) {
        places.entry(request).or_default().push(nth);
    }
    let keep = |nth: usize, request: &String| {
        let same = &places[request];
        !request.starts_with("GET ") || same.iter().take(2).chain(same.last()).any(|kept| *kept == nth)
    };
    (1..).zip(requests).filter(|(nth, request)| keep(*nth, request)).collect()
}
