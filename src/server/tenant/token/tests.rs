use axum::http::header::AUTHORIZATION;

use super::*;
use crate::clock::{ManualClock, Timestamp};

/// A public key, and a token until 2100 that was signed with its private key, which is kept nowhere.
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmZxIvbmo3L1i7iC8Bt8S
xc7lA9BOlC2Oup5naVMqIJb9uf02yq4WXqpL2yr/bOaqM4MhX1BfFTlDThKycjB2
OgsB9XG8abuI7yfnzYwChU1imUozL9ULqoq8AmD81aGeVz8GtpKofRizNo6inBYT
MlGxOVuNghFliqC1Q32hIssqgswpJLgwRRJC3NmGMNQ2o3W9JlQmhtTEd3Ks+D6g
3DMAxMyc2r5Z8FuxgAs5hb08ikKco+Da/3IBmBRX97UACCh77ETky+6E9svd3Ijq
QWnlfDghpbZUXKfJlGAM1EWzxFwAlJD109U4nkU59t9UE+YunWSBBqJ5dI9CICTL
nwIDAQAB
-----END PUBLIC KEY-----
";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJib3RzIiwiZXhwIjo0MTAyNDQ0ODAwLCJ0ZW5hbnQiOiJhY21lIn0.E10wVys5kJX040Z9kjJSMLrI6r61yLi4dSeNoHClAdCWkF_uE7dxmIrHMjrsnvlt71IAx32uToKRBQlj-lMD1cTPPRpp53IulS1Bfl90ILALGek4H96LkA8mkgE2MJGnYuCz5BmN4iuuoVht31Ie_GG0alNODUSx-5JDu0FV1Vp47uvZzeH2CrEQWfBY73gfJ2boN9L9j3ah3FDhPp28uotnvQ6hLw1iy4fmrwAME-l9l2bQeVFksGdJm3oeiaDotSL5ulTmoRWAmZtJIHi2HbLEqb7n53zyxAZW35Js_xN5UouAAYzs-JRTUSfFpwhYaxBiXoZoMv2yq-hukZs1aA";

fn tokens(algorithm: Algorithm, keys: JwtKeys) -> Result<Tokens> {
    let settings = JwtSettings { algorithm, issuer: "https://id.example".into(), audience: "bots".into(), keys };
    Tokens::new(&settings, Arc::new(ManualClock::new(Timestamp(0))))
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

#[tokio::test]
async fn a_token_of_a_public_key_names_its_tenant() {
    let inline = tokens(Algorithm::RS256, JwtKeys::Key(Secret::new(RSA))).unwrap();
    assert_eq!(inline.tenant(&bearer(TOKEN)).await.unwrap().as_deref(), Some("acme"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.pem");
    std::fs::write(&path, RSA).unwrap();
    let in_file = tokens(Algorithm::RS256, JwtKeys::KeyFile(path)).unwrap();
    assert_eq!(in_file.tenant(&bearer(TOKEN)).await.unwrap().as_deref(), Some("acme"));
    let changed = TOKEN.replace(".E10", ".F10");
    assert_eq!(in_file.tenant(&bearer(&changed)).await.unwrap_err().code(), Code::TenantToken);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let claims = serde_json::json!({
        "iss": "https://id.example", "aud": "bots", "exp": 4_102_444_800_u64, "tenant": "acme",
    });
    let forged = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(RSA.as_bytes())).unwrap();
    let believed = tokens(Algorithm::RS256, JwtKeys::Key(Secret::new(RSA))).unwrap();
    let error = believed.tenant(&bearer(&forged)).await.unwrap_err();
    assert!(error.message().contains("another algorithm"), "{error}");
    // Nor is it taken for one when the operator says so.
    assert_eq!(tokens(Algorithm::HS256, JwtKeys::Key(Secret::new(RSA))).err().unwrap().code(), Code::TenantKeys);
    let secret = "0123456789abcdef0123456789abcdef";
    let honest = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
    let shared = tokens(Algorithm::HS256, JwtKeys::Key(Secret::new(secret))).unwrap();
    assert_eq!(shared.tenant(&bearer(&honest)).await.unwrap().as_deref(), Some("acme"));
    assert!(shared.tenant(&bearer(TOKEN)).await.is_err());
}

#[test]
fn keys_that_do_not_fit_are_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("set.json");
    std::fs::write(&set, r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a"}, {"kty": "new"}]}"#).unwrap();
    let key = |text: &str| JwtKeys::Key(Secret::new(text));
    let cases = [
        (Algorithm::ES256, key(RSA)),
        (Algorithm::EdDSA, key(RSA)),
        (Algorithm::RS256, key("canary")),
        (Algorithm::HS256, key("canary")),
        (Algorithm::HS384, key("canary89012345678901234567890123456")),
        (Algorithm::RS256, JwtKeys::KeyFile(dir.path().join("missing"))),
        (Algorithm::RS256, JwtKeys::KeyFile(set.clone())),
        (Algorithm::RS256, JwtKeys::SetFile(dir.path().join("missing"))),
        // A shared secret in a set is no key for public-key signatures.
        (Algorithm::RS256, JwtKeys::SetFile(set)),
    ];
    for (algorithm, keys) in cases {
        let case = format!("{algorithm:?} {keys:?}");
        let error = tokens(algorithm, keys).err().unwrap_or_else(|| panic!("{case}"));
        assert_eq!(error.code(), Code::TenantKeys, "{case}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn only_tokens_of_the_issuer_are_meant() {
    let tokens = tokens(Algorithm::RS256, JwtKeys::Key(Secret::new(RSA))).unwrap();
    assert!(tokens.are_meant(&bearer(TOKEN)));
    // {"alg":"RS256"} and {"iss":"https://api.botframework.com"}
    let foreign = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FwaS5ib3RmcmFtZXdvcmsuY29tIn0.c2ln";
    for other in [foreign, "abc", "a.b.c"] {
        assert!(!tokens.are_meant(&bearer(other)), "{other}");
    }
    assert!(!tokens.are_meant(&HeaderMap::new()));
}
