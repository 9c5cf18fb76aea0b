internal import JSON
internal import TLS

/// Verifies a ledger entry by entry. A value machine: it is given the content of a database or an export and trusts
/// none of it.
///
/// Entries are given in order, checkpoints as soon as the entries they cover were given.
struct LedgerVerifier {
    private let trusted: TrustedKeys
    private(set) var report = LedgerReport()
    private var tree = MerkleTree()
    /// Subtrees completed since ``takeNodes()``.
    private var completed: [MerkleTree.Node] = []
    /// The computed and the stored hash of the last entry.
    private var previous: (computed: [UInt8], stored: [UInt8]) = ([], [])
    private var lastSequence: Int64 = 0
    /// Whether entries are missing, so that no root can be computed.
    private var isBroken = false
    /// Entries covered by a correct checkpoint from outside.
    private var vouchedEntries: Int64 = 0
    private var expectedBatches: [Int64: (digest: String, times: ClosedRange<Int64>)] = [:]
    private var expectedTexts: [Int64: [[UInt8]]] = [:]
    private var expectedBlobs: [(sequence: Int64, hash: [UInt8])] = []
    /// Times whose measurements retention has dropped.
    private var dropped: [ClosedRange<Int64>] = []
    /// Commitments whose texts were erased.
    private var erased: Set<[UInt8]> = []

    private static let problemLimit = 1000

    init(trusted: TrustedKeys) {
        self.trusted = trusted
        report.publicKey = trusted.text
    }

    /// The next entry's number, if none is missing.
    var nextSequence: Int64 { lastSequence + 1 }

    /// The tree over the entries given so far; `nil` if some are missing.
    var rootSoFar: [UInt8]? { isBroken ? nil : tree.root }

    /// Registers measurements dropped by retention and erased texts. Called before the entries are given, because a
    /// batch comes long before it is dropped.
    mutating func expectRemoval(_ row: LedgerRow) {
        // A row whose text differs from the hashed one is reported with the entries, and justifies no removal.
        guard MerkleTree.hash(leaf: Array(row.leaf.utf8)) == row.hash, let content = LeafContent(row.leaf) else {
            return
        }
        if content.kind == LedgerEvent.Kind.retention.rawValue, let from = content.body["from"]?.integer,
            let through = content.body["through"]?.integer, from <= through
        {
            dropped.append(from...through)
        }
        if content.kind == LedgerEvent.Kind.erasure.rawValue {
            for element in content.body["commitments"]?.elements ?? [] {
                if let bytes = element.text.flatMap({ Hexadecimal.bytes($0) }) { erased.insert(bytes) }
            }
        }
    }

    mutating func entry(_ row: LedgerRow) {
        let next = nextSequence
        guard row.sequence < .max else { return problem(next...next, "its number is impossible: altered") }
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
        // With stored hashes an altered leaf is one problem, and later entries can still be verified.
        tree.append(leafHash: row.hash, completing: &completed)
    }

    private mutating func examine(_ row: LedgerRow, hash: [UInt8], follows: Bool) {
        let here = row.sequence...row.sequence
        guard hash == row.hash else { return problem(here, "its text is not the one that was hashed: altered") }
        guard let content = LeafContent(row.leaf) else { return problem(here, "not an entry") }
        guard content.sequence == row.sequence else {
            return problem(here, "says that it is entry \(content.sequence): moved or inserted")
        }
        if content.kind != row.kind || content.subject != row.subject || content.milliseconds != row.milliseconds
            || content.incident != row.incident || content.service != row.service
        {
            problem(here, "its columns differ from the text that was hashed: altered")
        }
        let remembered = Hexadecimal.bytes(content.previous)
        if follows, remembered != previous.computed, remembered != previous.stored {
            problem(
                max(1, lastSequence)...row.sequence,
                "entry \(row.sequence) follows another entry \(lastSequence): one of the two was replaced")
        }
        if content.kind == LedgerEvent.Kind.measurements.rawValue { expectBatch(content) }
        if content.kind == LedgerEvent.Kind.gap.rawValue { report.gaps.append(row.sequence) }
        let commitments = content.commitments
        if !commitments.isEmpty { expectedTexts[row.sequence] = commitments }
        for hash in BlobReference.hashes(in: content.body) { expectedBlobs.append((row.sequence, hash)) }
    }

    private mutating func expectBatch(_ content: LeafContent) {
        guard let digest = content.body["sha256"]?.text, let from = content.body["from"]?.integer,
            let through = content.body["through"]?.integer, from <= through
        else { return problem(content.sequence...content.sequence, "vouches for no measurements") }
        expectedBatches[content.sequence] = (digest, from...through)
    }

    /// Compares the measurements of all batches given since the last call with their entries.
    mutating func measurements(_ found: [Int64: MeasurementBatch]) {
        for (sequence, expectation) in expectedBatches.sorted(by: { $0.key < $1.key }) {
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
        for sequence in found.keys.sorted() where expectedBatches[sequence] == nil {
            problem(sequence...sequence, "vouches for no measurements, yet there are some: inserted")
        }
        expectedBatches = [:]
    }

    /// Compares the texts about persons of all entries given since the last call with their commitments.
    mutating func disclosures(_ found: [Int64: [Disclosure]]) {
        for (sequence, commitments) in expectedTexts.sorted(by: { $0.key < $1.key }) {
            let texts = found[sequence] ?? []
            for commitment in commitments {
                if let text = texts.first(where: { $0.commitment == commitment }) {
                    if text.isGenuine {
                        report.disclosures += 1
                    } else {
                        problem(sequence...sequence, "a text about a person is not the one recorded: altered")
                    }
                } else if erased.contains(commitment) {
                    report.erased += 1
                } else {
                    problem(
                        sequence...sequence, "a text about a person was removed, and no entry says that it was erased")
                }
            }
        }
        for (sequence, texts) in found.sorted(by: { $0.key < $1.key }) {
            let known = expectedTexts[sequence] ?? []
            if texts.contains(where: { !known.contains($0.commitment) }) {
                problem(sequence...sequence, "it does not refer to a text about a person that is kept for it: inserted")
            }
        }
        expectedTexts = [:]
    }

    /// The contents referenced by entries given since the last call.
    mutating func takeBlobs() -> [(sequence: Int64, hash: [UInt8])] {
        defer { expectedBlobs = [] }
        return expectedBlobs
    }

    /// Compares a content with the hash in entry `sequence`; `nil` if there is no content.
    mutating func blob(_ content: [UInt8]?, hash: [UInt8], sequence: Int64) {
        guard let content else { return problem(sequence...sequence, "a content that it refers to was removed") }
        if SHA256.hash(content) != hash {
            problem(sequence...sequence, "a content that it refers to is not the one recorded: altered")
        }
    }

    /// The subtrees completed by entries given since the last call.
    mutating func takeNodes() -> [MerkleTree.Node] {
        defer { completed = [] }
        return isBroken ? [] : completed
    }

    /// Compares a stored subtree with the one computed.
    mutating func node(_ node: MerkleTree.Node, stored hash: [UInt8]?) {
        guard hash != node.hash else { return }
        let first = node.position << node.level
        problem(first + 1...first + 1 << node.level, "the stored hash over these entries is wrong or missing")
    }

    /// Compares a signed checkpoint with the entries it covers.
    ///
    /// - Parameter isOutside: whether it was stored outside of the verified ledger. An attacker with the key who has
    ///   replaced entries has signed the other checkpoints again.
    mutating func checkpoint(_ note: String, size: Int64, isOutside: Bool = false) {
        guard let checkpoint = trusted.checkpoint(in: note) else {
            // The entries without a trusted signature.
            let unsigned = report.signedEntries < size ? report.signedEntries + 1...size : nil
            return problem(unsigned, "the checkpoint over \(size) entries was not signed by \(trusted.name): altered")
        }
        guard checkpoint.size == size else {
            return problem(nil, "the checkpoint over \(checkpoint.size) entries is stored as one over \(size): altered")
        }
        if size > lastSequence {
            problem(lastSequence + 1...size, "removed: a signed checkpoint covers them")
            isBroken = true
            return
        }
        if isBroken { return }
        guard checkpoint.root == tree.root else {
            let first = (isOutside ? vouchedEntries : report.signedEntries) + 1
            problem(
                first...max(first, size),
                "the tree over \(size) entries has another root than was signed: entries were replaced with their hashes"
            )
            isBroken = true
            return
        }
        report.checkpoints += 1
        report.signedEntries = max(report.signedEntries, size)
        if isOutside { vouchedEntries = max(vouchedEntries, size) }
    }

    /// Compares the head from which the next append would continue.
    mutating func head(_ head: LedgerHead) {
        if head.size < lastSequence {
            problem(head.size + 1...lastSequence, "not counted by the ledger's head: inserted")
        } else if head.size > lastSequence {
            problem(lastSequence + 1...head.size, "removed: the ledger's head counts them")
        } else if !isBroken, head.tree != tree || head.previous != previous.stored {
            problem(nil, "the ledger's head does not fit its entries")
        }
    }

    /// The result.
    mutating func finish() -> LedgerReport {
        report.root = isBroken ? "" : Base64.text(tree.root)
        return report
    }

    /// Adds a problem found elsewhere.
    mutating func problem(_ sequences: ClosedRange<Int64>?, _ message: String) {
        guard report.problems.count < Self.problemLimit else { return }
        report.problems.append(.init(sequences: sequences, message: message))
    }
}
