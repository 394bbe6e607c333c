//! The formats that are text: table, Markdown, CSV, JSON.

use super::rows::{Cell, Rows};
use crate::error::with_commas;
use crate::tame;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::{Map, Value};

pub(super) fn table(rows: &Rows, title: Option<&str>, width: u16) -> String {
    let mut out = String::new();
    if let Some(title) = title {
        out.push_str(&tame(title).replace('\n', " "));
        out.push('\n');
    }
    if rows.columns.is_empty() {
        out.push_str("(no rows)\n");
        return out;
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.set_header(rows.columns.iter().map(|heading| tame(heading)));
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| {
            let alignment = if cell.is_number() { CellAlignment::Right } else { CellAlignment::Left };
            comfy_table::Cell::new(shortened(tame(&cell.shown()))).set_alignment(alignment)
        }));
    }
    for line in table.lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A cell of a table is not longer, in characters: laying out one of millions takes minutes. The other formats hold it whole.
const LONGEST: usize = 10_000;

fn shortened(text: String) -> String {
    let Some((end, _)) = text.char_indices().nth(LONGEST) else { return text };
    let missing = with_commas(text[end..].chars().count() as u64);
    format!("{}... ({missing} more characters)", &text[..end])
}

/// Text from a server may not move the cursor, colour a terminal, or turn round the direction of what follows.
fn tame(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\t', '\r'], " ");
    tame::text(&text).into_owned()
}

pub(super) fn markdown(rows: &Rows, title: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(title) = title {
        out.extend(["## ", &escaped(&title.split_whitespace().collect::<Vec<_>>().join(" ")), "\n\n"]);
    }
    if rows.columns.is_empty() {
        out.push_str("_No rows._\n");
        return out;
    }
    let mut line = |cells: &mut dyn Iterator<Item = String>| {
        out.push('|');
        for cell in cells {
            out.extend([" ", &cell, " |"]);
        }
        out.push('\n');
    };
    line(&mut rows.columns.iter().map(|heading| escaped(heading)));
    line(&mut (0..rows.columns.len()).map(|n| if is_numeric(rows, n) { "---:".to_owned() } else { "---".to_owned() }));
    for row in &rows.rows {
        line(&mut row.iter().map(|cell| escaped(&cell.shown())));
    }
    out
}

/// Whether a column holds numbers and nothing else.
pub(super) fn is_numeric(rows: &Rows, column: usize) -> bool {
    let mut cells = rows.rows.iter().map(|row| &row[column]).filter(|cell| !matches!(cell, Cell::Empty)).peekable();
    cells.peek().is_some() && cells.all(Cell::is_number)
}

/// No cell and no title ends its row, opens HTML, or becomes a link, a picture or a heading. An address that is written out stays one: a
/// reader sees where it leads.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = text.trim().replace("\r\n", "\n").replace(['\r', '\t'], " ");
    for c in tame::text(&text).chars() {
        match c {
            '\n' => out.push_str("<br>"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '[' | ']' | '!' | '~' => out.extend(['\\', c]),
            '#' if out.is_empty() => out.push_str("\\#"),
            c => out.push(c),
        }
    }
    out
}

pub(super) fn csv(rows: &Rows) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |cells: Vec<String>| writer.write_record(cells).expect("a vector takes everything, and rows have one length");
    if !rows.columns.is_empty() {
        write(rows.columns.iter().map(|heading| guarded(heading)).collect());
        for row in &rows.rows {
            write(row.iter().map(|cell| guarded(&cell.data())).collect());
        }
    }
    let bytes = writer.into_inner().expect("a vector takes everything");
    String::from_utf8(bytes).expect("made of strings")
}

/// A spreadsheet runs what starts like a formula (OWASP, "CSV Injection"): an apostrophe makes it text. Plain numbers stay. Blanks and line
/// ends before it are taken away by some, full-width signs are read like the others by some.
/// A CSV file is data and keeps its texts, but for control characters: a terminal would obey them.
fn guarded(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\t' | '\r' | '\n');
    let text = &text.chars().map(|c| if obeyed(c) { tame::sign(c) } else { c }).collect::<String>();
    let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}' || c == '\u{200b}');
    let is_formula = begin.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || text.starts_with(['\t', '\r', '\n']);
    // Only what is written like a number: `inf` and `nan` are names for a spreadsheet.
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && text.parse::<f64>().is_ok_and(f64::is_finite);
    if is_formula && !is_number { format!("'{text}") } else { text.clone() }
}

pub(super) fn json(rows: &Rows) -> String {
    let objects = rows.rows.iter().map(|row| {
        let pairs: Map<String, Value> = rows.columns.iter().cloned().zip(row.iter().map(Cell::json)).collect();
        Value::Object(pairs)
    });
    format!("{:#}\n", Value::Array(objects.collect()))
}

#[cfg(test)]
mod tests {
    use super::super::{Format, Options, Rows, render};
    use serde_json::{Value, json};

    fn rows() -> Rows {
        let rows = Rows::from_json(&json!([
            {"Project": "Shop | Front", "Version": "1.2.3", "Tasks": 3, "State": "Success"},
            {"Project": "Größe\nzwei", "Tasks": 12, "State": "Failed", "Version": null},
        ]));
        Rows { title: Some("Live in Production".into()), ..rows }
    }

    #[test]
    fn a_table_is_a_box() {
        let expected = "\
Live in Production
┌──────────────┬─────────┬───────┬─────────┐
│ Project      ┆ Version ┆ Tasks ┆ State   │
╞══════════════╪═════════╪═══════╪═════════╡
│ Shop | Front ┆ 1.2.3   ┆     3 ┆ Success │
│ Größe        ┆         ┆    12 ┆ Failed  │
│ zwei         ┆         ┆       ┆         │
└──────────────┴─────────┴───────┴─────────┘
";
        assert_eq!(render(&rows(), Format::Table, &Options::default()), expected);
        assert_eq!(render(&Rows::default(), Format::Table, &Options::default()), "(no rows)\n");
    }

    #[test]
    fn a_table_fits_its_width_and_does_not_touch_the_terminal() {
        let rows = Rows::from_json(&json!([{"a": "word ".repeat(80), "b": "\u{1b}[31mred\u{7}"}]));
        for width in [40, 100] {
            let table = render(&rows, Format::Table, &Options { width, ..Options::default() });
            assert!(table.lines().all(|line| line.chars().count() <= usize::from(width)), "{table}");
            assert!(!table.contains('\u{1b}') && table.contains("red"), "{table}");
        }
    }

    #[test]
    fn markdown_keeps_its_rows() {
        let expected = "\
## Live in Production

| Project | Version | Tasks | State |
| --- | --- | ---: | --- |
| Shop \\| Front | 1.2.3 | 3 | Success |
| Größe<br>zwei |  | 12 | Failed |
";
        assert_eq!(render(&rows(), Format::Markdown, &Options::default()), expected);
        let tricky = Rows::from_json(&json!([{"a": "<script>\\|`x`"}]));
        assert!(render(&tricky, Format::Markdown, &Options::default()).ends_with("| &lt;script>\\\\\\|\\`x\\` |\n"));
    }

    #[test]
    fn csv_is_quoted_and_runs_no_formula() {
        assert_eq!(
            render(&rows(), Format::Csv, &Options::default()),
            "Project,Version,Tasks,State\r\nShop | Front,1.2.3,3,Success\r\n\"Größe\nzwei\",,12,Failed\r\n"
        );
        let tricky =
            Rows::from_json(&json!([{"a": "=1+1", "b": "-5", "c": -5, "d": "-rm", "e": "@x", "f": "+1.5e3", "g": "\"q\",", "h": "-inf"}]));
        assert_eq!(
            render(&tricky, Format::Csv, &Options::default()),
            "a,b,c,d,e,f,g,h\r\n'=1+1,-5,-5,'-rm,'@x,+1.5e3,\"\"\"q\"\",\",'-inf\r\n"
        );
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let value = json!([{"b": 1, "a": {"x": [null]}}, {"b": null, "a": "t"}]);
        let text = render(&Rows::from_json(&value), Format::Json, &Options::default());
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
        assert!(text.find("\"b\"") < text.find("\"a\""), "in order of first appearance");
    }

    #[test]
    fn options_choose_columns_and_title() {
        let options = Options {
            title: Some("T".into()),
            columns: vec![super::super::Column { key: "State".into(), heading: "Status".into() }],
            width: 100,
        };
        assert_eq!(render(&rows(), Format::Markdown, &options), "## T\n\n| Status |\n| --- |\n| Success |\n| Failed |\n");
    }
}
