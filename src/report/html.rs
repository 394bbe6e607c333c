//! Rows as a fragment of HTML for mails and artifacts.

use super::{
    rows::{Cell, Rows},
    write::is_numeric,
};
use crate::tame;
use minijinja::{AutoEscape, Environment, context};

const TEMPLATE: &str = include_str!("table.html");

/// A fragment in one `<div>`, every style inline: mail programs drop style sheets.
pub(super) fn fragment(rows: &Rows, title: Option<&str>) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let numeric: Vec<bool> = (0..rows.columns.len()).map(|n| is_numeric(rows, n)).collect();
    let lines: Vec<Vec<minijinja::Value>> = rows
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| {
                    let shown = tame::text(&cell.shown()).into_owned();
                    let lines: Vec<String> = shown.lines().map(str::to_owned).collect();
                    let link = (shown.starts_with("https://") || shown.starts_with("http://")) && !shown.contains(char::is_whitespace);
                    context! { lines => lines, link => link.then_some(shown), colours => colours(cell).map(Vec::from), number => cell.is_number() }
                })
                .collect()
        })
        .collect();
    environment
        .render_str(TEMPLATE, context! { title => title.map(|title| tame::text(title).into_owned()), columns => rows.columns.clone(), numeric => numeric, rows => lines })
        .expect("the template is ours and gets what it names")
}

/// Background and text of a cell that holds the state of an Octopus task, or a word like one.
fn colours(cell: &Cell) -> Option<[&'static str; 2]> {
    let Cell::Text(text) = cell else { return None };
    Some(match text.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "ok" | "healthy" | "passed" => ["#dff3e4", "#1b6e32"],
        "failed" | "error" | "timedout" | "timed out" | "unhealthy" | "unavailable" | "blocked" => ["#fbe0de", "#a3231a"],
        "executing" | "running" | "cancelling" => ["#dcebfa", "#1a5c96"],
        "queued" | "waiting" | "pending" => ["#eeeeee", "#555555"],
        "canceled" | "cancelled" | "skipped" | "warning" | "undone" | "haswarnings" => ["#fdf1d3", "#855c00"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Options, Rows, render};
    use serde_json::json;

    #[test]
    fn a_fragment_is_whole_and_escaped() {
        let rows = Rows::from_json(&json!([
            {"Project": "<b>A</b> & \"B\"", "Tasks": 3, "State": "Success", "Link": "https://octo.example/app?x=1&y=2"},
            {"Project": "two\nlines", "Tasks": 4, "State": "Failed", "Link": "javascript:alert(1)"},
        ]))
        .titled("Live <now>");
        let html = render(&rows, Format::Html, &Options::default());
        assert!(html.starts_with("<div ") && html.trim_end().ends_with("</div>"), "{html}");
        for part in [
            "Live &lt;now&gt;",
            "&lt;b&gt;A&lt;&#x2f;b&gt; &amp; &quot;B&quot;",
            "two<br>lines",
            "color:#1b6e32",
            "color:#a3231a",
            "text-align:right",
            "&amp;y=2\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("<b>") && !html.contains("href=\"javascript"), "{html}");
        assert_eq!(html.matches("<tr").count(), 3);
        assert_eq!(html.matches("<td").count(), 8);
    }

    #[test]
    fn no_rows_are_said() {
        let html = render(&Rows::default(), Format::Html, &Options { title: Some("T".into()), ..Options::default() });
        assert!(html.contains("No rows") && html.contains("T</h2>") && !html.contains("<table"), "{html}");
    }
}
