internal import JSON
internal import Runtime
internal import TLS

/// The configuration files in force, without their secrets.
public struct ConfigurationSnapshot: Equatable, Sendable {
    struct File: Equatable, Sendable {
        var path: String
        /// Without secrets.
        var content: String
        /// HMAC-SHA256 of the original content: it changes with every byte, including those of secrets.
        var code: String
    }

    let files: [File]

    /// The paths of the files.
    public var paths: [String] { files.map(\.path) }

    /// A hash over all files. Decisions refer to it.
    public var identity: String {
        SHA256.hex(files.map { "\($0.path)\u{0}\($0.code)\n" }.joined())
    }

    init(files: [File]) {
        self.files = files.sorted { $0.path < $1.path }
    }

    /// Largest file whose content is stored. Of a larger one only the hash is stored.
    private static let contentLimit = 1 << 20
    /// Longest diff of one file, in bytes.
    private static let diffLimit = 64 << 10

    /// The event that records that this configuration came into force.
    ///
    /// - Parameters:
    ///   - former: the previous configuration; `nil` at a start.
    ///   - subject: the main file.
    ///   - error: why the new configuration was refused; `nil` if it is in force.
    ///   - actor: the cause of the change.
    public func event(
        after former: ConfigurationSnapshot?, subject: String, error: String?, actor: LedgerActor?,
        at milliseconds: Int64
    ) -> LedgerEvent {
        var blobs: [[UInt8]] = []
        var room = PendingEvent.blobLimit
        let files = files.map { file -> JSON in
            let bytes = Array(file.content.utf8)
            var members: [JSON.Member] = [
                .init("bytes", .integer(Int64(bytes.count))), .init("hmac", .string(file.code)),
                .init("path", .string(file.path)), .init("sha256", .string(SHA256.hex(file.content))),
            ]
            if bytes.count <= min(Self.contentLimit, room) {
                room -= bytes.count
                blobs.append(bytes)
                members.append(.init("content", BlobReference.json(to: bytes)))
            }
            return .object(members)
        }
        let body: JSON = [
            "accepted": .bool(error == nil), "configuration": .string(identity),
            "diff": .array(former.map { diff(from: $0) } ?? []), "error": error.map(JSON.string) ?? .null,
            "files": .array(files),
        ]
        return LedgerEvent(
            milliseconds: milliseconds, kind: .configurationChange, subject: subject, body: body, actor: actor,
            blobs: blobs)
    }

    private func diff(from former: ConfigurationSnapshot) -> [JSON] {
        let old = Dictionary(former.files.map { ($0.path, $0) }) { $1 }
        let new = Dictionary(files.map { ($0.path, $0) }) { $1 }
        return Set(old.keys).union(new.keys).sorted().compactMap { path in
            guard old[path] != new[path] else { return nil }
            var text = TextDiff.text(old[path]?.content ?? "", new[path]?.content ?? "")
            if text.utf8.count > Self.diffLimit {
                text = String(decoding: text.utf8.prefix(Self.diffLimit), as: UTF8.self) + "\n…"
            }
            return ["path": .string(path), "text": .string(text)]
        }
    }
}

/// Reads configuration files without their secrets.
public struct ConfigurationReader: Sendable {
    private let redactor: SecretRedactor
    private let key: [UInt8]

    private static let keyByteCount = 32

    /// A reader with the key in `directory`, which is created if it is missing.
    public init(directory: String) throws(HistoryError) {
        let path = directory + "/redaction-key"
        if let text = FileText.read(path) {
            guard let key = Hexadecimal.bytes(text.prefix { $0 != "\n" }), key.count == Self.keyByteCount else {
                throw HistoryError(.malformed, "\(path): expected 64 hexadecimal digits")
            }
            self.key = key
        } else {
            do throws(TLSError) {
                key = try SecureRandom.bytes(Self.keyByteCount)
            } catch {
                throw HistoryError(.refused, "cannot create \(path): \(error)")
            }
            try HistoryFile.write(Hexadecimal.text(key) + "\n", to: path)
        }
        redactor = SecretRedactor(key: key)
    }

    /// The present content of the files at `paths`. An unreadable file is recorded as such.
    public func snapshot(_ paths: [String]) -> ConfigurationSnapshot {
        let files = Set(paths).map { path -> ConfigurationSnapshot.File in
            let text = FileText.read(path)
            return ConfigurationSnapshot.File(
                path: path, content: text.map(redactor.redacted) ?? "(unreadable)",
                code: Hexadecimal.text(HMACSHA256.code(for: Array((text ?? "").utf8), key: key)))
        }
        return ConfigurationSnapshot(files: files)
    }
}
