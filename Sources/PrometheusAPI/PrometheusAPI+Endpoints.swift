internal import Identity
public import WebCore
internal import WebServer

extension PrometheusAPI {
    /// All endpoints of this API.
    public var endpoints: [Endpoint] {
        queryEndpoints.map { $0.respectingLabels() } + seriesEndpoints + stateEndpoints + administrationEndpoints
            + managementEndpoints
    }

    private static let form: [Endpoint.Method] = [.get, .post]
    private static let change: [Endpoint.Method] = [.post, .put]
    private static let expression = Parameter.required("query", .expression, "The expression.")
    private static let limit = Parameter.optional("limit", .integer, "The most results; 0 for all.")
    private static let evaluation: [Parameter] = [
        .optional("timeout", .duration, "The longest time of the evaluation; the server's limit also holds."),
        limit,
        .optional("lookback_delta", .duration, "How old a sample may be to count as current."),
        .optional("stats", .choice(["true", "all"]), "Adds statistics of the evaluation."),
    ]

    private var queryEndpoints: [Endpoint] {
        [
            .data(
                Self.form, "/api/v1/query", "Evaluates an expression at one time.",
                parameters: [Self.expression, .optional("time", .time, "The time; now if left out.")] + Self.evaluation,
                query),
            .data(
                Self.form, "/api/v1/query_range", "Evaluates an expression at every step of a range of time.",
                parameters: [
                    Self.expression, .required("start", .time, "The first step."),
                    .required("end", .time, "The end of the range."),
                    .required("step", .duration, "The time between two steps."),
                ] + Self.evaluation, queryRange),
            .data(
                Self.form, "/api/v1/query_exemplars", "Lists exemplars of the series that an expression selects.",
                parameters: [Self.expression] + Self.range, exemplars),
            .data(
                Self.form, "/api/v1/format_query", "Formats an expression.", parameters: [Self.expression], formatQuery),
            .data(
                Self.form, "/api/v1/parse_query", "Parses an expression into a syntax tree.",
                parameters: [Self.expression], parseQuery),
        ]
    }

    private static let range: [Parameter] = [
        .optional("start", .time, "The start of the range."), .optional("end", .time, "The end of the range."),
    ]

    private static func selection(isRequired: Bool = false) -> [Parameter] {
        [.repeated("match[]", .selector, "Selects series; several are joined by or.", isRequired: isRequired)]
            + range + [limit]
    }

    private static let metric = Parameter.optional("metric", .string, "Only this metric family.")

    private var seriesEndpoints: [Endpoint] {
        [
            .data(
                Self.form, "/api/v1/series", "Lists the label sets of series.",
                parameters: Self.selection(isRequired: true), series
            ).respectingLabels(),
            .data(Self.form, "/api/v1/labels", "Lists label names.", parameters: Self.selection(), labelNames)
                .respectingLabels(),
            .data(
                [.get], "/api/v1/label/{name}/values", "Lists the values of a label.",
                parameters: [.path("name", .string, "The label name; `U__…` for an escaped one.")] + Self.selection(),
                labelValues
            ).respectingLabels(),
            .data(
                [.get], "/api/v1/metadata", "Lists what targets say about metric families.",
                parameters: [
                    Self.limit, .optional("limit_per_metric", .integer, "The most entries of a family."), Self.metric,
                ], metadata),
            .data(
                [.get], "/api/v1/targets/metadata", "Lists what each target says about metric families.",
                parameters: [.optional("match_target", .selector, "Selects targets."), Self.metric, Self.limit],
                targetMetadata),
            .data(
                [.get], "/api/v1/status/tsdb", "Shows how many series there are, by metric and label.",
                parameters: [.optional("limit", .integer, "The length of each list, 10 unless given.")], statusStore),
        ]
    }

    private var stateEndpoints: [Endpoint] {
        [
            .data(
                [.get], "/api/v1/targets", "Lists targets with their health.",
                parameters: [
                    .optional("state", .choice(["active", "dropped", "any"]), "Which targets."),
                    .optional("scrapePool", .string, "Only the targets of this job."),
                ], targets),
            .data([.get], "/api/v1/scrape_pools", "Lists the jobs.", scrapePools),
            .data(
                [.get], "/api/v1/rules", "Lists rule groups with the state of their rules.",
                parameters: [
                    .optional("type", .choice(["alert", "record"]), "Only rules of this type."),
                    .repeated("rule_name[]", .string, "Only rules of this name."),
                    .repeated("rule_group[]", .string, "Only groups of this name."),
                    .repeated("file[]", .string, "Only groups of this file."),
                    .repeated("match[]", .selector, "Only rules whose labels match."),
                    .optional("exclude_alerts", .boolean, "Leaves active alerts out."),
                    .optional("group_limit", .integer, "The most groups of a page."),
                    .optional("group_next_token", .string, "The token of the next page."),
                ], rules),
            .data([.get], "/api/v1/alerts", "Lists alerts that are pending or firing.", alerts),
            .data([.get], "/api/v1/alertmanagers", "Lists the Alertmanagers that alerts are sent to.", alertmanagers),
            .data([.get], "/api/v1/status/config", "Shows the configuration in force, without secrets.", statusConfig),
            .data([.get], "/api/v1/status/flags", "Shows the command-line flags.", statusFlags),
            .data([.get], "/api/v1/status/buildinfo", "Shows what this program is.", statusBuild)
                .respectingLabels(),
            .data([.get], "/api/v1/status/runtimeinfo", "Shows the state of the process.", statusRuntime),
            .data(
                [.get], "/api/v1/status/walreplay", "Shows how far the store has been read at the start.",
                needsStore: false, statusReplay),
            .data([.get], "/api/v1/features", "Lists what this server supports.", features),
            .data([.get], "/api/v1/notifications", "Lists problems of the server.", notifications),
        ]
    }

    private var managementEndpoints: [Endpoint] {
        let methodMessage = "Only POST or PUT requests allowed"
        return [
            .response(
                [.get], "/-/healthy", "Says that the process works.", permission: .probe, response: .text,
                healthy),
            .response(
                [.get], "/-/ready", "Says whether requests are answered.", permission: .probe, response: .text,
                ready),
            .response(
                [.get], "/-/acting", "Says whether rollouts go on here, and why not.", permission: .probe,
                response: .text, acting),
            // The paths that container platforms probe.
            .response(
                [.get], "/health", "Says that the process works.", permission: .probe, response: .text,
                healthy),
            .response(
                [.get], "/ready", "Says whether requests are answered.", permission: .probe, response: .text,
                ready),
            .response(
                Self.change, "/-/reload", "Reads the configuration again.", permission: .administer, response: .text,
                methodMessage: methodMessage, reload),
            .response(
                Self.change, "/-/quit", "Stops the process.", permission: .administer, response: .text,
                methodMessage: methodMessage, quit),
            .response([.get], "/version", "Shows what this program is.", response: .json, version),
            // The response of a server without room for another stream.
            .response(
                [.get], "/api/v1/notifications/live", "Streams problems of the server; not offered.", response: .empty
            ) { _ in HTTPServerResponse(status: 204) },
        ]
    }
}
