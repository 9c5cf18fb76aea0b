internal import Database

extension Ledger {
    private static let hour: Int64 = 3_600_000

    /// The start of the hour that holds `milliseconds`.
    static func hour(of milliseconds: Int64) -> Int64 { milliseconds - (milliseconds % hour + hour) % hour }

    /// Computes the hourly rollup of the hour that starts at `start` again, in milliseconds since the epoch.
    func rollUp(hour start: Int64) throws(HistoryError) {
        let update = """
            ON CONFLICT (hour, series) DO UPDATE SET samples = excluded.samples, total = excluded.total,
            minimum = excluded.minimum, maximum = excluded.maximum
            """
        if store.isPostgres {
            _ = try store.change(
                """
                INSERT INTO measurement_hour (hour, series, samples, total, minimum, maximum)
                SELECT $1, series, count(*), sum(value), min(value), max(value) FROM sample
                WHERE time >= $1 AND time < $2 AND value <> 'NaN' GROUP BY series \(update)
                """, [.time(microseconds: start * 1000), .time(microseconds: (start + Self.hour) * 1000)])
        } else {
            _ = try store.change(
                """
                INSERT INTO measurement_hour (hour, series, samples, total, minimum, maximum)
                SELECT $1, series, count(*), sum(value), min(value), max(value) FROM measurement
                WHERE milliseconds >= $1 AND milliseconds < $2 AND value IS NOT NULL GROUP BY series \(update)
                """, [.integer(start), .integer(start + Self.hour)])
        }
    }

    /// The last hour that was rolled up, in milliseconds since the epoch; `nil` before the first.
    func lastRollup() throws(HistoryError) -> Int64? {
        let value = try store.rows("SELECT max(hour) FROM measurement_hour").first?.first
        switch value {
        case .time(let microseconds): return microseconds / 1000
        case .integer(let milliseconds): return milliseconds
        default: return nil
        }
    }
}
