//! Documents that are asked for by id: many in one request, and each id once.

use super::{address::Route, client::Client, decode::Document, resource::Make};
use crate::error::Result;
use std::{collections::HashSet, hash::Hash};

/// Ids asked for in one request; more make an address too long for some proxies.
pub const BATCH: usize = 100;

impl Client {
    /// Reads those of a collection that have one of some ids; without ids all of it.
    pub(super) async fn list_of<T: Document, I: AsRef<str>>(&self, all: &Route, ids: &[I]) -> Result<Vec<T>> {
        if ids.is_empty() {
            return self.list(all, None).await;
        }
        let mut found = Vec::new();
        for batch in ids.chunks(BATCH) {
            found.extend(self.list::<T>(&all.clone().list("ids", batch), None).await?);
        }
        Ok(found)
    }

    /// Asks for documents of the collection `all` by id and gives each to `take`; ids that the server does not know are left out.
    ///
    /// An id that comes twice is asked for once: the deployments of a year have few releases. `limit` is how many documents a request may
    /// bring; without one its answers are read to their end. `make` makes a document of its JSON.
    pub(super) async fn each_by_id<T: Document, I: AsRef<str> + Eq + Hash>(
        &self,
        all: &Route,
        ids: &[I],
        limit: Option<usize>,
        make: &Make<'_, T>,
        mut take: impl FnMut(T) + Send,
    ) -> Result<()> {
        let mut met = HashSet::with_capacity(ids.len());
        let unique: Vec<&I> = ids.iter().filter(|id| met.insert(*id)).collect();
        for batch in unique.chunks(BATCH) {
            let mut take = |one: T| {
                let weight = one.held() + size_of::<T>();
                take(one);
                Some(weight)
            };
            self.each_made(&all.clone().list("ids", batch), T::NOUN, limit, make, &mut take).await?;
        }
        Ok(())
    }
}
