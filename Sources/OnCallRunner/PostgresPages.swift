public import Database
internal import JSON
internal import MetricModel
public import OnCall
internal import Runtime

/// Pages in the database of the lease.
///
/// The session's `prepare` has to create the table `lease` of the history's schema and the tables of ``schema``.
public final class PostgresPages: PageStore {
    private let session: PostgresSession
    private let holder: String
    private let leaseEpoch: @Sendable () -> UInt64?

    /// A store that is reached through `session`.
    ///
    /// - Parameters:
    ///   - holder: the name of this node in the lease.
    ///   - epoch: the epoch of this node's lease; `nil` if it does not hold the lease.
    public init(_ session: PostgresSession, holder: String, epoch: @escaping @Sendable () -> UInt64?) {
        self.session = session
        self.holder = holder
        leaseEpoch = epoch
    }

    /// The epoch of this node's lease; `nil` if it does not hold the lease.
    public var epoch: Int64? { leaseEpoch().map { Int64(clamping: $0) } }

    /// All pages, and the highest epoch under which one was written; 0 for none.
    public func pages() throws(PageStoreFault) -> (record: PageBook.Record, epoch: Int64) {
        let rows = try perform { (database) throws(DatabaseError) in
            try database.rows("SELECT entry, epoch FROM oncall_page ORDER BY key").map { ($0[0].text, $0[1].integer) }
        }
        let entries = rows.compactMap { row in (try? JSON(parsing: row.0)).flatMap(PageBook.Entry.init(stored:)) }
        guard entries.count == rows.count else {
            throw PageStoreFault("\(rows.count - entries.count) pages are of an unknown version")
        }
        let epoch = rows.map(\.1).max() ?? 0
        return (PageBook.Record(entries: entries, at: .distantPast, epoch: epoch), epoch)
    }

    /// Stores and deletes pages.
    ///
    /// One statement, which locks the lease while it runs: a node that takes the lease either finds these rows, or they
    /// are refused.
    ///
    /// - Returns: false, changing nothing, if the lease is no longer the holder's.
    public func keep(_ record: PageBook.Record) throws(PageStoreFault) -> Bool {
        guard let epoch else { return false }
        let rows: [JSON] =
            record.entries.map { ["key": .string($0.page.id), "entry": .string($0.stored.encoded)] }
            + record.forgotten.map { ["key": .string($0), "entry": .null] }
        return try perform { (database) throws(DatabaseError) in
            let answer = try database.rows(
                """
                WITH owned AS (SELECT epoch FROM lease WHERE holder = $1 AND epoch = $2 FOR SHARE),
                    change AS (SELECT key, entry FROM json_to_recordset($3::json) AS c(key text, entry text)),
                    gone AS (
                        DELETE FROM oncall_page USING change, owned
                        WHERE oncall_page.key = change.key AND change.entry IS NULL),
                    put AS (
                        INSERT INTO oncall_page (key, epoch, entry)
                        SELECT change.key, owned.epoch, change.entry FROM change, owned WHERE change.entry IS NOT NULL
                        ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, entry = excluded.entry)
                SELECT count(*) FROM owned
                """, [.text(holder), .integer(epoch), .text(JSON.array(rows).encoded)])
            return answer.first?.first?.integer == 1
        }
    }

    private func perform<Result: Sendable>(
        _ body: (any SQLDatabase) throws(DatabaseError) -> Result
    ) throws(PageStoreFault) -> Result {
        do throws(DatabaseError) {
            return try session.perform(body)
        } catch {
            throw PageStoreFault(error.description)
        }
    }

    /// The table of pages.
    public static let schema = MigrationSet(
        table: "oncall_migration",
        steps: [
            Migration(
                version: 1, name: "page",
                up: """
                    CREATE TABLE oncall_page (key TEXT PRIMARY KEY, epoch BIGINT NOT NULL, entry TEXT NOT NULL);
                    COMMENT ON TABLE oncall_page IS 'Pages of on-call, by id; the nodes of the lease share them.';
                    DO $$
                    BEGIN
                        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_reader') THEN
                            GRANT SELECT ON oncall_page TO tribune_reader;
                        END IF;
                        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tribune_writer') THEN
                            GRANT SELECT, INSERT, UPDATE, DELETE ON oncall_page TO tribune_writer;
                        END IF;
                    END $$;
                    """, verify: "SELECT key, epoch, entry FROM oncall_page LIMIT 0", down: "DROP TABLE oncall_page",
                loss: .init("pages of on-call", query: "SELECT 1 FROM oncall_page LIMIT 1"))
        ])
}
