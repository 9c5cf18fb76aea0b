internal import Database

/// One day (UTC) of one service: how often rules were violated, how often it was rolled back, and what was measured. A
/// value.
public struct ServiceDay: Equatable, Sendable {
    /// The daily rollup of one metric of the service.
    public struct Metric: Equatable, Sendable {
        /// Its name.
        public var name: String
        /// The number of values.
        public var samples: Int64
        /// The average of all values.
        public var average: Double
        /// The smallest value.
        public var minimum: Double
        /// The largest value.
        public var maximum: Double
    }

    /// The start of the day, in milliseconds since the epoch.
    public var day: Int64
    /// The value of the label `service`.
    public var service: String
    /// The number of violations in the ledger.
    public var violations: Int64 = 0
    /// The number of incidents in which the service was rolled back.
    public var rollbacks: Int64 = 0
    /// The metrics in the order of their names. Complete hours only.
    public var metrics: [Metric] = []

    init(day: Int64, service: String) {
        self.day = day
        self.service = service
    }

    static let milliseconds: Int64 = 86_400_000
    /// Metrics of all days and services that one answer has.
    static let metricLimit = 20_000
}

extension Ledger {
    /// The days of all services from the day of one instant to that of another, in milliseconds since the epoch, in the
    /// order of services and days. Costs two queries over rollups and indexed entries.
    ///
    /// - Parameter service: only this service; `nil` for all.
    /// - Throws: ``HistoryError/Code/tooMuch`` if it is more than one answer may have.
    func serviceDays(from: Int64, through: Int64, service: String?) throws(HistoryError) -> [ServiceDay] {
        let from = from - (from % ServiceDay.milliseconds + ServiceDay.milliseconds) % ServiceDay.milliseconds
        var days: [String: ServiceDay] = [:]
        func change(_ day: Int64, _ service: String, _ body: (inout ServiceDay) -> Void) {
            body(&days["\(service)\n\(day)", default: ServiceDay(day: day, service: service)])
        }
        for row in try rollups(from: from, through: through, service: service) {
            let day = store.isPostgres ? row[0].microseconds / 1000 : row[0].integer
            change(day, row[1].text) {
                $0.metrics.append(
                    ServiceDay.Metric(
                        name: row[2].text, samples: row[3].integer, average: row[4].real, minimum: row[5].real,
                        maximum: row[6].real))
            }
        }
        for row in try events(from: from, through: through, service: service) {
            change(row[0].integer * ServiceDay.milliseconds, row[1].text) {
                $0.violations = row[2].integer
                $0.rollbacks = row[3].integer
            }
        }
        return days.values.sorted { ($0.service, $0.day) < ($1.service, $1.day) }
    }

    private func rollups(from: Int64, through: Int64, service: String?) throws(HistoryError) -> [[SQLValue]] {
        let bounds: [SQLValue] = [from, through].map {
            store.isPostgres ? .time(microseconds: $0 * 1000) : .integer($0)
        }
        func label(_ name: String) -> String {
            store.isPostgres ? "s.label_set ->> '\(name)'" : "json_extract(s.labels, '$.\(name)')"
        }
        let rows = try store.rows(
            """
            SELECT d.day, \(label("service")), \(label("__name__")), CAST(sum(d.samples) AS BIGINT),
                sum(d.total) / sum(d.samples), min(d.minimum), max(d.maximum)
            FROM measurement_day d JOIN series s ON s.id = d.series
            WHERE d.day >= $1 AND d.day <= $2 AND \(label("__name__")) IS NOT NULL
                AND \(label("service")) \(service == nil ? "IS NOT NULL" : "= $3")
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT \(ServiceDay.metricLimit + 1)
            """, bounds + (service.map { [.text($0)] } ?? []))
        guard rows.count <= ServiceDay.metricLimit else {
            throw HistoryError(.tooMuch, "more than \(ServiceDay.metricLimit) metrics: choose a shorter period")
        }
        return rows
    }

    private func events(from: Int64, through: Int64, service: String?) throws(HistoryError) -> [[SQLValue]] {
        try store.rows(
            """
            SELECT milliseconds / \(ServiceDay.milliseconds), service,
                count(CASE WHEN kind = 'violation' THEN 1 END),
                count(DISTINCT CASE WHEN kind = 'rollback_step' THEN incident END)
            FROM ledger
            WHERE kind IN ('violation', 'rollback_step') AND milliseconds >= $1 AND milliseconds <= $2
                AND service \(service == nil ? "IS NOT NULL" : "= $3")
            GROUP BY 1, 2 ORDER BY 1, 2
            """, [.integer(from), .integer(through)] + (service.map { [.text($0)] } ?? []))
    }
}
