/// The measurements of a load test. A value.
public struct LoadResult: Equatable, Sendable {
    /// How a request ended.
    public enum Ending: Equatable, Sendable {
        /// An answer with an expected status; whether it had the right hash, if that was checked.
        case success(hasHash: Bool?)
        case status(Int, hasHash: Bool?)
        /// No answer, with the kind of failure.
        case failure(String)
        /// It was due, but could not be sent before the end because all connections were busy.
        case unsent
    }

    /// The measurements of one target, or of all.
    public struct Part: Equatable, Sendable {
        /// The target's name.
        public var name: String
        /// Requests that were due and have ended.
        public private(set) var requests: UInt64 = 0
        /// Answers with an expected status.
        public private(set) var succeeded: UInt64 = 0
        /// Answers whose hash was checked.
        public private(set) var hashChecked: UInt64 = 0
        /// Answers with another hash, or none.
        public private(set) var hashMismatches: UInt64 = 0
        /// Failures by their reason.
        public private(set) var failures: [String: UInt64] = [:]
        /// From the time at which a request was due to the end of its answer. Failures count too, with the time that
        /// they took.
        public private(set) var latency = LatencyHistogram()
        /// From the time at which a request was sent: what a closed loop would have reported.
        public private(set) var serviceTime = LatencyHistogram()

        /// A part without requests.
        init(name: String) { self.name = name }

        /// Requests without an expected answer.
        public var failed: UInt64 { requests - succeeded }

        mutating func ended(_ ending: Ending, latency: Int64, serviceTime: Int64) {
            requests += 1
            self.latency.add(latency)
            if ending != .unsent { self.serviceTime.add(serviceTime) }
            switch ending {
            case .success(let hasHash):
                succeeded += 1
                check(hasHash)
            case .status(let status, let hasHash):
                failures["status \(status)", default: 0] += 1
                check(hasHash)
            case .failure(let reason): failures[reason, default: 0] += 1
            case .unsent: failures["not sent in time", default: 0] += 1
            }
        }

        private mutating func check(_ hasHash: Bool?) {
            guard let hasHash else { return }
            hashChecked += 1
            if !hasHash { hashMismatches += 1 }
        }
    }

    /// A second of the test.
    public struct Second: Equatable, Sendable {
        /// Requests that were due in it.
        public var due: UInt64 = 0
        /// Requests that ended in it.
        public var ended: UInt64 = 0
        /// Of these, failures.
        public var failed: UInt64 = 0
        /// Latencies of the requests that ended in it, in nanoseconds.
        public var median: Int64 = 0
        /// See ``median``.
        public var p99: Int64 = 0
        /// See ``median``.
        public var maximum: Int64 = 0
    }

    /// All targets together.
    public private(set) var total = Part(name: "all")
    /// The targets.
    public private(set) var parts: [Part]
    /// The seconds of the test. Longer tests keep the last hours only.
    public private(set) var timeline: [Second] = []
    /// The number of seconds that were dropped from the beginning of the timeline.
    public private(set) var dropped = 0
    /// The time from the first request that was due to the last answer.
    public private(set) var seconds = 0.0
    private var current = Second()
    private var currentLatency = LatencyHistogram()

    /// The most seconds of a timeline.
    static let timelineLimit = 86_400

    /// A result for targets of these names.
    init(targets: [String]) { parts = targets.map(Part.init) }

    /// A request of the target with this index became due.
    mutating func due() { current.due += 1 }

    /// A request ended. Times are in nanoseconds.
    mutating func ended(_ target: Int, _ ending: Ending, due: Int64, sent: Int64, now: Int64) {
        total.ended(ending, latency: now - due, serviceTime: now - sent)
        parts[target].ended(ending, latency: now - due, serviceTime: now - sent)
        current.ended += 1
        if case .success = ending {} else { current.failed += 1 }
        currentLatency.add(now - due)
    }

    /// A second of the test has passed.
    mutating func secondPassed() -> Second {
        current.median = currentLatency.quantile(0.5)
        current.p99 = currentLatency.quantile(0.99)
        current.maximum = currentLatency.maximum
        defer {
            current = Second()
            currentLatency.removeAll()
        }
        if timeline.count >= Self.timelineLimit {
            timeline.removeFirst()
            dropped += 1
        }
        timeline.append(current)
        return current
    }

    mutating func finished(after nanoseconds: Int64) {
        if current.ended > 0 || current.due > 0 { _ = secondPassed() }
        seconds = Double(nanoseconds) / 1e9
    }
}
