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

    /// `POST /api/v2/alerts`: accepts the valid alerts, and lists the others in the error. A body that cannot be read
    /// as alerts is rejected.
    func takeAlerts(_ call: APIRequest) throws(AlertmanagerError) -> HTTPServerResponse {
        guard let elements = try call.json("alerts").elements else {
            throw .malformed("alerts", "expected a list")
        }
        guard elements.count <= Self.maximumAlerts else {
            throw .text(status: 400, "a request may have \(Self.maximumAlerts) alerts, this has \(elements.count)")
        }
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let timeout = sources.notifications().configuration.resolveTimeout
        var alerts: [Alert] = []
        var reasons: [String] = []
        for (index, element) in elements.enumerated() {
            do throws(AlertmanagerError) {
                alerts.append(try Alert(posted: element, index: index, at: now, timeout: timeout))
            } catch {
                guard case .text(_, let reason) = error else { throw error }
                reasons.append(reason)
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

extension Alert {
    /// The maximum size of the names and values of labels, and of annotations, in bytes.
    private static let maximumBytes = 64 << 10

    /// An alert without an end ends after `timeout`, unless it is sent again. `index` is its place in the body.
    fileprivate init(
        posted json: JSON, index: Int, at now: Timestamp, timeout: Milliseconds
    ) throws(AlertmanagerError) {
        guard json.members != nil else { throw .malformed("alerts", "\(index): expected an object") }
        guard let posted = json["labels"], posted != .null else { throw .missing("\(index).labels") }
        let labels = try Self.pairs(posted, "\(index).labels")
        let annotations = try Self.pairs(json["annotations"], "\(index).annotations")
        let end = try Self.time(json["endsAt"], "\(index).endsAt")
        let start = try Self.time(json["startsAt"], "\(index).startsAt") ?? end ?? now
        let generator = json["generatorURL"]?.text ?? ""
        guard generator.isEmpty || Self.isURI(generator) else {
            throw .coded(
                status: 422, code: 601, "\(index).generatorURL in body must be of type uri: \"\(generator)\"")
        }
        guard !labels.pairs.isEmpty else { throw .text(status: 400, "at least one label pair required") }
        guard end.map({ start <= $0 }) ?? true else {
            throw .text(status: 400, "start time must be before end time")
        }
        let endsAt = end ?? now + timeout
        self.init(
            labels: labels, annotations: annotations, startsAt: start, endsAt: endsAt, isResolved: endsAt <= now,
            generatorURL: generator, value: 0)
    }

    /// Pairs without empty values.
    private static func pairs(_ json: JSON?, _ name: String) throws(AlertmanagerError) -> Labels {
        guard let json, json != .null else { return .empty }
        guard let members = json.members else { throw .malformed("alerts", "\(name): expected an object") }
        var pairs: [Label] = []
        pairs.reserveCapacity(members.count)
        var size = 0
        var emptyCount = 0
        for member in members {
            guard let value = member.value.text else {
                throw .malformed("alerts", "\(name): expected names with texts, each once")
            }
            guard !member.name.isEmpty else { throw .text(status: 400, "invalid label set: invalid name \"\"") }
            size += member.name.utf8.count + value.utf8.count
            if value.isEmpty { emptyCount += 1 }
            pairs.append(Label(member.name, value))
        }
        guard size <= maximumBytes else {
            throw .text(status: 400, "\(name): \(size) bytes are more than \(maximumBytes)")
        }
        let labels = Labels(pairs)
        // Names that occur twice are one label. One of them may be empty.
        guard labels.count == pairs.count - emptyCount,
            emptyCount == 0 || Set(pairs.map(\.name)).count == pairs.count
        else { throw .malformed("alerts", "\(name): expected names with texts, each once") }
        return labels
    }

    /// A time; `nil` for the zero time of Go.
    private static func time(_ json: JSON?, _ name: String) throws(AlertmanagerError) -> Timestamp? {
        guard let json, json != .null else { return nil }
        guard let text = json.text else { throw .malformed("alerts", "\(name): expected text") }
        guard !text.isEmpty, !text.hasPrefix("0001-01-01T00:00:00") else { return nil }
        guard let milliseconds = RFC3339.milliseconds(parsing: text) else {
            throw .malformed("alerts", "\(name): expected a time such as 2026-11-21T09:30:00Z")
        }
        return Timestamp(milliseconds: milliseconds)
    }

    /// Whether `text` is a path or has a scheme, without control characters and, before the query, with sound escapes.
    private static func isURI(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        func isHexadecimal(_ index: Int) -> Bool {
            index < bytes.count && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index])
                || index < bytes.count && (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(bytes[index] | 0x20)
        }
        let query = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
        for (index, byte) in bytes.enumerated() {
            if byte < 0x20 || byte == 0x7f { return false }
            if index < query, byte == UInt8(ascii: "%"), !isHexadecimal(index + 1) || !isHexadecimal(index + 2) {
                return false
            }
        }
        if bytes.first == UInt8(ascii: "/") { return true }
        guard let colon = text.firstIndex(of: ":"), let first = text.first, first.isASCII, first.isLetter else {
            return false
        }
        return text[..<colon].allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }
    }
}
