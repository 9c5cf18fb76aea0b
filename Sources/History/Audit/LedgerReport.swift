/// The result of verifying a ledger.
public struct LedgerReport: Equatable, Sendable {
    /// A difference from the recorded content.
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// The affected entries; `nil` for the ledger as a whole.
        public var sequences: ClosedRange<Int64>?
        /// The text of the problem.
        public var message: String

        /// The entries with the message.
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
    /// Checkpoints with a valid signature and the correct root.
    public var checkpoints = 0
    /// Entries covered by the last correct checkpoint; those after it are not signed yet.
    public var signedEntries: Int64 = 0
    /// Batches of measurements that are as recorded.
    public var batches = 0
    /// Batches that retention has dropped, according to the ledger.
    public var droppedBatches = 0
    /// The keys used for the checkpoints, as `name+id+key`, one per line.
    public var publicKey = ""
    /// Texts about persons that match their commitments.
    public var disclosures = 0
    /// Texts about persons that were erased, according to the ledger.
    public var erased = 0
    /// Lost parts of the record that a person acknowledged, by their entries.
    public var gaps: [Int64] = []
    /// The first thousand problems, in the order of entries.
    public var problems: [Problem] = []

    /// Whether there are no problems.
    public var isIntact: Bool { problems.isEmpty }
}
