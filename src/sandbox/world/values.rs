//! What values of a world file are: names, lengths of time, points in time.

use crate::clock::text;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::Spanned;

/// A name that points at something declared elsewhere in the file.
pub(crate) type Ref = Spanned<String>;

/// A length of time, written as `"90s"` or `"1h30m"`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span(pub(crate) SignedDuration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        text::duration(&written).map(Self).map_err(|e| D::Error::custom(e.message()))
    }
}

/// A point in time, written as `"2026-03-02T08:00:00Z"`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        written
            .parse()
            .map(Self)
            .map_err(|_| D::Error::custom(format!("`{written}` is not a point in time; write it like \"2026-03-02T08:00:00Z\", in quotes")))
    }
}
