internal import Identity
internal import JSON
internal import MetricModel
public import Notification
public import RuleModel
internal import Runtime
public import WebCore
internal import WebServer

/// Alertmanager's HTTP API, version 2. A value; may be used from any number of threads.
public struct AlertmanagerAPI: Sendable {
    let sources: AlertmanagerSources
    let build: BuildInformation
    let startedAt: Timestamp

    /// The API over `sources`.
    public init(sources: AlertmanagerSources, build: BuildInformation) {
        self.sources = sources
        self.build = build
        startedAt = Timestamp(milliseconds: SystemClock.wallMilliseconds())
    }

    private static let filter = Parameter.repeated("filter", .string, "A label matcher, such as `severity=\"page\"`.")
    private static let receiver = Parameter.optional("receiver", .string, "A regular expression for the receiver.")

    private static func alertFilters() -> [Parameter] {
        let flags = ["active", "silenced", "inhibited", "muted"].map {
            Parameter.optional($0, .boolean, "Whether \($0) alerts are listed.")
        }
        return flags + [filter, receiver]
    }

    /// All endpoints of this API.
    public var endpoints: [Endpoint] {
        [
            endpoint(
                .get, "/api/v2/silences", "Lists silences.",
                parameters: [Self.filter, .repeated("creator", .string, "Only silences of this creator.")], silences),
            endpoint(
                .post, "/api/v2/silences", "Creates or changes a silence.", permission: .silence, body: .json,
                setSilence),
            endpoint(.get, "/api/v2/silence/{id}", "Shows a silence.", parameters: Self.silenceID, silence),
            endpoint(
                .delete, "/api/v2/silence/{id}", "Expires a silence.", permission: .silence,
                parameters: Self.silenceID, response: .empty, expireSilence),
            endpoint(
                .get, "/api/v2/alerts", "Lists firing alerts.", parameters: Self.alertFilters(), alerts),
            endpoint(
                .post, "/api/v2/alerts", "Takes alerts from outside.", permission: .alert, body: .json,
                response: .empty, takeAlerts),
            endpoint(
                .get, "/api/v2/alerts/groups", "Lists firing alerts by notification group.",
                parameters: Self.alertFilters(), alertGroups),
            endpoint(.get, "/api/v2/receivers", "Lists receivers.", receivers),
            endpoint(.get, "/api/v2/status", "Shows the notification configuration and the version.", status),
        ]
    }

    private static let silenceID = [Parameter.path("id", .string, "The silence's id.")]

    private typealias Handler = @Sendable (APIRequest) throws(AlertmanagerError) -> HTTPServerResponse

    private func endpoint(
        _ method: Endpoint.Method, _ path: PathTemplate, _ summary: String, permission: Permission = .read,
        parameters: [Parameter] = [], body: Endpoint.RequestBody = .none, response: Endpoint.ResponseKind = .json,
        _ handler: @escaping Handler
    ) -> Endpoint {
        .response(
            [method], path, summary, permission: permission, parameters: parameters, body: body, response: response,
            errors: .jsonString
        ) { request in
            do throws(AlertmanagerError) { return try handler(request) } catch { return error.response }
        }
    }
}

/// The data of Alertmanager's API. Provided by the composition root.
///
/// Every closure may be called from several threads at once and should return a snapshot without waiting.
public struct AlertmanagerSources: Sendable {
    /// The notification groups.
    public var notifications: @Sendable () -> NotificationQueue = { NotificationQueue(.silent) }
    /// Accepts alerts of other programs; false if the queue is full.
    public var takeAlerts: @Sendable ([Alert]) -> Bool = { _ in false }
    /// The silences.
    public var silences: @Sendable () -> SilenceSet = { SilenceSet() }
    /// The people who act on groups of alerts, by the receiver and the key of the group with a `/` between them.
    public var acknowledgements: @Sendable () -> [String: String] = { [:] }
    /// Creates or changes a silence on behalf of `actor`. Returns its id when it is on disk.
    public var setSilence: @Sendable (_ wanted: Silence, _ actor: String) -> Result<String, SilenceError> = { _, _ in
        .failure(SilenceError(.storage, "silences are not kept here"))
    }
    /// Expires a silence on behalf of `actor`.
    public var expireSilence: @Sendable (_ id: String, _ actor: String) -> Result<String, SilenceError> = { id, _ in
        .failure(SilenceError(.notFound, "no silence with id \(id)"))
    }

    /// Sources without alerts.
    public init() {}
}

extension APIRequest {
    /// The body as JSON. `name` is its name in Alertmanager's OpenAPI document. Media types that another site's page
    /// may send without a preflight request are rejected.
    func json(_ name: String) throws(AlertmanagerError) -> JSON {
        guard !request.body.isEmpty else { throw .missing(name) }
        let type = (request[header: "Content-Type"] ?? "").prefix { $0 != ";" }
        let isJSON = String(type).split(whereSeparator: { $0 == " " || $0 == "\t" }).joined().lowercased()
        guard isJSON == "application/json" else {
            throw .coded(
                status: 415, code: 415, "unsupported media type \"\(type)\", only [application/json] are allowed")
        }
        do throws(JSONError) { return try JSON(parsing: request.body) } catch { throw .malformed(name, error) }
    }
}
