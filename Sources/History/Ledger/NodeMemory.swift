internal import Glibc
internal import Runtime
internal import TLS

/// A node's state of the record outside of the database: the largest checkpoint it has seen, and its trusted keys.
///
/// ```text
/// checkpoint           the note of the largest checkpoint
/// checkpoint.former    notes given up by `audit acknowledge-gap`, one after the other
/// trusted-keys         keys of other nodes, one name+id+key per line
/// signing-key.pem      this node's key
/// ```
struct NodeMemory: Sendable {
    let directory: String

    var keyPath: String { directory + "/signing-key.pem" }
    private var checkpointPath: String { directory + "/checkpoint" }
    private var trustedPath: String { directory + "/trusted-keys" }

    /// The largest checkpoint seen, with its note.
    var largest: (checkpoint: Checkpoint, note: String)? {
        guard let note = FileText.read(checkpointPath), let body = NoteVerifier.parts(of: note)?.body,
            let checkpoint = Checkpoint(body: body)
        else { return nil }
        return (checkpoint, note)
    }

    /// Stores `note` unless a checkpoint over at least as many entries is stored already.
    func remember(_ note: String, size: Int64) throws(HistoryError) {
        if let largest, largest.checkpoint.size >= size { return }
        try HistoryFile.write(note, to: checkpointPath)
    }

    /// Replaces the checkpoint by `note`, after a person discarded the former one.
    func replace(by note: String) throws(HistoryError) {
        if let largest {
            let path = checkpointPath + ".former"
            try HistoryFile.write((FileText.read(path) ?? "") + largest.note, to: path)
        }
        try HistoryFile.write(note, to: checkpointPath)
    }

    /// The trusted keys of other nodes. Invalid lines are ignored.
    var trustedKeys: [NoteVerifier] {
        (FileText.read(trustedPath) ?? "").split(separator: "\n").compactMap { try? NoteVerifier(text: $0) }
    }

    /// Trusts `key` from now on. Returns false if it is trusted already.
    func trust(_ key: NoteVerifier) throws(HistoryError) -> Bool {
        let known = trustedKeys
        if known.contains(key) { return false }
        try HistoryFile.write((known + [key]).map { $0.text + "\n" }.joined(), to: trustedPath)
        return true
    }

    /// This node's key; `nil` if there is none.
    func signingKey() throws(HistoryError) -> SigningKey? { try SigningKeyFile.read(keyPath) }

    /// Whether nothing was stored here before, so that a new key replaces none.
    var isFresh: Bool {
        ["checkpoint", "trusted-keys", "spool/identity", "history.db", "signing-key.pem"].allSatisfy {
            unsafe access("\(directory)/\($0)", F_OK) != 0
        }
    }
}
