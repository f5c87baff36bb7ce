//! The fields of an expression: told apart, checked one by one, written in one form.
//!
//! `croner` says what a whole expression means. Here each field is tried alone, so that what is wrong can be named, and
//! what `croner` takes and nobody means (names of months among the minutes, items of lists that are empty) is refused.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::CronParser;

use super::{Fault, MAX_EXPRESSION};
use crate::id::clip;

/// What a field is called, what it may hold, and which words.
struct Field {
    name: &'static str,
    values: &'static str,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

const FIELDS: [Field; 7] = [
    Field { name: "second", values: "0-59", words: &[] },
    Field { name: "minute", values: "0-59", words: &[] },
    Field { name: "hour", values: "0-23", words: &[] },
    Field { name: "day of month", values: "1-31, L, LW or 15W", words: &["L", "W", "LW"] },
    Field { name: "month", values: "1-12 or JAN-DEC", words: MONTHS },
    Field {
        name: "day of week",
        values: "0-7 (0 and 7 are Sunday), SUN-SAT, 5L or 1#2",
        words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"],
    },
    Field { name: "year", values: "1970-5000", words: &[] },
];

const SECOND: usize = 0;
const DAY: usize = 3;
const MONTH: usize = 4;
const WEEKDAY: usize = 5;
const YEAR: usize = 6;

/// What stands for an expression, in six fields.
const NAMES: &[(&str, &str)] = &[
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

/// An expression in seven fields, of which each means something.
#[derive(Clone, Debug)]
pub(super) struct Fields([String; 7]);

impl Fields {
    pub(super) fn parse(expression: &str) -> Result<Self, Fault> {
        let text = expression.trim();
        if text.len() > MAX_EXPRESSION {
            let message = format!("the expression has {} bytes", text.len());
            return Err(Fault::new(message, format!("write at most {MAX_EXPRESSION}")));
        }
        let text = if text.starts_with('@') { named(text)? } else { text };
        let fields = Self(seven(text)?);
        for (field, text) in FIELDS.iter().zip(&fields.0) {
            field.check(text)?;
        }
        for place in 0..FIELDS.len() {
            fields.check_alone(place)?;
        }
        Ok(fields)
    }

    /// Second, minute, hour, day of month, month, day of week.
    pub(super) fn six(&self) -> String {
        let [six @ .., _] = &self.0;
        six.join(" ")
    }

    /// The years, unless all are meant.
    pub(super) fn years(&self) -> Option<String> {
        let [.., years] = &self.0;
        (years != "*").then(|| years.clone())
    }

    pub(super) fn cron(&self) -> Result<Cron, Fault> {
        // Each field was read alone, so that this goes well.
        read(&self.0).map_err(|error| Fault::new(reason(&error), "see docs/channels/timers.md"))
    }

    /// Whether a field can be read, and any time fits it.
    fn check_alone(&self, place: usize) -> Result<(), Fault> {
        let mut alone = std::array::from_fn(|_| "*".to_owned());
        let (Some(field), Some(text), Some(slot)) = (FIELDS.get(place), self.0.get(place), alone.get_mut(place)) else {
            return Ok(());
        };
        slot.clone_from(text);
        let cron = read(&alone).map_err(|error| field.fault(text, &reason(&error)))?;
        match fires(&cron) {
            true => Ok(()),
            false => Err(field.fault(text, "no time fits it")),
        }
    }

    /// Refuses what can never fire, as the 30th of February. The field that is named is the first without which it could.
    pub(super) fn check_fires(&self, cron: &Cron) -> Result<(), Fault> {
        if fires(cron) {
            return Ok(());
        }
        let keeps_from_firing = |place: &&usize| {
            let mut freed = self.0.clone();
            if let Some(slot) = freed.get_mut(**place) {
                "*".clone_into(slot);
            }
            read(&freed).is_ok_and(|cron| fires(&cron))
        };
        let place = [DAY, WEEKDAY, YEAR, MONTH].iter().find(keeps_from_firing).copied().unwrap_or(SECOND);
        let (name, text) =
            (FIELDS.get(place).map_or("", |field| field.name), self.0.get(place).map_or("", |text| text));
        let message = format!("it can never fire: no date fits the {name} {:?} and the other fields", clip(text));
        Err(Fault::new(message, "correct the field, or remove the timer"))
    }
}

/// Whether there is any time from 1970 on.
fn fires(cron: &Cron) -> bool {
    cron.find_next_occurrence(&jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0), true).is_ok()
}

fn named(text: &str) -> Result<&'static str, Fault> {
    let found = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, six)| *six).ok_or_else(|| {
        let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
        let message = match text.eq_ignore_ascii_case("@reboot") {
            true => "@reboot is no time: a host may start again at any moment".to_owned(),
            false => format!("there is no {:?}", clip(text)),
        };
        Fault::new(message, format!("the names are {}", known.join(", ")))
    })
}

/// The fields with the second before and the year behind, where they are left out.
fn seven(text: &str) -> Result<[String; 7], Fault> {
    let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let count = fields.len();
    if count == 5 {
        fields.insert(0, "0".to_owned());
    }
    if fields.len() == 6 {
        fields.push("*".to_owned());
    }
    fields.try_into().map_err(|_| {
        let message = match count {
            0 => "the expression is empty".to_owned(),
            1 => "it has one field".to_owned(),
            _ => format!("it has {count} fields"),
        };
        Fault::new(
            message,
            "write minute, hour, day of month, month, day of week; a second before and a year behind if needed",
        )
    })
}

fn read(fields: &[String; 7]) -> Result<Cron, CronError> {
    CronParser::new().parse(&fields.join(" "))
}

/// What `croner` says, without what is known anyway.
fn reason(error: &CronError) -> String {
    let said = match error {
        CronError::ComponentError(said) | CronError::InvalidPattern(said) => said.trim_end_matches('.'),
        CronError::IllegalCharacters(_) => "it has a character that means nothing there",
        _ => "it means nothing",
    };
    let mut letters = said.chars();
    // A sentence goes on in small letters; a character that it is about stays as it is.
    match letters.next() {
        Some(first) if letters.as_str().starts_with(char::is_alphabetic) => {
            format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
        }
        _ => said.to_owned(),
    }
}

impl Field {
    fn fault(&self, text: &str, why: &str) -> Fault {
        Fault::new(
            format!("the {} {:?}: {why}", self.name, clip(text)),
            format!("write {}; lists, ranges and steps of them, or *", self.values),
        )
    }

    /// Checks words and lists.
    fn check(&self, text: &str) -> Result<(), Fault> {
        if text.split(',').any(str::is_empty) {
            return Err(self.fault(text, "an item of the list is empty"));
        }
        let words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        for word in words {
            if !self.words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                return Err(self.fault(text, &format!("{:?} means nothing there", clip(word))));
            }
        }
        Ok(())
    }
}
