internal import Database
internal import JSON

/// The signed notes of a database, a page at a time, and those stored outside of it.
struct PagedNotes {
    private let ledger: Ledger
    private var page: ArraySlice<(size: Int64, note: String)> = []
    private var position: Int64
    private var isAtEnd = false

    /// Ascending.
    private var outside: [(size: Int64, note: String)]

    /// - Parameter size: notes of the database over more entries than this.
    init(_ ledger: Ledger, outside: [(size: Int64, note: String)], after size: Int64 = -1) {
        self.ledger = ledger
        position = size
        self.outside = outside.sorted { $0.size < $1.size }
    }

    /// Passes on the notes over at most `size` entries that were not passed on yet.
    mutating func forEach(
        through size: Int64, _ body: (_ size: Int64, _ note: String, _ isOutside: Bool) throws(HistoryError) -> Void
    ) throws(HistoryError) {
        while true {
            if page.isEmpty, !isAtEnd {
                page = try ledger.notes(after: position, limit: 1000)[...]
                position = page.last?.size ?? position
                isAtEnd = page.isEmpty
            }
            var isBoth = false
            while let extra = outside.first, extra.size <= size, extra.size <= page.first?.size ?? .max {
                outside.removeFirst()
                if extra.note == page.first?.note { isBoth = true } else { try body(extra.size, extra.note, true) }
            }
            guard let next = page.first, next.size <= size else { return }
            page.removeFirst()
            try body(next.size, next.note, isBoth)
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
        else { throw HistoryError(.malformed, "a line of \(LedgerExport.checkpoints) has no checkpoint") }
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
            throw HistoryError(.malformed, "a line of \(LedgerExport.measurements) has no measurement")
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

/// The texts about persons of an export, entry by entry.
struct ExportedDisclosures {
    private let reader: LineReader
    private var next: (sequence: Int64, disclosure: Disclosure)?

    init(path: String) throws(HistoryError) {
        // Exports of earlier versions have none.
        reader = try LineReader(path: path, isOptional: true)
        try advance()
    }

    private mutating func advance() throws(HistoryError) {
        next = nil
        guard let line = try reader.next() else { return }
        next = LedgerExport.disclosure(in: line)
        if next == nil {
            throw HistoryError(.malformed, "a line of \(LedgerExport.disclosures) has no text with its commitment")
        }
    }

    /// The texts up to entry `sequence` that were not taken yet.
    mutating func take(through sequence: Int64) throws(HistoryError) -> [Int64: [Disclosure]] {
        var found: [Int64: [Disclosure]] = [:]
        while let line = next, line.sequence <= sequence {
            found[line.sequence, default: []].append(line.disclosure)
            try advance()
        }
        return found
    }
}
