public import MetricModel

/// Series that are recorded in the history although no rollback rule measures them, and their interval.
public struct SeriesRecording: Equatable, Sendable {
    /// A selector of PromQL.
    public var selector: String
    /// The time between two values.
    public var interval: Milliseconds

    /// The series that `selector` selects, every `interval`.
    public init(selector: String, interval: Milliseconds) {
        self.selector = selector
        self.interval = interval
    }
}

/// Decides when series are recorded. A value machine; the time is passed in.
///
/// Values are taken at multiples of the interval since 1970, so that those of several series, and those before and
/// after a restart, have common times. Missed times are not repeated.
public struct RecordingSchedule: Equatable, Sendable {
    private struct Entry: Equatable {
        var recording: SeriesRecording
        /// The last time at which values were taken, or which was skipped.
        var last: Timestamp
    }

    private var entries: [Entry]

    /// Takes the first values at the first multiple of each interval after `now`.
    public init(_ recordings: [SeriesRecording], now: Timestamp) {
        entries = recordings.map { Entry(recording: $0, last: Self.multiple(of: $0.interval, at: now)) }
    }

    /// When ``due(at:)`` next returns a selector; `nil` for never.
    public var next: Timestamp? { entries.map { $0.last + $0.recording.interval }.min() }

    /// The selectors that are due, each with its time.
    public mutating func due(at now: Timestamp) -> [(selector: String, at: Timestamp)] {
        var due: [(selector: String, at: Timestamp)] = []
        for index in entries.indices {
            let time = Self.multiple(of: entries[index].recording.interval, at: now)
            // A clock that was set back causes no repetition.
            guard time > entries[index].last else { continue }
            entries[index].last = time
            due.append((entries[index].recording.selector, time))
        }
        return due
    }

    private static func multiple(of interval: Milliseconds, at now: Timestamp) -> Timestamp {
        let step = max(1, interval.rawValue)
        return Timestamp(milliseconds: now.milliseconds - (now.milliseconds % step + step) % step)
    }
}
