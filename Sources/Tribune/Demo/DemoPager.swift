internal import JSON
internal import Synchronization
internal import WebServer

/// A receiver for PagerDuty's Events API, version 2, that follows its documentation strictly: it rejects what PagerDuty
/// would reject.
final class DemoPager: Sendable {
    /// The integration key of the demo.
    static let routingKey = "0123456789abcdef0123456789abcdef"

    /// The received events.
    struct Inbox: Equatable, Sendable {
        /// `trigger` and `resolve` with their deduplication keys, in order.
        var events: [(action: String, key: String)] = []
        /// Why events were rejected.
        var refusals: [String] = []
        /// Summaries of triggers.
        var summaries: [String] = []

        static func == (left: Inbox, right: Inbox) -> Bool {
            left.refusals == right.refusals && left.summaries == right.summaries
                && left.events.map(\.action) == right.events.map(\.action)
                && left.events.map(\.key) == right.events.map(\.key)
        }
    }

    private let received = Mutex(Inbox())

    /// The events received so far.
    var inbox: Inbox { received.withLock { $0 } }

    /// Starts listening on `port` of loopback.
    func serve(port: Int) throws(CommandFailure) -> HTTPServer {
        do throws(HTTPServerError) {
            return try HTTPServer(HTTPServerConfiguration(address: "127.0.0.1", port: port)) { self.take($0) }
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private func take(_ request: HTTPServerRequest) -> HTTPServerResponse {
        guard request.method == "POST", request.path == "/v2/enqueue" else {
            return .text("Not Found\n", status: 404)
        }
        let event: JSON
        do throws(JSONError) {
            event = try JSON(parsing: request.body)
        } catch {
            return refuse(["the body is not JSON: \(error)"])
        }
        let faults = Self.faults(of: event)
        guard faults.isEmpty else { return refuse(faults) }
        let key = event["dedup_key"]?.text ?? ""
        received.withLock { inbox in
            inbox.events.append((event["event_action"]?.text ?? "", key))
            if event["event_action"]?.text == "trigger" {
                inbox.summaries.append(event["payload"]?["summary"]?.text ?? "")
            }
        }
        return Self.answer(202, ["status": "success", "message": "Event processed", "dedup_key": .string(key)])
    }

    private func refuse(_ faults: [String]) -> HTTPServerResponse {
        received.withLock { $0.refusals += faults }
        return Self.answer(
            400,
            [
                "status": "invalid event", "message": "Event object is invalid",
                "errors": .array(faults.map(JSON.string)),
            ])
    }

    private static func answer(_ status: Int, _ body: JSON) -> HTTPServerResponse {
        HTTPServerResponse(
            status: status, headers: [("Content-Type", "application/json")], body: Array(body.encoded.utf8))
    }

    /// Violations of the API's documentation.
    static func faults(of event: JSON) -> [String] {
        var faults: [String] = []
        if event["routing_key"]?.text?.utf8.count != 32 { faults.append("'routing_key' must be 32 characters") }
        let action = event["event_action"]?.text ?? ""
        if !["trigger", "acknowledge", "resolve"].contains(action) {
            faults.append("'event_action' must be trigger, acknowledge or resolve")
        }
        let key = event["dedup_key"]?.text
        if let key, key.utf8.count > 255 { faults.append("'dedup_key' is longer than 255 characters") }
        if action != "trigger", key?.isEmpty != false { faults.append("'dedup_key' is missing or blank") }
        guard action == "trigger" else { return faults }
        let payload = event["payload"] ?? .null
        for field in ["summary", "source"] where payload[field]?.text?.isEmpty != false {
            faults.append("'payload.\(field)' is missing or blank")
        }
        if payload["summary"]?.text?.count ?? 0 > 1024 { faults.append("'payload.summary' is longer than 1024") }
        if !["critical", "error", "warning", "info"].contains(payload["severity"]?.text ?? "") {
            faults.append("'payload.severity' must be critical, error, warning or info")
        }
        return faults
    }
}
