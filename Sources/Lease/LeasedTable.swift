public import Database
internal import JSON

/// A table of texts by key that only the holder of the lease changes, in the lease's database.
///
/// The session's `prepare` must create the table, with the columns `key`, `epoch` and `entry`, and the table `lease`.
/// Any thread may use it; each call is one statement.
public struct LeasedTable: Sendable {
    /// The new entry of a key.
    public struct Change: Sendable {
        let key: String
        let entry: String?

        /// - Parameter entry: `nil` deletes the key.
        public init(key: String, entry: String?) {
            self.key = key
            self.entry = entry
        }
    }

    private let session: PostgresSession
    private let name: String
    private let holder: String

    /// - Parameters:
    ///   - name: the name of the table, as SQL has it.
    ///   - holder: the name of this node in the lease.
    public init(_ name: String, in session: PostgresSession, holder: String) {
        self.session = session
        self.name = name
        self.holder = holder
    }

    /// All entries in the order of their keys, each with the epoch under which it was written.
    public func entries() throws(DatabaseError) -> [(entry: String, epoch: Int64)] {
        try session.perform { (database) throws(DatabaseError) in
            try database.rows("SELECT entry, epoch FROM \(name) ORDER BY key").map { ($0[0].text, $0[1].integer) }
        }
    }

    /// Makes all changes, or none.
    ///
    /// The statement locks the lease while it runs: a node that takes the lease either finds these rows, or they are
    /// refused.
    ///
    /// - Parameter epoch: the epoch of this node's lease.
    /// - Returns: false, changing nothing, if the lease is no longer the holder's under that epoch.
    public func apply(_ changes: [Change], epoch: UInt64) throws(DatabaseError) -> Bool {
        let rows: [JSON] = changes.map { ["key": .string($0.key), "entry": $0.entry.map(JSON.string) ?? .null] }
        return try session.perform { (database) throws(DatabaseError) in
            let answer = try database.rows(
                """
                WITH owned AS (SELECT epoch FROM lease WHERE holder = $1 AND epoch = $2 FOR SHARE),
                    change AS (SELECT key, entry FROM json_to_recordset($3::json) AS c(key text, entry text)),
                    gone AS (
                        DELETE FROM \(name) USING change, owned
                        WHERE \(name).key = change.key AND change.entry IS NULL),
                    put AS (
                        INSERT INTO \(name) (key, epoch, entry)
                        SELECT change.key, owned.epoch, change.entry FROM change, owned WHERE change.entry IS NOT NULL
                        ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, entry = excluded.entry)
                SELECT count(*) FROM owned
                """, [.text(holder), .integer(Int64(clamping: epoch)), .text(JSON.array(rows).encoded)])
            return answer.first?.first?.integer == 1
        }
    }
}
