internal import TLS

/// One step of a schema, in one database's SQL.
public struct Migration: Equatable, Sendable {
    /// 1, 2, 3, … without gaps.
    public var version: Int64
    /// A short name of the step.
    public var name: String
    /// Applies the step.
    public var up: String
    /// Queries that fail unless the step was applied.
    public var verify: String
    /// Undoes the step.
    public var down: String
    /// A query that returns a row if undoing the step would lose data, and a name for that data.
    public var loss: Loss?
    /// Whether the step cannot be undone.
    public var isPermanent: Bool
    /// Checksums of earlier forms of the step that have the same result.
    public var formerChecksums: [String]

    /// Data that a step's tables may hold.
    public struct Loss: Equatable, Sendable {
        /// Returns a row if there is such data.
        public var query: String
        /// Its name, for the error.
        public var name: String

        /// Data named `name`, found by `query`.
        public init(_ name: String, query: String) {
            self.name = name
            self.query = query
        }
    }

    /// A step.
    public init(
        version: Int64, name: String, up: String, verify: String, down: String, loss: Loss? = nil,
        isPermanent: Bool = false, formerChecksums: [String] = []
    ) {
        self.version = version
        self.name = name
        self.up = up
        self.verify = verify
        self.down = down
        self.loss = loss
        self.isPermanent = isPermanent
        self.formerChecksums = formerChecksums
    }

    /// SHA-256 of the three scripts, as hexadecimal digits. A step that was applied must never be edited.
    public var checksum: String { SHA256.hex([up, verify, down].joined(separator: "\n--\n")) }

    func accepts(_ checksum: String) -> Bool { self.checksum == checksum || formerChecksums.contains(checksum) }
}

/// The steps of one part of the program, with the table that records the applied ones. Parts are independent of each
/// other.
public struct MigrationSet: Sendable {
    /// The table that records applied steps.
    public var table: String
    /// Ascending.
    public var steps: [Migration]

    /// Steps recorded in `table`, which only this set uses.
    public init(table: String, steps: [Migration]) {
        self.table = table
        self.steps = steps
    }

    var tableScript: String {
        """
        CREATE TABLE IF NOT EXISTS \(table) (
            version BIGINT PRIMARY KEY,
            name TEXT NOT NULL,
            checksum TEXT NOT NULL,
            milliseconds BIGINT NOT NULL
        )
        """
    }
}
