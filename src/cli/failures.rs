//! How failures of scripts are shown.

use super::ui::Ui;
use crate::{engine::Failure, step::voice::LogLevel, tame};

/// Shows what ended a script, with its place in the script where there is one.
pub(super) fn explain(ui: &Ui, failure: &Failure) {
    if failure.trace.is_empty() {
        ui.error(&failure.error);
    } else {
        // The frame is cut where its lines are long.
        let mut failure = failure.clone();
        failure.clean(ui.redactor());
        ui.tell(LogLevel::Error, rendered(&failure, ui.has_colour()).trim_end());
    }
}

/// A failure as text, with its place in the script where there is one.
pub(super) fn rendered(failure: &Failure, colour: bool) -> String {
    let rendered = failure.render(colour);
    if colour { tame::adopted(&rendered) } else { rendered }
}
