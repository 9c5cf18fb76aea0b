internal import JSON
internal import TLS

/// What an examination of a ledger found.
public struct LedgerReport: Equatable, Sendable {
    /// Something that is not as it was recorded.
    public struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// The entries concerned; empty where it is the ledger as a whole.
        public var sequences: ClosedRange<Int64>?
        /// What is wrong with them.
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
    /// Checkpoints whose signature and root were right.
    public var checkpoints = 0
    /// Entries that the last right checkpoint covers; those after it are not signed yet.
    public var signedEntries: Int64 = 0
    /// Batches of measurements found as they were recorded.
    public var batches = 0
    /// Batches that retention has dropped, as the ledger says.
    public var droppedBatches = 0
    /// The key that checkpoints were checked with, as `name+id+key`.
    public var publicKey = ""
    /// What is wrong, in the order of entries, the first thousand of it.
    public var problems: [Problem] = []

    /// Whether nothing is wrong.
    public var isIntact: Bool { problems.isEmpty }
}

/// Examines a ledger entry by entry. A value machine: it is fed what a database or an export holds and believes none of it.
///
/// Entries come in their order, checkpoints as soon as the entries they cover were fed.
struct LedgerVerifier {
    private let verifier: NoteVerifier
    private(set) var report = LedgerReport()
    private var tree = MerkleTree()
    /// The hash of the last entry as its leaf gives it, and as it is stored.
    private var previous: (computed: [UInt8], stored: [UInt8]) = ([], [])
    private var lastSequence: Int64 = 0
    /// Whether entries are missing, so that no root can be computed any more.
    private var isBroken = false
    private var expected: [Int64: (digest: String, times: ClosedRange<Int64>)] = [:]
    /// Times whose measurements retention has dropped.
    private var dropped: [ClosedRange<Int64>] = []

    private static let problemLimit = 1000

    init(verifier: NoteVerifier) {
        self.verifier = verifier
        report.publicKey = verifier.text
    }

    /// The next entry's number, if none is missing.
    var nextSequence: Int64 { lastSequence + 1 }

    /// Takes note of what retention did. Fed before the entries, for a batch comes long before it is dropped.
    mutating func expectRetention(_ row: LedgerRow) {
        guard row.kind == LedgerEvent.Kind.retention.rawValue, let body = LeafContent(row.leaf)?.body,
            let from = body["from"]?.integer, let through = body["through"]?.integer, from <= through
        else { return }
        dropped.append(from...through)
    }

    mutating func entry(_ row: LedgerRow) {
        let next = nextSequence
        guard row.sequence >= next else {
            return problem(row.sequence...row.sequence, "comes after entry \(lastSequence): moved or inserted")
        }
        if row.sequence > next {
            problem(next...row.sequence - 1, "removed")
            isBroken = true
        }
        let hash = MerkleTree.hash(leaf: Array(row.leaf.utf8))
        examine(row, hash: hash, follows: row.sequence == next)
        lastSequence = row.sequence
        report.entries += 1
        previous = (hash, row.hash)
        // With stored hashes an altered leaf is one problem, and what comes after it can still be checked.
        tree.append(leafHash: row.hash)
    }

    private mutating func examine(_ row: LedgerRow, hash: [UInt8], follows: Bool) {
        let here = row.sequence...row.sequence
        guard hash == row.hash else { return problem(here, "its text is not the one that was hashed: altered") }
        guard let content = LeafContent(row.leaf) else { return problem(here, "not an entry") }
        guard content.sequence == row.sequence else {
            return problem(here, "says that it is entry \(content.sequence): moved or inserted")
        }
        if content.kind != row.kind || content.subject != row.subject || content.milliseconds != row.milliseconds {
            problem(here, "the columns say something else than the text that was hashed: altered")
        }
        let remembered = Hexadecimal.bytes(content.previous)
        if follows, remembered != previous.computed, remembered != previous.stored {
            problem(
                max(1, lastSequence)...row.sequence,
                "entry \(row.sequence) remembers another entry \(lastSequence): one of the two was replaced")
        }
        if content.kind == LedgerEvent.Kind.measurements.rawValue { expectBatch(content) }
    }

    private mutating func expectBatch(_ content: LeafContent) {
        guard let digest = content.body["sha256"]?.text, let from = content.body["from"]?.integer,
            let through = content.body["through"]?.integer, from <= through
        else { return problem(content.sequence...content.sequence, "vouches for no measurements") }
        expected[content.sequence] = (digest, from...through)
    }

    /// Compares the measurements of all batches fed since the last call with what their entries say.
    mutating func measurements(_ found: [Int64: MeasurementBatch]) {
        for (sequence, expectation) in expected.sorted(by: { $0.key < $1.key }) {
            let here = sequence...sequence
            guard let batch = found[sequence] else {
                if dropped.contains(where: { $0.contains(expectation.times.lowerBound) }) {
                    report.droppedBatches += 1
                } else {
                    problem(here, "its measurements were removed")
                }
                continue
            }
            if Hexadecimal.text(batch.digest) == expectation.digest {
                report.batches += 1
            } else {
                problem(here, "its measurements are not the ones recorded: altered")
            }
        }
        for sequence in found.keys.sorted() where expected[sequence] == nil {
            problem(sequence...sequence, "vouches for no measurements, yet there are some: inserted")
        }
        expected = [:]
    }

    /// Compares a signed checkpoint with the entries fed so far, which must be as many as it covers.
    mutating func checkpoint(_ note: String, size: Int64) {
        guard let checkpoint = verifier.checkpoint(in: note) else {
            return problem(nil, "the checkpoint over \(size) entries was not signed by \(verifier.name): altered")
        }
        guard checkpoint.size == size else {
            return problem(nil, "the checkpoint over \(checkpoint.size) entries stands for \(size): altered")
        }
        if size > lastSequence {
            problem(lastSequence + 1...size, "removed: a signed checkpoint covers them")
            isBroken = true
            return
        }
        if isBroken { return }
        guard checkpoint.root == tree.root else {
            let first = report.signedEntries + 1
            problem(
                first...max(first, size),
                "the tree over \(size) entries has another root than was signed: entries were replaced with their hashes"
            )
            isBroken = true
            return
        }
        report.checkpoints += 1
        report.signedEntries = size
    }

    /// Compares the head that the next append would go on from.
    mutating func head(_ head: LedgerHead) {
        if head.size < lastSequence {
            problem(head.size + 1...lastSequence, "not counted by the ledger's head: inserted")
        } else if head.size > lastSequence {
            problem(lastSequence + 1...head.size, "removed: the ledger's head counts them")
        } else if !isBroken, head.tree != tree || head.previous != previous.stored {
            problem(nil, "the ledger's head does not fit its entries")
        }
    }

    /// What was found.
    mutating func finish() -> LedgerReport {
        report.root = isBroken ? "" : Base64.text(tree.root)
        return report
    }

    /// Adds something found elsewhere.
    mutating func problem(_ sequences: ClosedRange<Int64>?, _ message: String) {
        guard report.problems.count < Self.problemLimit else { return }
        report.problems.append(.init(sequences: sequences, message: message))
    }
}
