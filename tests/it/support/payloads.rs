//! The JSON documents that real servers sent: where they are, and how far each is to be trusted.

use super::root;
use octorhai::api::decode::{FromJson, Members, Problem};
use octorhai::api::resource::Page;
use octorhai::json::{JsonSlice, JsonText};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder of the repository, and the one in `OCTORHAI_TEST_PAYLOADS`: a larger collection, whose licences do not allow to have it here.
pub fn folders() -> Vec<PathBuf> {
    let more = std::env::var_os("OCTORHAI_TEST_PAYLOADS").map(PathBuf::from);
    [Some(root().join("tests/payloads")), more].into_iter().flatten().collect()
}

/// All documents of a folder, by their path in it.
pub fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                let name = path.strip_prefix(folder).expect("it is inside").to_string_lossy().replace('\\', "/");
                found.insert(name, path);
            }
        }
    }
    found
}

/// A member of a body, as the client reads it.
pub fn member<T: FromJson>(body: &Value, name: &str) -> Result<T, Problem> {
    Members::of(JsonText::from(body).json())?.read(name)
}

/// The documents of a page or of a bare array.
pub fn items(body: &Value) -> Result<Vec<Value>, Problem> {
    let body = JsonText::from(body);
    Ok(Page::of(body.json())?.items.into_iter().map(JsonSlice::tree).collect())
}

/// How far to trust each file, from the tables of the folder's list: `V`, `E,T`, ...
pub fn marks(folder: &Path) -> BTreeMap<String, String> {
    let list = ["README.md", "INDEX.md"].iter().find_map(|name| std::fs::read_to_string(folder.join(name)).ok()).expect("there is a list");
    let mut column = None;
    let mut marks = BTreeMap::new();
    for line in list.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.contains(&"File") {
            column = cells.iter().position(|cell| *cell == "Trust");
        } else if let Some(mark) = column.and_then(|column| cells.get(column))
            && Path::new(cells[1]).extension().is_some_and(|e| e == "json")
        {
            marks.insert(cells[1].to_owned(), mark.replace('\\', ""));
        }
    }
    marks
}

/// A document of the repository.
pub fn payload(name: &str) -> Value {
    read(&root().join("tests/payloads").join(name))
}

/// The document in a file.
pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    serde_json::from_str(&text).expect("it is JSON")
}
