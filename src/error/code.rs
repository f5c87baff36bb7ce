//! The table of error codes. A code's number never changes its meaning; `docs/errors/GRH-nnnn.md` explains it.

use std::fmt;

/// What kind of failure a code stands for: it decides exit codes and HTTP statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The caller gave something that cannot work: exit 2, HTTP 4xx.
    BadInput,
    /// A flow or a component failed while it ran: exit 1, HTTP 502.
    Failed,
    /// The host cannot do it now (busy, store down, stopping): exit 1, HTTP 503.
    Unavailable,
    /// A defect of the host: exit 1, HTTP 500.
    Internal,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $kind:ident;)+) => {
        /// A stable error code, shown as `GRH-0123`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The number after `GRH-`.
            pub fn number(self) -> u16 {
                match self { $(Self::$name => $number,)+ }
            }

            /// What kind of failure it is.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)+ }
            }

            /// One sentence on what the code means.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    // 00xx: general
    /// A defect of the host itself.
    Internal = 1, Internal;
    /// An identifier breaks the rule for identifiers.
    InvalidId = 2, BadInput;
    /// A file or directory cannot be read or written.
    Io = 3, BadInput;
    /// A value is larger than its limit.
    TooLarge = 4, BadInput;
    /// Text is not valid JSON.
    InvalidJson = 5, BadInput;
    /// Command line arguments do not fit together.
    Usage = 6, BadInput;

    // 01xx: configuration
    /// A bindings file is not valid YAML or does not fit the schema.
    BindingsInvalid = 100, BadInput;
    /// The host was built without any tenant.
    NoTenants = 101, BadInput;
    /// Two bindings files name the same tenant.
    DuplicateTenant = 102, BadInput;
    /// An environment variable holds a value that cannot be used.
    EnvInvalid = 103, BadInput;

    // 02xx: packs
    /// A path is no pack of a known kind.
    PackKind = 200, BadInput;
    /// An archive is damaged or not a ZIP file.
    ArchiveInvalid = 201, BadInput;
    /// An archive breaks a bound (entries, sizes, ratio).
    ArchiveBounds = 202, BadInput;
    /// An archive holds an entry with an unsafe name or kind.
    ArchiveEntry = 203, BadInput;
    /// A pack has no manifest.
    ManifestMissing = 204, BadInput;
    /// A manifest is not what the pack format says.
    ManifestInvalid = 205, BadInput;
    /// A manifest is of a generation that this host does not read.
    ManifestGeneration = 206, BadInput;
    /// Components that the pack names are missing.
    ComponentsMissing = 207, BadInput;
    /// Files that the pack names do not exist.
    FilesMissing = 208, BadInput;
    /// A digest differs from the one that is stated.
    DigestMismatch = 209, BadInput;
    /// A provider declaration is not valid.
    ProviderInvalid = 210, BadInput;
    /// A provider names a legacy typed world, which is not supported.
    LegacyProviderWorld = 211, BadInput;
    /// A directory cannot be built into a pack.
    PackBuild = 212, BadInput;
    /// A pack differs from its bill of materials.
    SbomMismatch = 230, BadInput;
    /// A lock file is not used.
    LockInvalid = 231, BadInput;
    /// A pack cannot be migrated.
    Migrate = 232, BadInput;
    /// A pack is not the one that the bindings name.
    PackNotBound = 233, BadInput;
    /// A key cannot be used.
    KeyInvalid = 240, BadInput;
    /// No configured key vouches for a pack.
    PackUntrusted = 241, BadInput;
    /// A signature is not valid.
    SignatureInvalid = 242, BadInput;
    /// Packs are to be verified, and no key is configured.
    TrustWithoutKeys = 243, BadInput;
    /// A pack cannot be signed.
    PackSign = 244, BadInput;
    /// A pack stands twice among the packs of a tenant.
    OverlayRepeated = 250, BadInput;
    /// Two packs of a tenant hold different components under one id.
    OverlayComponent = 251, BadInput;
    /// Two packs of a tenant declare different providers under one id.
    OverlayProvider = 252, BadInput;
    /// An overlay leaves it open which flow an event starts.
    OverlayFlow = 253, BadInput;
    /// A component of an overlay asks for more than overlays of its tenant get.
    OverlayGrant = 254, BadInput;
    /// An overlay keeps a flow from running that runs without it.
    OverlayBreaks = 255, BadInput;
    /// An asset of an overlay collides with one of another pack.
    OverlayAsset = 256, BadInput;
    /// A component that does not lie in its pack has no digest.
    ComponentUnpinned = 257, BadInput;

    // 03xx: conformance of components
    /// A file is not a WebAssembly component.
    NotAComponent = 300, BadInput;
    /// A component does not conform to the host's interfaces.
    Nonconforming = 301, BadInput;
    /// A component imports an interface that the host does not offer.
    ImportUnknown = 302, BadInput;
    /// A component imports a version of an interface that the host does not offer.
    ImportVersion = 303, BadInput;
    /// A component imports a function that the interface does not have.
    ImportFunction = 304, BadInput;
    /// A component imports a function with another type than the host's.
    ImportType = 305, BadInput;
    /// A component imports an interface that its pack has not been granted.
    ImportNotGranted = 306, BadInput;
    /// A component lacks an export that a flow or a declaration needs.
    ExportMissing = 307, BadInput;
    /// A component exports a function with another type than the host calls.
    ExportType = 308, BadInput;
    /// An operation is named by neither the provider's declaration nor its describe.
    OpUnknown = 309, BadInput;
    /// A provider rejects its configuration.
    ProviderConfig = 310, BadInput;
    /// A component cannot be compiled.
    CompileFailed = 311, BadInput;
    /// A component is larger than what the host compiles.
    CompileBounds = 312, BadInput;
    /// A component failed its trial instantiation at load.
    SmokeTest = 313, BadInput;
    /// A component needs more than the instance pool has.
    PoolTooSmall = 314, BadInput;
    /// A provider says that it is not well.
    ProviderUnhealthy = 315, Unavailable;
    /// A component says at load that it cannot start.
    ComponentStart = 330, BadInput;
    /// A component's records ask for what the host does not know.
    ExportContext = 331, BadInput;
    /// A component fails to say what it is.
    ComponentDescribe = 332, BadInput;
    /// A component imports an interface in another shape, which a conversion bridges.
    ImportConverted = 345, BadInput;
    /// A component imports another version of an interface, which a compatible one serves.
    ImportCompatible = 346, BadInput;
    /// A component begins with more memory than its limit.
    InitialMemory = 360, BadInput;
    /// Nothing in a pack calls a component, or an operation of it.
    ExportUnused = 361, BadInput;
    /// A host's surface lacks what a recorded one has.
    SurfaceBroken = 362, BadInput;
    /// A host's surface has what a recorded one lacks.
    SurfaceGrown = 363, BadInput;
    /// A recorded surface cannot be read.
    SurfaceInvalid = 364, BadInput;
    /// Two packs that are not the same claim one id.
    PackIdTaken = 365, BadInput;

    // 04xx: flows at load
    /// A flow file is not valid.
    FlowInvalid = 400, BadInput;
    /// A route or an entry point names a node that does not exist.
    NodeUnknown = 401, BadInput;
    /// A node names a component that the pack does not have.
    ComponentUnknown = 402, BadInput;
    /// A node names a provider that the pack does not declare.
    ProviderUnknown = 403, BadInput;
    /// A provider type fits several providers.
    ProviderAmbiguous = 404, BadInput;
    /// A template is not valid.
    TemplateInvalid = 405, BadInput;
    /// No route reaches a node.
    NodeUnreachable = 406, BadInput;
    /// A flow has no nodes.
    FlowEmpty = 407, BadInput;
    /// A flow that another one calls does not exist.
    FlowCallUnknown = 408, BadInput;
    /// A cycle of nodes or flow calls has no way out.
    FlowCycle = 409, BadInput;
    /// A waiting node has no next node.
    WaitWithoutNext = 410, BadInput;
    /// A routing condition is not valid.
    ConditionInvalid = 411, BadInput;
    /// A node lacks its operation.
    OpMissing = 412, BadInput;
    /// A flow is written in a dialect that this host does not read.
    FlowDialect = 413, BadInput;
    /// A node says something that its kind of node does not understand.
    NodeInvalid = 414, BadInput;
    /// A node names an asset by a path that leads out of the pack.
    AssetPath = 460, BadInput;
    /// A node names an asset that the pack does not have or that cannot be used.
    AssetMissing = 461, BadInput;

    // 05xx: guests
    /// A guest ran longer than its budget.
    GuestTimeout = 500, Failed;
    /// A guest asked for more memory than its limit.
    GuestMemory = 501, Failed;
    /// A guest recursed deeper than its stack.
    GuestStack = 502, Failed;
    /// A guest trapped.
    GuestTrap = 503, Failed;
    /// A guest returned more than its limit.
    GuestOutput = 504, Failed;
    /// A guest passed more data to the host, or holds more handles, than its limit.
    GuestHostCalls = 505, Failed;
    /// A component answered with an error.
    ComponentFailed = 506, Failed;
    /// A component's answer cannot be read.
    ComponentAnswer = 507, Failed;
    /// No instance is free and the wait for one was too long.
    EngineBusy = 508, Unavailable;

    // 06xx: runs
    /// The tenant is not known to this host.
    TenantUnknown = 600, BadInput;
    /// No pack is loaded for the tenant.
    PackNotLoaded = 601, Unavailable;
    /// The flow is not known.
    FlowUnknown = 602, BadInput;
    /// Several flows could start and the event does not say which.
    FlowAmbiguous = 603, BadInput;
    /// The flow is disabled because it cannot run.
    FlowDisabled = 604, Failed;
    /// A template could not be rendered.
    RenderFailed = 605, Failed;
    /// A run took more steps than its limit.
    StepLimit = 606, Failed;
    /// Flows call each other deeper than the limit.
    CallDepth = 607, Failed;
    /// The event's deadline passed.
    DeadlinePassed = 608, Failed;
    /// A run holds more data than its limit.
    RunTooLarge = 609, Failed;
    /// The host is not started, or is stopping.
    NotRunning = 610, Unavailable;
    /// The queue is full.
    Overloaded = 611, Unavailable;
    /// No route fits the node's result.
    NoRoute = 612, Failed;
    /// A waiting run cannot resume because its pack or flow changed.
    ResumeImpossible = 613, Failed;
    /// The event was accepted already.
    DuplicateEvent = 614, BadInput;
    /// A component asked for a jump that leads nowhere.
    JumpFailed = 660, Failed;

    // 07xx: store
    /// The store's directory cannot be used.
    StoreDirectory = 700, Unavailable;
    /// The store is held by another process.
    StoreLocked = 701, Unavailable;
    /// The store is damaged or of an unknown format.
    StoreFormat = 702, Unavailable;
    /// The store failed.
    StoreFailed = 703, Unavailable;
    /// A claim on an event is no longer valid.
    ClaimLost = 704, Unavailable;
    /// The store has no room left.
    StoreFull = 705, Unavailable;

    // 08xx: HTTP
    /// The address to listen on cannot be used.
    Listen = 800, BadInput;
    /// A request is not what the route accepts.
    RequestInvalid = 801, BadInput;
    /// A request's body is too large.
    BodyTooLarge = 802, BadInput;
    /// The tenant's bindings do not allow this request.
    RequestDenied = 803, BadInput;
    /// No such route.
    RouteUnknown = 804, BadInput;
    /// The route is off because nothing says how its requests are verified.
    RouteOff = 805, BadInput;
    /// A request's body did not arrive in time.
    RequestTimeout = 806, BadInput;
    /// The route does not serve this method.
    MethodNotAllowed = 807, BadInput;
    /// A request's body is not of the media type that the route accepts.
    MediaType = 808, BadInput;
    /// A flow's result cannot be made into an HTTP answer.
    ResponseInvalid = 809, Failed;
    /// The token that names a request's tenant is not valid.
    TenantToken = 810, BadInput;
    /// The keys by which tokens are verified cannot be read now.
    TenantKeysUnavailable = 811, Unavailable;
    /// A request names two tenants.
    TenantConflict = 812, BadInput;
    /// The keys by which tokens are verified cannot be used.
    TenantKeys = 813, BadInput;
    /// The admin API takes a token, and the request has none or a wrong one.
    AdminToken = 814, BadInput;
    /// The admin API is not open to this request.
    AdminDenied = 815, BadInput;
    /// An action was not taken because it could not be written to the audit log.
    AuditFailed = 816, Unavailable;
    /// This host loads packs once and has nothing to reload.
    NoReloads = 817, BadInput;
    /// No such reload.
    ReloadUnknown = 818, BadInput;

    // 084x: ingress
    /// A request does not prove that it comes from its platform.
    Unauthenticated = 840, BadInput;
    /// The public key that a token was signed with is not among those that were fetched.
    KeysWanted = 841, Unavailable;
    /// A tenant's channel cannot be set up.
    ChannelInvalid = 842, BadInput;
    /// An adapter cannot be registered.
    AdapterInvalid = 843, BadInput;
    /// Secrets cannot be told apart by tenant.
    SecretsAmbiguous = 844, BadInput;
    /// A secret is there and cannot be used.
    SecretInvalid = 845, BadInput;
    /// A secret cannot be read now.
    SecretUnavailable = 846, Unavailable;
    /// What a platform announced could not be fetched from it.
    CompletionFailed = 847, Failed;
    /// A platform does not take a reply.
    DeliveryRefused = 848, Failed;
    /// Nobody knows whether a platform took a reply.
    DeliveryUnclear = 849, Failed;

    // 085x: what could not be done at first
    /// A reply is not the oldest of its route any more.
    ReplyGone = 850, Unavailable;
    /// No such undelivered reply.
    UndeliveredUnknown = 851, BadInput;
    /// No such dead letter.
    DeadLetterUnknown = 852, BadInput;
    /// A dead letter cannot be replayed while the pack that it was for is not loaded.
    ReplayImpossible = 853, BadInput;

    // 086x: Direct Line, and requests that act once
    /// A request to the web chat has neither the Direct Line secret nor a token made by it.
    DirectLineToken = 860, BadInput;
    /// A Direct Line token does not allow what is asked with it.
    DirectLineDenied = 861, BadInput;
    /// A Direct Line token has expired.
    DirectLineExpired = 862, BadInput;
    /// A page of a site that the web chat is not open to sent a request.
    OriginDenied = 863, BadInput;
    /// No such conversation.
    ConversationUnknown = 864, BadInput;
    /// An idempotency key is missing, or cannot be used.
    IdempotencyKey = 865, BadInput;
    /// Another request came under an idempotency key before.
    IdempotencyKeyReused = 866, BadInput;
    /// The first request with an idempotency key is still being worked on.
    IdempotencyKeyInUse = 867, Unavailable;

    // 087x: timers
    /// A timer names a flow that the pack does not have.
    TimerFlow = 870, BadInput;

    // 088x: probing adapters
    /// A file that is to hold a platform's request holds none.
    RecordingInvalid = 880, BadInput;
    /// A request cannot be signed so.
    SigningImpossible = 881, BadInput;
    /// A request could not be sent to a host.
    SendFailed = 882, Unavailable;
    /// An input makes an adapter break what adapters promise.
    PromiseBroken = 883, Failed;

    // 0885 and on: egress
    /// The place that a reply goes to is none that its platform can be sent to.
    ReplyPlace = 885, Failed;
    /// What a reply says for one platform only is not what that platform takes.
    ReplyInvalid = 886, Failed;

    // 097x: making components
    /// A `build.yaml` is not valid.
    ProjectInvalid = 970, BadInput;
    /// A tool that a build needs is not installed.
    ToolMissing = 971, BadInput;
    /// The build of a component failed.
    BuildFailed = 972, Failed;
    /// What a build left is no component, and cannot be made one.
    NotComponentized = 973, BadInput;

    // 10xx: where packs come from
    /// A locator is not of a form that this host reads.
    LocatorInvalid = 1000, BadInput;
    /// A locator's scheme, or where it leads, is not allowed.
    LocatorDenied = 1001, BadInput;
    /// Nothing lies at a locator.
    NotFound = 1002, BadInput;
    /// What lies at a locator cannot be fetched now.
    FetchFailed = 1003, Unavailable;
    /// This host was built without the way in which a locator is fetched.
    SourceMissing = 1004, BadInput;
    /// A source wants other credentials, or none that are there suffice.
    AccessRefused = 1005, BadInput;
    /// What lies at a locator is larger than the limit.
    FetchTooLarge = 1006, BadInput;
    /// What lies at a locator changed while it was read.
    SourceChanged = 1007, Unavailable;
    /// A redirect leads where it may not, or on and on.
    RedirectRefused = 1008, BadInput;
    /// A source's answer cannot be used.
    SourceAnswer = 1009, Failed;
    /// The directory of the cache cannot be used.
    CacheDirectory = 1010, BadInput;
    /// The cache has no room.
    CacheFull = 1011, Unavailable;
    /// A source cannot be reached, and what was fetched before is used.
    SourceOffline = 1012, Unavailable;
    /// A file with credentials cannot be used.
    NetrcInvalid = 1013, BadInput;

    // 103x: registries and object stores
    /// An artifact of a registry does not say which of its layers is the pack or the component.
    ArtifactUnclear = 1030, BadInput;
    /// What a registry gives as an artifact's manifest cannot be used.
    ArtifactInvalid = 1031, BadInput;
    /// Credentials or settings for a registry or an object store cannot be used.
    CredentialsInvalid = 1032, BadInput;
    /// An index is not valid.
    IndexInvalid = 1040, BadInput;
    /// An index breaks a bound (bytes, tenants, overlays).
    IndexBounds = 1041, BadInput;
    /// A pack is not the one that the index means.
    IndexMismatch = 1042, BadInput;
    /// A pack is older than one that the tenant ran before.
    Downgrade = 1043, BadInput;

    // 110x: secrets
    /// The place for secrets that was chosen cannot be used.
    SecretsBackend = 1100, BadInput;
    /// A secret that a pack needs is not there, or its tenant's bindings do not allow it.
    SecretMissing = 1101, BadInput;
    /// A secret is not stored.
    SecretNotStored = 1102, Failed;
    /// The place where secrets are kept refuses this host.
    SecretsRefused = 1103, Unavailable;
    /// The answer of the place where secrets are kept cannot be used.
    SecretsAnswer = 1104, Unavailable;
    /// This host may not read or write a secret of this name.
    SecretForbidden = 1105, Unavailable;

    // 111x: tokens of other services
    /// What a component asks of OAuth is nothing that can be asked.
    OAuthRequest = 1110, BadInput;
    /// A provider of OAuth is not known to the tenant's bindings.
    OAuthProvider = 1111, BadInput;
    /// A consent is not under way, or was used, or took too long.
    OAuthState = 1112, BadInput;
    /// A provider or a broker gives no consent or no token.
    OAuthRefused = 1113, BadInput;
    /// A provider or a broker does not answer now.
    OAuthUnavailable = 1114, Unavailable;
    /// The answer of a provider or a broker is of no use.
    OAuthAnswer = 1115, Failed;
    /// A secret that OAuth needs is missing, or cannot be used.
    OAuthSecret = 1116, BadInput;
    /// What is stored of a subject's tokens cannot be decrypted.
    OAuthSealed = 1117, Failed;

    // 112x: tools
    /// This host was built without the feature that calls tools.
    ToolsMissing = 1120, BadInput;
    /// There is no such tool.
    ToolUnknown = 1121, BadInput;
    /// A tool's component is not one that the tenant's bindings trust.
    ToolUntrusted = 1122, BadInput;
    /// A component cannot be called as a tool.
    ToolUnusable = 1123, BadInput;
    /// A tool does not take the arguments.
    ToolArguments = 1124, BadInput;
    /// A tool says that it failed.
    ToolFailed = 1125, Failed;
    /// A tool's server cannot be reached, or broke the call off.
    ToolServer = 1126, Failed;
    /// A tool did not answer in time.
    ToolTimeout = 1127, Failed;
    /// A tool's answer cannot be used.
    ToolAnswer = 1128, Failed;
    /// The tenant's bindings allow no tools.
    ToolsDenied = 1129, BadInput;

    // 113x: telemetry
    /// A setting of telemetry cannot be used.
    TelemetryInvalid = 1130, BadInput;
    /// This host was built without the export of telemetry that its environment asks for.
    TelemetryMissing = 1131, BadInput;
    /// A collector does not take telemetry.
    TelemetryExport = 1132, Unavailable;

    // 114x: what components are granted, and providers that are stored
    /// A provider is disabled.
    ProviderDisabled = 1140, BadInput;
    /// A variable that components are granted has no value.
    VariableMissing = 1141, BadInput;
    /// Components ask over HTTP, and no host is allowed.
    HttpWithoutHosts = 1142, BadInput;
    /// No provider is stored under an id.
    ProviderNotStored = 1143, BadInput;
    /// A stored provider cannot be used.
    StoredProvider = 1144, BadInput;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GRH-{:04}", self.number())
    }
}
