internal import Database

/// Measurements are stored in PostgreSQL in `sample`, partitioned by month, and by earlier versions in `measurement`;
/// in SQLite in `measurement`.
extension LedgerStore {
    /// Adds the measurements of batches whose series have numbers.
    func insertMeasurements(_ batches: [LedgerRows.Batch]) throws(HistoryError) {
        if batches.isEmpty { return }
        let count = batches.reduce(0) { $0 + $1.measurements.samples.count }
        var sequences: [Int64] = []
        var series: [Int64] = []
        var times: [Int64] = []
        var values: [Double] = []
        sequences.reserveCapacity(count)
        series.reserveCapacity(count)
        times.reserveCapacity(count)
        values.reserveCapacity(count)
        for batch in batches {
            for sample in batch.measurements.samples {
                sequences.append(batch.sequence)
                series.append(batch.numbers[Int(sample.series)])
                times.append(isPostgres ? sample.milliseconds * 1000 : sample.milliseconds)
                values.append(sample.value)
            }
        }
        let time: SQLColumn = isPostgres ? .times(times) : .integers(times)
        do throws(DatabaseError) {
            try database.insert(
                into: isPostgres ? "sample" : "measurement",
                [
                    ("batch", .integers(sequences)), ("series", .integers(series)),
                    (isPostgres ? "time" : "milliseconds", time), ("value", .reals(values)),
                ])
        } catch {
            throw HistoryError(error)
        }
    }

    /// A query of all measurements with the columns batch, series, milliseconds and value.
    ///
    /// - Parameter condition: on `batch`.
    func measurementQuery(where condition: String) -> String {
        let former = "SELECT batch, series, milliseconds, value FROM measurement WHERE \(condition)"
        guard isPostgres else { return former }
        return """
            SELECT batch, series, (extract(epoch FROM time) * 1000)::bigint AS milliseconds, value FROM sample
            WHERE \(condition) UNION ALL \(former)
            """
    }

    /// Creates the partition for measurements of `month`. SQLite stores all months in one table.
    func prepare(_ month: Month) throws(HistoryError) {
        // Remembered although the transaction may still fail: then the insert fails too, with a new connection.
        if !isPostgres || preparedMonths.contains(month) { return }
        try run(
            """
            CREATE TABLE IF NOT EXISTS sample_\(month.name) PARTITION OF sample
            FOR VALUES FROM ('\(month.date)') TO ('\(month.next.date)')
            """)
        preparedMonths.insert(month)
    }

    /// Makes the partitions of this month and the next, before their first row comes.
    func prepareAhead(_ month: Month) throws(HistoryError) {
        guard isPostgres else { return }
        for month in [month, month.next] {
            try prepare(month)
            try preparePlatformMetrics(month)
        }
    }

    /// Makes the partition of the platform's table of performance metrics for `month`.
    func preparePlatformMetrics(_ month: Month) throws(HistoryError) {
        guard isPostgres, !preparedPlatformMonths.contains(month) else { return }
        try run(
            """
            CREATE TABLE IF NOT EXISTS dgm_performance_metrics_\(month.name) PARTITION OF dgm_performance_metrics
            FOR VALUES FROM ('\(month.date)') TO ('\(month.next.date)')
            """)
        preparedPlatformMonths.insert(month)
    }

    /// The months before `month` with measurements, with the number of their rows.
    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        try isPostgres ? partitions(before: month) : monthsOfRows(before: month)
    }

    /// Removes the measurements of `month`; fails if another session reads them for longer than two seconds.
    func drop(_ month: Month) throws(HistoryError) {
        if isPostgres {
            preparedMonths.remove(month)
            preparedPlatformMonths.remove(month)
            let tables = ["sample", "measurement", "dgm_performance_metrics"].map { "\($0)_\(month.name)" }
            return try run("SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS \(tables.joined(separator: ", "))")
        }
        _ = try change(
            "DELETE FROM measurement WHERE milliseconds >= $1 AND milliseconds < $2",
            [.integer(month.start), .integer(month.next.start)])
    }

    private func partitions(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        let tables = try rows(
            """
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent IN ('measurement'::regclass, 'sample'::regclass, 'dgm_performance_metrics'::regclass)
            ORDER BY c.relname
            """)
        var found: [Month: Int64] = [:]
        for table in tables.compactMap(\.first?.text) {
            guard let candidate = Month(partition: table), candidate < month else { continue }
            // The platform's rows are copies of what the ledger holds, and are not counted.
            let count = table.hasPrefix("dgm_") ? 0 : try rows("SELECT count(*) FROM \(table)").first?.first?.integer
            found[candidate, default: 0] += count ?? 0
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func monthsOfRows(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        var found: [(month: Month, rows: Int64)] = []
        var end = month.start
        while let last = try rows("SELECT max(milliseconds) FROM measurement WHERE milliseconds < $1", [.integer(end)])
            .first?.first, case .integer(let time) = last
        {
            let month = Month(containing: time)
            let count = try rows(
                "SELECT count(*) FROM measurement WHERE milliseconds >= $1 AND milliseconds < $2",
                [.integer(month.start), .integer(month.next.start)])
            found.append((month, count.first?.first?.integer ?? 0))
            end = month.start
        }
        return found.reversed()
    }
}

extension Month {
    /// Reads `measurement_2026_11`, `sample_2026_11` and `dgm_performance_metrics_2026_11`.
    init?(partition table: String) {
        let parts = table.split(separator: "_")
        guard parts.count >= 3,
            ["measurement", "sample", "dgm_performance_metrics"].contains(parts.dropLast(2).joined(separator: "_")),
            let year = Int64(parts[parts.count - 2]), let month = Int64(parts[parts.count - 1]),
            (1...12).contains(month), (1970...9999).contains(year)
        else { return nil }
        self.init(year: year, month: month)
    }

    /// The first day, as PostgreSQL reads it in any time zone.
    var date: String { name.replacing("_", with: "-") + "-01 00:00:00+00" }
}
