internal import Database

/// The lease over the rollouts in a PostgreSQL database, and the last journal record of each plan.
///
/// Used by one thread. It connects at its first request, and again after each failure; every request ends or fails
/// within a few seconds. Times are the database's.
public final class LeaseTable {
    /// The state of the lease.
    public struct Row: Equatable, Sendable {
        /// Its holder; empty after a release.
        public var holder: String
        /// The number of changes of the holder.
        public var epoch: Int64
        /// The number of renewals by this holder.
        public var renewals: Int64
        /// Whether it has expired.
        public var isOver: Bool

        /// A lease.
        public init(holder: String, epoch: Int64, renewals: Int64, isOver: Bool) {
            self.holder = holder
            self.epoch = epoch
            self.renewals = renewals
            self.isOver = isOver
        }
    }

    private let address: String
    private let origin: String
    private let answerSeconds: Int
    private let now: () -> Int64
    private var store: LedgerStore?

    /// Milliseconds since the epoch by the clock of the database, also within a transaction.
    private static let clock = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    /// A table that is not connected yet.
    ///
    /// - Parameters:
    ///   - address: a connection string or URI as libpq takes it.
    ///   - origin: the name of the ledger, in case the schema must be created.
    ///   - answerSeconds: the timeout of a request.
    ///   - now: milliseconds since the epoch, for the record of schema steps.
    public init(address: String, origin: String, answerSeconds: Int, now: @escaping () -> Int64) {
        self.address = address
        self.origin = origin
        self.answerSeconds = answerSeconds
        self.now = now
    }

    /// The state of the lease.
    public func look() throws(HistoryError) -> Row {
        try perform { (store) throws(HistoryError) in
            let rows = try store.rows(
                "SELECT holder, epoch, renewals, CASE WHEN expires <= \(Self.clock) THEN 1::bigint ELSE 0 END FROM lease"
            )
            guard let row = rows.first else { throw HistoryError(.schema, "the table of the lease is empty") }
            return Row(
                holder: row[0].text, epoch: row[1].integer, renewals: row[2].integer, isOver: row[3].integer == 1)
        }
    }

    /// Gives the lease to `holder`, if its state is still `row` and it is expired, released, or the holder's own.
    ///
    /// - Returns: the new epoch, above the old one and above `floor`; `nil` if the state has changed.
    public func take(_ row: Row, holder: String, milliseconds: Int64, above floor: Int64) throws(HistoryError) -> Int64?
    {
        try perform { (store) throws(HistoryError) in
            try store.rows(
                """
                UPDATE lease SET holder = $1, epoch = greatest(epoch, $2) + 1, renewals = 0, expires = \(Self.clock) + $3
                WHERE epoch = $4 AND renewals = $5 AND (holder IN ('', $1) OR expires <= \(Self.clock)) RETURNING epoch
                """,
                [.text(holder), .integer(floor), .integer(milliseconds), .integer(row.epoch), .integer(row.renewals)]
            ).first?.first?.integer
        }
    }

    /// Renews the lease of `holder`. False if the holder has lost it.
    public func renew(holder: String, epoch: Int64, milliseconds: Int64) throws(HistoryError) -> Bool {
        try perform { (store) throws(HistoryError) in
            try store.change(
                "UPDATE lease SET renewals = renewals + 1, expires = \(Self.clock) + $3 WHERE holder = $1 AND epoch = $2",
                [.text(holder), .integer(epoch), .integer(milliseconds)]) == 1
        }
    }

    /// Ends the lease of `holder`; the epoch stays.
    public func release(holder: String, epoch: Int64) throws(HistoryError) {
        try perform { (store) throws(HistoryError) in
            _ = try store.change(
                "UPDATE lease SET holder = '', expires = 0 WHERE holder = $1 AND epoch = $2",
                [.text(holder), .integer(epoch)])
        }
    }

    /// Stores the last journal record of a plan.
    ///
    /// One statement, which locks the lease while it runs: a node that takes over either finds this record, or has
    /// refused it. Several statements would keep the lock while this process is stopped between them, and no other node
    /// could take over.
    ///
    /// - Returns: false, without a change, if the holder has lost the lease.
    public func keep(_ record: String, plan: String, holder: String, epoch: Int64) throws(HistoryError) -> Bool {
        try perform { (store) throws(HistoryError) in
            try store.change(
                """
                WITH owned AS (SELECT epoch FROM lease WHERE holder = $1 AND epoch = $2 FOR SHARE)
                INSERT INTO rollout (plan, epoch, record) SELECT $3, epoch, $4 FROM owned
                ON CONFLICT (plan) DO UPDATE SET epoch = excluded.epoch, record = excluded.record
                """, [.text(holder), .integer(epoch), .text(plan), .text(record)]) == 1
        }
    }

    /// The last journal record of each plan.
    public func records() throws(HistoryError) -> [String: String] {
        try perform { (store) throws(HistoryError) in
            let rows = try store.rows("SELECT plan, record FROM rollout")
            return Dictionary(rows.map { ($0[0].text, $0[1].text) }) { $1 }
        }
    }

    private func perform<Result>(_ body: (LedgerStore) throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        do throws(HistoryError) {
            if let store { return try body(store) }
            let fresh = try connect()
            store = fresh
            return try body(fresh)
        } catch {
            // The state of the connection does not matter: the next request opens a new one.
            store = nil
            throw error
        }
    }

    private func connect() throws(HistoryError) -> LedgerStore {
        let store = try LedgerStore.postgres(address: address, answerSeconds: answerSeconds)
        _ = try store.migrate(origin: origin, now: now())
        return store
    }
}
