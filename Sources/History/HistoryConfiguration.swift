public import MetricModel

/// Where the history is kept and for how long.
public struct HistoryConfiguration: Sendable {
    /// The database.
    public enum Database: Sendable, CustomStringConvertible, CustomReflectable {
        /// A SQLite file; `nil` for `history.db` in the directory of the history.
        case sqlite(path: String? = nil)
        /// A PostgreSQL server, as a libpq connection string or URI. May hold a password and is therefore never printed.
        case postgres(address: String)

        /// `sqlite` or `postgres`.
        public var description: String {
            switch self {
            case .sqlite: "sqlite"
            case .postgres: "postgres"
            }
        }

        /// Nothing but the kind.
        public var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// The directory of spool, signing key and SQLite file; made where it is missing.
    public var directory: String
    /// The database.
    public var database: Database
    /// The ledger's name in its checkpoints, such as `tribune.example/prod`; no blanks, no `+`.
    public var origin: String
    /// How long measurements are kept, in whole months; `nil` for ever. Ledger entries are always kept.
    public var retention: Milliseconds?
    /// A spool segment is closed when it has this size.
    public var segmentBytes = 16 << 20
    /// Longest time between an entry and a signed checkpoint over it, while the database is there.
    public var checkpointInterval = Milliseconds.seconds(10)
    /// The history is behind when the oldest spooled record is older than this.
    public var behindAfter = Milliseconds.seconds(30)
    /// Measurements are refused while more than this waits in memory for a disk that is full. Events never are.
    public var pendingLimit = 256 << 20
    /// Whether nothing is written to the database before ``HistoryRunner/turnChanged(isOurs:)`` says so, because another process
    /// may be writing the same ledger.
    public var waitsForTurn = false
    /// How long ``HistoryRunner/stop()`` goes on bringing spooled records to the database.
    public var stopTimeout = Milliseconds.seconds(5)

    /// The history in `directory`; by default in a SQLite file there.
    public init(directory: String, database: Database = .sqlite(), origin: String = "tribune") {
        self.directory = directory
        self.database = database
        self.origin = origin
    }

    var keyPath: String { directory + "/signing-key.pem" }
    var checkpointPath: String { directory + "/checkpoint" }
    var spoolPath: String { directory + "/spool" }

    func check() throws(HistoryError) {
        let isName =
            !origin.isEmpty && origin.utf8.count <= 200
            && origin.unicodeScalars.allSatisfy { $0 != "+" && !$0.properties.isWhitespace && $0.value >= 0x20 }
        guard isName else {
            throw HistoryError(.invalid, "the ledger's origin must be 1 to 200 bytes without blanks and +")
        }
    }

    /// Opens the database for writing.
    func openStore() throws(HistoryError) -> LedgerStore {
        switch database {
        case .sqlite(let path): try .sqlite(path: path ?? directory + "/history.db")
        case .postgres(let address): try .postgres(address: address)
        }
    }

    /// Opens the database for reading; a SQLite file must be there.
    func openReadingStore() throws(HistoryError) -> LedgerStore {
        switch database {
        case .sqlite(let path): try .sqlite(path: path ?? directory + "/history.db", isReadOnly: true)
        case .postgres(let address): try .postgres(address: address)
        }
    }
}

/// How the history stands.
public struct HistoryStatus: Equatable, Sendable {
    /// `sqlite` or `postgres`.
    public var database: String
    /// Whether the database answered last time.
    public var isConnected: Bool
    /// Records accepted that are not in the database yet.
    public var spooled: Int
    /// Bytes of the spool on disk.
    public var spooledBytes: Int
    /// Whether the history has fallen back so far that nothing should be promoted: the database is away, another process has
    /// taken the ledger over, the disk refuses the spool, or records have waited for too long.
    public var isBehind: Bool
    /// Why, in the words of whoever refused; `nil` while all is well.
    public var lastError: String?
    /// Ledger entries as of the last append.
    public var size: Int64
    /// The root over them, in base64 as checkpoints write it; empty before the database was reached.
    public var root: String
    /// How often the ledger was taken over by a process.
    public var epoch: Int64
    /// Entries covered by the last signed checkpoint.
    public var signedSize: Int64
    /// The key that verifies checkpoints, as `name+id+key`.
    public var publicKey: String
}

/// Which ledger entries to read.
public struct LedgerQuery: Equatable, Sendable {
    /// Only these kinds; empty for all.
    public var kinds: [LedgerEvent.Kind]
    /// Only this subject.
    public var subject: String?
    /// Not before, in milliseconds since the epoch.
    public var from: Int64?
    /// Not after, in milliseconds since the epoch.
    public var through: Int64?
    /// Only entries before this one, to turn pages.
    public var before: Int64?
    /// At most so many, 1 to 10 000.
    public var limit: Int

    /// The newest `limit` entries that fit.
    public init(
        kinds: [LedgerEvent.Kind] = [], subject: String? = nil, from: Int64? = nil, through: Int64? = nil,
        before: Int64? = nil, limit: Int = 100
    ) {
        self.kinds = kinds
        self.subject = subject
        self.from = from
        self.through = through
        self.before = before
        self.limit = limit
    }
}
