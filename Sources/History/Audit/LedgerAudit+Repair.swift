internal import Database
internal import JSON
internal import Runtime
internal import TLS

/// Decisions about the record that need a person. Each becomes an entry.
extension LedgerAudit {
    /// The result of ``acknowledgeGap(reason:by:)``.
    public struct AcknowledgedGap: Equatable, Sendable {
        /// The entry that records the gap; `nil` if an entry of another node has recorded it already.
        public var entry: Int64?
        /// The lost entries.
        public var description: String
    }

    /// Continues a record that lacks signed entries, or whose signing key is lost. An entry names the lost range.
    ///
    /// - Parameters:
    ///   - reason: why the loss is accepted.
    ///   - person: the person who accepts it.
    public func acknowledgeGap(reason: String, by person: LedgerActor) throws(HistoryError) -> AcknowledgedGap {
        let now = SystemClock.wallMilliseconds()
        let ledger = Ledger(store: try configuration.openStore())
        let present = try ledger.headIfPresent()
        let known = memory.largest
        let continuity: Continuity =
            if let known { try ledger.continuity(present, since: known.checkpoint) } else { .continues }
        let former = try memory.signingKey()
        let key: SigningKey = if let former { former } else { try SigningKeyFile.create(memory.keyPath) }
        let signer = NoteSigner(name: configuration.origin, key: key)
        _ = try ledger.store.migrate(origin: configuration.origin, now: now)
        let isKnownKey = try ledger.nodeKeys().contains { $0.key == signer.verifier.text }
        guard continuity != .continues || !isKnownKey else {
            throw HistoryError(.invalid, "there is no gap: the database continues the record that this node has seen")
        }
        var head = try ledger.takeOver()
        try ledger.backfillNodes(through: head.size)
        if isKnownKey, let known, try hasGap(ledger, covering: known.checkpoint) {
            let note = try ledger.sign(head, with: signer)
            try memory.replace(by: note)
            return AcknowledgedGap(entry: nil, description: "the gap was acknowledged on another node")
        }
        let lost = Self.lost(continuity, known?.checkpoint)
        let event = LedgerEvent(
            milliseconds: now, kind: .gap, subject: "ledger",
            body: [
                "former": known.map { .string($0.note) } ?? .null, "key": .string(signer.verifier.text),
                "lost": .object(lost.map { .init($0.0, .integer($0.1)) }), "new_key": .bool(!isKnownKey),
                "reason": .string(reason),
            ], actor: person)
        var next = head
        try ledger.store.transaction { () throws(HistoryError) in
            try ledger.append([PendingEvent(event)], to: &next)
            if !isKnownKey {
                let added = NodeKey(
                    key: signer.verifier.text, node: configuration.node, firstSize: next.size,
                    certificate: configuration.certificate ?? "")
                try ledger.add(added, now: now, head: &next)
            }
        }
        let entry = head.size + 1
        head = next
        try memory.replace(by: try ledger.sign(head, with: signer))
        let range = lost.map { "\($0.0) \($0.1)" }.joined(separator: " ")
        return AcknowledgedGap(
            entry: entry, description: lost.isEmpty ? "the signing key was replaced" : "entries lost: \(range)")
    }

    private static func lost(_ continuity: Continuity, _ known: Checkpoint?) -> [(String, Int64)] {
        switch continuity {
        case .continues: []
        case .isBehind(let size): [("from", size + 1), ("through", known?.size ?? 0)]
        // The differing entries are unknown: one root covers all.
        case .isForked: [("from", 1), ("through", known?.size ?? 0)]
        }
    }

    /// Whether an entry names a lost range up to at least `checkpoint`.
    private func hasGap(_ ledger: Ledger, covering checkpoint: Checkpoint) throws(HistoryError) -> Bool {
        try ledger.rows(ofKind: .gap).contains { row in
            guard let lost = LeafContent(row.leaf)?.body["lost"], let from = lost["from"]?.integer,
                let through = lost["through"]?.integer
            else { return false }
            return from <= checkpoint.size && checkpoint.size <= through
        }
    }

    /// Erases the texts about a person everywhere in the database. The commitments stay, so that verification still
    /// passes.
    ///
    /// - Parameters:
    ///   - text: the exact text: a name, an address, an identity.
    ///   - reason: the reason, without the name of the person.
    ///   - person: the person who erases.
    /// - Returns: the number of texts erased.
    public func erase(_ text: String, reason: String, by person: LedgerActor) throws(HistoryError) -> Int {
        let ledger = Ledger(store: try configuration.openStore())
        try ledger.store.checkVersion()
        // A service that writes at the same time moves the head; this transaction then starts again.
        for _ in 0..<20 {
            do throws(HistoryError) {
                return try eraseOnce(ledger, text, reason, person)
            } catch {
                guard error.code == .conflict else { throw error }
            }
        }
        throw HistoryError(.conflict, "the ledger changes too fast; try again")
    }

    private func eraseOnce(
        _ ledger: Ledger, _ text: String, _ reason: String, _ person: LedgerActor
    ) throws(HistoryError) -> Int {
        let rows = try ledger.store.rows(
            "SELECT sequence, commitment FROM disclosure WHERE content = $1 ORDER BY sequence LIMIT 5000", [.text(text)]
        )
        if rows.isEmpty { return 0 }
        var head = try ledger.head()
        let event = LedgerEvent(
            milliseconds: SystemClock.wallMilliseconds(), kind: .erasure, subject: "disclosures",
            body: [
                "commitments": .array(rows.map { .string(Hexadecimal.text($0[1].blob)) }),
                "reason": .string(reason),
            ], actor: person)
        try ledger.store.transaction { () throws(HistoryError) in
            try ledger.append([PendingEvent(event)], to: &head)
            for row in rows {
                _ = try ledger.store.change(
                    "DELETE FROM disclosure WHERE sequence = $1 AND commitment = $2", [row[0], row[1]])
            }
        }
        return rows.count + (rows.count == 5000 ? try eraseOnce(ledger, text, reason, person) : 0)
    }
}

/// The root key, which certifies the keys of nodes.
extension LedgerAudit {
    private var rootName: String { configuration.origin + "/root" }

    /// Creates a root key at `path`, where no file may exist; returns its public key as `name+id+key`.
    public func createRootKey(at path: String) throws(HistoryError) -> String {
        guard try SigningKeyFile.read(path) == nil else { throw HistoryError(.invalid, "\(path) exists already") }
        return NoteVerifier(name: rootName, key: try SigningKeyFile.create(path).verificationKey).text
    }

    /// The certificate of a node's key, signed by the root key in the file at `rootKeyPath`.
    public func certify(
        _ key: String, rootKeyPath path: String, from: Int64, until: Int64?
    ) throws(HistoryError) -> String {
        guard let root = try SigningKeyFile.read(path) else { throw HistoryError(.file, "there is no file \(path)") }
        let verifier = try NoteVerifier(text: key)
        guard verifier.name == configuration.origin else {
            throw HistoryError(
                .invalid,
                "the key is one of \"\(verifier.name)\", but the ledger's origin is \"\(configuration.origin)\"")
        }
        let certificate = KeyCertificate(origin: configuration.origin, key: verifier, from: from, until: until)
        return try NoteSigner(name: rootName, key: root).note(body: certificate.body)
    }
}
