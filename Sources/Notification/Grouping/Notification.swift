public import MetricModel
public import RuleEngine

/// What a receiver is told about a group of alerts.
public struct Notification: Equatable, Sendable {
    /// Identifies the group over all its notifications.
    public var groupKey: String
    /// The labels that name the group.
    public var groupLabels: Labels
    /// Name of the receiver.
    public var receiver: String
    /// The alerts, sorted by labels.
    public var alerts: [Alert]

    /// A notification.
    public init(groupKey: String, groupLabels: Labels, receiver: String, alerts: [Alert]) {
        self.groupKey = groupKey
        self.groupLabels = groupLabels
        self.receiver = receiver
        self.alerts = alerts
    }

    /// Whether every alert has been resolved.
    public var isResolved: Bool { alerts.allSatisfy(\.isResolved) }
    /// Labels with the same value in every alert.
    public var commonLabels: Labels { Self.common(alerts.map(\.labels)) }
    /// Annotations with the same text in every alert.
    public var commonAnnotations: Labels { Self.common(alerts.map(\.annotations)) }

    private static func common(_ sets: [Labels]) -> Labels {
        guard let first = sets.first else { return .empty }
        return Labels(sorted: first.pairs.filter { pair in sets.allSatisfy { $0.pairs.contains(pair) } })
    }
}

extension Alert {
    /// The number Prometheus and Alertmanager know its labels by.
    public var fingerprint: String { labels.fingerprint }
}

extension Labels {
    /// FNV-1a over names and values, as 16 hexadecimal digits: the number Prometheus and Alertmanager know a label set by.
    public var fingerprint: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        for pair in pairs {
            add(pair.name.utf8)
            add(CollectionOfOne(0xff))
            add(pair.value.utf8)
            add(CollectionOfOne(0xff))
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
