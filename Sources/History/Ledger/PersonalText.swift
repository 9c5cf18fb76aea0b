internal import JSON
internal import TLS

/// A text about a person with the salt that proves that a leaf committed to it.
///
/// The leaf has `{"$person":"<commitment>"}`, where the commitment is SHA-256(salt ‖ text) in hexadecimal. Without the
/// 16 random bytes of the salt the text cannot be guessed, so erasing the row erases the text from the record, while
/// every hash can still be verified.
struct Disclosure: Equatable, Sendable {
    var commitment: [UInt8]
    var salt: [UInt8]
    var text: String

    static let saltByteCount = 16

    init(commitment: [UInt8], salt: [UInt8], text: String) {
        self.commitment = commitment
        self.salt = salt
        self.text = text
    }

    /// Commits to `text` with a new salt; `nil` if the system has no random bytes.
    init?(_ text: String) {
        // OpenSSL's reason would not help the caller, who omits the text.
        guard case .some(let salt) = try? SecureRandom.bytes(Self.saltByteCount) else { return nil }
        self.init(commitment: Self.commitment(to: text, salt: salt), salt: salt, text: text)
    }

    static func commitment(to text: String, salt: [UInt8]) -> [UInt8] { SHA256.hash(salt + text.utf8) }

    /// Whether salt and text match the commitment.
    var isGenuine: Bool { salt.count == Self.saltByteCount && Self.commitment(to: text, salt: salt) == commitment }
}

/// Replaces texts about persons by commitments and restores them.
enum PersonalText {
    /// Marks a text that must be committed to: `{"$personal":"Ada"}`.
    static let mark = "$personal"
    /// Marks a commitment in a leaf: `{"$person":"9f86…"}`.
    static let commitment = "$person"
    /// The text shown instead of an erased one.
    static let erased = "(erased)"

    /// `json` with a commitment for each marked text; salts and texts are added to `disclosures`.
    static func committed(_ json: JSON, _ disclosures: inout [Disclosure]) -> JSON {
        // Most events name no person, and are not copied.
        isPlain(json) ? json : changed(json, &disclosures)
    }

    /// Whether ``committed(_:_:)`` changes nothing.
    private static func isPlain(_ json: JSON) -> Bool {
        switch json {
        case .array(let elements): elements.allSatisfy(isPlain)
        case .object(let members):
            members.allSatisfy { member in
                !member.name.utf8.contains(0) && member.name != commitment && member.name != mark
                    && isPlain(member.value)
            }
        case .string(let text): !text.utf8.contains(0)
        default: true
        }
    }

    private static func changed(_ json: JSON, _ disclosures: inout [Disclosure]) -> JSON {
        switch json {
        case .array(let elements): return .array(elements.map { changed($0, &disclosures) })
        case .object(let members):
            if members.count == 1, members[0].name == mark, let text = members[0].value.text {
                guard let disclosure = Disclosure(storable(text)) else { return .string("(withheld)") }
                disclosures.append(disclosure)
                return object(disclosure.commitment)
            }
            return .object(
                members.map { member in
                    // Only this function creates commitments: a label that looks like one is renamed.
                    let isForeign = member.name == commitment
                    return .init(
                        isForeign ? "$" + commitment : storable(member.name), changed(member.value, &disclosures))
                })
        case .string(let text): return .string(storable(text))
        default: return json
        }
    }

    /// `text` without U+0000, which PostgreSQL keeps neither in text nor in jsonb.
    static func storable(_ text: String) -> String {
        text.utf8.contains(0) ? text.replacing("\u{0}", with: "\u{fffd}") : text
    }

    private static func object(_ bytes: [UInt8]) -> JSON {
        .object([.init(commitment, .string(Hexadecimal.text(bytes)))])
    }

    /// The commitments in `json`, in order.
    static func commitments(in json: JSON) -> [[UInt8]] {
        switch json {
        case .array(let elements): return elements.flatMap { commitments(in: $0) }
        case .object(let members):
            if let bytes = bytes(members) { return [bytes] }
            return members.flatMap { commitments(in: $0.value) }
        default: return []
        }
    }

    /// `json` with the texts of its commitments; ``erased`` for missing ones.
    static func opened(_ json: JSON, _ texts: [[UInt8]: String]) -> JSON {
        switch json {
        case .array(let elements): return .array(elements.map { opened($0, texts) })
        case .object(let members):
            if let bytes = bytes(members) { return .string(texts[bytes] ?? erased) }
            return .object(members.map { .init($0.name, opened($0.value, texts)) })
        default: return json
        }
    }

    private static func bytes(_ members: [JSON.Member]) -> [UInt8]? {
        guard members.count == 1, members[0].name == commitment, let text = members[0].value.text,
            let bytes = Hexadecimal.bytes(text), bytes.count == SHA256.byteCount
        else { return nil }
        return bytes
    }
}
