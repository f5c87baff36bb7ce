//! The name that an author probably meant.

/// Longer names are not compared: comparing is quadratic.
const MAX_COMPARED: usize = 256;
/// Nor are more candidates: a hostile pack may have many names, and many slips.
const MAX_CANDIDATES: usize = 128;

/// The candidate nearest to `wanted`, if one is near enough to be a slip.
pub(crate) fn nearest<'c>(wanted: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    const NEAR: f64 = 0.75;
    if wanted.len() > MAX_COMPARED {
        return None;
    }
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len() <= MAX_COMPARED)
        .map(|candidate| (strsim::jaro_winkler(wanted, candidate), candidate))
        .filter(|(near, _)| *near >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// A hint that names the nearest candidate, or some of them.
pub(crate) fn did_you_mean<'c>(wanted: &str, what: &str, candidates: impl Iterator<Item = &'c str> + Clone) -> String {
    const SHOWN: usize = 8;
    if let Some(near) = nearest(wanted, candidates.clone()) {
        return format!("did you mean {near:?}?");
    }
    let some: Vec<&str> = candidates.clone().take(SHOWN).collect();
    let more = if candidates.clone().nth(SHOWN).is_some() { ", …" } else { "" };
    if some.is_empty() { format!("there are no {what}") } else { format!("{what}: {}{more}", some.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["weather", "greeter", "payments"];
        assert_eq!(nearest("wether", names), Some("weather"));
        assert_eq!(nearest("greter", names), Some("greeter"));
        assert_eq!(nearest("xyz", names), None);
        assert_eq!(did_you_mean("paymets", "components", names.into_iter()), "did you mean \"payments\"?");
        assert_eq!(did_you_mean("xyz", "components", names.into_iter()), "components: weather, greeter, payments");
        assert_eq!(did_you_mean("xyz", "components", [].into_iter()), "there are no components");
    }
}
