//! What a host exports with, if it exports: so that the rest of the host is the same with and without the feature.

use std::time::Duration;

#[cfg(feature = "telemetry")]
use super::Telemetry;
use super::metrics::Metrics;
use crate::error::Result;

/// What a host exports with, if it exports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exporting {
    #[cfg(feature = "telemetry")]
    telemetry: Option<Telemetry>,
}

impl Exporting {
    /// With `telemetry`.
    #[cfg(feature = "telemetry")]
    pub(crate) fn with(telemetry: Telemetry) -> Self {
        Self { telemetry: Some(telemetry) }
    }

    /// This, or else what is installed for the process.
    pub(crate) fn or_of_process(self) -> Self {
        #[cfg(feature = "telemetry")]
        {
            Self { telemetry: self.telemetry.or_else(Telemetry::installed) }
        }
        #[cfg(not(feature = "telemetry"))]
        {
            self
        }
    }

    /// The metrics of a host.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        #[cfg(feature = "telemetry")]
        if let Some(telemetry) = &self.telemetry {
            return telemetry.metrics();
        }
        Metrics::new()
    }

    /// Whether anything is sent anywhere.
    pub(crate) fn sends(&self) -> bool {
        #[cfg(feature = "telemetry")]
        {
            self.telemetry.is_some()
        }
        #[cfg(not(feature = "telemetry"))]
        {
            false
        }
    }

    /// Whether what is to be sent somewhere arrives there; where nothing is, that is so.
    pub(crate) fn is_ready(&self) -> bool {
        #[cfg(feature = "telemetry")]
        if let Some(telemetry) = &self.telemetry {
            return telemetry.is_ready();
        }
        true
    }

    /// Sends what waits, for at most `within`.
    pub(crate) fn flush(&self, within: Duration) {
        #[cfg(feature = "telemetry")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.flush(within);
        }
        #[cfg(not(feature = "telemetry"))]
        let _ = within;
    }
}
