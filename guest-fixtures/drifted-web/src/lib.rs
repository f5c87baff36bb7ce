//! A node whose interfaces for requests differ from the host's: contexts without `i18n-id` in one version, records of its
//! own in another.

mod published {
    wit_bindgen::generate!({
        path: ["../../wit/variants/imports-interfaces-types-0.1.0-without-i18n.wit", "../../wit/http-1.1.0"],
        inline: "
            package fixture:drifted-web;

            world guest {
                import greentic:http/http-client@1.1.0;
                import greentic:http/client@1.1.0;
            }
        ",
        generate_all,
    });
}

mod later {
    wit_bindgen::generate!({
        path: "../../wit/variants/imports-http-1.1.2.wit",
        inline: "
            package fixture:drifted-web-later;

            world guest {
                import greentic:http/http-client@1.1.2;
            }
        ",
        generate_all,
    });
}

use later::greentic::http::http_client as own;
use node_kit::{Failure, Operation, Operations, Value, json, text};
use published::greentic::http::{client as alias, http_client as client};

struct DriftedWeb;

impl Operations for DriftedWeb {
    const NAME: &'static str = "drifted-web";
    const ALL: &'static [Operation] = &[
        ("client", "Posts `body` to `url` by contexts without a language"),
        ("alias", "The same under the other name of the interface"),
        ("own", "The same by records of its own, without following redirects"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let (url, body) = (text(&input, "url")?.to_owned(), text(&input, "body")?.as_bytes().to_vec());
        let headers = vec![("x-own".to_owned(), "given".to_owned())];
        if op == "own" {
            let request = own::Request { url, method: "POST".to_owned(), priority: 7, body: Some(body), headers };
            let options = own::RequestOptions { follow_redirects: Some(false), timeout_ms: None };
            return Ok(match own::send(&request, Some(options)) {
                Ok(response) => json!({ "status": response.status, "body": shown(response.body) }),
                Err(error) => json!({ "error": format!("{:?}", error.code), "message": error.message }),
            });
        }
        let request = client::Request { method: "POST".to_owned(), url, headers, body: Some(body) };
        let sent = match op {
            "client" => client::send(&request, None, None),
            _ => alias::send(&request, None, None),
        };
        Ok(match sent {
            Ok(response) => json!({ "status": response.status, "body": shown(response.body) }),
            Err(error) => json!({ "error": error.code, "message": error.message }),
        })
    }
}

fn shown(body: Option<Vec<u8>>) -> Option<String> {
    body.map(|body| String::from_utf8_lossy(&body).into_owned())
}

node_kit::export!(DriftedWeb);
