internal import Database
internal import MetricModel

extension Ledger {
    static let columns = "sequence, milliseconds, kind, subject, incident, service, leaf, hash"

    /// The entries selected by `query`, newest first.
    func entries(_ query: LedgerQuery) throws(HistoryError) -> [LedgerEntry] { try entries(of: rows(query)) }

    /// The rows selected by `query`, newest first.
    func rows(_ query: LedgerQuery) throws(HistoryError) -> [LedgerRow] {
        var conditions: [String] = []
        var parameters: [SQLValue] = []
        func require(_ condition: String, _ value: SQLValue) {
            parameters.append(value)
            conditions.append(condition.replacing("?", with: "$\(parameters.count)"))
        }
        if let before = query.before { require("sequence < ?", .integer(before)) }
        if let from = query.from { require("milliseconds >= ?", .integer(from)) }
        if let through = query.through { require("milliseconds <= ?", .integer(through)) }
        if let subject = query.subject { require("subject = ?", .text(subject)) }
        if let service = query.service {
            require(query.includesNone ? "(service = ? OR service IS NULL)" : "service = ?", .text(service))
        }
        if let incident = query.incident { require("incident = ?", .text(incident)) }
        if let text = query.text, let inLeaf = query.textInLeaf {
            // Texts about persons, such as comments, are stored outside of the leaf.
            let holds = store.isPostgres ? "position(lower(?) in lower(%)) > 0" : "instr(lower(%), lower(?)) > 0"
            parameters += [.text(inLeaf), .text(text)]
            let leaf = holds.replacing("%", with: "leaf").replacing("?", with: "$\(parameters.count - 1)")
            let content = holds.replacing("%", with: "d.content").replacing("?", with: "$\(parameters.count)")
            conditions.append(
                "(\(leaf) OR EXISTS (SELECT 1 FROM disclosure d WHERE d.sequence = ledger.sequence AND \(content)))")
        }
        if !query.kinds.isEmpty {
            // Kinds are words of an enumeration and need no quoting.
            conditions.append("kind IN (\(query.kinds.map { "'\($0.rawValue)'" }.joined(separator: ", ")))")
        }
        let filter = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return try store.rows(
            "SELECT \(Self.columns) FROM ledger \(filter) ORDER BY sequence DESC LIMIT \(max(query.limit, 1))",
            parameters
        ).map(LedgerRow.init)
    }

    /// Opens the texts about persons in `rows`.
    func entries(of rows: [LedgerRow]) throws(HistoryError) -> [LedgerEntry] {
        guard let first = rows.map(\.sequence).min(), let last = rows.map(\.sequence).max() else { return [] }
        var texts: [[UInt8]: String] = [:]
        for disclosure in try disclosures(of: first...last).values.joined() {
            texts[disclosure.commitment] = disclosure.text
        }
        return rows.compactMap { $0.entry(texts) }
    }

    /// Up to `limit` rows after entry `sequence`, in their order.
    func rows(after sequence: Int64, limit: Int) throws(HistoryError) -> [LedgerRow] {
        try store.rows(
            "SELECT \(Self.columns) FROM ledger WHERE sequence > $1 ORDER BY sequence LIMIT \(limit)",
            [.integer(sequence)]
        ).map(LedgerRow.init)
    }

    /// Up to `limit` rows of one kind after entry `sequence`, in their order.
    func rows(
        after sequence: Int64, ofKind kind: LedgerEvent.Kind, limit: Int
    ) throws(HistoryError) -> [LedgerRow] {
        try store.rows(
            """
            SELECT \(Self.columns) FROM ledger WHERE sequence > $1 AND kind = $2 ORDER BY sequence LIMIT \(limit)
            """, [.integer(sequence), .text(kind.rawValue)]
        ).map(LedgerRow.init)
    }

    /// The signed notes over more than `size` entries, ascending.
    func notes(after size: Int64, limit: Int) throws(HistoryError) -> [(size: Int64, note: String)] {
        try store.rows(
            "SELECT size, note FROM checkpoint WHERE size > $1 ORDER BY size LIMIT \(limit)", [.integer(size)]
        ).map { ($0[0].integer, $0[1].text) }
    }

    /// The measurements of the batches in `batches`, by batch.
    func measurements(of batches: ClosedRange<Int64>) throws(HistoryError) -> [Int64: MeasurementBatch] {
        let rows = try store.rows(
            """
            SELECT m.batch, s.labels, m.milliseconds, m.value
            FROM (\(store.measurementQuery(where: "batch >= $1 AND batch <= $2"))) m LEFT JOIN series s ON s.id = m.series
            """, [.integer(batches.lowerBound), .integer(batches.upperBound)])
        var found: [Int64: (batch: MeasurementBatch, indices: [String: UInt32])] = [:]
        for row in rows {
            // A copy here would make this quadratic in the size of a batch.
            var (batch, indices) = found.removeValue(forKey: row[0].integer) ?? (MeasurementBatch(), [:])
            let labels = row[1].text
            let index = indices[labels] ?? UInt32(batch.series.count)
            if indices[labels] == nil {
                indices[labels] = index
                batch.series.append(labels)
            }
            batch.samples.append(.init(series: index, milliseconds: row[2].integer, value: row[3].real))
            found[row[0].integer] = (batch, indices)
        }
        return found.mapValues(\.batch)
    }
}

extension LedgerRow {
    fileprivate init(_ row: [SQLValue]) {
        self.init(
            sequence: row[0].integer, milliseconds: row[1].integer, kind: row[2].text, subject: row[3].text,
            incident: row[4].text, service: row[5].text, leaf: row[6].text, hash: row[7].blob)
    }
}
