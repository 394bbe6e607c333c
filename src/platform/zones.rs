//! Time zones as this system has them, read without a look at all of them: the list of their names costs a quarter of a short run.

use super::files;
use jiff::tz::TimeZone;
use std::path::{Component, Path};

/// Where Linux keeps its zones, one file each.
const FOLDER: &str = "/usr/share/zoneinfo";
/// The largest of them has 4 KiB.
const LARGEST: u64 = 64 << 10;

/// The zone of this machine.
pub fn of_machine() -> TimeZone {
    let zone = || {
        if !cfg!(target_os = "linux") || std::env::var_os("TZ").is_some() {
            return None;
        }
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let (_, name) = link.to_str()?.split_once("/zoneinfo/")?;
        named(name)
    };
    zone().unwrap_or_else(TimeZone::system)
}

/// A zone by its exact IANA name, of Linux's usual folder. None says nothing: the zone may be known by another spelling, or elsewhere.
pub fn named(name: &str) -> Option<TimeZone> {
    let (area, _) = name.split_once('/')?;
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    // Copies of all zones with other rules; the place of a copy is not the name of a zone.
    let is_copy = matches!(area, "posix" | "right");
    if !cfg!(target_os = "linux") || !is_plain || is_copy || std::env::var_os("TZDIR").is_some() {
        return None;
    }
    TimeZone::tzif(name, &files::read(&Path::new(FOLDER).join(name), LARGEST).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::{Timestamp, tz::db};

    #[test]
    fn zone_read_alone_is_the_zone_of_the_whole_list() {
        let moments = ["1970-01-01T00:00Z", "2026-03-29T01:30Z", "2040-07-01T00:00Z"].map(|m| m.parse::<Timestamp>().expect("a moment"));
        let mut read = 0;
        for name in db().available() {
            let (Some(alone), Ok(listed)) = (named(name.as_str()), db().get(name.as_str())) else { continue };
            read += 1;
            assert_eq!(alone.iana_name(), listed.iana_name());
            for moment in moments {
                assert_eq!(alone.to_offset(moment), listed.to_offset(moment), "{name}");
            }
        }
        assert_eq!(read > 100, cfg!(target_os = "linux") && Path::new(FOLDER).is_dir());
        assert_eq!(of_machine().iana_name(), TimeZone::system().iana_name());
    }

    #[test]
    fn names_that_lead_elsewhere_are_left_to_the_list() {
        for name in
            ["../../../etc/passwd", "Europe/../Europe/Berlin", "/usr/share/zoneinfo/Europe/Berlin", "posix/Europe/Berlin", "Europe", ""]
        {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
