internal import JSON
internal import MetricModel
internal import Notification
internal import RuleModel
internal import Runtime
internal import WebCore
internal import WebServer

/// Alerts from other programs: a Prometheus that has this server as an Alertmanager, or `amtool alert add`.
extension AlertmanagerAPI {
    /// The maximum number of alerts in a request; senders use far smaller batches.
    private static let maximumAlerts = 10_000
    /// The maximum number of alerts whose errors are listed.
    private static let maximumReasons = 10

    /// `POST /api/v2/alerts`: accepts the valid alerts, and lists the others in the error.
    func takeAlerts(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        guard let elements = try call.json().elements else { throw .malformed("expected a list") }
        guard elements.count <= Self.maximumAlerts else {
            throw .text(status: 400, "a request may have \(Self.maximumAlerts) alerts, this has \(elements.count)")
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
            throw .text(status: 500, "alerts not accepted: the notification queue is full; retry")
        }
        guard reasons.isEmpty else {
            let more = reasons.count - Self.maximumReasons
            throw .text(
                status: 400,
                reasons.prefix(Self.maximumReasons).joined(separator: "; ") + (more > 0 ? "; and \(more) more" : ""))
        }
        return HTTPServerResponse(status: 200)
    }
}

private struct PostedAlertError: Error {
    var reason: String
}

extension Alert {
    /// The maximum size of the names and values of labels, and of annotations, in bytes.
    private static let maximumBytes = 64 << 10

    /// An alert without an end ends after `timeout`, unless it is sent again.
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
        guard size <= maximumBytes else {
            throw PostedAlertError(reason: "\(name): \(size) bytes are more than \(maximumBytes)")
        }
        return Labels(pairs)
    }

    /// A time; `nil` for the zero time of Go.
    private static func time(_ json: JSON?, _ name: String) throws(PostedAlertError) -> Timestamp? {
        guard let text = json?.text, !text.isEmpty, !text.hasPrefix("0001-01-01T00:00:00") else { return nil }
        guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
            throw PostedAlertError(reason: "\(name): expected a time such as 2026-11-21T09:30:00Z")
        }
        return Timestamp(milliseconds: milliseconds)
    }
}
