internal import JSON
internal import Runtime
internal import TLS

/// Decides whether this node may write to a record: the record must continue the node's last checkpoint, and list the
/// node's key.
struct RecordKeeper: Sendable {
    let configuration: HistoryConfiguration
    let memory: NodeMemory

    init(_ configuration: HistoryConfiguration) {
        self.configuration = configuration
        memory = NodeMemory(directory: configuration.directory)
    }

    /// Fails with `halted` unless the database continues the largest checkpoint that this node has seen.
    ///
    /// - Parameter canHeal: whether the spool still has the entries that the database lacks.
    /// - Returns: whether the missing entries are delivered from the spool.
    func checkContinuity(
        _ ledger: Ledger, _ head: LedgerHead?, canHeal: (Checkpoint) throws(HistoryError) -> Bool
    ) throws(HistoryError) -> Bool {
        guard let known = memory.largest?.checkpoint else { return false }
        switch try ledger.continuity(head, since: known) {
        case .continues: return false
        case .isBehind(let size):
            if try canHeal(known) { return true }
            throw HistoryError(
                .halted,
                """
                the database holds \(size) entries, but this node has seen a signed record of \(known.size): entries \
                \(size + 1)-\(known.size) are missing. Restore the database that holds them, or run \
                `tribune audit acknowledge-gap --reason=…`
                """)
        case .isForked:
            throw HistoryError(
                .halted,
                """
                the database does not continue the signed record of \(known.size) entries that this node has seen: \
                entries 1-\(known.size) were replaced. Restore the database that holds them, or run \
                `tribune audit acknowledge-gap --reason=…`
                """)
        }
    }

    /// The signer of this node. A node that never had a key gets one; a missing key is never replaced.
    func signer() throws(HistoryError) -> NoteSigner {
        if let key = try memory.signingKey() { return NoteSigner(name: configuration.origin, key: key) }
        throw HistoryError(
            .halted,
            """
            the signing key \(memory.keyPath) is missing, but the record it signed is not new. Restore the key, or run \
            `tribune audit acknowledge-gap --reason=…` to continue with another one
            """)
    }

    /// Adds this node's key to the record if permitted.
    ///
    /// - Parameter isNew: whether this node has just created the record.
    func join(
        _ ledger: Ledger, _ head: inout LedgerHead, _ signer: NoteSigner, isNew: Bool, now: Int64
    ) throws(HistoryError) -> Bool {
        let keys = try ledger.nodeKeys()
        let own = signer.verifier
        guard !keys.contains(where: { $0.key == own.text }) else { return false }
        try checkAdmission(ledger, keys, own, isNew: isNew)
        for other in keys {
            // A malformed line in the table is reported by the audit.
            guard case .some(let verifier) = try? NoteVerifier(text: other.key), configuration.rootKey == nil else {
                continue
            }
            _ = try memory.trust(verifier)
        }
        var next = head
        let key = NodeKey(
            key: own.text, node: configuration.node, firstSize: head.size, certificate: configuration.certificate ?? "")
        try ledger.store.transaction { () throws(HistoryError) in try ledger.add(key, now: now, head: &next) }
        head = next
        return !keys.isEmpty
    }

    private func checkAdmission(
        _ ledger: Ledger, _ keys: [NodeKey], _ own: NoteVerifier, isNew: Bool
    ) throws(HistoryError) {
        if let root = configuration.rootKey {
            guard let note = configuration.certificate, let found = KeyCertificate(note: note, root: root),
                found.key == own, found.origin == configuration.origin
            else {
                throw HistoryError(
                    .halted,
                    "the root key has not certified this node's key \(own.text): run `tribune audit certify`")
            }
            return
        }
        if isNew { return }
        if keys.isEmpty {
            // A record of an earlier version lists no keys: if this node's key signed its end, the record is this
            // node's.
            guard let note = try ledger.newestNote(), own.checkpoint(in: note) == nil else { return }
        } else if configuration.admitsNodes {
            return
        }
        throw HistoryError(
            .halted,
            """
            the record of "\(configuration.origin)" in the database was signed by other keys than this node's. Use the \
            directory that it was written with, or run `tribune audit acknowledge-gap --reason=…`
            """)
    }

    /// Reads a record that another node writes: stores its checkpoints, and trusts the keys of nodes that joined.
    ///
    /// - Returns: keys trusted for the first time.
    func observe(_ ledger: Ledger) throws(HistoryError) -> [NoteVerifier] {
        guard let head = try ledger.headIfPresent(), try ledger.store.hasTable("node_key") else { return [] }
        _ = try checkContinuity(ledger, head) { _ in false }
        var added: [NoteVerifier] = []
        if configuration.rootKey == nil, configuration.admitsNodes {
            for key in try ledger.nodeKeys() {
                guard case .some(let verifier) = try? NoteVerifier(text: key.key),  // reported by the audit
                    verifier.name == configuration.origin, try verifier != ownKey(), try memory.trust(verifier)
                else { continue }
                added.append(verifier)
            }
        }
        if let note = try ledger.newestNote(), let checkpoint = try trusted(ledger).checkpoint(in: note),
            try ledger.continuity(head, since: checkpoint) == .continues
        {
            try memory.remember(note, size: checkpoint.size)
        }
        return added
    }

    private func ownKey() throws(HistoryError) -> NoteVerifier? {
        try memory.signingKey().map { NoteVerifier(name: configuration.origin, key: $0.verificationKey) }
    }

    /// The keys that this node trusts: its own, those it has seen join, and those certified by the root key.
    func trusted(_ ledger: Ledger?) throws(HistoryError) -> TrustedKeys {
        var trusted = TrustedKeys()
        if let own = try ownKey() { trusted.trust(own) }
        for key in memory.trustedKeys { trusted.trust(key) }
        if let root = configuration.rootKey, let ledger {
            trusted.certificates = try ledger.nodeKeys().compactMap { KeyCertificate(note: $0.certificate, root: root) }
        }
        return trusted
    }
}
