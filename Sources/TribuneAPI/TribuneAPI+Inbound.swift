internal import Identity
internal import JSON
internal import OnCall
internal import OnCallRunner
internal import TLS
internal import WebCore
internal import WebServer

/// The ways in for other programs. The key of an integration is the proof, as in PagerDuty and Grafana OnCall.
extension TribuneAPI {
    var inboundEndpoints: [Endpoint] {
        [
            .response(
                [.post], "/v2/enqueue", "Takes an event of PagerDuty's Events API v2.", permission: .probe, body: .json,
                response: .json, errors: .jsonString, isSlow: true, enqueue),
            .response(
                [.get, .post], "/oncall/heartbeats/{key}", "Takes the report of a program with a heartbeat.",
                permission: .probe, parameters: [.path("key", .string, "The key of a heartbeat.")], response: .text,
                errors: .envelope, isSlow: true, heartbeat),
            .response(
                [.post], "/oncall/in/{key}",
                "Takes a webhook of Alertmanager or Grafana, or any JSON object with a mapping.", permission: .probe,
                parameters: [.path("key", .string, "The key of an integration.")], body: .json, response: .json,
                errors: .envelope, isSlow: true, webhook),
        ]
    }

    // MARK: Heartbeats

    /// Programs report with what they have: `curl`, `wget`, a cron line. So `GET` counts too.
    private func heartbeat(_ call: APIRequest) -> HTTPServerResponse {
        let wanted = SHA256.hash(call.pathParameters[0])
        let heartbeats = sources.onCall.book().roster.heartbeats.values
        let found = heartbeats.filter { ConstantTime.equal(SHA256.hash($0.key.text), wanted) }
        guard let heartbeat = found.first else {
            return .error(APIError(.notFound, "no heartbeat has this key"))
        }
        do throws(OnCallRefusal) { try sources.onCall.receive(.heartbeat(name: heartbeat.name)) } catch {
            return .error(APIError(.unavailable, error.description))
        }
        return .text("ok\n")
    }

    // MARK: PagerDuty

    private func enqueue(_ call: APIRequest) -> HTTPServerResponse {
        guard call.request.body.count <= PagerDutyEvent.bodyLimit else {
            return Self.pagerDuty(413, "invalid event", "Event object is invalid", ["The event is larger than 512 KB"])
        }
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: call.request.body) } catch {
            return Self.pagerDuty(400, "invalid event", "Event object is invalid", ["JSON parse error"])
        }
        let event: PagerDutyEvent
        do throws(InboundError) { event = try PagerDutyEvent(json, fallback: Self.freshKey()) } catch {
            return Self.pagerDuty(400, "invalid event", "Event object is invalid", error.faults)
        }
        guard let integration = integration(event.routingKey), integration.kind == .pagerduty else {
            return Self.pagerDuty(400, "invalid event", "Event object is invalid", ["Invalid routing key"])
        }
        do throws(OnCallRefusal) { try sources.onCall.receive(event.signal(of: integration)) } catch {
            // PagerDuty's clients repeat an event after either status.
            let status = error == .full ? 429 : 503
            return Self.pagerDuty(status, "throttle exceeded", error.description, [])
        }
        var writer = JSONWriter()
        writer.object {
            $0.member("status", "success")
            $0.member("message", "Event processed")
            $0.member("dedup_key", event.dedupKey)
        }
        return .json(writer.bytes, status: 202)
    }

    private static func pagerDuty(
        _ status: Int, _ word: String, _ message: String, _ faults: [String]
    ) -> HTTPServerResponse {
        var writer = JSONWriter()
        writer.object {
            $0.member("status", word)
            $0.member("message", message)
            $0.member("errors", faults)
        }
        return .json(writer.bytes, status: status)
    }

    // MARK: Webhooks

    private func webhook(_ call: APIRequest) -> HTTPServerResponse {
        guard let integration = integration(call.pathParameters[0]) else {
            return .error(APIError(.notFound, "no integration has this key"))
        }
        guard call.request.body.count <= PagerDutyEvent.bodyLimit * 4 else {
            return .error(APIError(.bodyTooLong, "the body is longer than \(PagerDutyEvent.bodyLimit * 4) bytes"))
        }
        let signal: Signal
        do throws(InboundError) {
            signal = try integration.signal(in: call.request.body, fallback: Self.freshKey())
        } catch {
            return .error(APIError(.badData, error.description))
        }
        do throws(OnCallRefusal) { try sources.onCall.receive(signal) } catch {
            return .error(APIError(error == .full ? .tooManyRequests : .unavailable, error.description))
        }
        var writer = JSONWriter()
        writer.object { $0.member("status", "success") }
        return .json(writer.bytes)
    }

    /// The integration with `key`. All are compared, so that the time says nothing.
    private func integration(_ key: String) -> InboundIntegration? {
        let wanted = SHA256.hash(key)
        return sources.onCall.integrations().reduce(nil) { found, integration in
            ConstantTime.equal(SHA256.hash(integration.key.text), wanted) ? integration : found
        }
    }

    /// The key of a problem to which its source gave none.
    static func freshKey() -> String {
        String((0..<32).map { _ in "0123456789abcdef".randomElement() ?? "0" })
    }
}
