public import Database
internal import MetricModel

/// The lease in a PostgreSQL database, with the last journal record of each plan.
///
/// The tables `lease` and `rollout` belong to the schema of the history, which the session's `prepare` has to create.
/// Times are the database's.
public final class PostgresLease: LeaseStore {
    private let session: PostgresSession

    /// Milliseconds since the epoch by the clock of the database, also within a transaction.
    private static let clock = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

    /// A lease that is reached through `session`.
    public init(_ session: PostgresSession) {
        self.session = session
    }

    /// Reads the lease.
    public func look() throws(LeaseFault) -> Lease.Sighting {
        try perform { (database) throws(DatabaseError) in
            let rows = try database.rows(
                "SELECT holder, epoch, renewals, CASE WHEN expires <= \(Self.clock) THEN 1::bigint ELSE 0 END FROM lease"
            )
            guard let row = rows.first else { throw DatabaseError(.schema, "the table of the lease is empty") }
            return Lease.Sighting(
                holder: row[0].text, epoch: UInt64(clamping: row[1].integer),
                renewals: UInt64(clamping: row[2].integer), isOver: row[3].integer == 1)
        }
    }

    /// Takes the lease if its state is still `sighting` and it is expired, released, or the holder's own.
    ///
    /// - Returns: the new epoch, above the old one and above `floor`; `nil` if the state has changed.
    public func take(
        _ sighting: Lease.Sighting, holder: String, milliseconds: Int64, above floor: UInt64
    ) throws(LeaseFault) -> UInt64? {
        try perform { (database) throws(DatabaseError) in
            try database.rows(
                """
                UPDATE lease SET holder = $1, epoch = greatest(epoch, $2) + 1, renewals = 0, expires = \(Self.clock) + $3
                WHERE epoch = $4 AND renewals = $5 AND (holder IN ('', $1) OR expires <= \(Self.clock)) RETURNING epoch
                """,
                [
                    .text(holder), .integer(Int64(clamping: floor)), .integer(milliseconds),
                    .integer(Int64(clamping: sighting.epoch)), .integer(Int64(clamping: sighting.renewals)),
                ]
            ).first?.first.map { UInt64(clamping: $0.integer) }
        }
    }

    /// Renews the lease of `holder`. False if the holder has lost it.
    public func renew(holder: String, epoch: UInt64, milliseconds: Int64) throws(LeaseFault) -> Bool {
        try perform { (database) throws(DatabaseError) in
            try database.change(
                "UPDATE lease SET renewals = renewals + 1, expires = \(Self.clock) + $3 WHERE holder = $1 AND epoch = $2",
                [.text(holder), .integer(Int64(clamping: epoch)), .integer(milliseconds)]) == 1
        }
    }

    /// Ends the lease of `holder`; the epoch stays.
    public func release(holder: String, epoch: UInt64) throws(LeaseFault) {
        try perform { (database) throws(DatabaseError) in
            _ = try database.change(
                "UPDATE lease SET holder = '', expires = 0 WHERE holder = $1 AND epoch = $2",
                [.text(holder), .integer(Int64(clamping: epoch))])
        }
    }

    /// Stores the last journal record of a plan.
    ///
    /// One statement, which locks the lease while it runs: a node that takes over either finds this record, or has
    /// refused it. Several statements would keep the lock while this process is stopped between them, and no other node
    /// could take over.
    ///
    /// - Returns: false, without a change, if the holder has lost the lease.
    public func keep(_ record: [UInt8], plan: String, holder: String, epoch: UInt64) throws(LeaseFault) -> Bool {
        let text = String(decoding: record, as: UTF8.self)
        return try perform { (database) throws(DatabaseError) in
            try database.change(
                """
                WITH owned AS (SELECT epoch FROM lease WHERE holder = $1 AND epoch = $2 FOR SHARE)
                INSERT INTO rollout (plan, epoch, record) SELECT $3, epoch, $4 FROM owned
                ON CONFLICT (plan) DO UPDATE SET epoch = excluded.epoch, record = excluded.record
                """, [.text(holder), .integer(Int64(clamping: epoch)), .text(plan), .text(text)]) == 1
        }
    }

    /// The last journal record of each plan.
    public func records() throws(LeaseFault) -> [String: [UInt8]] {
        try perform { (database) throws(DatabaseError) in
            let rows = try database.rows("SELECT plan, record FROM rollout")
            return Dictionary(rows.map { ($0[0].text, Array($0[1].text.utf8)) }) { $1 }
        }
    }

    private func perform<Result: Sendable>(
        _ body: (any SQLDatabase) throws(DatabaseError) -> Result
    ) throws(LeaseFault) -> Result {
        do throws(DatabaseError) { return try session.perform(body) } catch { throw LeaseFault(error.description) }
    }
}
