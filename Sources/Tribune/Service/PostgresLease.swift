internal import History
internal import Lease
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization

/// The lease for the rollback engine, in a table of the history.
final class PostgresLease: LeaseStore {
    private let settings: TribuneFile.Lease
    private let origin: String
    private let table: Mutex<LeaseTable?> = Mutex(nil)

    /// A store that connects on first use.
    ///
    /// - Parameter origin: the name of the ledger, for creating the schema.
    init(_ settings: TribuneFile.Lease, origin: String) {
        self.settings = settings
        self.origin = origin
    }

    func look() throws(LeaseFault) -> Lease.Sighting {
        let row = try ask { (table) throws(HistoryError) in try table.look() }
        return Lease.Sighting(
            holder: row.holder, epoch: UInt64(clamping: row.epoch), renewals: UInt64(clamping: row.renewals),
            isOver: row.isOver)
    }

    func take(
        _ sighting: Lease.Sighting, holder: String, milliseconds: Int64, above floor: UInt64
    ) throws(LeaseFault) -> UInt64? {
        let row = LeaseTable.Row(
            holder: sighting.holder, epoch: Int64(clamping: sighting.epoch),
            renewals: Int64(clamping: sighting.renewals), isOver: sighting.isOver)
        let epoch = try ask { (table) throws(HistoryError) in
            try table.take(row, holder: holder, milliseconds: milliseconds, above: Int64(clamping: floor))
        }
        return epoch.map { UInt64(clamping: $0) }
    }

    func renew(holder: String, epoch: UInt64, milliseconds: Int64) throws(LeaseFault) -> Bool {
        try ask { (table) throws(HistoryError) in
            try table.renew(holder: holder, epoch: Int64(clamping: epoch), milliseconds: milliseconds)
        }
    }

    func release(holder: String, epoch: UInt64) throws(LeaseFault) {
        try ask { (table) throws(HistoryError) in try table.release(holder: holder, epoch: Int64(clamping: epoch)) }
    }

    func keep(_ record: [UInt8], plan: String, holder: String, epoch: UInt64) throws(LeaseFault) -> Bool {
        let text = String(decoding: record, as: UTF8.self)
        return try ask { (table) throws(HistoryError) in
            try table.keep(text, plan: plan, holder: holder, epoch: Int64(clamping: epoch))
        }
    }

    func records() throws(LeaseFault) -> [String: [UInt8]] {
        try ask { (table) throws(HistoryError) in try table.records() }.mapValues { Array($0.utf8) }
    }

    /// Accesses the table. The connection allows one thread at a time.
    private func ask<Answer: Sendable>(
        _ question: (LeaseTable) throws(HistoryError) -> Answer
    ) throws(LeaseFault) -> Answer {
        do throws(HistoryError) {
            return try table.withLock { (table) throws(HistoryError) in
                if table == nil {
                    table = LeaseTable(
                        address: settings.address, origin: origin,
                        answerSeconds: max(1, Int(settings.duration.rawValue / 4000)),
                        now: { SystemClock.wallMilliseconds() })
                }
                guard let table else { throw HistoryError(.unreachable, "there is no table") }
                return try question(table)
            }
        } catch {
            throw LeaseFault(error.description)
        }
    }
}
