public import Database
internal import JSON
internal import Lease
internal import MetricModel
internal import Runtime

/// Notifications and silences in the database of the lease.
///
/// The session's `prepare` has to create the table `lease` of the history's schema and the tables of ``schema``.
public final class PostgresNotifications: NotificationStore {
    private let session: PostgresSession
    private let table: LeasedTable
    private let epoch = ReplaceableClosure<UInt64?> { nil }

    /// A store that is reached through `session`. It stores nothing before ``follow(_:)``.
    ///
    /// - Parameter holder: the name of this node in the lease.
    public init(_ session: PostgresSession, holder: String) {
        self.session = session
        table = LeasedTable("notification", in: session, holder: holder)
    }

    /// Stores under the epoch that `epoch` returns; `nil` if this node does not hold the lease.
    public func follow(_ epoch: @escaping @Sendable () -> UInt64?) { self.epoch.replace(by: epoch) }

    /// All notifications that were sent.
    public func notifications() throws(NotificationStoreFault) -> [NotificationLogEntry] {
        let rows: [(entry: String, epoch: Int64)]
        do { rows = try table.entries() } catch { throw NotificationStoreFault(error.description) }
        // A row that this version cannot read counts as if nothing had been sent.
        return rows.compactMap { row in
            (try? JSON(parsing: row.entry)).flatMap { NotificationLogEntry.Change($0)?.entry }
        }
    }

    /// Stores and deletes notifications.
    ///
    /// - Returns: false, changing nothing, if the lease is no longer the holder's.
    public func keep(_ changes: [NotificationLogEntry.Change]) throws(NotificationStoreFault) -> Bool {
        guard let epoch = epoch() else { return false }
        let changes = changes.map { change in
            LeasedTable.Change(key: change.key, entry: change.entry == nil ? nil : change.json.encoded)
        }
        do { return try table.apply(changes, epoch: epoch) } catch { throw NotificationStoreFault(error.description) }
    }

    /// When each silence was changed last, in milliseconds since the epoch, by id.
    public func silences() throws(NotificationStoreFault) -> [String: Int64] {
        try perform { (database) throws(DatabaseError) in
            let rows = try database.rows("SELECT id, updated FROM silence")
            return Dictionary(rows.map { ($0[0].text, $0[1].integer) }) { $1 }
        }
    }

    /// The silence `id`; `nil` if there is none.
    public func silence(_ id: String) throws(NotificationStoreFault) -> SharedSilence? {
        try perform { (database) throws(DatabaseError) in
            try database.rows("SELECT id, updated, body FROM silence WHERE id = $1", [.text(id)]).first.map {
                SharedSilence(id: $0[0].text, updated: $0[1].integer, text: $0[2].text)
            }
        }
    }

    /// Stores a silence unless the stored one is newer.
    public func put(_ silence: SharedSilence) throws(NotificationStoreFault) {
        try perform { (database) throws(DatabaseError) in
            _ = try database.change(
                """
                INSERT INTO silence (id, updated, body) VALUES ($1, $2, $3)
                ON CONFLICT (id) DO UPDATE SET updated = excluded.updated, body = excluded.body
                WHERE silence.updated < excluded.updated
                """, [.text(silence.id), .integer(silence.updated), .text(silence.text)])
        }
    }

    /// Deletes a silence that nobody needs any more.
    public func delete(silence id: String) throws(NotificationStoreFault) {
        try perform { (database) throws(DatabaseError) in
            _ = try database.change("DELETE FROM silence WHERE id = $1", [.text(id)])
        }
    }

    private func perform<Result: Sendable>(
        _ body: (any SQLDatabase) throws(DatabaseError) -> Result
    ) throws(NotificationStoreFault) -> Result {
        do throws(DatabaseError) {
            return try session.perform(body)
        } catch {
            throw NotificationStoreFault(error.description)
        }
    }

    /// The tables of notifications and silences.
    public static let schema = MigrationSet(
        table: "notification_migration",
        steps: [
            Migration(
                version: 1, name: "notification",
                up: """
                    CREATE TABLE notification (key TEXT PRIMARY KEY, epoch BIGINT NOT NULL, entry TEXT NOT NULL);
                    CREATE TABLE silence (id TEXT PRIMARY KEY, updated BIGINT NOT NULL, body TEXT NOT NULL);
                    COMMENT ON TABLE notification IS 'Notifications that receivers were sent, by group of alerts.';
                    COMMENT ON TABLE silence IS 'Silences of the nodes that share the lease.';
                    DO $$
                    BEGIN
                        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                            GRANT SELECT ON notification, silence TO tribune_reader;
                        END IF;
                        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                            GRANT SELECT, INSERT, UPDATE, DELETE ON notification, silence TO tribune_writer;
                        END IF;
                    END $$;
                    """,
                verify: """
                    SELECT key, epoch, entry FROM notification LIMIT 0;
                    SELECT id, updated, body FROM silence LIMIT 0
                    """,
                down: "DROP TABLE notification; DROP TABLE silence",
                loss: .init(
                    "notifications and silences",
                    query: "SELECT 1 FROM notification UNION ALL SELECT 1 FROM silence LIMIT 1"))
        ])
}
