//! Rows and columns, made from JSON.

use crate::error::{Error, Kind, Result, with_commas};
use serde_json::{Map, Value};
use std::collections::HashMap;

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
    /// An object or an array; shown as compact JSON. A report has hundreds of thousands of cells, so that the largest kinds are kept small.
    Nested(Box<Value>),
    /// A point in time.
    Time {
        /// As people read it.
        shown: Box<str>,
        /// As programs read it: ISO 8601 with offset.
        iso: Box<str>,
    },
    /// A length of time.
    Span {
        /// As people read it: `1h 30m`.
        shown: Box<str>,
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
            nested => Self::Nested(nested.into()),
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
            Self::Text(text) => text.clone(),
            Self::Time { shown, .. } | Self::Span { shown, .. } => shown.to_string(),
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
            Self::Text(text) => Value::String(text.clone()),
            Self::Time { iso, .. } => Value::String(iso.to_string()),
            Self::Nested(value) => Value::clone(value),
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
        let mut records = KeyedRows::default();
        for item in items {
            match item {
                Value::Object(object) => records.add(object.iter().map(|(key, value)| (key.as_str(), value.clone().into()))),
                other => records.add([(LONE, other.clone().into())]),
            }
        }
        records.laid_out()
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
        let Some((Some(Cell::Nested(outer)), rest)) = key.split_once('.').map(|(first, rest)| (at(first), rest)) else {
            return Cell::Empty;
        };
        outer.as_object().map_or(Cell::Empty, |inner| inside(inner, rest).into())
    }
}

/// Rows as they come, each made of cells with the names of their columns. The names, which most rows have in common, are kept once.
#[derive(Default)]
pub struct KeyedRows {
    columns: Vec<String>,
    places: HashMap<String, usize>,
    rows: Vec<Vec<(usize, Cell)>>,
}

impl KeyedRows {
    /// One more row; a name that is new is one more column.
    pub fn add<'n>(&mut self, record: impl IntoIterator<Item = (&'n str, Cell)>) {
        let place = |(name, cell): (&str, Cell)| {
            let at = self.places.get(name).copied().unwrap_or_else(|| {
                self.columns.push(name.to_owned());
                self.places.insert(name.to_owned(), self.columns.len() - 1);
                self.columns.len() - 1
            });
            (at, cell)
        };
        self.rows.push(record.into_iter().map(place).collect());
    }

    /// The rows; columns in order of first appearance.
    ///
    /// # Errors
    /// Kind `limit` when the table would have more than 5,000,000 cells: rows that have few names in common make columns for all of them.
    pub fn into_rows(self) -> Result<Rows> {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        if columns.saturating_mul(rows) > CELLS {
            let (rows, columns) = (with_commas(rows as u64), with_commas(columns as u64));
            let error = Error::new(Kind::Limit, format!("a report of {rows} rows has {columns} columns, one for each name that a row has"));
            return Err(error.help("say which columns it has: `report(rows, #{columns: [\"Project\", \"State\"]})`"));
        }
        Ok(self.laid_out())
    }

    fn laid_out(self) -> Rows {
        let columns = self.columns.len();
        let row = |record: Vec<(usize, Cell)>| {
            let mut row = vec![Cell::Empty; columns];
            for (at, cell) in record {
                row[at] = cell;
            }
            row
        };
        Rows { rows: self.rows.into_iter().map(row).collect(), columns: self.columns, title: None }
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
    fn a_cell_is_small_whatever_it_holds() {
        assert!(size_of::<Cell>() <= 40, "{} bytes, and a report of a year has a million of them", size_of::<Cell>());
    }

    #[test]
    fn columns_can_be_chosen_and_renamed() {
        let rows = Rows { title: Some("T".into()), ..Rows::from_json(&json!([{"a": 1, "c": {"x": 5}, "d.e": 6}])) };
        let chosen = rows.select(&[Column { key: "c.x".into(), heading: "X".into() }, "a".into(), "d.e".into(), "none".into()]);
        assert_eq!(chosen.columns, ["X", "a", "d.e", "none"]);
        assert_eq!(chosen.rows[0].iter().map(Cell::shown).collect::<Vec<_>>(), ["5", "1", "6", ""]);
        assert_eq!(chosen.title.as_deref(), Some("T"));
    }
}
