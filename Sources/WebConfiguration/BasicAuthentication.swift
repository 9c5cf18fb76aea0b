internal import CCrypt
internal import Synchronization
internal import TLS

/// Checks passwords of basic authentication against bcrypt hashes. May be used from any thread.
///
/// A hash takes tens of milliseconds, so results are cached by a digest of user, hash and password. One hash is
/// computed
/// at a time, so that guessing passwords cannot use up the processor.
/// hash is computed at a time: guessing must not take the processor away from everything else.
final class BasicAuthentication: Sendable {
    private static let capacity = 100
    private let known = Mutex<[[UInt8]: Bool]>([:])
    private let computing = Mutex(())

    /// A hash that matches no password, so that unknown users take as long as known ones.
    private static let nobody = "$2y$10$abcdefghijklmnopqrstuuAwpL4lbrCcQ34cQT7sjt9AMRKep.q0m"

    /// Whether `text` is a bcrypt hash.
    static func isHash(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 60, ["$2a$", "$2b$", "$2y$"].contains(where: text.hasPrefix) else { return false }
        guard let cost = Int(text.dropFirst(4).prefix(2)), (4...31).contains(cost), bytes[6] == UInt8(ascii: "$") else {
            return false
        }
        return bytes[7...].allSatisfy { byte in
            byte >= 0x30 && byte <= 0x39 || byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a || byte == 0x2e || byte == 0x2f
        }
    }

    /// The cached result for these credentials; `nil` if there is none.
    func remembered(_ user: String, _ password: String, in users: [String: String]) -> Bool? {
        let key = Self.key(user, password, users)
        return known.withLock { $0[key] }
    }

    /// Whether `user` has this password. May take long.
    func isValid(_ user: String, _ password: String, in users: [String: String]) -> Bool {
        let key = Self.key(user, password, users)
        return computing.withLock { _ in
            if let known = known.withLock({ $0[key] }) { return known }
            let hash = users[user] ?? Self.nobody
            let hasZero = password.utf8.contains(0)
            let matches = unsafe ccrypt_verify(password, hash)
            let isValid = matches && !hasZero && users[user] != nil
            known.withLock { known in
                if known.count >= Self.capacity { known.removeAll() }
                known[key] = isValid
            }
            return isValid
        }
    }

    private static func key(_ user: String, _ password: String, _ users: [String: String]) -> [UInt8] {
        let parts = [user, users[user] ?? nobody, password]
        return SHA256.hash(parts.flatMap { Array("\($0.utf8.count):".utf8) + Array($0.utf8) })
    }

    /// User and password of an `Authorization` header.
    static func credentials(_ header: String) -> (user: String, password: String)? {
        guard header.lowercased().hasPrefix("basic "), let bytes = Base64.bytes(header.dropFirst(6).drop { $0 == " " })
        else {
            return nil
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let colon = text.firstIndex(of: ":") else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
}
