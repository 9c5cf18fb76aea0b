public import Database
internal import JSON
internal import Lease
internal import MetricModel
public import OnCall
internal import Runtime

/// Pages in the database of the lease.
///
/// The session's `prepare` has to create the table `lease` of the history's schema and the tables of ``schema``.
public final class PostgresPages: PageStore {
    private let table: LeasedTable
    private let leaseEpoch: @Sendable () -> UInt64?

    /// A store that is reached through `session`.
    ///
    /// - Parameters:
    ///   - holder: the name of this node in the lease.
    ///   - epoch: the epoch of this node's lease; `nil` if it does not hold the lease.
    public init(_ session: PostgresSession, holder: String, epoch: @escaping @Sendable () -> UInt64?) {
        table = LeasedTable("oncall_page", in: session, holder: holder)
        leaseEpoch = epoch
    }

    /// The epoch of this node's lease; `nil` if it does not hold the lease.
    public var epoch: Int64? { leaseEpoch().map { Int64(clamping: $0) } }

    /// All pages, and the highest epoch under which one was written; 0 for none.
    public func pages() throws(PageStoreFault) -> (record: PageBook.Record, epoch: Int64) {
        let rows: [(entry: String, epoch: Int64)]
        do { rows = try table.entries() } catch { throw PageStoreFault(error.description) }
        // An entry that is not JSON counts as one of an unknown version.
        let stored = rows.map { row in (try? JSON(parsing: row.entry)) ?? .null }
        let entries = stored.compactMap(PageBook.Entry.init(stored:))
        let overrides = stored.compactMap(PlannedOverride.init(stored:))
        let browsers = stored.compactMap(Browser.init(stored:))
        let unknown = rows.count - entries.count - overrides.count - browsers.count
        guard unknown == 0 else { throw PageStoreFault("\(unknown) pages are of an unknown version") }
        let epoch = rows.map(\.epoch).max() ?? 0
        let record = PageBook.Record(
            entries: entries, overrides: overrides, browsers: browsers, at: .distantPast, epoch: epoch)
        return (record, epoch)
    }

    /// Stores and deletes pages.
    ///
    /// - Returns: false, changing nothing, if the lease is no longer the holder's.
    public func keep(_ record: PageBook.Record) throws(PageStoreFault) -> Bool {
        guard let epoch = leaseEpoch() else { return false }
        let changes =
            record.entries.map { LeasedTable.Change(key: $0.page.id, entry: $0.stored.encoded) }
            + record.overrides.map { LeasedTable.Change(key: $0.id, entry: $0.stored.encoded) }
            + record.browsers.map { LeasedTable.Change(key: $0.id, entry: $0.stored.encoded) }
            + record.forgotten.map { LeasedTable.Change(key: $0, entry: nil) }
        do { return try table.apply(changes, epoch: epoch) } catch { throw PageStoreFault(error.description) }
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
