public import DeploymentGates
public import Identity
public import JSON
public import MetricModel
public import Rollback
public import RolloutRunner
public import RuleModel
public import Scraper
public import WebCore

/// Tribune's own HTTP API: rollouts, the ledger, the deployment gates and bottlenecks, in Prometheus's envelope. A
/// value; any number of threads may use it at once.
public struct TribuneAPI: Sendable {
    let sources: TribuneSources
    /// Sends changes to `/api/v1/events/stream`; a thread must run its ``EventStreams/work()``.
    public let streams: EventStreams

    /// The API over `sources`.
    public init(sources: TribuneSources) {
        self.sources = sources
        streams = EventStreams(sources)
    }

    private static let plan = Parameter.path("plan", .string, "The name of a rollout plan.")
    private static let limit = Parameter.optional("limit", .integer, "The most results, 20 unless given, at most 500.")

    /// Every endpoint of this API.
    public var endpoints: [Endpoint] {
        [
            .data([.get], "/api/v1/rollouts", "Lists rollouts with the traffic of their services.", rollouts),
            .data([.get], "/api/v1/rollouts/{plan}", "Shows a rollout.", parameters: [Self.plan], rollout),
            .data(
                [.get], "/api/v1/rollouts/{plan}/report", "Shows the report of a rollback, in Markdown.",
                parameters: [
                    Self.plan, .optional("rollback", .string, "The id of the rollback; the last one unless given."),
                ], rolloutReport),
            .data(
                [.get], "/api/v1/rollouts/{plan}/history",
                "Lists past rollouts with their orders and rollbacks, from the ledger, newest first.",
                parameters: [Self.plan, Self.limit], rolloutHistory),
            .data(
                [.post], "/api/v1/rollouts/{plan}/{verb}", "Gives an order to a rollout.", permission: .order,
                parameters: [
                    Self.plan, .path("verb", .choice(RolloutOrderVerb.allCases.map(\.rawValue)), "The order."),
                    .optional("reason", .string, "Why, for the ledger."),
                    .optional("actor", .string, "Who gives the order; the client's address unless given."),
                    .repeated(
                        "service", .string,
                        "Only these services, for `start` and `rollback`; the service, for `abandon-route`."),
                    .optional("route", .integer, "The number of the route, from 1, for `abandon-route`."),
                    .optional("for", .string, "How long `observe` lasts: `1h`; `0` ends it."),
                    .optional(
                        "without_data", .choice(["true"]),
                        "For `promote`: pass the present stage although data are missing. Needs a reason."),
                    .optional(
                        "full", .choice(["true"]),
                        "For `promote`: give every candidate all traffic, without further stages, bakes, gates and hooks. Needs a reason."
                    ),
                ], commandRollout),
            .response(
                [.get], "/api/v1/events/stream",
                "Streams changes of rollouts, alerts and targets as server-sent events.",
                response: .eventStream
            ) { [streams] _ in streams.open() },
            .data([.get], "/api/v1/bottlenecks", "Ranks what limits the services.", bottlenecks),
            .data(
                [.get], "/api/v1/orchestration", "Shows the coordination of improvements: state, queue, last cycle.",
                orchestration),
            .data(
                [.get], "/api/v1/explain", "Explains why notifications of an alert were sent or not.",
                parameters: [
                    .required("alert", .string, "The name of the alert."),
                    .optional("time", .time, "The time asked about; now unless given."),
                    .repeated("filter", .string, "A label matcher, such as `instance=\"a:1\"`."),
                ], explain),
        ] + evidenceEndpoints + verdictEndpoints + taskEndpoints + onCallEndpoints + accessEndpoints + loginEndpoints
            + ledgerEndpoints
            + GateRequest.Kind.allCases.flatMap(gateEndpoints) + [
                .data(
                    [.post], "/api/v1/safety/checkpoint/{id}/restore", "Restores the weights of a checkpoint.",
                    permission: .gate, parameters: [Self.recordID], body: .json, restoreCheckpoint),
                .data(
                    [.post], "/api/v1/service-metrics",
                    "Counts requests, failures, latencies and scores of services, for a later comparison.",
                    permission: .gate, body: .json, serviceMetrics),
            ]
    }

    private static let recordID = Parameter.path("id", .string, "The id of a record.")

    private func gateEndpoints(_ kind: GateRequest.Kind) -> [Endpoint] {
        let path = "/api/v1/" + kind.rawValue
        let endpoints: [Endpoint] = [
            .data(
                [.get], PathTemplate(path), "Lists the newest records of \(kind.rawValue).", permission: .gate,
                parameters: [Self.limit]
            ) { (call, writer) throws(APIError) in try listGateRecords(kind, call, into: &writer) },
            .data(
                [.post], PathTemplate(path), "Creates a record of \(kind.rawValue).", permission: .gate, body: .json
            ) { (call, writer) throws(APIError) in try gate(.create, kind, call, into: &writer) },
            .data(
                [.get], PathTemplate(path + "/{id}"), "Shows a record of \(kind.rawValue).", permission: .gate,
                parameters: [Self.recordID]
            ) { (call, writer) throws(APIError) in
                try gate(.read(id: call.pathParameters[0]), kind, call, into: &writer)
            },
        ]
        guard kind == .improvement else { return endpoints }
        return endpoints + [
            .data(
                [.post], PathTemplate(path + "/{id}"), "Reports the progress of an improvement.", permission: .gate,
                parameters: [Self.recordID], body: .json
            ) { (call, writer) throws(APIError) in
                try gate(.report(id: call.pathParameters[0]), kind, call, into: &writer)
            }
        ]
    }
}

/// The data sources of Tribune's API. Provided by the composition root.
///
/// Every closure may be called by several threads at once and should return from a snapshot without waiting; only those
/// of the ledger block until the database responds.
public struct TribuneSources: Sendable {
    /// The rollouts, in any order.
    public var rollouts: @Sendable () -> [RolloutSnapshot] = { [] }
    /// The active alerts, in any order.
    public var alerts: @Sendable () -> [ActiveAlertSnapshot] = { [] }
    /// The active targets, in any order.
    public var targets: @Sendable () -> [TargetSnapshot] = { [] }
    /// Carries out an order to a rollout.
    public var command: @Sendable (_ command: RolloutCommand, _ plan: String) -> CommandOutcome = { _, _ in
        .refused("no rollout plan is loaded")
    }
    /// The verdicts about releases that other controllers move.
    public var verdicts = VerdictSources()
    /// Carries out a request of a delivery pipeline.
    public var gate: @Sendable (GateRequest) -> Result<JSON, GateRefusal> = { _ in .success(.null) }
    /// Writes evidence to the ledger, after measuring where it asks for it.
    public var evidence: @Sendable (EvidenceStatement, Principal) -> EvidenceStatement.Reply = { _, _ in .unavailable }
    /// Reads what services have served, for a body in JSON.
    public var serviceMetrics: @Sendable ([UInt8]) -> Result<JSON, GateRefusal> = { _ in .success(.null) }
    /// Writes a change of work that a rollback left to the ledger. Returns false if it is not on disk yet.
    public var changeTask: @Sendable (RollbackTask.Change, RollbackReport, Principal) -> Bool = { _, _, _ in false }
    /// The coordination of improvements; an object.
    public var orchestration: @Sendable () -> JSON = { [:] }
    /// The limits of the services, ranked; an object.
    public var bottlenecks: @Sendable () -> JSON = { [:] }
    /// Explains the alerts with a name that meet all filters, at a time; an object.
    public var explain:
        @Sendable (_ alert: String, _ filters: [String], _ time: Timestamp) -> Result<JSON, ExplanationRefusal> = {
            _, _, _ in .failure(ExplanationRefusal("alerts cannot be explained here"))
        }
    /// The identities that have access.
    public var identities: @Sendable () -> [KnownIdentity] = { [] }
    /// Logins in a browser; `nil` if login is not configured.
    public var login: LoginSources?
    /// Short-lived tokens.
    public var tokens = TokenSources()
    /// Pages and schedules.
    public var onCall = OnCallSources()
    /// The ledger.
    public var ledger = LedgerSources()

    /// Sources without rollouts.
    public init() {}
}
