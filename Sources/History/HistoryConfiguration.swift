public import MetricModel

/// The location and retention of the history.
public struct HistoryConfiguration: Sendable {
    /// The database.
    public enum Database: Sendable, CustomStringConvertible, CustomReflectable {
        /// A SQLite file; `nil` for `history.db` in the directory of the history.
        case sqlite(path: String? = nil)
        /// A PostgreSQL server, as a libpq connection string or URI. May contain a password and is therefore never
        /// printed.
        case postgres(address: String)

        /// `sqlite` or `postgres`.
        public var description: String {
            switch self {
            case .sqlite: "sqlite"
            case .postgres: "postgres"
            }
        }

        /// Only the kind.
        public var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// The directory of spool, signing key and SQLite file; created if it is missing.
    public var directory: String
    /// The database.
    public var database: Database
    /// The ledger's name in its checkpoints, such as `tribune.example/prod`; without spaces and `+`.
    public var origin: String
    /// How long measurements are kept, in whole months; `nil` for forever. Ledger entries are always kept.
    public var retention: Milliseconds?
    /// The size at which a spool segment is closed.
    public var segmentBytes = 16 << 20
    /// Longest time between an entry and a signed checkpoint over it, while the database is available.
    public var checkpointInterval = Milliseconds.seconds(10)
    /// The history is behind when the oldest spooled record is older than this.
    public var behindAfter = Milliseconds.seconds(30)
    /// Measurements are refused while more than this waits in memory for a full disk. Events never are.
    public var pendingLimit = 256 << 20
    /// Whether to wait for ``HistoryRunner/turnChanged(isOurs:)`` before the first write to the database, because
    /// another process may be writing the same ledger.
    public var waitsForTurn = false
    /// How long ``HistoryRunner/stop()`` continues to deliver spooled records to the database.
    public var stopTimeout = Milliseconds.seconds(5)
    /// This node's name, in the entry that adds its key.
    public var node = "node"
    /// Whether a node with its own key may join a record that other nodes write. Without ``rootKey`` other nodes then
    /// trust its key on first use.
    public var admitsNodes = false
    /// The key that certifies the keys of nodes; `nil` if nodes trust each other on first use.
    public var rootKey: NoteVerifier?
    /// The certificate of this node's key, a note signed by ``rootKey``.
    public var certificate: String?
    /// Applied records that stay in the spool, in bytes, to repair a database that lost them.
    public var keptSpoolBytes = 64 << 20
    /// How often the database is compared with the largest checkpoint seen.
    public var continuityInterval = Milliseconds.seconds(3600)
    /// How often a standby reads the record that another node writes.
    public var observationInterval = Milliseconds.seconds(10)
    /// The destinations of checkpoints.
    public var publication = CheckpointPublication()
    /// The syslog servers that receive the entries.
    public var syslog: [SyslogDestination] = []
    /// Entries per second that the running service verifies continuously; 0 for none.
    public var selfCheckRate = 500
    /// The pause before the first verification by the running service, and between two of them.
    public var selfCheckInterval = Milliseconds.seconds(30)

    /// The history in `directory`; by default in a SQLite file there.
    public init(directory: String, database: Database = .sqlite(), origin: String = "tribune") {
        self.directory = directory
        self.database = database
        self.origin = origin
    }

    var spoolPath: String { directory + "/spool" }

    /// Whether `text` can be the name of a ledger: 1 to 200 bytes without blanks and `+`.
    public static func isOrigin(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 200
            && text.unicodeScalars.allSatisfy { $0 != "+" && !$0.properties.isWhitespace && $0.value >= 0x20 }
    }

    func check() throws(HistoryError) {
        guard Self.isOrigin(origin) else {
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

    /// Opens the database for reading; a SQLite file must exist.
    func openReadingStore() throws(HistoryError) -> LedgerStore {
        switch database {
        case .sqlite(let path): try .sqlite(path: path ?? directory + "/history.db", isReadOnly: true)
        case .postgres(let address): try .postgres(address: address)
        }
    }
}

/// The state of the history.
public struct HistoryStatus: Equatable, Sendable {
    /// `sqlite` or `postgres`.
    public var database: String
    /// Whether the last access to the database succeeded.
    public var isConnected: Bool
    /// Accepted records that are not in the database yet.
    public var spooled: Int
    /// Bytes of the spool on disk.
    public var spooledBytes: Int
    /// Whether nothing may be promoted: the database is unreachable, delivery is halted, another process has taken over
    /// the ledger, the disk refuses the spool, or records have waited for too long.
    public var isBehind: Bool
    /// The last failure of disk or database; `nil` while there is none.
    public var lastError: String?
    /// Why delivery waits for a person: the database lacks entries that were signed, or the signing key is missing.
    /// `nil` while it does not.
    public var halt: String?
    /// The last verification of the whole record by the running service.
    public var selfCheck = SelfCheckStatus()
    /// Ledger entries as of the last append.
    public var size: Int64
    /// The root over them, in base64 as checkpoints write it; empty before the database was reached.
    public var root: String
    /// The ledger's epoch: the number of take-overs by a process.
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
    /// Only this service.
    public var service: String?
    /// Only this incident.
    public var incident: String?
    /// Not before, in milliseconds since the epoch.
    public var from: Int64?
    /// Not after, in milliseconds since the epoch.
    public var through: Int64?
    /// Whether entries of no service fit where ``service`` is given.
    public var includesNone = false
    /// Only entries whose text contains this.
    public var text: String?
    /// Only entries before this one: the cursor of the next page.
    public var before: Int64?
    /// The maximum number of entries, 1 to 10 000.
    public var limit: Int

    /// The newest `limit` entries that fit.
    public init(
        kinds: [LedgerEvent.Kind] = [], subject: String? = nil, service: String? = nil, incident: String? = nil,
        from: Int64? = nil, through: Int64? = nil, before: Int64? = nil, limit: Int = 100
    ) {
        self.kinds = kinds
        self.subject = subject
        self.service = service
        self.incident = incident
        self.from = from
        self.through = through
        self.before = before
        self.limit = limit
    }
}
