//! How replies are sent: where the app's tokens come from, and where they may go.

use std::sync::Arc;

use super::token::Trust;
use super::{APP_PASSWORD, text, unusable};
use crate::egress::teams::{ServiceHosts, Teams};
use crate::egress::{ClientCredentials, Sender};
use crate::error::Result;
use crate::id::clip;
use crate::ingress::adapter::Settings;
use crate::ingress::gate;
use crate::secret::Secret;

/// How replies are sent, if requests are verified and there is a password.
pub(super) fn sender(settings: &Settings<'_>, app: Option<String>, trust: Trust) -> Result<Option<Arc<dyn Sender>>> {
    let config = settings.config;
    let (login, scope, tenant, known) = match trust {
        Trust::Public | Trust::Emulator => (
            "https://login.microsoftonline.com",
            "https://api.botframework.com/.default",
            "botframework.com",
            ServiceHosts::public(),
        ),
        Trust::UsGov => (
            "https://login.microsoftonline.us",
            "https://api.botframework.us/.default",
            "MicrosoftServices.onmicrosoft.us",
            ServiceHosts::us_gov(),
        ),
    };
    let login = gate::url(config, "login_url")?.unwrap_or_else(|| login.to_owned());
    let tenant = text(config, "tenant_id")?.unwrap_or_else(|| tenant.to_owned());
    if !tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        || !tenant.contains(char::is_alphanumeric)
    {
        let message = format!("config.tenant_id of the binding is {:?}", clip(&tenant));
        return Err(unusable(message).hint("use the tenant's id, or a domain of it"));
    }
    let stated = gate::texts(config, "service_hosts")?;
    let hosts = match (stated.is_empty(), trust) {
        (false, _) => ServiceHosts::parse(stated.iter().map(String::as_str)).map_err(|bad| {
            let message = format!("config.service_hosts of the binding holds {:?}", clip(&bad));
            unusable(message).hint("write smba.trafficmanager.net, *.botframework.com or 127.0.0.1:3978")
        })?,
        (true, Trust::Emulator) => ServiceHosts::loopback(),
        (true, Trust::Public | Trust::UsGov) => known,
    };
    let password = settings.secrets.get(APP_PASSWORD).into_iter().find(|password| !password.expose().is_empty());
    let sender = |(client_id, client_secret): (String, Secret)| {
        let token_url = format!("{login}/{tenant}/oauth2/v2.0/token");
        let credentials = ClientCredentials { token_url, client_id, client_secret, scope: scope.to_owned() };
        Arc::new(Teams { credentials, hosts }) as Arc<dyn Sender>
    };
    Ok(app.zip(password).map(sender))
}
