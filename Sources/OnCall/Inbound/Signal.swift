/// A source's statement about a problem. A value.
public enum Signal: Equatable, Sendable {
    /// The problem is there.
    case trigger(Problem)
    /// Somebody acts on it, as the source says.
    case acknowledge(key: String)
    /// The problem is over.
    case resolve(key: String)
    /// The program of the heartbeat `name` has reported.
    case heartbeat(name: String)
}

/// Why a request of a source was not understood.
public struct InboundError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence for each fault.
    public var faults: [String]

    /// An error with these faults.
    public init(_ faults: String...) { self.faults = faults }

    init(faults: [String]) { self.faults = faults }

    /// The faults.
    public var description: String { faults.joined(separator: "; ") }
}

/// Which policy a problem gets. A value.
public struct PolicyChoice: Equatable, Sendable {
    /// The policy unless its severity has its own.
    public var policy: String
    /// Policies by severity, in lower case.
    public var bySeverity: [String: String]

    /// The choice of `policy`, or of one by severity.
    public init(policy: String, bySeverity: [String: String] = [:]) {
        self.policy = policy
        self.bySeverity = bySeverity
    }

    /// The policy for `severity`.
    public func policy(of severity: String) -> String { bySeverity[severity.lowercased()] ?? policy }
}

/// Words for severity.
public enum Severity {
    private static let order = [
        "critical", "emergency", "page", "high", "error", "warning", "medium", "minor", "low", "info",
    ]

    /// The worst of `words`; words that are not known come last.
    public static func worst(of words: some Sequence<String>) -> String {
        words.min { rank($0) < rank($1) } ?? ""
    }

    /// Whether `word` is worse than `other`.
    public static func isWorse(_ word: String, than other: String) -> Bool { rank(word) < rank(other) }

    private static func rank(_ word: String) -> Int {
        word.isEmpty ? order.count + 1 : order.firstIndex(of: word.lowercased()) ?? order.count
    }
}
