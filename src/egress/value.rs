//! What a button carries through platforms that give back nothing but the text that they were given.
//!
//! A text is carried as it is. Any other value is carried as JSON behind `json:`, and so is a text that could be
//! mistaken for one, or that a platform would trim. The adapters of these platforms read it back.

use serde_json::Value;

use super::message::Action;
use super::text::longest_prefix;

const JSON: &str = "json:";

/// What a button's action is carried as; none if it carries nothing.
pub(super) fn packed(action: &Action) -> Option<String> {
    match action {
        Action::Say(text) if is_plain(text) => Some(text.clone()),
        Action::Say(text) => Some(format!("{JSON}{}", Value::from(text.as_str()))),
        Action::Post(value) => Some(format!("{JSON}{value}")),
        Action::Open(_) => None,
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(JSON) && text.trim() == text && !text.contains(char::is_control)
}

/// The value that came back.
pub(crate) fn unpacked(text: &str) -> Value {
    let value = text.strip_prefix(JSON).and_then(|json| serde_json::from_str(json).ok());
    value.unwrap_or_else(|| Value::from(text))
}

/// The first characters of `text`, at most `most` by `size`, with a mark where something is left out.
pub(super) fn shortened(text: &str, most: usize, size: impl Fn(&str) -> usize) -> String {
    if size(text) <= most {
        return text.to_owned();
    }
    let fits = longest_prefix(text, most.saturating_sub(size("…")), &size);
    format!("{}…", text.get(..fits).unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_carried_as_they_are() {
        assert_eq!(packed(&Action::Say("yes".into())).unwrap(), "yes");
        assert_eq!(packed(&Action::Say("json:1".into())).unwrap(), r#"json:"json:1""#);
        assert_eq!(packed(&Action::Post(json!({"n": 1}))).unwrap(), r#"json:{"n":1}"#);
        assert_eq!(packed(&Action::Open("https://a.example".into())), None);
        assert_eq!(unpacked("json:{"), "json:{");
    }

    #[test]
    fn what_is_too_long_ends_with_a_mark() {
        let chars = |text: &str| text.chars().count();
        assert_eq!(shortened("short", 5, chars), "short");
        assert_eq!(shortened("longer", 5, chars), "long…");
        assert_eq!(shortened("ab cd", 4, chars), "ab…");
        assert_eq!(shortened("äöü", 5, str::len), "ä…");
    }

    proptest! {
        #[test]
        fn every_value_comes_back(text in "(json:)?[ \\PC\n]{0,12}", number in any::<i64>()) {
            prop_assert_eq!(unpacked(&packed(&Action::Say(text.clone())).unwrap()), Value::from(text.clone()));
            for value in [json!({ "a": text }), json!([text, number]), json!(number), Value::Null] {
                prop_assert_eq!(unpacked(&packed(&Action::Post(value.clone())).unwrap()), value);
            }
        }
    }
}
