//! The chat page of the demo: a chat, and beside it the run behind the chat. Plain files without a build step; they
//! load nothing from elsewhere and hold no inline script or style, which their policy forbids.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;

use super::App;

const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/// Path, content type, content.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/app.js", "text/javascript; charset=utf-8", include_str!("page/app.js")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
];

/// The page's files.
pub(super) fn routes() -> Router<Arc<App>> {
    FILES.iter().fold(Router::new(), |router, &(path, content_type, content)| {
        router.route(path, get(move || async move { file(content_type, content) }))
    })
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY)], content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &str) -> &'static str {
        FILES.iter().find(|file| file.0 == path).map(|file| file.2).unwrap()
    }

    #[test]
    fn the_page_does_nothing_that_its_policy_forbids() {
        let html = content("/");
        for tag in html.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            assert!(!tag.contains(" style=") && !tag.contains(" on"), "inline code in <{tag}>");
            assert!(!tag.starts_with("style"), "inline style");
            assert!(!tag.starts_with("script") || tag.contains("src=\"/"), "inline script in <{tag}>");
            assert!(!tag.contains("//"), "something from elsewhere in <{tag}>");
        }
    }

    #[test]
    fn the_script_inserts_text_and_never_markup() {
        let script = content("/app.js");
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "setAttribute(\"on",
            ".style.cssText",
        ] {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
        assert!(script.contains("textContent"));
    }
}
