internal import History
internal import JSON
internal import MetricModel
internal import Notification
internal import Runtime
internal import Synchronization

/// Notifications and silences in the database of the lease.
final class PostgresNotifications: NotificationStore {
    private let holder: String
    private let table: Mutex<NotificationTable>
    private let epoch = Mutex<@Sendable () -> UInt64?>({ nil })

    /// A store that connects on the first call. It stores nothing before ``follow(_:)``.
    ///
    /// - Parameters:
    ///   - holder: the name of this node in the lease.
    ///   - origin: the name of the ledger, in case the schema has to be made.
    init(_ settings: TribuneFile.Lease, holder: String, origin: String) {
        self.holder = holder
        table = Mutex(
            NotificationTable(
                address: settings.address, origin: origin,
                answerSeconds: max(1, Int(settings.duration.rawValue / 4000)),
                now: { SystemClock.wallMilliseconds() }))
    }

    /// Stores under the epoch that `epoch` returns; `nil` if this node does not hold the lease.
    func follow(_ epoch: @escaping @Sendable () -> UInt64?) { self.epoch.withLock { $0 = epoch } }

    func notifications() throws(NotificationStoreFault) -> [NotificationLogEntry] {
        let rows = try ask { (table) throws(HistoryError) in try table.notifications() }
        // A row that this version cannot read counts as if nothing had been sent.
        return rows.compactMap { row in
            row.text.flatMap { try? JSON(parsing: $0) }.flatMap { NotificationLogEntry.Change($0)?.entry }
        }
    }

    func keep(_ changes: [NotificationLogEntry.Change]) throws(NotificationStoreFault) -> Bool {
        guard let epoch = epoch.withLock({ $0 })() else { return false }
        let rows = changes.map { change in
            NotificationTable.Row(key: change.key, text: change.entry == nil ? nil : change.json.encoded)
        }
        return try ask { (table) throws(HistoryError) in
            try table.keep(rows, holder: holder, epoch: Int64(clamping: epoch))
        }
    }

    func silences() throws(NotificationStoreFault) -> [String: Int64] {
        try ask { (table) throws(HistoryError) in try table.silences() }
    }

    func silence(_ id: String) throws(NotificationStoreFault) -> SharedSilence? {
        try ask { (table) throws(HistoryError) in try table.silence(id) }
            .map { SharedSilence(id: $0.id, updated: $0.updated, text: $0.text) }
    }

    func put(_ silence: SharedSilence) throws(NotificationStoreFault) {
        let row = NotificationTable.Silence(id: silence.id, updated: silence.updated, text: silence.text)
        try ask { (table) throws(HistoryError) in try table.put(row) }
    }

    func delete(silence id: String) throws(NotificationStoreFault) {
        try ask { (table) throws(HistoryError) in try table.delete(silence: id) }
    }

    private func ask<Answer: Sendable>(
        _ question: (NotificationTable) throws(HistoryError) -> Answer
    ) throws(NotificationStoreFault) -> Answer {
        do throws(HistoryError) {
            return try table.withLock { (table) throws(HistoryError) in try question(table) }
        } catch {
            throw NotificationStoreFault(error.description)
        }
    }
}
