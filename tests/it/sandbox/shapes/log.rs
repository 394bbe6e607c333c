//! Reads what `octorhai sandbox --log` wrote.

use super::check::Exchange;
use serde_json::Value;
use std::path::Path;

/// All exchanges in the logs of a folder, without those whose connection was cut and without what a fault made up.
pub fn exchanges(folder: &Path) -> Vec<Exchange> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let mut seen = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for (number, line) in text.lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{} line {}: {e}", file.display(), number + 1));
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let status = line["status"].as_u64().and_then(|s| u16::try_from(s).ok()).unwrap_or(0);
            let body = &line["response_body"];
            let is_page = body.as_str().is_some_and(|t| t.starts_with("<!DOCTYPE html>"));
            // Too large to be kept, or not text: only its size is known.
            let is_size = body.as_object().is_some_and(|o| o.len() == 2 && o.contains_key("bytes") && o.contains_key("type"));
            if status == 0 || is_page || is_size {
                continue;
            }
            let body = (!body.is_string()).then(|| body.clone());
            seen.push(Exchange { method: text("method"), path: text("path"), status, body });
        }
    }
    seen
}
