public import JSON
internal import TLS

/// A reference from a leaf to content stored outside of it: `{"$blob":"<SHA-256>"}`.
public enum BlobReference {
    private static let mark = "$blob"

    /// The reference to `content`, which must be one of the event's blobs.
    public static func json(to content: [UInt8]) -> JSON {
        .object([.init(mark, .string(Hexadecimal.text(SHA256.hash(content))))])
    }

    /// The hashes referenced in `json`.
    static func hashes(in json: JSON) -> [[UInt8]] {
        switch json {
        case .array(let elements): return elements.flatMap(hashes)
        case .object(let members):
            if members.count == 1, members[0].name == mark, let text = members[0].value.text,
                let bytes = Hexadecimal.bytes(text), bytes.count == SHA256.byteCount
            {
                return [bytes]
            }
            return members.flatMap { hashes(in: $0.value) }
        default: return []
        }
    }
}
