//! The names, units and descriptions of all metrics.

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, as OpenTelemetry writes it. In Prometheus dots are `_`, and unit and `total` are added.
    pub name: &'static str,
    /// Its unit in UCUM.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
}

/// Events that were offered.
pub(super) const EVENTS: Metric = Metric {
    name: "greentic.events",
    unit: "{event}",
    description: "Events that were offered, by what became of them",
};
/// How long events took.
pub(super) const EVENT_DURATION: Metric = Metric {
    name: "greentic.event.duration",
    unit: "s",
    description: "Time of an event from its acceptance to its end; a failed one is a dead letter",
};
/// Events that failed.
pub(super) const EVENT_FAILURES: Metric = Metric {
    name: "greentic.event.failures",
    unit: "{event}",
    description: "Events that became dead letters, by code",
};
/// How long flows took.
pub(super) const FLOW_DURATION: Metric = Metric {
    name: "greentic.flow.duration",
    unit: "s",
    description: "Time that a run's flow was worked on for one event",
};
/// How long nodes took.
pub(super) const NODE_DURATION: Metric =
    Metric { name: "greentic.node.duration", unit: "s", description: "Time that a node took, retries included" };
/// How long components took.
pub(super) const COMPONENT_DURATION: Metric = Metric {
    name: "greentic.component.duration",
    unit: "s",
    description: "Time of one call of a component, its instance included",
};
/// Calls of components that failed.
pub(super) const COMPONENT_FAILURES: Metric = Metric {
    name: "greentic.component.failures",
    unit: "{call}",
    description: "Calls of components that failed, by code",
};
/// How long tools took.
pub(super) const TOOL_DURATION: Metric = Metric {
    name: "greentic.tool.duration",
    unit: "s",
    description: "Time of one attempt at a tool, of an MCP server or in WebAssembly",
};
/// Attempts at tools that failed.
pub(super) const TOOL_FAILURES: Metric = Metric {
    name: "greentic.tool.failures",
    unit: "{call}",
    description: "Attempts at tools that failed, and calls that were refused before, by code",
};
/// How long HTTP requests took.
pub(super) const HTTP_SERVER: Metric =
    Metric { name: "http.server.request.duration", unit: "s", description: "Time of a request until its answer began" };

/// The metrics that the host counts as it works.
pub const COUNTED: &[Metric] = &[
    EVENTS,
    EVENT_DURATION,
    EVENT_FAILURES,
    FLOW_DURATION,
    NODE_DURATION,
    COMPONENT_DURATION,
    COMPONENT_FAILURES,
    TOOL_DURATION,
    TOOL_FAILURES,
    HTTP_SERVER,
];

macro_rules! observed {
    ($($(#[$meta:meta])+ $variant:ident = $name:literal, $unit:literal, $kind:ident, $description:literal;)+) => {
        /// A metric that is counted elsewhere, and read when somebody asks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Observed {
            $($(#[$meta])+ $variant,)+
        }

        impl Observed {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, unit and description.
            pub fn metric(self) -> Metric {
                match self {
                    $(Self::$variant => Metric { name: $name, unit: $unit, description: $description },)+
                }
            }

            /// Whether it only grows.
            pub fn grows(self) -> bool {
                match self {
                    $(Self::$variant => observed!(@$kind),)+
                }
            }
        }
    };
    (@counter) => { true };
    (@gauge) => { false };
}

observed! {
    /// Host calls of guests.
    HostCalls = "greentic.host_calls", "{call}", counter,
        "Host calls of components, by interface and whether they went well";
    /// Requests of guests.
    OutboundRequests = "greentic.outbound.requests", "{request}", counter,
        "HTTP requests that components had made, by reason; answered ones have the reason answered";
    /// Events in the queue.
    QueueEvents = "greentic.queue.events", "{event}", gauge, "Events that this process accepted and that are not done";
    /// Sessions that are worked on.
    QueueSessions = "greentic.queue.sessions", "{session}", gauge, "Sessions that are being worked on";
    /// What the store holds.
    Stored = "greentic.stored", "{record}", gauge,
        "What the store holds, by kind; read when metrics are asked for, and every half minute";
    /// Tenants with a pack.
    ActivePacks = "greentic.packs.active", "{tenant}", gauge, "Tenants that have a pack";
    /// Packs that were prepared.
    PacksPrepared = "greentic.packs.prepared", "{pack}", counter, "Packs that were prepared for a tenant";
    /// Components that were asked for.
    ComponentCache = "greentic.component.cache", "{component}", counter,
        "Components that were asked for, by whether they were held already (hit) or had to be made (miss)";
    /// Packs that were wanted.
    PackCache = "greentic.pack.cache", "{artifact}", counter,
        "Packs, components and indexes that were wanted, by how they were come by";
    /// Reloads.
    Reloads = "greentic.reloads", "{reload}", counter, "Looks at what is listed, by whether they went well";
    /// Timers.
    Timers = "greentic.timers", "{time}", counter, "Times of timers, by what became of them";
    /// Requests that went no further.
    Dropped = "greentic.ingress.dropped", "{request}", counter,
        "Requests of platforms that went no further, by reason";
    /// Replies.
    Replies = "greentic.replies", "{reply}", counter, "Replies to platforms, and attempts, by what became of them";
}
