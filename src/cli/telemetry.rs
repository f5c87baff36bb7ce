//! The export of telemetry by the program, as the environment says.

#[cfg(feature = "telemetry")]
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

#[cfg(not(feature = "telemetry"))]
use crate::cli::report;
use crate::error::Result;
#[cfg(not(feature = "telemetry"))]
use crate::error::{Code, Error};
#[cfg(feature = "telemetry")]
use crate::telemetry::Telemetry;
use crate::telemetry::TelemetryConfig;

/// How long the program waits at its end for what is to be sent.
#[cfg(feature = "telemetry")]
const STOP: Duration = Duration::from_secs(5);

/// What the program exports.
pub(super) struct Exported {
    #[cfg(feature = "telemetry")]
    telemetry: Option<Telemetry>,
}

impl Exported {
    /// Begins to export, if the environment says whereto and there is something to tell of.
    #[cfg(feature = "telemetry")]
    pub(super) fn start(runs_flows: bool) -> Result<Self> {
        let config = if runs_flows { TelemetryConfig::from_env()? } else { None };
        let telemetry = config.as_ref().map(Telemetry::start).transpose()?;
        telemetry.iter().for_each(Telemetry::install);
        Ok(Self { telemetry })
    }

    /// Says that nothing is exported, if the environment says whereto.
    #[cfg(not(feature = "telemetry"))]
    pub(super) fn start(runs_flows: bool) -> Result<Self> {
        if runs_flows && TelemetryConfig::from_env()?.is_some() {
            let missing =
                "the environment names a collector, and this program was built without the feature `telemetry`";
            report::warn(
                &Error::new(Code::TelemetryMissing, missing)
                    .hint("use a build with `--features telemetry`, or unset the variables; /metrics is there anyway"),
            );
        }
        Ok(Self {})
    }

    /// Collects what is exported.
    pub(super) fn layer<S>(&self) -> Option<Box<dyn Layer<S> + Send + Sync>>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        #[cfg(feature = "telemetry")]
        {
            self.telemetry.as_ref().map(Telemetry::layer)
        }
        #[cfg(not(feature = "telemetry"))]
        {
            None
        }
    }

    /// Sends what waits.
    pub(super) fn stop(&self) {
        #[cfg(feature = "telemetry")]
        if let Some(telemetry) = &self.telemetry {
            telemetry.stop(STOP);
        }
    }
}
