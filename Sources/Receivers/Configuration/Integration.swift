/// A way to notify a receiver, such as a Slack channel. A value.
public protocol IntegrationSettings: Equatable, Sendable {
    /// The kind in metrics, logs and the name of the list, such as `slack` of `slack_configs`.
    static var kind: String { get }
    /// Whether resolved alerts are sent.
    var sendsResolved: Bool { get }
    /// Whether the receiver accepts an acknowledgement of the problem.
    var sendsAcknowledgements: Bool { get }
    /// The templates among the settings, for checks, each with the name of its field.
    var templates: [(field: String, text: String)] { get }
    /// Sends the message of `delivery` and returns when the receiver has accepted it.
    func send(_ delivery: inout Delivery) throws(DeliveryFailure)
}

extension IntegrationSettings {
    /// Most receivers know no acknowledgement.
    public var sendsAcknowledgements: Bool { false }
    /// No templates.
    public var templates: [(field: String, text: String)] { [] }
}

/// An integration of any kind. A value.
public struct Integration: Equatable, Sendable {
    /// Its settings.
    public let settings: any IntegrationSettings

    /// An integration.
    public init(_ settings: any IntegrationSettings) { self.settings = settings }

    /// Its kind.
    public var kind: String { type(of: settings).kind }
    /// Whether resolved alerts are sent.
    public var sendsResolved: Bool { settings.sendsResolved }

    /// Whether the receiver accepts an acknowledgement of the problem.
    public var sendsAcknowledgements: Bool { settings.sendsAcknowledgements }

    /// Compares the settings.
    public static func == (left: Integration, right: Integration) -> Bool {
        func isEqual<Settings: IntegrationSettings>(_ settings: Settings) -> Bool {
            (right.settings as? Settings) == settings
        }
        return isEqual(left.settings)
    }
}

/// A destination of notifications, with one or more integrations. A value.
public struct Receiver: Equatable, Sendable {
    /// The name that routes refer to.
    public var name: String
    /// The receiver's labels; always include `name`.
    public var labels: [String: String]
    /// The integrations.
    public var integrations: [Integration]

    /// A receiver.
    public init(name: String, labels: [String: String] = [:], integrations: [Integration]) {
        self.name = name
        self.labels = labels
        self.labels["name"] = name
        self.integrations = integrations
    }
}
