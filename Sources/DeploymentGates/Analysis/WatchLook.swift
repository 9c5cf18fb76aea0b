internal import JSON
internal import MetricModel
internal import Rollback

/// One look of a watch: an analysis that may be repeated while its window grows, until it decides.
///
/// The end of the window is a point of a fixed grid, so that a client which asks more often sees the same data again
/// and gets no additional look, which would have to be paid for with the error rate.
struct WatchLook: Equatable {
    /// The beginning of the window in all looks.
    var started: Timestamp
    /// The length of the window in the last look.
    var duration: Milliseconds
    /// The number of this look; 0 before the first.
    var number: Int
    /// The number of looks.
    var count: Int

    private static let durations = Milliseconds.seconds(1)...Milliseconds.hours(24 * 7)

    /// Reads `watch`: `started` (now unless given) and `duration`.
    init(_ json: JSON, path: String, now: Timestamp) throws(JSONFieldError) {
        var fields = try JSONFields(json, path: path)
        started = try fields.moment("started", now: now) ?? now
        duration = try fields.duration("duration", in: Self.durations) ?? .minutes(10)
        try fields.finish()
        // A look needs at least a second of new data.
        count = max(1, min(GateWatch.looks, Int(duration.rawValue / 1000)))
        let elapsed = min(now.milliseconds - started.milliseconds, duration.rawValue)
        number = Int(elapsed * Int64(count) / duration.rawValue)
    }

    /// The length of the window.
    var window: Milliseconds { .milliseconds(duration.rawValue * Int64(number) / Int64(count)) }
    /// The end of the window.
    var end: Timestamp { started + window }
    /// Whether no further look follows.
    var isLast: Bool { number == count }

    /// The evidence that this look requires to decide.
    func confidence(_ confidence: GateConfidence) -> GateConfidence {
        GateWatch(confidence, looks: count).confidence(at: number)
    }

    /// For the record and the client.
    var json: JSON {
        let next = isLast ? nil : started + .milliseconds(duration.rawValue * Int64(number + 1) / Int64(count))
        return [
            "started": .string(RFC3339.text(milliseconds: started.milliseconds)), "duration": .string("\(duration)"),
            "look": .integer(Int64(number)), "of": .integer(Int64(count)), "last": .bool(isLast),
            "next": next.map { .string(RFC3339.text(milliseconds: $0.milliseconds)) } ?? .null,
        ]
    }
}
