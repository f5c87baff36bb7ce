//! How providers say that they are, asked when an operator wants to know.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Map;

use crate::capabilities::scope::Scope;
use crate::engine::limits::Limits;
use crate::error::{Code, Error};
use crate::id::{Id, clip};
use crate::run::program::{Program, Provider};
use crate::tenant::provider::unwell;
use crate::tenant::stored::without;

/// What one provider may take, however long the tenant's limits are.
const LONGEST: Duration = Duration::from_secs(5);
/// What all of an answer's providers may take.
pub(super) const ALL: Duration = Duration::from_secs(20);
/// How many are asked at once: the rest of the host goes on.
const AT_ONCE: usize = 4;

/// How the providers of tenants are.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct ProvidersHealth {
    /// Every tenant with a pack, sorted.
    pub tenants: Vec<TenantHealth>,
}

/// How the providers of a tenant are.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantHealth {
    /// The tenant.
    pub tenant: String,
    /// Its providers, sorted by id.
    pub providers: Vec<ProviderHealth>,
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProviderHealth {
    /// Its id.
    pub provider_id: String,
    /// How it is.
    pub health: Health,
    /// What it says, shortened and without its configuration, or why it could not be asked.
    pub said: Option<String>,
    /// The code of what is wrong.
    pub code: Option<String>,
    /// How long the answer took.
    pub millis: u64,
}

/// How a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It says nothing to the contrary.
    Well,
    /// It says that it is not, or its check failed or took too long.
    Unwell,
    /// It was not asked: it is stored and disabled.
    Disabled,
    /// It was not asked: it is stored and cannot be used.
    Broken,
    /// It was not asked: the others took all the time that there is.
    Unknown,
}

/// Asks the providers of a tenant's packs, until `end`.
pub(super) async fn of_program(program: &Program, end: Instant) -> TenantHealth {
    let mut ids: Vec<_> = program.providers.iter().collect();
    ids.sort_unstable_by_key(|(id, _)| *id);
    let asked = ids.into_iter().map(|(id, provider)| of_provider(program, id, provider.as_ref(), end).boxed());
    let asked: Vec<BoxFuture<'_, ProviderHealth>> = asked.collect();
    let providers = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
    TenantHealth { tenant: program.tenant.to_string(), providers }
}

async fn of_provider(program: &Program, id: &Id, provider: Result<&Provider, &Error>, end: Instant) -> ProviderHealth {
    let told = |health, error: Option<&Error>, said, begun: Option<Instant>| ProviderHealth {
        provider_id: id.to_string(),
        health,
        said,
        code: error.map(|error| error.code().to_string()),
        millis: begun.map_or(0, |begun| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)),
    };
    let provider = match provider {
        Ok(provider) => provider,
        Err(error) if error.code() == Code::ProviderDisabled => return told(Health::Disabled, Some(error), None, None),
        Err(error) => return told(Health::Broken, Some(error), Some(error.message().to_owned()), None),
    };
    let scope = Scope {
        tenant: program.tenant.clone(),
        env: program.env.clone(),
        pack: program.pack.clone(),
        provider: Some(id.clone()),
        ..Scope::outside(&provider.component_id)
    };
    let begun = Instant::now();
    let left = end.saturating_duration_since(begun);
    if left.is_zero() {
        return told(Health::Unknown, None, None, None);
    }
    let limits = Limits { timeout: program.limits.timeout.min(LONGEST).min(left), ..program.limits.clone() };
    let surroundings = program.surroundings(&provider.component_id);
    let answer = provider.component.healthcheck_for(scope, &limits, surroundings).await;
    let none = Map::new();
    let config = provider.config.as_ref().and_then(serde_json::Value::as_object).unwrap_or(&none);
    let said = match &answer {
        Ok(said) if said.is_null() => None,
        Ok(said) => Some(clip(&without(&said.to_string(), config))),
        Err(error) => Some(clip(&without(error.message(), config))),
    };
    match unwell(id, answer, config) {
        None => told(Health::Well, None, said, Some(begun)),
        Some(error) => {
            let cause = error.details().first().unwrap_or(&error);
            told(Health::Unwell, Some(cause), said, Some(begun))
        }
    }
}
