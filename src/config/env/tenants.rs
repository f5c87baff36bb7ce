//! `TENANT_RESOLVER` and what belongs to it: how the tenant of a request is found.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use jsonwebtoken::Algorithm;
use url::{Host, Url};

use super::{Vars, invalid};
use crate::error::Error;
use crate::id::clip;
use crate::secret::Secret;

/// The signatures that tokens may have. Nothing unsigned is among them.
const ALGORITHMS: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384 or HS512";

/// How the tenant of a request is found, if its path names none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TenantResolver {
    /// `env`: every request is for the default tenant.
    #[default]
    Env,
    /// `host`: the first label of the host's name.
    Host,
    /// `header`: `x-greentic-tenant`, if one of these proxies (`TRUSTED_PROXIES`) sends it.
    Header {
        /// Their addresses.
        proxies: Vec<IpNet>,
    },
    /// `jwt`: the claim `tenant` of a bearer token.
    Jwt(JwtSettings),
}

/// Which tokens are believed. All of it has to be stated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// `TENANT_JWT_ALGORITHM`: the one algorithm of their signatures.
    pub algorithm: Algorithm,
    /// `TENANT_JWT_ISSUER`: who issues them.
    pub issuer: String,
    /// `TENANT_JWT_AUDIENCE`: whom they must be for.
    pub audience: String,
    /// By what they are verified.
    pub keys: JwtKeys,
}

/// By what tokens are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// `TENANT_JWT_KEY`: a public key in PEM, or the shared secret.
    Key(Secret),
    /// `TENANT_JWT_KEY_FILE`: a file that holds one.
    KeyFile(PathBuf),
    /// `TENANT_JWT_JWKS` with a path: a key set in a file.
    SetFile(PathBuf),
    /// `TENANT_JWT_JWKS` with a URL: a key set that somebody serves.
    SetUrl(Url),
}

/// Reads the variables; what is wrong becomes a finding.
pub(super) fn read<F: Fn(&str) -> Option<OsString>>(vars: &mut Vars<'_, F>) -> TenantResolver {
    let Some(name) = vars.text("TENANT_RESOLVER") else { return TenantResolver::default() };
    match name.trim().to_ascii_lowercase().as_str() {
        "env" => TenantResolver::Env,
        "host" => TenantResolver::Host,
        "header" => {
            // What is wrong with the list is a finding already.
            let findings = vars.findings.len();
            let proxies = proxies(vars);
            vars.findings.truncate(findings);
            if vars.text(PROXIES).is_none() {
                let what = "is not set, and TENANT_RESOLVER=header believes nobody else";
                vars.findings.push(invalid(PROXIES, what, HINT));
            }
            TenantResolver::Header { proxies }
        }
        "jwt" => jwt(vars).map_or_else(TenantResolver::default, TenantResolver::Jwt),
        _ => {
            let what = format!("is {:?}, which is no way to find a tenant", clip(&name));
            vars.findings.push(invalid("TENANT_RESOLVER", &what, "use host, header, jwt or env"));
            TenantResolver::default()
        }
    }
}

const PROXIES: &str = "TRUSTED_PROXIES";
const HINT: &str = "list the addresses of the proxies in front of this host, as 10.0.0.5,192.168.0.0/16";

/// The proxies that are declared, none if the variable is not set.
pub(super) fn proxies<F: Fn(&str) -> Option<OsString>>(vars: &mut Vars<'_, F>) -> Vec<IpNet> {
    let Some(text) = vars.text(PROXIES) else { return Vec::new() };
    let parse = |part: &str| part.parse().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
    let mut nets = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match parse(part) {
            Some(net) => nets.push(net),
            None => {
                let what = format!("holds {:?}, which is no address and no network", clip(part));
                vars.findings.push(invalid(PROXIES, &what, HINT));
            }
        }
    }
    nets
}

fn jwt<F: Fn(&str) -> Option<OsString>>(vars: &mut Vars<'_, F>) -> Option<JwtSettings> {
    let algorithm = vars.required("TENANT_JWT_ALGORITHM", ALGORITHMS).and_then(|name| {
        let algorithm = name.parse::<Algorithm>().ok();
        if algorithm.is_none() {
            let what = format!("is {:?}, which is no signature algorithm", clip(&name));
            vars.findings.push(invalid("TENANT_JWT_ALGORITHM", &what, &format!("use {ALGORITHMS}")));
        }
        algorithm
    });
    let issuer = vars.required("TENANT_JWT_ISSUER", "the claim iss that tokens must have");
    let audience = vars.required("TENANT_JWT_AUDIENCE", "the claim aud that tokens must have");
    let keys = keys(vars);
    if let (
        Some(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512),
        Some(JwtKeys::SetFile(_) | JwtKeys::SetUrl(_)),
    ) = (algorithm, &keys)
    {
        let what = "names a key set, which is public, while the algorithm takes a shared secret";
        vars.findings.push(invalid("TENANT_JWT_JWKS", what, "use TENANT_JWT_KEY or TENANT_JWT_KEY_FILE"));
    }
    Some(JwtSettings { algorithm: algorithm?, issuer: issuer?, audience: audience?, keys: keys? })
}

fn keys<F: Fn(&str) -> Option<OsString>>(vars: &mut Vars<'_, F>) -> Option<JwtKeys> {
    const HINT: &str = "set one of TENANT_JWT_KEY, TENANT_JWT_KEY_FILE and TENANT_JWT_JWKS";
    let key = vars.text("TENANT_JWT_KEY").map(|text| JwtKeys::Key(Secret::new(text)));
    let file = vars.path("TENANT_JWT_KEY_FILE").map(JwtKeys::KeyFile);
    let set = vars.text("TENANT_JWT_JWKS").map(|text| key_set(&text));
    let set = match set.transpose() {
        Ok(set) => set,
        Err(error) => {
            vars.findings.push(error);
            return None;
        }
    };
    let mut given = [key, file, set].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(only), None) => Some(only),
        (None, _) => {
            vars.findings.push(invalid("TENANT_JWT_KEY", "is not set, so no token can be verified", HINT));
            None
        }
        (Some(_), Some(_)) => {
            vars.findings.push(invalid("TENANT_JWT_KEY", "is not the only source of keys", HINT));
            None
        }
    }
}

/// A URL, or the path of a file. Keys that come over the network come over TLS.
fn key_set(text: &str) -> Result<JwtKeys, Error> {
    const NAME: &str = "TENANT_JWT_JWKS";
    if !text.contains("://") {
        return Ok(JwtKeys::SetFile(text.into()));
    }
    let url = Url::parse(text).map_err(|e| invalid(NAME, &format!("is no URL: {e}"), "use https://… or a path"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid(NAME, "holds credentials", "leave them out: a key set is public"));
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(JwtKeys::SetUrl(url)),
        "http" if loopback => Ok(JwtKeys::SetUrl(url)),
        _ => Err(invalid(NAME, "is neither an https:// URL nor a path", "http:// is for this machine only")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RunnerConfig;
    use crate::error::Code;

    fn read(vars: &[(&str, &str)]) -> Result<TenantResolver, Error> {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        RunnerConfig::from_vars(var).map(|config| config.tenants)
    }

    const JWT: [(&str, &str); 5] = [
        ("TENANT_RESOLVER", "jwt"),
        ("TENANT_JWT_ALGORITHM", "ES256"),
        ("TENANT_JWT_ISSUER", "https://id.example"),
        ("TENANT_JWT_AUDIENCE", "bots"),
        ("TENANT_JWT_JWKS", "https://id.example/keys"),
    ];

    /// The settings above with one changed, or one more.
    fn jwt(name: &'static str, value: &'static str) -> Result<TenantResolver, Error> {
        let mut vars: Vec<_> = JWT.into_iter().filter(|(n, _)| *n != name).collect();
        vars.push((name, value));
        read(&vars)
    }

    #[test]
    fn every_way_is_known_in_any_case() {
        assert_eq!(read(&[]).unwrap(), TenantResolver::Env);
        assert_eq!(read(&[("TENANT_RESOLVER", "")]).unwrap(), TenantResolver::Env);
        assert_eq!(read(&[("TENANT_RESOLVER", "ENV")]).unwrap(), TenantResolver::Env);
        assert_eq!(read(&[("TENANT_RESOLVER", "Host")]).unwrap(), TenantResolver::Host);
        let header = [("TENANT_RESOLVER", "HEADER"), ("TRUSTED_PROXIES", "10.0.0.5, fd00::/8,192.168.0.0/16,")];
        let proxies = ["10.0.0.5/32", "fd00::/8", "192.168.0.0/16"].map(|net| net.parse().unwrap()).into();
        assert_eq!(read(&header).unwrap(), TenantResolver::Header { proxies });
        let expected = JwtSettings {
            algorithm: Algorithm::ES256,
            issuer: "https://id.example".into(),
            audience: "bots".into(),
            keys: JwtKeys::SetUrl("https://id.example/keys".parse().unwrap()),
        };
        assert_eq!(read(&JWT).unwrap(), TenantResolver::Jwt(expected));
        for path in ["/etc/keys.json", "keys.json"] {
            let Ok(TenantResolver::Jwt(settings)) = jwt("TENANT_JWT_JWKS", path) else { panic!("{path}") };
            assert_eq!(settings.keys, JwtKeys::SetFile(path.into()));
        }
        assert!(jwt("TENANT_JWT_JWKS", "http://127.0.0.1:1/keys").is_ok());
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let cases = [
            (read(&[("TENANT_RESOLVER", "cookie")]), "TENANT_RESOLVER"),
            (read(&[("TENANT_RESOLVER", "header")]), "TRUSTED_PROXIES"),
            (read(&[("TENANT_RESOLVER", "header"), ("TRUSTED_PROXIES", "10.0.0.0/33")]), "TRUSTED_PROXIES"),
            (read(&[("TENANT_RESOLVER", "header"), ("TRUSTED_PROXIES", "proxy.example")]), "TRUSTED_PROXIES"),
            (jwt("TENANT_JWT_ALGORITHM", ""), "TENANT_JWT_ALGORITHM"),
            (jwt("TENANT_JWT_ALGORITHM", "none"), "TENANT_JWT_ALGORITHM"),
            (jwt("TENANT_JWT_ALGORITHM", "RS1"), "TENANT_JWT_ALGORITHM"),
            (jwt("TENANT_JWT_ALGORITHM", "HS256"), "TENANT_JWT_JWKS"),
            (jwt("TENANT_JWT_ISSUER", ""), "TENANT_JWT_ISSUER"),
            (jwt("TENANT_JWT_AUDIENCE", ""), "TENANT_JWT_AUDIENCE"),
            (jwt("TENANT_JWT_JWKS", ""), "TENANT_JWT_KEY"),
            (jwt("TENANT_JWT_KEY", "also"), "TENANT_JWT_KEY"),
            (jwt("TENANT_JWT_JWKS", "http://id.example/keys"), "TENANT_JWT_JWKS"),
            (jwt("TENANT_JWT_JWKS", "ftp://id.example/keys"), "TENANT_JWT_JWKS"),
            (jwt("TENANT_JWT_JWKS", "https://a:canary@id.example/keys"), "TENANT_JWT_JWKS"),
        ];
        for (at, (result, name)) in cases.into_iter().enumerate() {
            let error = result.unwrap_err();
            assert_eq!(error.code(), Code::EnvInvalid);
            assert!(error.message().contains(name) && error.hint_text().is_some(), "{at}: {error}");
            assert!(!error.to_string().contains("canary"));
        }
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let error = read(&[("TENANT_RESOLVER", "jwt")]).unwrap_err();
        assert_eq!(error.details().len(), 4, "{error}");
    }
}
