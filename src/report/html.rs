//! Rows as a fragment of HTML for mails and artifacts.

use super::{
    rows::{Cell, Rows},
    write::is_numeric,
};
use crate::tame;
use maud::{Markup, html};

/// A fragment in one `<div>`, every style inline: mail programs drop style sheets.
pub(super) fn fragment(rows: &Rows, title: Option<&str>) -> String {
    let side = |is_number: bool| if is_number { "right" } else { "left" };
    let heading = |n: usize| {
        format!("padding:6px 12px;text-align:{};background-color:#f2f4f6;border-bottom:2px solid #d5d9de", side(is_numeric(rows, n)))
    };
    let style = |cell: &Cell| {
        let place = format!("padding:6px 12px;vertical-align:top;border-bottom:1px solid #e6e9ec;text-align:{}", side(cell.is_number()));
        match colours(cell) {
            Some([background, text]) => format!("{place};background-color:{background};color:{text};font-weight:600"),
            None => place,
        }
    };
    let table = html! {
        div style="font-family:Segoe UI,Helvetica,Arial,sans-serif;font-size:14px;color:#222222" {
            @if let Some(title) = title.filter(|title| !title.is_empty()) { h2 style="font-size:18px;font-weight:600;margin:0 0 8px 0" { (tame::text(title)) } }
            @if rows.columns.is_empty() {
                p style="margin:0;color:#555555" { "No rows." }
            } @else {
                table cellspacing="0" cellpadding="0" style="border-collapse:collapse;border:1px solid #d5d9de" {
                    thead { tr { @for (n, column) in rows.columns.iter().enumerate() { th style=(heading(n)) { (column) } } } }
                    tbody { @for row in &rows.rows { tr { @for cell in row { td style=(style(cell)) { (content(cell)) } } } } }
                }
            }
        }
    };
    table.into_string()
}

/// The text of a cell with its line breaks; an address is a link.
fn content(cell: &Cell) -> Markup {
    let shown = tame::text(&cell.shown()).into_owned();
    let is_link = (shown.starts_with("https://") || shown.starts_with("http://")) && !shown.contains(char::is_whitespace);
    html! {
        @if is_link {
            a href=(shown) style="color:#1a5c96" { (shown) }
        } @else {
            @for (n, line) in shown.lines().enumerate() { @if n > 0 { br; } (line) }
        }
    }
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
        ]));
        let rows = Rows { title: Some("Live <now>".into()), ..rows };
        let html = render(&rows, Format::Html, &Options::default());
        assert!(html.starts_with("<div ") && html.trim_end().ends_with("</div>"), "{html}");
        for part in [
            "Live &lt;now&gt;",
            "&lt;b&gt;A&lt;/b&gt; &amp; &quot;B&quot;",
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
