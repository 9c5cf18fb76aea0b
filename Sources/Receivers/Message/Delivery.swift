internal import ConfigurationFields
public import CurlHTTP
internal import GoTemplate
internal import JSON
internal import MetricModel
internal import TLS

/// Why a message was not delivered.
public struct DeliveryFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Whether a retry may succeed.
    public var isRetryable: Bool
    /// One line for an operator, without secrets.
    public var reason: String

    /// A failure.
    public init(_ reason: String, isRetryable: Bool) {
        self.reason = reason
        self.isRetryable = isRetryable
    }

    /// The reason.
    public var description: String { reason }
}

/// Sends requests and mails over the network.
public protocol DeliveryTransport: Sendable {
    /// Sends an HTTP request and waits for the response.
    func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse
    /// Sends a mail to an SMTP server.
    func send(_ mail: Mail) throws(HTTPFailure)
}

/// Sends over the real network.
public struct NetworkTransport: DeliveryTransport {
    private let client = HTTPClient()

    /// A transport without connections.
    public init() {}

    /// Sends a request.
    public func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse { try client.send(request) }
    /// Sends a mail.
    public func send(_ mail: Mail) throws(HTTPFailure) { try MailClient.send(mail) }
}

/// The delivery of one message to one integration: expands templates, sends requests, keeps the integration's state.
public struct Delivery {
    /// The message.
    public let message: Message
    /// State that the integration keeps about the group, such as the id of a chat message. Stored with the notification
    /// log.
    public var memory: [String: String]
    /// Remarks for the log, such as that a text was truncated.
    public private(set) var remarks: [String] = []
    /// The receiver's last response, on one line; empty before the first.
    public var answer: String { lastAnswer.text }

    /// Shared by the copies that steps of a sender work with.
    private final class LastAnswer {
        var text = ""
    }

    private let lastAnswer = LastAnswer()
    let data: TemplateDataValue
    private let templates: NotificationTemplates
    private let transport: any DeliveryTransport
    let externalURL: String

    /// A delivery.
    public init(
        _ message: Message, memory: [String: String] = [:], externalURL: String, templates: NotificationTemplates,
        transport: any DeliveryTransport
    ) {
        self.message = message
        self.memory = memory
        self.externalURL = externalURL
        self.templates = templates
        self.transport = transport
        data = TemplateDataValue(MessageData(message, externalURL: externalURL))
    }

    /// The default timeout of a receiver.
    static let timeoutMilliseconds: Int64 = 30_000

    // MARK: Templates

    /// Expands a template of text.
    func text(_ template: String) throws(DeliveryFailure) -> String { try expand(template, .text) }

    /// Expands a template of HTML.
    func html(_ template: String) throws(DeliveryFailure) -> String { try expand(template, .html) }

    private func expand(_ template: String, _ mode: Template.Mode) throws(DeliveryFailure) -> String {
        guard !template.isEmpty else { return "" }
        do throws(TemplateError) {
            return try templates.expand(
                template, for: data.value, mode: mode, routeLabels: data.routeLabels)
        } catch {
            throw DeliveryFailure(error.message, isRetryable: false)
        }
    }

    /// `text`, of at most `limit` characters.
    mutating func truncated(_ text: String, to limit: Int, _ what: String) -> String {
        guard text.unicodeScalars.count > limit else { return text }
        remarks.append("\(what) was longer than \(limit) characters and was cut")
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit - 1))) + "…"
    }

    /// Adds a remark for the log.
    mutating func remark(_ text: String) { remarks.append(text) }

    /// The group's key as a hash of fixed length.
    var keyHash: String { SHA256.hex(message.groupKey) }

    // MARK: Requests

    /// Reads a secret. `what` names it in errors.
    func read(_ secret: HTTPSettings.Secret, _ what: String) throws(DeliveryFailure) -> String {
        do throws(HTTPFailure) {
            return try secret.read()
        } catch {
            throw DeliveryFailure("\(what): \(error.message)", isRetryable: true)
        }
    }

    /// Sends a request and returns the response, whatever its status.
    func send(_ request: HTTPRequest, _ http: HTTPSettings) throws(DeliveryFailure) -> HTTPResponse {
        var request = request
        request.headers.append(("User-Agent", "Tribune"))
        request.maximumBodyBytes = 1 << 20
        do throws(HTTPFailure) {
            let own = request.headers.contains { $0.name == "Authorization" }
            var settings = http
            if own { settings.authentication = .none }
            try settings.apply(to: &request)
            let response = try transport.send(request)
            let text = Self.line(response.body, limit: 200)
            lastAnswer.text = "status \(response.status)" + (text.isEmpty ? "" : ": \(text)")
            return response
        } catch {
            throw DeliveryFailure(error.message, isRetryable: error.code != .badURL && error.code != .badRequest)
        }
    }

    /// Posts `json`. A status other than 2xx is a failure; 5xx, 408, 429 and `retried` may be retried.
    @discardableResult
    func post(
        _ json: JSON, to url: String, _ http: HTTPSettings, headers: [(name: String, value: String)] = [],
        timeout: Int64 = 0, method: String = "POST", retried: Set<Int> = []
    ) throws(DeliveryFailure) -> HTTPResponse {
        var request = HTTPRequest(
            method: method, url: url, headers: headers + [("Content-Type", "application/json")],
            body: json.jsonBytes + CollectionOfOne(UInt8(ascii: "\n")))
        request.timeoutMilliseconds = timeout > 0 ? timeout : Self.timeoutMilliseconds
        let response = try send(request, http)
        try Self.check(response, retried: retried)
        return response
    }

    /// Throws if the status is not 2xx.
    static func check(_ response: HTTPResponse, retried: Set<Int> = []) throws(DeliveryFailure) {
        guard !(200..<300).contains(response.status) else { return }
        let isRetryable =
            response.status >= 500 || [408, 429].contains(response.status) || retried.contains(response.status)
        let body = line(response.body, limit: 400)
        throw DeliveryFailure(
            "unexpected status code \(response.status)" + (body.isEmpty ? "" : ": \(body)"), isRetryable: isRetryable)
    }

    private static func line(_ body: [UInt8], limit: Int) -> String {
        String(decoding: body.prefix(limit), as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    func send(_ mail: Mail) throws(DeliveryFailure) {
        do throws(HTTPFailure) {
            try transport.send(mail)
            lastAnswer.text = "accepted by the mail server"
        } catch {
            throw DeliveryFailure(error.message, isRetryable: error.code != .badRequest && error.code != .badURL)
        }
    }
}

/// The data of templates, created once per delivery.
struct TemplateDataValue {
    let value: TemplateValue
    let routeLabels: [String: String]

    init(_ data: MessageData) {
        value = .object(data)
        routeLabels = Dictionary(
            data.message.routeLabels.pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
}
