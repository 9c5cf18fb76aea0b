internal import Database

extension LedgerStore {
    /// Adds the measurements of batches whose series have numbers.
    func insertMeasurements(_ batches: [LedgerRows.Batch]) throws(HistoryError) {
        var rows: [[SQLValue]] = []
        rows.reserveCapacity(batches.reduce(0) { $0 + $1.measurements.samples.count })
        for batch in batches {
            for sample in batch.measurements.samples {
                rows.append([
                    .integer(batch.sequence), .integer(batch.numbers[Int(sample.series)]),
                    .integer(sample.milliseconds), .real(sample.value),
                ])
            }
        }
        try insert(into: "measurement", columns: ["batch", "series", "milliseconds", "value"], rows)
    }

    /// Makes room for measurements of `month`. SQLite keeps all months in one table.
    func prepare(_ month: Month) throws(HistoryError) {
        // Remembered although the transaction may still fail: then the insert fails too, with a new connection.
        if !isPostgres || preparedMonths.contains(month) { return }
        let bounds = "FROM (\(month.start)) TO (\(month.next.start))"
        try run("CREATE TABLE IF NOT EXISTS measurement_\(month.name) PARTITION OF measurement FOR VALUES \(bounds)")
        preparedMonths.insert(month)
    }

    /// The months before `month` that hold measurements, with the number of their rows.
    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        try isPostgres ? partitions(before: month) : monthsOfRows(before: month)
    }

    /// Removes the measurements of `month`.
    func drop(_ month: Month) throws(HistoryError) {
        if isPostgres {
            preparedMonths.remove(month)
            return try run("DROP TABLE measurement_\(month.name)")
        }
        _ = try change(
            "DELETE FROM measurement WHERE milliseconds >= $1 AND milliseconds < $2",
            [.integer(month.start), .integer(month.next.start)])
    }

    private func partitions(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        let tables = try rows(
            """
            SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'measurement'::regclass ORDER BY c.relname
            """)
        var found: [(month: Month, rows: Int64)] = []
        for table in tables.compactMap(\.first?.text) {
            guard let candidate = Month(partition: table), candidate < month else { continue }
            found.append((candidate, try rows("SELECT count(*) FROM \(table)").first?.first?.integer ?? 0))
        }
        return found
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
    /// Reads `measurement_2026_11`.
    init?(partition table: String) {
        let parts = table.split(separator: "_")
        guard parts.count == 3, parts[0] == "measurement", let year = Int64(parts[1]), let month = Int64(parts[2]),
            (1...12).contains(month), (1970...9999).contains(year)
        else { return nil }
        self.init(year: year, month: month)
    }
}
