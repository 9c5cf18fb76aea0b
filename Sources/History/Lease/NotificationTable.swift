internal import Database
internal import JSON

/// The notifications that were sent and the silences, shared by the nodes of a lease in a PostgreSQL database.
///
/// One thread at a time uses it. It connects on the first call, and again after each failure. Every call returns within
/// a few seconds or fails.
public final class NotificationTable {
    /// A row: a key with its text. Without a text it is deleted.
    public struct Row: Equatable, Sendable {
        /// The key.
        public var key: String
        /// The text; `nil` to delete the row.
        public var text: String?

        /// A row.
        public init(key: String, text: String?) {
            self.key = key
            self.text = text
        }
    }

    /// A silence as it is stored.
    public struct Silence: Equatable, Sendable {
        /// Its id.
        public var id: String
        /// When it was changed last, in milliseconds since the epoch.
        public var updated: Int64
        /// The silence as JSON.
        public var text: String

        /// A silence.
        public init(id: String, updated: Int64, text: String) {
            self.id = id
            self.updated = updated
            self.text = text
        }
    }

    private let address: String
    private let origin: String
    private let answerSeconds: Int
    private let now: () -> Int64
    private var store: LedgerStore?

    /// A table that is not connected yet. The parameters are those of ``LeaseTable``.
    public init(address: String, origin: String, answerSeconds: Int, now: @escaping () -> Int64) {
        self.address = address
        self.origin = origin
        self.answerSeconds = answerSeconds
        self.now = now
    }

    /// All notifications that were sent.
    public func notifications() throws(HistoryError) -> [Row] {
        try perform { (store) throws(HistoryError) in
            try store.rows("SELECT key, entry FROM notification ORDER BY key").map {
                Row(key: $0[0].text, text: $0[1].text)
            }
        }
    }

    /// Stores and deletes notifications.
    ///
    /// One statement, which locks the lease while it runs: a node that takes the lease either finds these rows, or they
    /// are refused.
    ///
    /// - Returns: false, changing nothing, if the lease is no longer the holder's.
    public func keep(_ rows: [Row], holder: String, epoch: Int64) throws(HistoryError) -> Bool {
        try perform { (store) throws(HistoryError) in
            let answer = try store.rows(
                """
                WITH owned AS (SELECT epoch FROM lease WHERE holder = $1 AND epoch = $2 FOR SHARE),
                    change AS (SELECT key, entry FROM json_to_recordset($3::json) AS c(key text, entry text)),
                    gone AS (
                        DELETE FROM notification USING change, owned
                        WHERE notification.key = change.key AND change.entry IS NULL),
                    put AS (
                        INSERT INTO notification (key, epoch, entry)
                        SELECT change.key, owned.epoch, change.entry FROM change, owned WHERE change.entry IS NOT NULL
                        ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, entry = excluded.entry)
                SELECT count(*) FROM owned
                """, [.text(holder), .integer(epoch), .text(Self.json(rows))])
            return answer.first?.first?.integer == 1
        }
    }

    private static func json(_ rows: [Row]) -> String {
        let objects: [JSON] = rows.map {
            ["key": .string($0.key), "entry": $0.text.map(JSON.string) ?? .null]
        }
        return JSON.array(objects).encoded
    }

    /// When each silence was changed last, by id.
    public func silences() throws(HistoryError) -> [String: Int64] {
        try perform { (store) throws(HistoryError) in
            let rows = try store.rows("SELECT id, updated FROM silence")
            return Dictionary(rows.map { ($0[0].text, $0[1].integer) }) { $1 }
        }
    }

    /// The silence `id`; `nil` if there is none.
    public func silence(_ id: String) throws(HistoryError) -> Silence? {
        try perform { (store) throws(HistoryError) in
            try store.rows("SELECT id, updated, body FROM silence WHERE id = $1", [.text(id)]).first.map {
                Silence(id: $0[0].text, updated: $0[1].integer, text: $0[2].text)
            }
        }
    }

    /// Stores a silence unless the stored one is newer.
    public func put(_ silence: Silence) throws(HistoryError) {
        try perform { (store) throws(HistoryError) in
            _ = try store.change(
                """
                INSERT INTO silence (id, updated, body) VALUES ($1, $2, $3)
                ON CONFLICT (id) DO UPDATE SET updated = excluded.updated, body = excluded.body
                WHERE silence.updated < excluded.updated
                """, [.text(silence.id), .integer(silence.updated), .text(silence.text)])
        }
    }

    /// Deletes a silence that nobody needs any more.
    public func delete(silence id: String) throws(HistoryError) {
        try perform { (store) throws(HistoryError) in
            _ = try store.change("DELETE FROM silence WHERE id = $1", [.text(id)])
        }
    }

    private func perform<Result>(_ body: (LedgerStore) throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        do throws(HistoryError) {
            if let store { return try body(store) }
            let fresh = try connect()
            store = fresh
            return try body(fresh)
        } catch {
            // The next call makes a new connection.
            store = nil
            throw error
        }
    }

    private func connect() throws(HistoryError) -> LedgerStore {
        let store = try LedgerStore.postgres(address: address, answerSeconds: answerSeconds)
        _ = try store.migrate(origin: origin, now: now())
        do throws(DatabaseError) {
            _ = try Migrator(store.database, Self.schema, now: now()).migrate()
        } catch {
            throw HistoryError(error)
        }
        return store
    }

    private static let schema = MigrationSet(
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
