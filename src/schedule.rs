//! Schedules: when something is due, as cron expressions in a time zone say it.
//!
//! In: what an operator wrote, and instants. Out: the instants that a schedule means. The room is pure: it reads no
//! clock, no file, and not the machine's time zone. Expressions are read as POSIX and Vixie cron do, by `croner`; the
//! rules of time zones are those that were compiled in, so that two hosts of one version never disagree.

mod fault;
mod fields;
#[cfg(test)]
mod tests;
mod zone;

use croner::Cron;
use jiff::tz::TimeZone;

use crate::clock::Timestamp;

pub use fault::Fault;
pub use zone::Zone;

/// The most bytes of an expression.
pub const MAX_EXPRESSION: usize = 512;

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    written: String,
    six: String,
    years: Option<String>,
    zone: Zone,
}

impl Schedule {
    /// Reads an expression of five, six or seven fields, or a name such as `@hourly`.
    ///
    /// # Errors
    ///
    /// Which field is wrong, or keeps the schedule from ever firing.
    pub fn parse(expression: &str, zone: Zone) -> Result<Self, Fault> {
        let fields = fields::Fields::parse(expression)?;
        let cron = fields.cron()?;
        fields.check_fires(&cron)?;
        Ok(Self { cron, written: expression.trim().to_owned(), six: fields.six(), years: fields.years(), zone })
    }

    /// The expression as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The expression in six fields: second, minute, hour, day of month, month, day of week.
    pub fn six_fields(&self) -> &str {
        &self.six
    }

    /// The field for the year, if it does not mean every year.
    pub fn years(&self) -> Option<&str> {
        self.years.as_deref()
    }

    /// The time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first time after `at`; none if there is none before the year 5000.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        // Expressions know whole seconds.
        let second = at.0.div_euclid(1000).checked_mul(1000)?;
        let start = jiff::Timestamp::from_millisecond(second).ok()?;
        let found = self.cron.find_next_occurrence(&start.to_zoned(self.rules().clone()), false);
        let found = found.ok().or_else(|| self.beyond_a_leap(start))?;
        let found = Timestamp(found.timestamp().as_millisecond());
        (found > at).then_some(found)
    }

    /// The search does not look beyond a day that a time zone leaves out, as Samoa did in 2011. It goes on behind it.
    fn beyond_a_leap(&self, start: jiff::Timestamp) -> Option<jiff::Zoned> {
        let behind = self.rules().following(start).next()?.timestamp();
        self.cron.find_next_occurrence(&behind.to_zoned(self.rules().clone()), true).ok()
    }

    /// The last time after `after` and not after `at`.
    pub fn last_between(&self, after: Timestamp, at: Timestamp) -> Option<Timestamp> {
        let not_later = |from| self.next_after(from).filter(|next| *next <= at);
        let mut last = not_later(after)?;
        // No time lies between `clear` and `at`.
        let mut clear = at;
        while clear.0.saturating_sub(last.0) >= 1000 {
            let middle = Timestamp(last.0 + (clear.0 - last.0) / 2);
            match not_later(middle) {
                Some(later) => last = later,
                None => clear = middle,
            }
        }
        Some(last)
    }

    /// How many times lie after `after` and before `until`, at most `most`.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, most: u32) -> u32 {
        let mut at = after;
        let mut count = 0;
        while count < most
            && let Some(next) = self.next_after(at).filter(|next| *next < until)
        {
            (at, count) = (next, count + 1);
        }
        count
    }

    /// An instant in RFC 3339, with the offset that the time zone has then.
    pub fn shown(&self, at: Timestamp) -> Option<String> {
        let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
        Some(at.display_with_offset(self.rules().to_offset(at)).to_string())
    }

    fn rules(&self) -> &TimeZone {
        self.zone.rules()
    }
}
