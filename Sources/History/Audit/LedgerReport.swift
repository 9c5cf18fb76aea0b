/// The result of verifying a ledger.
public struct LedgerReport: Equatable, Sendable {
    /// A difference from what was recorded.
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// The entries concerned; `nil` for the ledger as a whole.
        public var sequences: ClosedRange<Int64>?
        /// What is wrong.
        public var message: String

        /// The entries with what is wrong.
        public var description: String {
            guard let sequences else { return message }
            return sequences.count == 1
                ? "entry \(sequences.lowerBound): \(message)"
                : "entries \(sequences.lowerBound)-\(sequences.upperBound): \(message)"
        }
    }

    /// Entries read.
    public var entries: Int64 = 0
    /// The root over them, in base64.
    public var root = ""
    /// Checkpoints with a valid signature and the right root.
    public var checkpoints = 0
    /// Entries that the last right checkpoint covers; those after it are not signed yet.
    public var signedEntries: Int64 = 0
    /// Batches of measurements found as they were recorded.
    public var batches = 0
    /// Batches that retention has dropped, as the ledger says.
    public var droppedBatches = 0
    /// The keys that checkpoints were checked with, as `name+id+key`, one per line.
    public var publicKey = ""
    /// Texts about persons that open their commitments.
    public var disclosures = 0
    /// Texts about persons that were erased, as the ledger says.
    public var erased = 0
    /// Lost parts of the record that a person acknowledged, by their entries.
    public var gaps: [Int64] = []
    /// The first thousand problems, in the order of entries.
    public var problems: [Problem] = []

    /// Whether nothing is wrong.
    public var isIntact: Bool { problems.isEmpty }
}
