//! A terminal for live lines that is a little narrower than it is.
//!
//! Live lines are filled up to the last column, so that what somebody else writes comes on the next line. So does the `^C` that the
//! terminal itself shows when somebody presses Ctrl-C: then the lines are cleared one line too low, and one of them stays.

use console::Term;
use indicatif::TermLike;
use std::io;

/// Room for `^C`.
const ROOM: u16 = 3;

/// A terminal.
#[derive(Debug)]
pub struct Narrow(Term);

impl Narrow {
    /// What is drawn on `terminal`.
    pub fn on(terminal: Term) -> Self {
        Self(terminal)
    }
}

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        TermLike::width(&self.0).saturating_sub(ROOM).max(1)
    }

    fn height(&self) -> u16 {
        TermLike::height(&self.0)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
