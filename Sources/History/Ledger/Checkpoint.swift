internal import TLS

/// The signed statement about a ledger: its number of entries and the root of their tree, as C2SP tlog-checkpoint in a
/// signed note.
///
/// ```text
/// tribune.example/prod                  origin
/// 1024                                  number of entries
/// 2mS0…=                                root, base64
///
/// — tribune.example/prod 5pVd…=         key name, base64 of (key id ‖ Ed25519 signature)
/// ```
public struct Checkpoint: Equatable, Sendable {
    /// The ledger.
    public var origin: String
    /// Number of entries.
    public var size: Int64
    /// The root of the tree over them.
    public var root: [UInt8]

    /// The lines that are signed.
    var body: String { "\(origin)\n\(size)\n\(Base64.text(root))\n" }

    /// Reads the first three lines of a note; extension lines may follow them.
    init?(body: some StringProtocol) {
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 4, !lines[0].isEmpty, let size = Int64(lines[1]), size >= 0, String(size) == lines[1],
            let root = Base64.bytes(lines[2]), root.count == SHA256.byteCount
        else { return nil }
        self.init(origin: String(lines[0]), size: size, root: root)
    }

    init(origin: String, size: Int64, root: [UInt8]) {
        self.origin = origin
        self.size = size
        self.root = root
    }
}

/// Reads and checks signed notes with one public key.
public struct NoteVerifier: Equatable, Sendable {
    /// The key's name, that of the ledger.
    public let name: String
    private let key: VerificationKey

    init(name: String, key: VerificationKey) {
        self.name = name
        self.key = key
    }

    /// Reads `name+id+key`, in the format of `tribune audit export` and of sumdb tools.
    public init(text: some StringProtocol) throws(HistoryError) {
        let parts = text.split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let bytes = Base64.bytes(parts[2]), bytes.first == NoteVerifier.algorithm,
            case .some(let key) = try? VerificationKey(bytes: Array(bytes.dropFirst()))
        else {
            throw HistoryError(.malformed, "a public key has the form name+id+base64, with id in 8 hexadecimal digits")
        }
        self.init(name: String(parts[0]), key: key)
        guard Hexadecimal.bytes(parts[1]) == id else {
            throw HistoryError(.malformed, "the public key does not belong to its id \(parts[1])")
        }
    }

    /// The number of Ed25519 in key ids.
    static let algorithm: UInt8 = 1

    /// The first four bytes of SHA-256(name ‖ newline ‖ algorithm ‖ key).
    var id: [UInt8] {
        Array(SHA256.hash(Array(name.utf8) + [0x0a, NoteVerifier.algorithm] + key.bytes).prefix(4))
    }

    /// `name+id+key`.
    public var text: String {
        "\(name)+\(Hexadecimal.text(id))+\(Base64.text([NoteVerifier.algorithm] + key.bytes))"
    }

    /// The checkpoint in `note` if this key signed it.
    func checkpoint(in note: String) -> Checkpoint? {
        signedBody(of: note).flatMap { Checkpoint(body: $0) }
    }

    /// The text of `note` if this key signed it; signatures of other keys are skipped.
    func signedBody(of note: String) -> String? {
        guard let (body, signatures) = NoteVerifier.parts(of: note) else { return nil }
        let isSigned = signatures.contains { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, words[0] == "—", words[1] == name, let bytes = Base64.bytes(words[2]),
                Array(bytes.prefix(4)) == id
            else { return false }
            return key.isValid(Array(bytes.dropFirst(4)), over: Array(body.utf8))
        }
        return isSigned ? body : nil
    }

    /// The signed text, with its last newline, and the lines of signatures.
    static func parts(of note: String) -> (body: String, signatures: [Substring])? {
        let bytes = Array(note.utf8)
        // The text has no empty line: origin, size and root are never empty.
        guard let blank = zip(bytes.indices, bytes.dropFirst()).first(where: { bytes[$0.0] == 0x0a && $0.1 == 0x0a })?.0
        else { return nil }
        let body = String(decoding: bytes[...blank], as: UTF8.self)
        let signatures = String(decoding: bytes[(blank + 2)...], as: UTF8.self)
        return (body, signatures.split(separator: "\n"))
    }
}

/// Signs checkpoints and certificates. May be shared between threads.
struct NoteSigner: Sendable {
    private let key: SigningKey
    let verifier: NoteVerifier

    init(name: String, key: SigningKey) {
        self.key = key
        verifier = NoteVerifier(name: name, key: key.verificationKey)
    }

    /// The signed note of `checkpoint`.
    func note(_ checkpoint: Checkpoint) throws(HistoryError) -> String { try note(body: checkpoint.body) }

    /// The signed note of `body`, which ends in a newline.
    func note(body: String) throws(HistoryError) -> String {
        do throws(TLSError) {
            let signature = try key.sign(Array(body.utf8))
            return body + "\n— \(verifier.name) \(Base64.text(verifier.id + signature))\n"
        } catch {
            throw HistoryError(.refused, "cannot sign a checkpoint: \(error)")
        }
    }
}
