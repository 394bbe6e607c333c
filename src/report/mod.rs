//! Rows as table, Markdown, HTML and CSV.
