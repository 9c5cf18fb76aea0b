internal import Database
internal import JSON
internal import MetricModel

extension Ledger {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour

    /// The start of the hour of `milliseconds`.
    static func hour(of milliseconds: Int64) -> Int64 { milliseconds - (milliseconds % hour + hour) % hour }

    private static func update(_ time: String) -> String {
        """
        ON CONFLICT (\(time), series) DO UPDATE SET samples = excluded.samples, total = excluded.total,
        minimum = excluded.minimum, maximum = excluded.maximum
        """
    }

    /// Computes the rollups of the hour that starts at `start`, in milliseconds since the epoch, and of its day again.
    func rollUp(hour start: Int64) throws(HistoryError) {
        try rollUpMeasurements(hour: start)
        let first = start - (start % Self.day + Self.day) % Self.day
        let bounds: [SQLValue] = [first, first + Self.day].map {
            store.isPostgres ? .time(microseconds: $0 * 1000) : .integer($0)
        }
        _ = try store.change(
            """
            INSERT INTO measurement_day (day, series, samples, total, minimum, maximum)
            SELECT $1, series, sum(samples), sum(total), min(minimum), max(maximum) FROM measurement_hour
            WHERE hour >= $1 AND hour < $2 GROUP BY series \(Self.update("day"))
            """, bounds)
    }

    private func rollUpMeasurements(hour start: Int64) throws(HistoryError) {
        let update = Self.update("hour")
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

    /// Measurements of a service that are shown at once.
    private static let latestLimit = 1000

    /// The newest measurement of each series with the label `service`, not older than `from` in milliseconds since the
    /// epoch.
    func latest(of service: String, from: Int64) throws(HistoryError) -> [Measurement] {
        let rows: [[SQLValue]]
        if store.isPostgres {
            let wanted: JSON = ["service": .string(service)]
            rows = try store.rows(
                """
                SELECT s.labels, m.time, m.value FROM series s CROSS JOIN LATERAL (
                    SELECT time, value FROM sample WHERE series = s.id AND time >= $2 ORDER BY time DESC LIMIT 1
                ) m WHERE s.label_set @> $1 LIMIT \(Self.latestLimit)
                """, [.json(wanted.encoded), .time(microseconds: from * 1000)])
        } else {
            rows = try store.rows(
                """
                SELECT s.labels, max(m.milliseconds), m.value FROM series s JOIN measurement m ON m.series = s.id
                WHERE json_extract(s.labels, '$.service') = $1 AND m.milliseconds >= $2 GROUP BY s.id
                LIMIT \(Self.latestLimit)
                """, [.text(service), .integer(from)])
        }
        return rows.compactMap { row in
            // Labels were written by us; a row that somebody changed is left out here and found by the audit.
            guard case .some(let json) = try? JSON(parsing: row[0].text), let members = json.members else { return nil }
            let time = store.isPostgres ? row[1].microseconds / 1000 : row[1].integer
            return Measurement(
                labels: Labels(members.map { Label($0.name, $0.value.text ?? "") }),
                timestamp: Timestamp(milliseconds: time), value: row[2].real)
        }
    }
}
