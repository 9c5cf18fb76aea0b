internal import COpenSSL

/// Why a cryptographic operation failed.
public struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: Sendable {
        /// A key that cannot be read or is of another kind.
        case badKey
        case badCertificate
        /// Names that OpenSSL does not know, or settings that contradict each other.
        case badConfiguration
        /// OpenSSL failed to perform the operation.
        case operationFailed
    }

    /// The kind of failure.
    public var code: Code
    /// The operation that failed, with OpenSSL's reason. Never contains key material.
    public var message: String

    /// The message.
    public var description: String { message }

    /// The error of `what`, with OpenSSL's reason for this thread.
    static func last(_ code: Code, _ what: String) -> TLSError {
        var text = [CChar](repeating: 0, count: 256)
        let number = ERR_get_error()
        ERR_clear_error()
        guard number != 0 else { return TLSError(code: code, message: what) }
        unsafe ERR_error_string_n(number, &text, text.count)
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return TLSError(code: code, message: "\(what): \(reason)")
    }
}
