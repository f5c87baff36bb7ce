//! Where browsers come back to from providers of OAuth.

use serde_json::json;

use super::operation::Operation;
use super::schemas::Schemas;
use crate::error::Code;

/// The media type of pages.
const HTML: &str = "text/html";

pub(in crate::server) fn callback(_: &mut Schemas) -> Operation {
    let text = |what: &str| json!({"type": "string", "description": what});
    let page = || Some((HTML, json!({"type": "string"})));
    Operation::new("oauthCallback", "Takes a browser that comes back from a provider of OAuth")
        .parameter("query", "state", &text("The state with which the consent began."))
        .parameter("query", "code", &text("The code that the host exchanges."))
        .parameter("query", "error", &text("Why there is none."))
        .parameter("query", "iss", &text("Who the provider says it is."))
        .answer("200", "The subject is connected.", page())
        .answer("400", "There is no such consent, or the provider refuses.", page())
        .answer("502", "The provider's answer is of no use.", page())
        .answer("503", "The provider does not answer now.", page())
        .answer("500", "Something is wrong with the tenant's settings.", page())
        .errors(&[Code::RouteOff])
}
