//! Reports hold whatever a server says: no text breaks out of its cell, in any format.

use octorhai::{
    report::{Format, Options, Rows, render},
    tame,
};
use proptest::{prelude::*, test_runner::RngSeed};
use serde_json::{Map, Value};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "(?s).{0,30}".prop_map(Value::from),
        "[ -~]{0,40}".prop_map(Value::from),
        "[=+@|<>&\"'\\\\\\r\\n-]{1,8}".prop_map(Value::from),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop::collection::vec(prop::collection::vec(value(), 3), 1..6)
}

fn made(cells: &[Vec<Value>]) -> (Value, Rows) {
    let keys = ["a", "b|<", "c d"];
    let objects =
        cells.iter().map(|row| Value::Object(keys.iter().map(ToString::to_string).zip(row.iter().cloned()).collect::<Map<_, _>>()));
    let value = Value::Array(objects.collect());
    let rows = Rows::from_json(&value);
    (value, rows)
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(2026), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn csv_reads_back_and_holds_no_formula(cells in rows()) {
        let (_, rows) = made(&cells);
        let text = render(&rows, Format::Csv, &Options::default());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
        prop_assert_eq!(records.len(), cells.len());
        for (record, row) in records.iter().zip(&rows.rows) {
            prop_assert_eq!(record.len(), 3);
            for (field, cell) in record.iter().zip(row) {
                let signed: String = cell.shown().chars().map(|c| if c.is_control() && !"\t\r\n".contains(c) { tame::sign(c) } else { c }).collect();
                prop_assert!(field == signed || field.strip_prefix('\'') == Some(&signed), "{:?} {:?}", field, signed);
                prop_assert!(!field.starts_with(['=', '+', '-', '@']) || field.parse::<f64>().is_ok(), "{}", field);
            }
        }
    }

    #[test]
    fn markdown_and_html_keep_their_shape(cells in rows()) {
        let (_, rows) = made(&cells);
        let markdown = render(&rows, Format::Markdown, &Options::default());
        prop_assert_eq!(markdown.lines().count(), cells.len() + 2, "{}", markdown);
        for line in markdown.lines() {
            let bars = line.replace("\\\\", "").replace("\\|", "").matches('|').count();
            prop_assert_eq!(bars, 4, "{}", line);
        }
        let html = render(&rows, Format::Html, &Options::default());
        let empty = render(&made(&vec![vec![Value::Null; 3]; cells.len()]).1, Format::Html, &Options::default());
        let tags = |html: &str| html.replace("<br>", "").matches('<').count();
        prop_assert_eq!(tags(&html), tags(&empty), "{}", html);
    }

    #[test]
    fn json_comes_back(cells in rows()) {
        let (value, rows) = made(&cells);
        let text = render(&rows, Format::Json, &Options::default());
        prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }

    #[test]
    fn a_table_is_wide_as_asked_and_leaves_the_terminal_alone(cells in rows(), width in 30_u16..120) {
        let (_, rows) = made(&cells);
        let table = render(&rows, Format::Table, &Options { width, ..Options::default() });
        prop_assert!(table.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", table);
        // Of wide and zero-width characters the number says nothing about the width.
        if rows.rows.iter().flatten().all(|cell| cell.shown().is_ascii()) {
            let longest = table.lines().map(|line| line.chars().count()).max();
            prop_assert!(longest.is_some_and(|longest| longest <= usize::from(width)), "{}", table);
        }
    }
}
