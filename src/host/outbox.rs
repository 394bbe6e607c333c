//! Mails that the mail server did not take yet: they are tried again as long as the run goes on.
//!
//! `email` tries for half a minute and returns. What was not taken then, and may be taken later, is kept here. Its step in the journal keeps
//! its intent, so that a run that is killed meanwhile keeps the mail again when it goes on, with the same Message-ID. A mail that went out, or
//! was given up, gets its outcome.

use super::effect::{Attempt, EffectOutcome};
use super::prelude::*;
use crate::{
    clock::Busy,
    error::Class,
    journal::{Step, StepState},
    mail::{Letter, Mailer},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first pause, which doubles up to the longest.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// The last tries of all mails together, in real time: a server that hangs must not hold up the end.
const LAST_TRIES: std::time::Duration = std::time::Duration::from_secs(60);

/// What came of a mail when `email` returns.
pub enum Posted {
    /// The mail server has it.
    Sent,
    /// It was refused, or given up.
    Failed(Error),
    /// It is kept and tried again.
    Kept(Error),
}

impl EffectOutcome for Posted {
    fn record(&self) -> JsonText {
        JsonText::from(match self {
            Self::Sent => json!({"ok": null}),
            Self::Failed(error) | Self::Kept(error) => json!({"error": error.to_record()}),
        })
    }

    fn restore(record: JsonText) -> Result<Self> {
        Ok(record.tree().get("error").map_or(Self::Sent, |error| Self::Failed(Error::from_record(error))))
    }

    fn goes_on(&self) -> bool {
        matches!(self, Self::Kept(_))
    }
}

struct KeptMail {
    letter: Letter,
    mailer: Mailer,
    step: Option<Step>,
    error: Error,
    due: Timestamp,
    pause: SignedDuration,
}

/// The mails of a run.
pub struct Outbox {
    /// How mail leaves; none when no SMTP server is known.
    pub(super) mailer: Option<Mailer>,
    kept: Mutex<Vec<KeptMail>>,
    /// Held by whoever tries.
    trying: tokio::sync::Mutex<()>,
    at_work: AtomicBool,
}

impl Outbox {
    /// Nothing is kept yet.
    pub fn new(mailer: Option<Mailer>) -> Self {
        Self { mailer, kept: Mutex::default(), trying: tokio::sync::Mutex::default(), at_work: AtomicBool::new(false) }
    }
}

impl Letter {
    /// All who get it.
    pub(super) fn recipients(&self) -> Vec<String> {
        [&self.to, &self.cc, &self.bcc].into_iter().flatten().cloned().collect()
    }
}

/// Whether the mail server may take later what it did not take now.
fn may_pass(error: &Error) -> bool {
    error.fact("temporary").is_some_and(|temporary| *temporary == true)
}

impl Host {
    /// Sends a letter, or keeps it when the mail server is away. A `required` one is not kept: its script waits for the answer.
    pub(super) async fn post(&self, attempt: &Attempt, mailer: &Mailer, letter: Letter, required: bool) -> Result<Posted> {
        let kept_before = attempt.earlier.as_ref().and_then(|intent| intent.get("kept")).map(Error::from_record);
        let error = match kept_before {
            Some(error) => error,
            None => match self.cancel.guard(async { Ok(Box::pin(mailer.send(&letter)).await) }).await? {
                Ok(()) => return Ok(Posted::Sent),
                Err(error) if required || !may_pass(&error) => return Ok(Posted::Failed(error)),
                Err(error) => error,
            },
        };
        let step = attempt.keep(json!({"kept": error.to_record()}))?;
        let due = later(self.clock.now(), FIRST_PAUSE);
        let kept = KeptMail { letter, mailer: mailer.clone(), step, error: error.clone(), due, pause: FIRST_PAUSE };
        self.outbox.kept.lock().push(kept);
        if !self.outbox.at_work.swap(true, Ordering::SeqCst) {
            // Taken here: time must not go on before the new task holds it still.
            let (host, busy) = (self.clone(), self.clock.enter());
            self.handle.spawn(async move { host.try_kept(busy).await });
        }
        Ok(Posted::Kept(error))
    }

    /// Tries what is due, until nothing is kept.
    async fn try_kept(self, _busy: Busy) {
        loop {
            let due = self.outbox.kept.lock().iter().map(|kept| kept.due).min();
            let Some(due) = due else {
                self.outbox.at_work.store(false, Ordering::SeqCst);
                // One may have come since.
                if self.outbox.kept.lock().is_empty() || self.outbox.at_work.swap(true, Ordering::SeqCst) {
                    return;
                }
                continue;
            };
            self.clock.sleep_until(due).await;
            let _trying = self.outbox.trying.lock().await;
            let now = self.clock.now();
            let due: Vec<KeptMail> = self.outbox.kept.lock().extract_if(.., |kept| kept.due <= now).collect();
            for mut kept in due {
                match kept.mailer.send_once(&kept.letter).await {
                    Err(error) if may_pass(&error) => {
                        kept.pause = (kept.pause * 2).min(LONGEST_PAUSE);
                        kept.due = later(self.clock.now(), kept.pause);
                        kept.error = error;
                        self.outbox.kept.lock().push(kept);
                    }
                    ended => self.settle_mail(kept, ended),
                }
            }
        }
    }

    /// Tells how it went, and gives the step its outcome: what the script was told, and what came of the mail.
    fn settle_mail(&self, kept: KeptMail, ended: Result<()>) {
        let (recipients, subject) = (kept.letter.recipients(), kept.letter.subject.clone());
        let problem = ended.as_ref().err().map(|error| error.message().to_owned());
        self.events.emit(What::Mail { to: recipients, subject, problem });
        if let (Some(recorder), Some(step)) = (&self.record, kept.step) {
            let later = ended.map_or_else(|error| json!({"error": error.to_record()}), |()| json!("sent"));
            let outcome = json!({"error": kept.error.to_record(), "later": later});
            let step = Step { state: StepState::Done, outcome: outcome.into(), ended: Some(self.clock.now()), ..step };
            // What cannot be written is an intent still: the mail may come again, with the same Message-ID.
            drop(recorder.write(Some(step)));
        }
    }

    /// The end of the run: a last try for what is kept. A run that can go on keeps it for then.
    pub fn close_outbox(&self, ended_by: Option<Kind>) {
        if self.outbox.kept.lock().is_empty() && self.outbox.trying.try_lock().is_ok() {
            return;
        }
        let goes_on = self.record.is_some() && ended_by.is_some_and(|kind| kind != Kind::Cancelled && kind.class() == Class::Stop);
        self.finish(async {
            let _busy = self.clock.enter();
            let _trying = self.outbox.trying.lock().await;
            let kept = std::mem::take(&mut *self.outbox.kept.lock());
            if goes_on {
                for kept in kept {
                    let text = format!(
                        "mail to {}: {}: not sent yet; it is tried again when the run goes on",
                        kept.letter.recipients().join(", "),
                        kept.letter.subject
                    );
                    self.events.emit(What::Note { level: Level::Warning, text });
                }
                return;
            }
            let watch = crate::clock::Stopwatch::start();
            for kept in kept {
                let left = LAST_TRIES.saturating_sub(watch.elapsed());
                let last = Box::pin(self.cancel.guard(async { Ok(kept.mailer.send_once(&kept.letter).await) }));
                let ended = crate::clock::real_limit(left, last).await;
                let ended = match ended {
                    Some(Ok(ended)) => ended,
                    // Cancelled, or no time left.
                    Some(Err(_)) | None => Err(kept.error.clone()),
                };
                self.settle_mail(kept, ended);
            }
        });
    }
}
