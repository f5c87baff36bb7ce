//! Texts as Slack wants them.

/// A plain text, so that nothing in it is read as a mention or a link.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

/// How long a text is for Slack.
pub(super) fn chars(text: &str) -> usize {
    text.chars().count()
}

/// A link in Slack's markup. None if the URL is none that a link may lead to.
pub(super) fn link(url: &str, label: &str) -> Option<String> {
    let mut target = String::with_capacity(url.len());
    for letter in escape(address(url)?).chars() {
        match letter {
            '|' => target.push_str("%7C"),
            other => target.push(other),
        }
    }
    let label: Vec<_> = label.split_whitespace().collect();
    Some(format!("<{target}|{}>", escape(&label.join(" "))))
}

/// A URL that may be shown, if it is one of the web.
pub(super) fn address(url: &str) -> Option<&str> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    (is_web && !url.chars().any(|c| c.is_whitespace() || c.is_control())).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_where_it_says() {
        let url = "https://a.example/?a=1&b=<|>";
        assert_eq!(
            link(url, "A & B\n<x>").as_deref(),
            Some("<https://a.example/?a=1&amp;b=&lt;%7C&gt;|A &amp; B &lt;x&gt;>")
        );
        for bad in ["", "javascript:alert(1)", "https://a b", "https://a\n", "file:///etc/passwd"] {
            assert_eq!(link(bad, "x"), None, "{bad}");
        }
    }
}
