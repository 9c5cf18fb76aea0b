internal import Durable
internal import JSON
internal import MetricModel
internal import OnCall
internal import Receivers
internal import Runtime
internal import Synchronization
internal import TLS

/// The way from a call to the browsers of a person.
///
/// The call counts as delivered when the push service of one of them has taken it. A browser that its service does not
/// know any more is forgotten.
struct PushIntegration: IntegrationSettings {
    static let kind = "push"
    /// A later message takes the place of the one that the browser shows.
    let sendsResolved = true
    let sendsAcknowledgements = true

    let person: String
    let push: WebPush
    let runner: OnCallRunner

    static func == (left: PushIntegration, right: PushIntegration) -> Bool {
        left.person == right.person && left.runner === right.runner
    }

    func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        let browsers = runner.book.browsers(of: person)
        guard !browsers.isEmpty else {
            throw DeliveryFailure("no browser of \(person) is notified", isRetryable: false)
        }
        let isCall = !delivery.message.isResolved && delivery.message.reason != .acknowledged
        let handling = WebPush.Handling(
            lifetime: runner.current.withLock { $0.configuration.onCall.linkLifetime }, isUrgent: isCall,
            topic: PushMessage.topic(of: delivery.message))
        let payload = PushMessage.payload(of: delivery.message)
        var failures: [DeliveryFailure] = []
        var isTaken = false
        for browser in browsers {
            do throws(DeliveryFailure) {
                guard let target = WebPush.Target(browser.address) else {
                    throw DeliveryFailure("the keys of a browser are malformed", isRetryable: false)
                }
                switch try push.send(payload, to: target, handling, at: OnCallRunner.wall, by: delivery) {
                case .accepted: isTaken = true
                case .gone:
                    runner.events.send(.browserGone(browser.id, endpoint: browser.address.endpoint))
                    throw DeliveryFailure("the browser is gone", isRetryable: false)
                }
            } catch {
                failures.append(error)
                runner.logger.warn("a browser was not notified", ["browser": browser.id, "error": error.reason])
            }
        }
        if isTaken { return }
        throw failures.first { $0.isRetryable } ?? failures[0]
    }
}

extension WebPush.Target {
    /// The target with the address of a browser; `nil` for malformed keys.
    init?(_ address: Browser.Address) {
        guard let key = Base64URL.bytes(address.key), let secret = Base64URL.bytes(address.secret) else { return nil }
        self.init(endpoint: address.endpoint, key: key, secret: secret)
    }
}

/// The text of a message for browsers, which the service worker of the web application reads.
enum PushMessage {
    /// The most bytes of each text, and what they are cut to where JSON needs more bytes for them.
    private static let lengths = [600, 100]

    /// All messages of a page have one topic, so that the last one is shown.
    static func topic(of message: Message) -> String {
        let page = page(of: message)
        // Ids of pages are short; others must not make the service refuse the message.
        let isShort = !page.isEmpty && page.utf8.count <= 32 && page.utf8.allSatisfy { (0x30...0x7a).contains($0) }
        return isShort ? page : String(SHA256.hex(message.groupKey).prefix(32))
    }

    private static func page(of message: Message) -> String { message.commonAnnotations["page"] ?? "" }

    /// At most ``WebPush/longestPayload`` bytes.
    static func payload(of message: Message) -> [UInt8] {
        var payload: [UInt8] = []
        for length in lengths {
            payload = self.payload(of: message, longest: length)
            if payload.count <= WebPush.longestPayload { break }
        }
        return payload
    }

    private static func payload(of message: Message, longest: Int) -> [UInt8] {
        func cut(_ text: String) -> String { self.cut(text, longest) }
        let annotations = message.commonAnnotations
        let state =
            message.isResolved ? "resolved" : message.reason == .acknowledged ? "acknowledged" : "firing"
        var members: [JSON.Member] = [
            .init("page", .string(page(of: message))), .init("state", .string(state)),
            .init("title", .string(cut(annotations["summary"] ?? message.groupLabels["alertname"] ?? ""))),
            .init("severity", .string(cut(message.commonLabels["severity"] ?? ""))),
            .init("at", .integer(message.alerts.first?.startsAt.milliseconds ?? 0)),
        ]
        if let text = annotations["description"] { members.append(.init("text", .string(cut(text)))) }
        if let by = annotations["acknowledged_by"] ?? annotations["resolved_by"] {
            members.append(.init("by", .string(cut(by))))
        }
        for button in message.buttons where button.name == "acknowledge" {
            // The path behind the address of this server, which the browser knows by itself.
            if let link = button.link, let path = link.firstRange(of: "/oncall/links/") {
                members.append(.init(button.name, .string(String(link[path.lowerBound...]))))
            }
        }
        return Array(JSON.object(members).encoded.utf8)
    }

    private static func cut(_ text: String, _ longest: Int) -> String {
        guard text.utf8.count > longest else { return text }
        var cut = ""
        for character in text.unicodeScalars where cut.utf8.count + 4 + "…".utf8.count <= longest {
            cut.unicodeScalars.append(character)
        }
        return cut + "…"
    }
}
