//! "Did you mean": the existing name nearest to a wrong name.

/// Names with more characters are not compared, because the time grows with the product of both lengths.
const MAX_NAME_LENGTH: usize = 200;

/// Returns a suggestion such as "; did you mean `x`?" with the existing name nearest to a wrong name; empty if no name
/// is near.
pub fn did_you_mean<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let length = wrong.chars().count();
    if length > MAX_NAME_LENGTH {
        return String::new();
    }
    let near = |name: &'a str| {
        let other = name.chars().count();
        let most = 1 + length.max(other) / 3;
        // The distance of two names is at least the difference of their lengths.
        if other > MAX_NAME_LENGTH || length.abs_diff(other) > most {
            return None;
        }
        let distance = strsim::damerau_levenshtein(wrong, name);
        (distance <= most).then_some((distance, name))
    };
    names
        .filter_map(near)
        .min()
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// Adds the nearest expected name to Serde's error for an unknown name.
#[must_use]
pub fn hinted(text: &str) -> String {
    let mut names = text.split('`').skip(1).step_by(2);
    match names.next() {
        Some(wrong) if text.starts_with("unknown ") => format!("{text}{}", did_you_mean(wrong, names)),
        _ => text.to_owned(),
    }
}
