internal import Database
internal import JSON

/// The signed notes of a database, a page at a time, with the one that is kept beside it.
struct PagedNotes {
    private let ledger: Ledger
    private var page: ArraySlice<(size: Int64, note: String)> = []
    private var position: Int64 = -1
    private var isAtEnd = false

    private var beside: (size: Int64, note: String)?

    init(_ ledger: Ledger, beside: (size: Int64, note: String)?) {
        self.ledger = ledger
        self.beside = beside
    }

    /// Hands out the notes over at most `size` entries that were not handed out yet.
    mutating func forEach(
        through size: Int64, _ body: ((size: Int64, note: String)) throws(HistoryError) -> Void
    ) throws(HistoryError) {
        while true {
            if page.isEmpty, !isAtEnd {
                page = try ledger.notes(after: position, limit: 1000)[...]
                position = page.last?.size ?? position
                isAtEnd = page.isEmpty
            }
            if let extra = beside, extra.size <= size, extra.size <= page.first?.size ?? .max {
                beside = nil
                if extra.note != page.first?.note { try body(extra) }
            }
            guard let next = page.first, next.size <= size else { return }
            page.removeFirst()
            try body(next)
        }
    }
}

/// The signed notes of an export.
struct ExportedNotes {
    private let reader: LineReader
    private var next: (note: String, size: Int64)?

    init(path: String) throws(HistoryError) {
        reader = try LineReader(path: path)
        try advance()
    }

    private mutating func advance() throws(HistoryError) {
        next = nil
        guard let line = try reader.next() else { return }
        guard case .some(let json) = try? JSON(parsing: line), let note = json["note"]?.text,
            let size = json["size"]?.integer
        else { throw HistoryError(.malformed, "a line of \(LedgerExport.checkpoints) holds no checkpoint") }
        next = (note, size)
    }

    mutating func forEach(
        through size: Int64, _ body: (_ note: String, _ size: Int64) throws(HistoryError) -> Void
    ) throws(HistoryError) {
        while let (note, covered) = next, covered <= size {
            try body(note, covered)
            try advance()
        }
    }
}

/// The measurements of an export, batch by batch.
struct ExportedBatches {
    private let reader: LineReader
    private var next: (sequence: Int64, labels: String, milliseconds: Int64, value: Double)?

    init(path: String) throws(HistoryError) {
        reader = try LineReader(path: path)
        try advance()
    }

    private mutating func advance() throws(HistoryError) {
        next = nil
        guard let line = try reader.next() else { return }
        next = LedgerExport.measurement(in: line)
        if next == nil {
            throw HistoryError(.malformed, "a line of \(LedgerExport.measurements) holds no measurement")
        }
    }

    /// The batches up to `sequence` that were not taken yet.
    mutating func take(through sequence: Int64) throws(HistoryError) -> [Int64: MeasurementBatch] {
        var found: [Int64: MeasurementBatch] = [:]
        var indices: [String: UInt32] = [:]
        while let line = next, line.sequence <= sequence {
            if found[line.sequence] == nil { indices = [:] }
            let index = indices[line.labels] ?? UInt32(found[line.sequence]?.series.count ?? 0)
            if indices[line.labels] == nil {
                indices[line.labels] = index
                found[line.sequence, default: MeasurementBatch()].series.append(line.labels)
            }
            found[line.sequence]?.samples.append(
                .init(series: index, milliseconds: line.milliseconds, value: line.value))
            try advance()
        }
        return found
    }
}

extension LedgerRow {
    /// The row of an export's line; `nil` where the line is no leaf.
    init?(leaf: String, hash: [UInt8]) {
        guard let content = LeafContent(leaf) else { return nil }
        self.init(
            sequence: content.sequence, milliseconds: content.milliseconds, kind: content.kind,
            subject: content.subject, leaf: leaf, hash: hash)
    }

    /// How many measurements the row says that it vouches for.
    var claimedSamples: Int64 {
        guard kind == LedgerEvent.Kind.measurements.rawValue else { return 0 }
        let count = LeafContent(leaf)?.body["count"]?.integer ?? 0
        return min(max(count, 0), Int64(MeasurementBatch.sampleLimit))
    }
}

extension Ledger {
    /// All rows of one kind, of which there must be few.
    func rows(ofKind kind: LedgerEvent.Kind) throws(HistoryError) -> [LedgerRow] {
        var found: [LedgerRow] = []
        while true {
            let page = try rows(after: found.last?.sequence ?? 0, ofKind: kind, limit: 1000)
            if page.isEmpty { return found }
            found += page
        }
    }

    /// Reports entries and measurements beyond the head and before the first entry.
    func checkStrays(after size: Int64, _ verifier: inout LedgerVerifier) throws(HistoryError) {
        let size = try max(size, head().size)
        for row in try rows(after: size, limit: 100) {
            verifier.problem(row.sequence...row.sequence, "not counted by the ledger's head: inserted")
        }
        let stray = try store.rows(
            "SELECT DISTINCT batch FROM measurement WHERE batch > $1 OR batch < 1 ORDER BY batch LIMIT 100",
            [.integer(size)])
        for batch in stray.map({ $0[0].integer }) {
            verifier.problem(batch...batch, "measurements without an entry that vouches for them: inserted")
        }
    }
}
