/// Somebody who is told, by one or more integrations.
public struct Receiver: Equatable, Sendable {
    /// The name routes refer to.
    public var name: String
    /// The ways in which it is told.
    public var integrations: [Integration]
}

/// One way of telling a receiver.
public enum Integration: Equatable, Sendable {
    case webhook(Webhook)
    case pagerDuty(PagerDuty)

    /// Alertmanager's webhook, version 4.
    public struct Webhook: Equatable, Sendable {
        /// Where notifications are posted.
        public var url: String
        /// Most alerts in one notification; 0 for all.
        public var maximumAlerts: Int
        /// Whether resolved alerts are told.
        public var sendsResolved: Bool
        /// Headers added to the request, such as `Authorization`.
        public var headers: [Header]
    }

    /// PagerDuty's Events API, version 2.
    public struct PagerDuty: Equatable, Sendable {
        /// The integration key.
        public var routingKey: Secret
        /// Where events are posted.
        public var url: String
        /// Whether resolved alerts are told.
        public var sendsResolved: Bool
        /// Template of the summary; `nil` for the built-in one.
        public var description: String?
        /// Template of the severity; `nil` takes the label `severity`.
        public var severity: String?
        /// Client that is shown in the incident.
        public var client: String
        /// The payload's `component`; `nil` takes the label `service`.
        public var component: String?
        /// The payload's `group`; `nil` takes the label `job`.
        public var group: String?
        /// The payload's `class`.
        public var `class`: String?
    }

    /// A header of a request.
    public struct Header: Equatable, Sendable {
        /// The header's name.
        public var name: String
        /// The header's value.
        public var value: Secret
    }

    /// Whether resolved alerts are told.
    public var sendsResolved: Bool {
        switch self {
        case .webhook(let webhook): webhook.sendsResolved
        case .pagerDuty(let pagerDuty): pagerDuty.sendsResolved
        }
    }

    /// The word for this kind in metrics and logs.
    public var kind: String {
        switch self {
        case .webhook: "webhook"
        case .pagerDuty: "pagerduty"
        }
    }
}

/// Text that must not appear in logs, errors or pages.
public struct Secret: Equatable, Sendable, CustomStringConvertible {
    /// The text itself.
    public var value: String

    /// Wraps `value`.
    public init(_ value: String) { self.value = value }

    /// Never the text itself.
    public var description: String { "<secret>" }
}
