//! `GET /metrics`: what the host and its server count and measure, in the text format of Prometheus. It names tenants, so
//! that it is an operator's to read, as the admin API is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use opentelemetry::KeyValue;

use super::answer::Problem;
use super::{App, Dropped};
use crate::egress::Delivery;
use crate::ingest::fetch::FetchCounts;
use crate::telemetry::{Observed, Source};
use crate::timers::TimerCounts;

/// The media type of the text.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics.
pub(super) async fn serve(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    if let Err(error) = app.backend.refresh_metrics().await {
        // The rest is worth having, and never more than when the store fails.
        tracing::warn!(code = %error.code(), "how much is stored cannot be read: {error}");
    }
    Ok(([(CONTENT_TYPE, TEXT)], app.metrics.text()?).into_response())
}

impl Source for App {
    fn read(&self, metric: Observed, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        match metric {
            Observed::Dropped => {
                for dropped in self.tally.counts() {
                    let outcome = KeyValue::new("outcome", dropped_name(dropped.dropped));
                    let reason = KeyValue::new("reason", dropped.reason);
                    tell(dropped.count, &[KeyValue::new("provider", dropped.provider), outcome, reason]);
                }
            }
            Observed::Replies => {
                for count in self.courier.counts() {
                    let outcome = KeyValue::new("outcome", delivery_name(count.delivery));
                    tell(count.count, &[KeyValue::new("provider", count.provider), outcome]);
                }
            }
            Observed::Reloads => {
                let counts = self.backend.reload_counts();
                tell(counts.done, &[KeyValue::new("outcome", "done")]);
                tell(counts.failed, &[KeyValue::new("outcome", "failed")]);
            }
            Observed::PackCache => {
                let FetchCounts { cached, downloaded, offline, failed } = self.backend.reload_counts().fetches;
                for (outcome, count) in
                    [("cached", cached), ("downloaded", downloaded), ("offline", offline), ("failed", failed)]
                {
                    tell(count, &[KeyValue::new("outcome", outcome)]);
                }
            }
            Observed::Timers => self.read_timers(tell),
            Observed::HostCalls
            | Observed::OutboundRequests
            | Observed::QueueEvents
            | Observed::QueueSessions
            | Observed::Stored
            | Observed::ActivePacks
            | Observed::PacksPrepared
            | Observed::ComponentCache => {}
        }
    }
}

impl App {
    /// The counts of each tenant's timers together.
    fn read_timers(&self, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        for tenant in self.backend.timers().tenants {
            let sum = |of: fn(&TimerCounts) -> u64| tenant.timers.iter().map(|timer| of(&timer.counts)).sum();
            let outcomes = [
                ("on_time", sum(|counts| counts.on_time)),
                ("catch_up", sum(|counts| counts.catch_ups)),
                ("repeated", sum(|counts| counts.repeated)),
                ("skipped", sum(|counts| counts.skipped)),
                ("overlapped", sum(|counts| counts.overlapped)),
            ];
            for (outcome, count) in outcomes {
                tell(count, &[KeyValue::new("tenant", tenant.tenant.clone()), KeyValue::new("outcome", outcome)]);
            }
        }
    }
}

fn dropped_name(dropped: Dropped) -> &'static str {
    match dropped {
        Dropped::Ignored => "ignored",
        Dropped::Refused => "refused",
    }
}

fn delivery_name(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Sent => "sent",
        Delivery::Later => "later",
        Delivery::Refused => "refused",
        Delivery::Unclear => "unclear",
    }
}
