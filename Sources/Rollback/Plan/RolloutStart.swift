internal import MetricModel
internal import YAML

/// When rollouts of a plan begin automatically: at a time, with a new candidate, or both.
public struct RolloutStart: Hashable, Sendable {
    /// When rollouts may begin automatically, UTC; empty for always.
    public var windows: [Window]
    /// A PromQL expression that identifies the candidate, such as a build number. A rollout begins after two readings
    /// in a row with a value other than that of the last rollout. `nil`: begins once, for a plan without a rollout.
    public var version: String?

    /// A window of the week, UTC.
    public struct Window: Hashable, Sendable {
        /// 0 is Sunday.
        public var days: Set<Int>
        /// Minutes since midnight, inclusive.
        public var start: Int
        /// Minutes since midnight, exclusive.
        public var end: Int

        /// A window within each of `days`.
        public init(days: Set<Int>, start: Int, end: Int) {
            self.days = days
            self.start = start
            self.end = end
        }
    }

    /// Rollouts that begin within `windows`, with a new `version`, or both.
    public init(windows: [Window], version: String?) {
        self.windows = windows
        self.version = version
    }

    /// The time until rollouts may begin automatically; zero inside of a window.
    func wait(at now: Instant) -> Milliseconds {
        let day: Int64 = 86_400_000
        // The epoch was a Thursday.
        let moment = (now.timestamp.milliseconds + 4 * day) % (7 * day)
        var least = windows.isEmpty ? 0 : 7 * day
        for window in windows {
            for number in window.days {
                let opening = Int64(number) * day + Int64(window.start) * 60_000
                let since = (moment - opening + 7 * day) % (7 * day)
                if since < Int64(window.end - window.start) * 60_000 { return .zero }
                least = min(least, 7 * day - since)
            }
        }
        return .milliseconds(least)
    }
}

extension RolloutStart {
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        version = try fields.optionalText("version")
        var windows: [Window] = []
        for (index, node) in try fields.list("windows").enumerated() {
            guard let text = node.text, let window = Window(text) else {
                throw fields.fault(
                    "expected a window such as \"mon-fri 02:00-04:00\" that ends on its day, in UTC", at: node,
                    field: "windows[\(index)]")
            }
            windows.append(window)
        }
        self.windows = windows
        try fields.finish()
        guard version != nil || !windows.isEmpty, windows.count <= 50 else {
            throw fields.fault("needs \"version\" or 1 to 50 \"windows\"")
        }
    }
}

extension RolloutStart.Window {
    private static let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// Reads `mon-fri 02:00-04:00`, `sat,sun 00:00-24:00`, or `02:00-04:00` for every day.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard let span = words.last, words.count <= 2 else { return nil }
        let days = words.count == 2 ? Self.days(words[0]) : Set(0..<7)
        let ends = span.split(separator: "-", omittingEmptySubsequences: false).map(Self.minutes)
        guard let days, ends.count == 2, let start = ends[0], let end = ends[1], start < end else { return nil }
        self.init(days: days, start: start, end: end)
    }

    private static func days(_ text: Substring) -> Set<Int>? {
        var days: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map {
                names.firstIndex(of: String($0))
            }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            for day in 0...(last - first + 7) % 7 { days.insert((first + day) % 7) }
        }
        return days
    }

    private static func minutes(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 }), let hour = UInt8(parts[0]),
            let minute = UInt8(parts[1]), minute < 60, hour < 24 || hour == 24 && minute == 0
        else { return nil }
        return Int(hour) * 60 + Int(minute)
    }
}
