internal import Durable
internal import JSON

extension HistoryRunner {
    /// The events selected by `query`, newest first; those of the spool if the database cannot be read.
    ///
    /// Blocks until the database or the disk responds.
    ///
    /// - Parameter cursor: the end of the previous page. It decides where events are read, so that pages are
    ///   consistent: with a cursor of the ledger an unreachable database is an error.
    public func events(_ query: LedgerQuery, from cursor: EventCursor? = nil) throws(HistoryError) -> EventPage {
        var query = query
        switch cursor {
        case .record(let record): return try spooled(query, before: record)
        case .entry(let entry):
            query.before = entry
            return try recorded(query)
        case nil:
            do throws(HistoryError) { return try recorded(query) } catch { return try spooled(query) }
        }
    }

    private func recorded(_ query: LedgerQuery) throws(HistoryError) -> EventPage {
        let limit = query.pageSize
        var query = query
        query.limit = limit + 1
        let entries = try reader.perform { [query] (store) throws(HistoryError) in
            try Ledger(store: store).entries(query)
        }
        guard entries.count > limit else { return EventPage(source: .database, entries: entries) }
        let page = Array(entries.prefix(limit))
        return EventPage(source: .database, entries: page, next: page.last.map { .entry($0.sequence) })
    }

    /// The events in this node's spool, delivered or not, which are available without a database.
    ///
    /// Their sequence is 0 and they have no hash: the database assigns both.
    ///
    /// - Parameter before: the record at the end of the previous page.
    func spooled(_ query: LedgerQuery, before: UInt64 = .max) throws(HistoryError) -> EventPage {
        let state = spool.state
        let limit = query.pageSize
        var page: [(record: UInt64, entry: LedgerEntry)] = []
        var end = min(state.durable, before - 1)
        // From the newest segment back, until the page is full.
        for first in state.segments.reversed() where first <= end {
            page = try matches(query, first...end, in: state.segments) + page
            if page.count > limit { break }
            end = first - 1
        }
        let kept = page.suffix(limit)
        let isMore = page.count > limit
        return EventPage(
            source: .spool, entries: kept.reversed().map(\.entry),
            next: isMore ? kept.first.map { .record($0.record) } : nil)
    }

    private func matches(
        _ query: LedgerQuery, _ range: ClosedRange<UInt64>, in segments: [UInt64]
    ) throws(HistoryError) -> [(record: UInt64, entry: LedgerEntry)] {
        let reader = SpoolReader(directory: spool.directory)
        var found: [(record: UInt64, entry: LedgerEntry)] = []
        var position = range.lowerBound - 1
        while position < range.upperBound {
            let records = try reader.records(after: position, through: range.upperBound, in: segments, count: 1000)
            guard let last = records.last?.sequence else { break }
            for record in records {
                // A record that cannot be read becomes a separate entry when it is delivered.
                guard case .some(let payload) = try? SpoolPayload(decoding: record.payload),
                    let entry = payload.event.unnumberedEntry, query.matches(entry)
                else { continue }
                found.append((record.sequence, entry))
            }
            position = last
        }
        return found
    }
}

extension PendingEvent {
    /// The event as an entry without a position in the ledger.
    var unnumberedEntry: LedgerEntry? {
        var texts: [[UInt8]: String] = [:]
        for disclosure in disclosures { texts[disclosure.commitment] = disclosure.text }
        var entry = row(sequence: 0, previous: []).entry(texts)
        entry?.hash = ""
        entry?.leaf = ""
        return entry
    }
}

extension LedgerQuery {
    /// The number of entries in a page.
    var pageSize: Int { min(max(limit, 1), 10_000) }

    /// ``text`` as written in a leaf.
    var textInLeaf: String? { text.map { String(JSON.string($0).encoded.dropFirst().dropLast()) } }

    /// Whether `entry` matches, apart from cursors and limits.
    func matches(_ entry: LedgerEntry) -> Bool {
        let event = entry.event
        return (kinds.isEmpty || kinds.contains(event.kind)) && (subject == nil || subject == event.subject)
            && (service == nil || service == event.service || includesNone && event.service == nil)
            && (incident == nil || incident == event.incident) && event.milliseconds >= from ?? .min
            && event.milliseconds <= through ?? .max && holdsText(entry)
    }

    private func holdsText(_ entry: LedgerEntry) -> Bool {
        guard let wanted = textInLeaf?.lowercased() else { return true }
        let parts = [entry.event.subject, entry.event.body.encoded, entry.actor?.encoded ?? ""]
        return parts.contains { $0.lowercased().contains(wanted) }
    }
}
