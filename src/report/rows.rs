//! Rows and columns, made from JSON.

use crate::error::{Error, Kind, Result, with_commas};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// A column: the key in the objects, and what stands above it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The key; `a.b` reaches into nested objects when there is no key `a.b` itself.
    pub key: String,
    /// The heading.
    pub heading: String,
}

impl Column {
    /// A column whose heading is its key.
    pub fn new(key: impl Into<String>) -> Self {
        let key = key.into();
        Self { heading: key.clone(), key }
    }

    /// A column under another heading.
    pub fn named(key: impl Into<String>, heading: impl Into<String>) -> Self {
        Self { key: key.into(), heading: heading.into() }
    }
}

impl From<&str> for Column {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

/// One value of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing, or JSON's `null`; shown as nothing.
    #[default]
    Empty,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as JSON writes it.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// An object or an array; shown as compact JSON.
    Nested(Value),
    /// A point in time.
    Time {
        /// As people read it.
        shown: String,
        /// As programs read it: ISO 8601 with offset.
        iso: String,
    },
    /// A length of time.
    Span {
        /// As people read it: `1h 30m`.
        shown: String,
        /// As programs read it.
        seconds: f64,
    },
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Bool(yes) => Self::Bool(yes),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            nested => Self::Nested(nested),
        }
    }
}

impl Cell {
    /// The cell as people read it.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Bool(yes) => yes.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) | Self::Time { shown: text, .. } | Self::Span { shown: text, .. } => text.clone(),
            Self::Nested(value) => value.to_string(),
        }
    }

    /// The cell as a program reads it from CSV: times as ISO 8601 with offset, durations in seconds.
    pub fn data(&self) -> String {
        match self.json() {
            Value::Null => String::new(),
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// The cell as JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Bool(yes) => Value::Bool(*yes),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) | Self::Time { iso: text, .. } => Value::String(text.clone()),
            Self::Nested(value) => value.clone(),
            Self::Span { seconds, .. } if seconds.fract() == 0.0 && seconds.abs() < 9e15 => Value::from(*seconds as i64),
            Self::Span { seconds, .. } => Value::from(*seconds),
        }
    }

    /// Whether it stands on the right of its column.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

/// A report has no more cells: 100,000 rows of 50 columns.
pub const CELLS: usize = 5_000_000;

/// A table: every row has as many cells as there are columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The headings. Made by [`Rows::from_json`] they are the keys of the objects.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// What stands above it.
    pub title: Option<String>,
}

impl Rows {
    /// Rows from an array of objects; columns in order of first appearance. One object is one row; what is not an object is a row
    /// with the one column `value`; `null` is no rows.
    pub fn from_json(value: &Value) -> Self {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            Value::Null => &[],
            one => std::slice::from_ref(one),
        };
        let record = |item: &Value| match item {
            Value::Object(object) => object.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect(),
            other => vec![(LONE.to_owned(), other.clone().into())],
        };
        let records: Vec<_> = items.iter().map(record).collect();
        let columns = Self::columns_of(&records);
        Self::laid_out(records, columns)
    }

    /// Rows from cells with the names of their columns; columns in order of first appearance.
    ///
    /// # Errors
    /// Kind `limit` when the table would have more than 5,000,000 cells: rows that have few names in common make columns for all of them.
    pub fn from_records(records: Vec<Vec<(String, Cell)>>) -> Result<Self> {
        let columns = Self::columns_of(&records);
        if columns.len().saturating_mul(records.len()) > CELLS {
            let (rows, columns) = (with_commas(records.len() as u64), with_commas(columns.len() as u64));
            let error = Error::new(Kind::Limit, format!("a report of {rows} rows has {columns} columns, one for each name that a row has"));
            return Err(error.help("say which columns it has: `report(rows, #{columns: [\"Project\", \"State\"]})`"));
        }
        Ok(Self::laid_out(records, columns))
    }

    fn columns_of(records: &[Vec<(String, Cell)>]) -> Vec<String> {
        let mut known = HashSet::new();
        records.iter().flatten().filter(|(name, _)| known.insert(name.as_str())).map(|(name, _)| name.clone()).collect()
    }

    fn laid_out(records: Vec<Vec<(String, Cell)>>, columns: Vec<String>) -> Self {
        let places: HashMap<&str, usize> = columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let row = |record: Vec<(String, Cell)>| {
            let mut row = vec![Cell::Empty; columns.len()];
            for (name, cell) in record {
                row[places[name.as_str()]] = cell;
            }
            row
        };
        let rows = records.into_iter().map(row).collect();
        Self { columns, rows, title: None }
    }

    /// Rows of given cells. Short rows are filled up with empty cells, long ones cut.
    pub fn new(columns: Vec<String>, mut rows: Vec<Vec<Cell>>) -> Self {
        for row in &mut rows {
            row.resize(columns.len(), Cell::Empty);
        }
        Self { columns, rows, title: None }
    }

    /// The same rows under a title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The same rows with these columns; their keys are the headings of these rows. A key that there is not is a column of empty cells.
    #[must_use]
    pub fn select(&self, columns: &[Column]) -> Self {
        let rows = self.rows.iter().map(|row| columns.iter().map(|column| self.reach(row, &column.key)).collect()).collect();
        Self { columns: columns.iter().map(|column| column.heading.clone()).collect(), rows, title: self.title.clone() }
    }

    fn reach(&self, row: &[Cell], key: &str) -> Cell {
        let at = |key: &str| self.columns.iter().position(|heading| heading == key).and_then(|n| row.get(n));
        if let Some(cell) = at(key) {
            return cell.clone();
        }
        match key.split_once('.').map(|(first, rest)| (at(first), rest)) {
            Some((Some(Cell::Nested(Value::Object(inner))), rest)) => inside(inner, rest).into(),
            _ => Cell::Empty,
        }
    }
}

/// The column of rows that are no objects.
pub const LONE: &str = "value";

fn inside(object: &Map<String, Value>, key: &str) -> Value {
    if let Some(value) = object.get(key) {
        return value.clone();
    }
    match key.split_once('.').map(|(first, rest)| (object.get(first), rest)) {
        Some((Some(Value::Object(inner)), rest)) => inside(inner, rest),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_come_in_order_of_first_appearance() {
        let rows = Rows::from_json(&json!([{"b": 1, "a": null}, {"c": {"x": [1, 2]}, "a": true}, 7]));
        assert_eq!(rows.columns, ["b", "a", "c", "value"]);
        let shown: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        assert_eq!(shown, [["1", "", "", ""], ["", "true", "{\"x\":[1,2]}", ""], ["", "", "", "7"]]);
        assert_eq!(Rows::from_json(&json!({"a": 1})).rows.len(), 1);
        assert_eq!(Rows::from_json(&Value::Null), Rows::default());
    }

    #[test]
    fn columns_can_be_chosen_and_renamed() {
        let rows = Rows::from_json(&json!([{"a": 1, "c": {"x": 5}, "d.e": 6}])).titled("T");
        let chosen = rows.select(&[Column::named("c.x", "X"), "a".into(), "d.e".into(), "none".into()]);
        assert_eq!(chosen.columns, ["X", "a", "d.e", "none"]);
        assert_eq!(chosen.rows[0].iter().map(Cell::shown).collect::<Vec<_>>(), ["5", "1", "6", ""]);
        assert_eq!(chosen.title.as_deref(), Some("T"));
    }
}
