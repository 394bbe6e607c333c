//! `RUST_LOG`: requests, effects and retries as lines on stderr, through the redactor like everything else.

use super::ui::Ui;
use std::io::{self, Write};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts writing what `wanted` asks for, e.g. `octorhai=debug`. Without the time: the run's own lines have it.
pub fn start(wanted: &str, ui: &Ui) {
    let Ok(targets) = wanted.parse::<Targets>() else {
        ui.warning(&format!("RUST_LOG is not understood: `{wanted}`; write it like `octorhai=debug`"));
        return;
    };
    let ui = ui.clone();
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(move || TraceLine { ui: ui.clone(), text: Vec::new() });
    // Somebody may listen already, as in tests: then there is nothing to do.
    let _ = tracing_subscriber::registry().with(lines).with(targets).try_init();
}

/// One line, written as a whole when it is complete: half a secret could not be told from harmless text.
struct TraceLine {
    ui: Ui,
    text: Vec<u8>,
}

impl Write for TraceLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TraceLine {
    fn drop(&mut self) {
        self.ui.talk(String::from_utf8_lossy(&self.text).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ui::Loudness, ui::testing};
    use super::*;

    #[test]
    fn a_line_written_in_pieces_is_cleaned_as_a_whole() {
        let (ui, data, talk) = testing::ui(Loudness::Normal);
        ui.redactor().learn("hunter22");
        let mut line = TraceLine { ui, text: Vec::new() };
        line.write_all(b"key hun").expect("written");
        line.write_all(b"ter22 sent\n").expect("written");
        drop(line);
        assert_eq!((data.text().as_str(), talk.text().as_str()), ("", "key *** sent\n"));
    }
}
