//! The opening hours of a day: the local times at which they begin and end, such as `08:00-17:00`. They may run past
//! midnight, as in `22:00-06:00`.

/// The beginning and the end (exclusive) of opening hours, in minutes since midnight. If a span ends on the next day,
/// its end is greater than 1440.
pub(super) type Span = (u32, u32);

const DAY: u32 = 24 * 60;

/// The opening hours that begin on one day, ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hours(Vec<Span>);

impl Hours {
    /// Parses the hours of a day; `fault` gets a sentence for each invalid string.
    pub fn read(spans: &[String], mut fault: impl FnMut(String)) -> Self {
        let mut read = Vec::with_capacity(spans.len());
        for text in spans {
            let ends = text
                .split_once('-')
                .map(|(from, until)| (minutes(from), minutes(until)));
            match ends {
                Some((Some(from), Some(until))) if from < until => read.push((from, until)),
                // The hours end on the next day.
                Some((Some(from), Some(until))) if from > until && from < DAY => read.push((from, until + DAY)),
                _ => fault(format!(
                    "\"{text}\" is not like \"08:00-17:00\", or \"22:00-06:00\" through midnight"
                )),
            }
        }
        read.sort_unstable();
        if read.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            fault("these hours overlap".to_owned());
        }
        Self(read)
    }

    /// Whether the hours include a minute of the day on which they begin.
    pub fn on_the_day(&self, minute: u32) -> bool {
        self.0.iter().any(|(from, until)| (*from..*until).contains(&minute))
    }

    /// Whether the hours include a minute of the next day.
    pub fn on_the_next(&self, minute: u32) -> bool {
        self.on_the_day(minute + DAY)
    }

    /// Returns the beginnings and ends of all spans, in minutes since midnight of the day on which they begin.
    pub fn ends(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(from, until)| [*from, *until])
    }

    /// Whether there are no opening hours.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Formats the hours as rows contain them.
    pub fn texts(&self) -> Vec<String> {
        let clock = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        // The end of the day is 24:00; an end on the next day is shown as a time of the next day.
        let end = |until: u32| if until > DAY { until - DAY } else { until };
        let spans = self.0.iter();
        spans
            .map(|(from, until)| format!("{}-{}", clock(*from), clock(end(*until))))
            .collect()
    }
}

/// Converts `08:30` to minutes since midnight; `24:00` is the end of the day.
#[must_use]
pub fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two_digits = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= DAY).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_that_are_none_are_reported() {
        for text in ["8:00", "25:00", "08:60", "0800", "aa:bb", "24:01", "", "+8:00"] {
            assert_eq!(minutes(text), None, "{text}");
        }
        assert_eq!(minutes("24:00"), Some(1440));
    }

    fn read(spans: &[&str]) -> (Hours, Vec<String>) {
        let spans: Vec<String> = spans.iter().map(|text| (*text).to_owned()).collect();
        let mut faults = Vec::new();
        let hours = Hours::read(&spans, |fault| faults.push(fault));
        (hours, faults)
    }

    #[test]
    fn hours_may_go_through_midnight() {
        let (hours, faults) = read(&["22:00-06:00", "08:00-12:00", "18:00-22:00"]);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(hours.texts(), ["08:00-12:00", "18:00-22:00", "22:00-06:00"]);
        let minutes = [0, 359, 360, 480, 720, 1320, 1439];
        assert_eq!(
            minutes.map(|minute| hours.on_the_day(minute)),
            [false, false, false, true, false, true, true]
        );
        assert_eq!(
            minutes.map(|minute| hours.on_the_next(minute)),
            [true, true, false, false, false, false, false]
        );
        assert_eq!(read(&["00:00-24:00"]).0.texts(), ["00:00-24:00"]);
        assert_eq!(read(&["18:00-00:00"]).0.texts(), ["18:00-24:00"]);
    }

    #[test]
    fn hours_that_make_no_sense_are_reported() {
        for spans in [["09:00-09:00"], ["24:00-06:00"], ["09:00"], ["9-17"]] {
            assert_eq!(read(&spans).1.len(), 1, "{spans:?}");
        }
        assert_eq!(read(&["08:00-12:00", "11:00-13:00"]).1, ["these hours overlap"]);
        assert_eq!(read(&["20:00-04:00", "23:00-24:00"]).1, ["these hours overlap"]);
    }
}
