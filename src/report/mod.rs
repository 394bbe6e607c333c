//! Rows as table, Markdown, HTML, CSV and JSON.

mod html;
mod rows;
mod write;

pub use rows::{Cell, Column, KeyedRows, LONE, Rows};

use crate::error::{Error, Kind, Result, suggestion};
use std::str::FromStr;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A box of UTF-8 lines, for terminals and logs.
    #[default]
    Table,
    /// A table of GitHub's Markdown.
    Markdown,
    /// A fragment with inline styles that mail programs show well.
    Html,
    /// RFC 4180, safe to open in a spreadsheet.
    Csv,
    /// An array of objects.
    Json,
}

impl Format {
    /// Every format's name.
    pub const NAMES: [&str; 5] = ["table", "markdown", "html", "csv", "json"];
}

impl FromStr for Format {
    type Err = Error;

    /// Reads `table`, `markdown` (`md`), `html`, `csv` or `json`.
    ///
    /// # Errors
    /// [`Kind::Script`] with the names.
    fn from_str(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "table" | "text" => Self::Table,
            "markdown" | "md" => Self::Markdown,
            "html" => Self::Html,
            "csv" => Self::Csv,
            "json" => Self::Json,
            _ => {
                let error = Error::new(Kind::Script, format!("`{name}` is not a format of reports"));
                return Err(match suggestion(name, Self::NAMES) {
                    Some(hint) => error.help(hint),
                    None => error,
                });
            }
        })
    }
}

/// What [`render`] can be told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands above the rows in a table, Markdown and HTML; wins over the rows' own.
    pub title: Option<String>,
    /// Which columns, in which order, under which headings; empty: all of them.
    pub columns: Vec<Column>,
    /// How wide a table may be, in characters. A table with too many columns is wider than that.
    pub width: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self { title: None, columns: Vec::new(), width: 100 }
    }
}

/// The rows in `format`. Every format but HTML ends with a line end; CSV and JSON carry no title.
pub fn render(rows: &Rows, format: Format, options: &Options) -> String {
    let chosen;
    let as_they_are =
        || options.columns.iter().map(|column| (&column.key, &column.heading)).eq(rows.columns.iter().map(|name| (name, name)));
    let rows = if options.columns.is_empty() || as_they_are() {
        rows
    } else {
        chosen = rows.select(&options.columns);
        &chosen
    };
    let title = options.title.as_deref().or(rows.title.as_deref()).filter(|title| !title.is_empty());
    match format {
        Format::Table => write::table(rows, title, options.width),
        Format::Markdown => write::markdown(rows, title),
        Format::Html => html::fragment(rows, title),
        Format::Csv => write::csv(rows),
        Format::Json => write::json(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_names() {
        for name in Format::NAMES {
            assert!(name.parse::<Format>().is_ok(), "{name}");
        }
        let error = "htm".parse::<Format>().expect_err("an error");
        assert_eq!((error.kind(), error.hints()), (Kind::Script, &["did you mean `html`?".to_owned()][..]));
    }
}
