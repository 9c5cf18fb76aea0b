import ConfigurationFields
import CurlHTTP
import JSON
import MetricModel
import Receivers
import Runtime
import Synchronization
import Testing
import YAML

/// A transport that records requests and returns the test's responses. A vendor's stand-in checks the requirements in
/// its documentation.
final class StandIn: DeliveryTransport {
    struct Call: Sendable {
        var method: String
        var url: String
        var headers: [String: String]
        var body: String
        var json: JSON { (try? JSON(parsing: body)) ?? .null }
    }

    typealias Answer = @Sendable (Call) -> (status: Int, type: String, body: String)

    private let state = Mutex<[Call]>([])
    private let sentMails = Mutex<[Mail]>([])
    private let answer: Answer

    init(_ answer: @escaping Answer = { _ in (200, "text/plain", "ok") }) { self.answer = answer }

    var calls: [Call] { state.withLock { $0 } }
    var mails: [Mail] { sentMails.withLock { $0 } }

    func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        var headers: [String: String] = [:]
        for header in request.headers { headers[header.name.lowercased()] = header.value }
        let call = Call(
            method: request.method, url: request.url, headers: headers,
            body: String(decoding: request.body, as: UTF8.self))
        state.withLock { $0.append(call) }
        let (status, type, body) = answer(call)
        return HTTPResponse(status: status, headers: [("Content-Type", type)], body: Array(body.utf8))
    }

    func send(_ mail: Mail) throws(HTTPFailure) { sentMails.withLock { $0.append(mail) } }
}

/// Shared parts of the tests of senders.
enum SenderFixture {
    static let alerts: [MessageAlert] = [
        MessageAlert(
            labels: ["alertname": "Slow", "instance": "a:1", "severity": "critical"],
            annotations: ["summary": "a:1 is <slow> & sad"], startsAt: Timestamp(milliseconds: 1_700_000_000_000),
            endsAt: .distantFuture, isResolved: false, generatorURL: "http://t/graph?a=1&b=2"),
        MessageAlert(
            labels: ["alertname": "Slow", "instance": "b:1", "severity": "critical"], annotations: [:],
            startsAt: Timestamp(milliseconds: 1_700_000_000_000), endsAt: Timestamp(milliseconds: 1_700_000_060_000),
            isResolved: true, generatorURL: ""),
    ]

    static func message(resolved: Bool = false, reason: Message.Reason = .first) -> Message {
        Message(
            groupKey: #"{}:{alertname="Slow"}"#, groupLabels: ["alertname": "Slow"], receiver: "team",
            alerts: resolved ? [alerts[1]] : alerts, reason: reason)
    }

    /// The only integration of a receiver with the lists in `text`.
    static func integration(_ text: String, global: String = "{}") throws -> Integration {
        func node(_ text: String) throws -> YAMLNode { try #require(try YAML.parse(text, file: "am.yml").first) }
        let settings = try GlobalSettings(try node(global), file: "am.yml", directory: "/etc")
        let reader = ReceiverReader(global: settings, file: "am.yml", directory: "/etc")
        let receiver = try reader.receiver(try node("{name: team, \(text)}"), path: "receivers[0]")
        return try #require(receiver.integrations.first)
    }

    @discardableResult
    static func send(
        _ integration: Integration, through transport: StandIn, _ message: Message = message(),
        memory: [String: String] = [:]
    ) throws -> Delivery {
        var delivery = Delivery(
            message, memory: memory, externalURL: "http://tribune:9190", templates: .defaults, transport: transport)
        try integration.settings.send(&delivery)
        return delivery
    }
}
