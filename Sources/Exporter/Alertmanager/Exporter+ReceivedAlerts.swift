internal import JSON
internal import MetricModel
internal import Notification
internal import RuleEngine
internal import Runtime
internal import WebServer

/// Alerts from outside: a Prometheus that names this server among its Alertmanagers, or `amtool alert add`.
extension Exporter {
    /// Most alerts of one request; senders batch far fewer.
    private static let mostAlerts = 10_000
    /// Most reasons that are told.
    private static let mostReasons = 10

    /// `POST /api/v2/alerts`: takes what is sound and says what is not.
    func takeAlerts(_ call: APICall) throws(AlertmanagerFault) -> HTTPServerResponse {
        try authorizeChange(call)
        guard let elements = try json(call).elements else { throw .malformed("expected a list") }
        guard elements.count <= Self.mostAlerts else {
            throw .text(status: 400, "a request may have \(Self.mostAlerts) alerts, this has \(elements.count)")
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let timeout = sources.notifications().configuration.resolveTimeout
        var alerts: [Alert] = []
        var reasons: [String] = []
        for (index, element) in elements.enumerated() {
            do throws(PostedAlertError) {
                alerts.append(try Alert(posted: element, at: now, timeout: timeout))
            } catch {
                reasons.append("alert \(index): \(error.reason)")
            }
        }
        guard alerts.isEmpty || sources.takeAlerts(alerts) else {
            throw .text(status: 500, "alerts are not taken now: too many wait")
        }
        guard reasons.isEmpty else {
            let more = reasons.count - Self.mostReasons
            throw .text(
                status: 400,
                reasons.prefix(Self.mostReasons).joined(separator: "; ") + (more > 0 ? "; and \(more) more" : ""))
        }
        return HTTPServerResponse(status: 200)
    }
}

private struct PostedAlertError: Error {
    var reason: String
}

extension Alert {
    /// Most bytes of the names and values of labels, and of annotations.
    private static let mostBytes = 64 << 10

    /// An alert without an end ends after `timeout`, unless it is heard of again.
    fileprivate init(posted json: JSON, at now: Timestamp, timeout: Milliseconds) throws(PostedAlertError) {
        let labels = try Self.pairs(json["labels"], "labels")
        guard !labels.pairs.isEmpty else { throw PostedAlertError(reason: "at least one label pair required") }
        let annotations = try Self.pairs(json["annotations"], "annotations")
        let end = try Self.time(json["endsAt"], "endsAt")
        let start = try Self.time(json["startsAt"], "startsAt") ?? end ?? now
        guard end.map({ start <= $0 }) ?? true else {
            throw PostedAlertError(reason: "start time must be before end time")
        }
        let endsAt = end ?? now + timeout
        self.init(
            labels: labels, annotations: annotations, startsAt: start, endsAt: endsAt, isResolved: endsAt <= now,
            generatorURL: json["generatorURL"]?.text ?? "", value: 0)
    }

    /// Pairs without empty values.
    private static func pairs(_ json: JSON?, _ name: String) throws(PostedAlertError) -> Labels {
        guard let json, json != .null else { return .empty }
        guard let members = json.members else { throw PostedAlertError(reason: "\(name): expected an object") }
        var pairs: [Label] = []
        var names: Set<String> = []
        var size = 0
        for member in members {
            guard let value = member.value.text, !member.name.isEmpty, names.insert(member.name).inserted else {
                throw PostedAlertError(reason: "\(name): expected names with texts, each once")
            }
            size += member.name.utf8.count + value.utf8.count
            if !value.isEmpty { pairs.append(Label(member.name, value)) }
        }
        guard size <= mostBytes else {
            throw PostedAlertError(reason: "\(name): \(size) bytes are more than \(mostBytes)")
        }
        return Labels(pairs)
    }

    /// A moment; none for the zero time of Go.
    private static func time(_ json: JSON?, _ name: String) throws(PostedAlertError) -> Timestamp? {
        guard let text = json?.text, !text.isEmpty, !text.hasPrefix("0001-01-01T00:00:00") else { return nil }
        guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
            throw PostedAlertError(reason: "\(name): expected a time such as 2026-11-21T09:30:00Z")
        }
        return Timestamp(milliseconds: milliseconds)
    }
}
