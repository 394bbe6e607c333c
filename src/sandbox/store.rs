//! The documents of plain resources, as they are kept and as they go out.

use super::{
    answer::{Tell, str_of},
    links,
    nouns::{Noun, noun_of},
    shared_list::Looks,
    world::values::Ref,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    ops::{Deref, Range},
    sync::{Arc, OnceLock},
};

/// A document that is kept, with the text that answers show of it. A write puts another one in its place.
pub(crate) struct Document {
    noun: Option<&'static Noun>,
    tree: Value,
    /// Made when it is shown first.
    text: OnceLock<Box<[u8]>>,
}

impl Deref for Document {
    type Target = Value;
    fn deref(&self) -> &Value {
        &self.tree
    }
}

impl Document {
    /// It, as [`present`] shows it.
    pub(crate) fn shown(self: &Arc<Self>) -> DocumentText {
        DocumentText(Arc::clone(self))
    }
    fn into_tree(self: Arc<Self>) -> Value {
        Arc::try_unwrap(self).map_or_else(|shared| shared.tree.clone(), |own| own.tree)
    }
}

/// A document in an answer.
pub(crate) struct DocumentText(Arc<Document>);

impl Tell for DocumentText {
    fn tell(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        let Document { noun, tree, text } = &*self.0;
        if let Some(text) = text.get() {
            to.extend_from_slice(text);
            return Ok(());
        }
        let made = noun.map_or_else(|| serde_json::to_vec(tree), |noun| serde_json::to_vec(&present(noun, tree)))?;
        to.extend_from_slice(&made);
        // Who was quicker made the same.
        let _ = text.set(made.into());
        Ok(())
    }
}

/// Members by which documents are looked for, beside their ids.
const INDEXED: [&str; 3] = ["Name", "Slug", "ProjectId"];

/// The documents of one kind, in the order they were made.
#[derive(Default)]
pub(crate) struct DocumentList {
    noun: Option<&'static Noun>,
    items: Vec<Option<Arc<Document>>>,
    /// By their ids as they are and in lower case.
    by_id: HashMap<String, usize>,
    /// Member and value in lower case → where a document has or had it, ascending.
    by_member: HashMap<(&'static str, String), Vec<usize>>,
    looks: Looks,
}

impl DocumentList {
    pub(crate) fn put(&mut self, doc: Value) {
        let id = str_of(&doc, "Id");
        let at = *self.by_id.entry(id.to_lowercase()).or_insert(self.items.len());
        self.by_id.insert(id.to_owned(), at);
        for member in INDEXED {
            if let Some(value) = doc.get(member).and_then(Value::as_str) {
                let places = self.by_member.entry((member, value.to_lowercase())).or_default();
                if let Err(before) = places.binary_search(&at) {
                    places.insert(before, at);
                }
            }
        }
        if at == self.items.len() {
            self.items.push(None);
        }
        self.items[at] = Some(Arc::new(Document { noun: self.noun, tree: doc, text: OnceLock::new() }));
    }
    pub(crate) fn places(&self) -> Range<usize> {
        0..self.items.len()
    }
    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).or_else(|| self.by_id.get(&id.to_lowercase())).copied()
    }
    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.document(id).map(|d| &d.tree)
    }
    pub(crate) fn documents(&self) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        self.places().filter_map(|place| self.at(place))
    }
    pub(crate) fn document(&self, id: &str) -> Option<&Arc<Document>> {
        self.at(self.place(id)?)
    }
    pub(crate) fn at(&self, place: usize) -> Option<&Arc<Document>> {
        self.looks.one();
        self.items[place].as_ref()
    }
    /// Changes a document; false when there is none.
    pub(crate) fn change(&mut self, id: &str, how: impl FnOnce(&mut Value)) -> bool {
        let Some(mut doc) = self.place(id).and_then(|at| self.items[at].take()).map(Document::into_tree) else { return false };
        how(&mut doc);
        self.put(doc);
        true
    }
    pub(crate) fn remove(&mut self, id: &str) -> Option<Value> {
        let at = self.by_id.remove(&id.to_lowercase())?;
        let tree = self.items[at].take().map(Document::into_tree)?;
        self.by_id.remove(str_of(&tree, "Id"));
        Some(tree)
    }
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Value> {
        self.documents().map(|d| &d.tree)
    }
    /// Where documents may be that have this value, in any case, in an indexed member; who asks compares once more.
    pub(crate) fn places_with(&self, member: &'static str, value: &str) -> &[usize] {
        debug_assert!(INDEXED.contains(&member));
        self.by_member.get(&(member, value.to_lowercase())).map_or(&[], Vec::as_slice)
    }
    /// The documents with a value, whatever its case, in an indexed member, in the order they were made.
    pub(crate) fn with(&self, member: &'static str, value: &str) -> impl DoubleEndedIterator<Item = &Value> {
        self.documents_with(member, value).map(|d| &d.tree)
    }
    pub(crate) fn documents_with(&self, member: &'static str, value: &str) -> impl DoubleEndedIterator<Item = &Arc<Document>> {
        let same = move |d: &&Arc<Document>| str_of(d, member).eq_ignore_ascii_case(value);
        self.places_with(member, value).iter().filter_map(|place| self.at(*place)).filter(same)
    }
}

/// All documents of all kinds.
#[derive(Default)]
pub(crate) struct Store {
    kinds: BTreeMap<&'static str, DocumentList>,
    counters: BTreeMap<String, u64>,
    none: DocumentList,
}

impl Store {
    pub(crate) fn of(&self, kind: &'static str) -> &DocumentList {
        self.kinds.get(kind).unwrap_or(&self.none)
    }
    pub(crate) fn of_mut(&mut self, kind: &'static str) -> &mut DocumentList {
        self.kinds.entry(kind).or_insert_with(|| DocumentList { noun: noun_of(kind), ..DocumentList::default() })
    }
    #[cfg(test)]
    pub(crate) fn looks(&self) -> impl Iterator<Item = &Looks> {
        self.kinds.values().map(|docs| &docs.looks)
    }
    /// The next number for ids that begin with `prefix`.
    pub(crate) fn next(&mut self, prefix: &str) -> u64 {
        if let Some(n) = self.counters.get_mut(prefix) {
            *n += 1;
            return *n;
        }
        self.counters.insert(prefix.to_owned(), 1);
        1
    }
    pub(crate) fn next_id(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.next(prefix))
    }
    /// A document by id or slug; documents of another space do not exist.
    pub(crate) fn find(&self, kind: &'static str, space: Option<&str>, id: &str) -> Option<&Arc<Document>> {
        let docs = self.of(kind);
        let here = |d: &&Arc<Document>| space.is_none_or(|s| d.get("SpaceId").and_then(Value::as_str).is_none_or(|x| x == s));
        docs.document(id).filter(here).or_else(|| docs.documents_with("Slug", id).filter(here).find(|_| !id.is_empty()))
    }
    /// A document by id, slug or name.
    pub(crate) fn named(&self, kind: &'static str, space: &str, name: &str) -> Option<&Value> {
        let here = |d: &&Value| d.get("SpaceId").and_then(Value::as_str).is_none_or(|s| s == space);
        self.find(kind, Some(space), name).map(|d| &d.tree).or_else(|| self.of(kind).with("Name", name).find(here))
    }
    /// The ids of documents with these names, in all spaces; what is not there is left out.
    pub(crate) fn ids_of(&self, kind: &'static str, names: &[Ref]) -> Vec<String> {
        names.iter().filter_map(|name| self.of(kind).with("Name", name.get_ref()).next()).map(|d| str_of(d, "Id").to_owned()).collect()
    }
    /// The name of a document, or its id when it is gone.
    pub(crate) fn name(&self, kind: &'static str, id: &str) -> String {
        self.of(kind).get(id).map_or_else(|| id.to_owned(), |d| str_of(d, "Name").to_owned())
    }
}

/// What servers make of a name for use in addresses.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            slug.extend(c.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// A document with its links, as it goes out; what begins with `_` is ours.
pub(crate) fn present(noun: &Noun, doc: &Value) -> Value {
    let mut doc = doc.clone();
    let links = links::of(noun, &doc);
    if let Some(doc) = doc.as_object_mut() {
        doc.retain(|k, _| !k.starts_with('_') && !noun.hides.contains(&k.as_str()));
    }
    doc["Links"] = links;
    doc
}

/// The project a document belongs to: whoever may not see it may not see what happens to its documents either.
pub(crate) fn project_of(doc: &Value) -> Option<String> {
    doc.get("ProjectId").and_then(Value::as_str).map(str::to_owned)
}

pub(crate) fn space_of(doc: &Value) -> Option<String> {
    doc.get("SpaceId").and_then(Value::as_str).map(str::to_owned)
}
