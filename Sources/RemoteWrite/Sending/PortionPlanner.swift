internal import MetricModel
internal import MetricStore
internal import Scraper

/// Decides which rows are sent next, and when. A machine without clock or IO.
///
/// A portion waits for the deadline of a batch unless its rows fill the requests of all senders. Lanes that are closed
/// come first, one after the other: a series that moved to another lane has its older samples there, and receivers
/// expect them in order.
struct PortionPlanner: Equatable {
    /// Samples of a portion, about.
    static let mostSamples = 400_000
    /// Rows of an open lane in a portion.
    static let mostRows = 64
    /// The minimum time between portions that are not large.
    static let pause: Int64 = 1000

    private let samplesPerSend: Int
    private let deadline: Int64
    private var waitingSince: Int64?
    private var last = Int64.min / 2

    init(_ queue: RemoteWriteSettings.Queue) {
        samplesPerSend = max(1, queue.samplesPerSend)
        deadline = max(0, queue.sendDeadline.rawValue)
    }

    /// Whether a portion is sent now.
    ///
    /// - Parameters:
    ///   - lanes: their numbers of series may be old, because a deadline bounds what that costs.
    ///   - hasExemplars: whether something else waits to be sent.
    ///   - now: milliseconds of a clock that never goes back.
    mutating func isDue(
        _ lanes: [CommittedRows.LanePosition], from positions: SendPositions, shards: Int, hasExemplars: Bool,
        now: Int64
    ) -> Bool {
        var hasUnread = false
        var hasClosed = false
        var samples = 0
        for lane in lanes {
            let rows = lane.rows - positions.next(lane)
            guard rows > 0 else { continue }
            hasUnread = true
            if lane.isClosed { hasClosed = true }
            samples = min(samples + min(rows, Self.mostRows) * max(1, lane.columns), .max / 2)
        }
        guard hasUnread || hasExemplars else {
            waitingSince = nil
            return false
        }
        let since = waitingSince ?? now
        waitingSince = since
        let fills = samples >= Self.mostSamples || samples / samplesPerSend >= shards && now - last >= Self.pause
        guard fills || hasClosed || now - since >= deadline else { return false }
        (waitingSince, last) = (nil, now)
        return true
    }

    /// The ends of the next portion, in rows of lanes.
    ///
    /// - Parameter lanes: with their present numbers of series, which limit the size of the portion.
    static func ends(
        of lanes: [CommittedRows.LanePosition], from positions: SendPositions
    ) -> [UInt32: SendPositions.Lane] {
        let unread = lanes.filter { $0.rows > positions.next($0) }
        let closed = unread.filter(\.isClosed)
        var ends: [UInt32: SendPositions.Lane] = [:]
        if closed.isEmpty {
            let columns = unread.reduce(0) { $0 + max(1, $1.columns) }
            let most = min(max(mostSamples / max(columns, 1), 1), mostRows)
            for lane in unread {
                ends[lane.lane.rawValue] = .init(name: lane.name, rows: min(lane.rows, positions.next(lane) + most))
            }
            return ends
        }
        var room = mostSamples
        for lane in closed where room > 0 {
            let width = max(1, lane.columns)
            let first = positions.next(lane)
            let end = min(lane.rows, first + max(1, room / width))
            ends[lane.lane.rawValue] = .init(name: lane.name, rows: end)
            room -= (end - first) * width
            if end < lane.rows { break }
        }
        return ends
    }
}
