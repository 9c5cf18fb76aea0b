public import MetricModel

/// A release that another controller moves, as far as a verdict knows of it.
public struct VerdictRelease: Hashable, Sendable {
    /// Where the release stands.
    public enum State: Hashable, Sendable {
        /// The controller asked to begin and was refused. To: `running`, `over`.
        case waiting
        /// To: `over`.
        case running(since: Instant)
        /// Nothing counts for it any more. To: a release of the same name that begins anew.
        case over(at: Instant, outcome: String)
    }

    /// A rule that tripped while the release was running.
    public struct Trip: Hashable, Sendable {
        /// `file;group;name` of the rule.
        public var key: String
        /// The rule's own name.
        public var rule: String
        /// The element that tripped.
        public var labels: Labels
        /// The condition that was met, such as `> 0.05`.
        public var condition: String
        /// The last of the violations; NaN if missing data counted as one.
        public var value: Double
        /// When it was decided.
        public var at: Timestamp
        /// Joins the violations and the trip in the record.
        public var incident: String

        /// Whether both are equal; missing values are equal, unlike NaN.
        public static func == (left: Trip, right: Trip) -> Bool {
            left.key == right.key && left.labels == right.labels && left.at == right.at
                && left.incident == right.incident
        }

        /// Equal for equal trips.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(key)
            hasher.combine(labels)
            hasher.combine(at)
        }

        /// `ErrorsHigh tripped at 2026-11-30T08:00:00Z: 0.2 > 0.05 of {service="web"}`.
        var description: String {
            let measured = value.isNaN ? "no data" : FloatText.general(value)
            return "\(rule) tripped at \(RFC3339.text(milliseconds: at.milliseconds)): \(measured) \(condition)"
                + (labels.isEmpty ? "" : " of \(labels)")
        }
    }

    /// At most so many trips of one release are kept; the verdict is `violated` from the first one on.
    static let tripLimit = 20
    /// The longest name, in bytes.
    public static let nameLimit = 300

    /// The name that the controller gave it.
    public var name: String
    /// Where it stands.
    public var state: State
    /// When the controller was first let give the candidate traffic; `nil` if it did not ask for that. Measurements
    /// from before say nothing about the candidate.
    public internal(set) var trafficSince: Instant?
    /// When the controller was last let give the candidate more traffic.
    var increasedAt: Instant?
    /// The trips of enforcing rules while it was running, oldest first.
    public internal(set) var trips: [Trip] = []
    /// The last recorded answer to each kind of question, so that an answer is recorded when it changes.
    var answers: [String: String] = [:]

    init(name: String, state: State) {
        self.name = name
        self.state = state
    }

    /// Since when it has been running; `nil` if it is not.
    public var runningSince: Instant? {
        if case .running(let since) = state { since } else { nil }
    }

    mutating func add(_ trip: Trip) {
        if trips.count < Self.tripLimit { trips.append(trip) }
    }
}
