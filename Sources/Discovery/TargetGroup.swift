public import MetricModel

/// Targets of one source, with labels that all of them share. A value.
public struct TargetGroup: Equatable, Sendable {
    /// Identifies the group within its mechanism: an update replaces the group with the same source.
    public var source: String
    /// The labels of each target, with `__address__`.
    public var targets: [Labels]
    /// Labels of all targets; a label of a target takes precedence over one of its group.
    public var labels: Labels

    /// Targets that share `labels`.
    public init(source: String = "", targets: [Labels], labels: Labels = .empty) {
        self.source = source
        self.targets = targets
        self.labels = labels
    }

    /// One target for each of `addresses`.
    public init(source: String = "", addresses: [String], labels: Labels = .empty) {
        self.init(source: source, targets: addresses.map { ["__address__": $0] }, labels: labels)
    }
}

extension Labels {
    /// Labels of a discovered target. Empty values are omitted: a label with an empty value is no label.
    init(meta pairs: [(String, String)]) {
        self.init(pairs.filter { !$0.1.isEmpty }.map { Label($0.0, $0.1) })
    }

    /// The same.
    init(meta labels: [String: String]) {
        self.init(meta: labels.map { ($0.key, $0.value) })
    }
}

/// Names and addresses in the form used by all mechanisms.
enum DiscoveredText {
    /// `text` as the end of a label name: characters not allowed in classic label names become `_`.
    static func labelName(_ text: String) -> String {
        String(
            decoding: text.unicodeScalars.map { scalar -> UInt8 in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "_": UInt8(scalar.value)
                default: UInt8(ascii: "_")
                }
            }, as: UTF8.self)
    }

    /// `host:port`, with brackets around an IPv6 address.
    static func address(_ host: String, _ port: some BinaryInteger) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
