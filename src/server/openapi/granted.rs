//! What the routes of grants and of providers take and give.

use serde_json::json;

use super::describe::{JSON, OF_STORE, identifier};
use super::operation::Operation;
use super::schemas::Schemas;
use crate::error::Code;
use crate::host::grants::GrantsStatus;
use crate::host::providers::health::ProvidersHealth;
use crate::host::providers::status::{ProviderStatus, ProvidersStatus};
use crate::tenant::Instance;

/// Errors of changing a stored provider.
const OF_CHANGE: &[Code] = &[
    Code::TenantUnknown,
    Code::PackNotLoaded,
    Code::ProviderConfig,
    Code::StoredProvider,
    Code::Nonconforming,
    Code::AuditFailed,
    Code::StoreFailed,
    Code::StoreFormat,
    Code::StoreFull,
];

pub(in crate::server) fn grants(schemas: &mut Schemas) -> Operation {
    Operation::new("grants", "What components were granted and used, tenant by tenant")
        .parameter("query", "tenant", &identifier("Only those of this tenant."))
        .answer(
            "200",
            "The grants, with their uses since the host was built.",
            Some((JSON, schemas.of::<GrantsStatus>())),
        )
        .errors(&[Code::TenantUnknown])
}

pub(in crate::server) fn providers(schemas: &mut Schemas) -> Operation {
    Operation::new("providers", "The providers of packs and those that are stored, tenant by tenant")
        .parameter("query", "tenant", &identifier("Only those of this tenant."))
        .answer("200", "The providers, without their configurations.", Some((JSON, schemas.of::<ProvidersStatus>())))
        .errors(&[Code::TenantUnknown])
        .errors(OF_STORE)
}

pub(in crate::server) fn provider_health(schemas: &mut Schemas) -> Operation {
    Operation::new("providerHealth", "Asks providers how they are")
        .parameter("query", "tenant", &identifier("Only those of this tenant."))
        .answer("200", "What each says, or why it could not be asked.", Some((JSON, schemas.of::<ProvidersHealth>())))
        .errors(&[Code::TenantUnknown])
}

/// A change of one provider.
fn one(id: &str, summary: &str) -> Operation {
    Operation::new(id, summary)
        .parameter("path", "tenant", &identifier("The tenant."))
        .parameter("path", "id", &identifier("The provider's id."))
        .errors(OF_CHANGE)
}

/// A change after which the provider is told.
fn told(operation: Operation, schemas: &mut Schemas) -> Operation {
    operation.answer("200", "The provider as it is now.", Some((JSON, schemas.of::<ProviderStatus>())))
}

pub(in crate::server) fn put_provider(schemas: &mut Schemas) -> Operation {
    let body = json!({JSON: {"schema": schemas.of::<Instance>()}});
    told(one("putProvider", "Stores a provider, whose component has to take its configuration"), schemas)
        .body(true, &body)
        .errors(&[Code::BodyTooLarge, Code::RequestTimeout, Code::InvalidId])
}

pub(in crate::server) fn forget_provider(_: &mut Schemas) -> Operation {
    one("forgetProvider", "Forgets a stored provider")
        .answer("204", "It is forgotten.", None)
        .errors(&[Code::ProviderNotStored])
}

pub(in crate::server) fn enable_provider(schemas: &mut Schemas) -> Operation {
    told(one("enableProvider", "Lets flows call a stored provider"), schemas).errors(&[Code::ProviderNotStored])
}

pub(in crate::server) fn disable_provider(schemas: &mut Schemas) -> Operation {
    told(one("disableProvider", "Keeps flows from calling a stored provider"), schemas)
        .errors(&[Code::ProviderNotStored])
}
