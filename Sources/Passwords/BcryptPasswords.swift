internal import CCrypt
internal import Synchronization
internal import TLS

/// Checks passwords against bcrypt hashes. May be used from any thread.
///
/// A hash takes tens of milliseconds, so results are cached by a digest of user, hash and password. One hash is
/// computed at a time, so that guessing passwords cannot use up the processor.
public final class BcryptPasswords: Sendable {
    private static let capacity = 100
    /// Right and wrong credentials apart, so that guesses do not make right ones forgotten.
    private let known = Mutex<(right: Set<[UInt8]>, wrong: Set<[UInt8]>)>(([], []))
    private let computing = Mutex(())

    /// A hash that matches no password, so that unknown users take as long as known ones.
    private static let nobody = "$2y$10$abcdefghijklmnopqrstuuAwpL4lbrCcQ34cQT7sjt9AMRKep.q0m"

    /// A check that remembers nothing yet.
    public init() {}

    /// A new hash of `password`; `nil` where libcrypt refuses.
    public static func hash(_ password: String) -> String? {
        var text = [CChar](repeating: 0, count: 128)
        guard unsafe ccrypt_hash(password, &text, text.count) else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether `text` is a bcrypt hash.
    public static func isHash(_ text: String) -> Bool {
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
    ///
    /// - Parameter hash: The hash of the user's password; `nil` for an unknown user.
    public func remembered(_ user: String, _ password: String, hash: String?) -> Bool? {
        let key = Self.key(user, password, hash)
        return known.withLock { $0.right.contains(key) ? true : $0.wrong.contains(key) ? false : nil }
    }

    /// Whether the password of `user` has this hash. May take long, also for an unknown user, whose hash is `nil`.
    public func isValid(_ user: String, _ password: String, hash: String?) -> Bool {
        let key = Self.key(user, password, hash)
        return computing.withLock { _ in
            if let known = remembered(user, password, hash: hash) { return known }
            let hasZero = password.utf8.contains(0)
            let matches = unsafe ccrypt_verify(password, hash ?? Self.nobody)
            let isValid = matches && !hasZero && hash != nil
            known.withLock { known in
                if known.right.count >= Self.capacity { known.right = [] }
                if known.wrong.count >= Self.capacity { known.wrong = [] }
                if isValid { known.right.insert(key) } else { known.wrong.insert(key) }
            }
            return isValid
        }
    }

    private static func key(_ user: String, _ password: String, _ hash: String?) -> [UInt8] {
        let parts = [user, hash ?? nobody, password]
        return SHA256.hash(parts.flatMap { Array("\($0.utf8.count):".utf8) + Array($0.utf8) })
    }
}
