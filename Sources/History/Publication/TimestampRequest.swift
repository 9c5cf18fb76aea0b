internal import TLS

/// A request to a time-stamping authority and the check of its response (RFC 3161).
///
/// The signature of the response is not verified here: that needs the authority's certificate, and `openssl ts -verify`
/// does it.
struct TimestampRequest: Sendable {
    /// SHA-256 of the stamped bytes.
    let hash: [UInt8]
    /// Ties the response to the request.
    let nonce: [UInt8]

    static let contentType = "application/timestamp-query"

    /// A request for `bytes`.
    init(for bytes: [UInt8]) throws(HistoryError) {
        hash = SHA256.hash(bytes)
        do throws(TLSError) {
            var random = try SecureRandom.bytes(8)
            // Positive, and without leading zeros that DER would drop.
            random[0] = random[0] & 0x7f | 0x40
            nonce = random
        } catch {
            throw HistoryError(.refused, "cannot request a time stamp: \(error)")
        }
    }

    /// `TimeStampReq` in DER: version 1, SHA-256 imprint, nonce, certificate requested.
    var encoded: [UInt8] {
        let algorithm = Self.element(
            0x30, [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00])
        let imprint = Self.element(0x30, algorithm + Self.element(0x04, hash))
        return Self.element(
            0x30, Self.element(0x02, [1]) + imprint + Self.element(0x02, nonce) + Self.element(0x01, [0xff]))
    }

    /// All our elements are shorter than 128 bytes.
    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }

    /// Why `answer` is not a time stamp for this request; `nil` if it is.
    func problem(with answer: [UInt8]) -> String? {
        guard let outer = Self.content(answer[...], tag: 0x30), let information = Self.content(outer, tag: 0x30),
            let status = Self.content(information, tag: 0x02)
        else { return "the response is not a TimeStampResp" }
        // granted and grantedWithMods
        guard status.count == 1, let code = status.first, code <= 1 else {
            return "the authority refused with status \(status.first ?? 255)"
        }
        guard Self.contains(answer, hash), Self.contains(answer, nonce) else {
            return "the response belongs to another request"
        }
        return nil
    }

    /// The content of the DER element at the start of `bytes`.
    private static func content(_ bytes: ArraySlice<UInt8>, tag: UInt8) -> ArraySlice<UInt8>? {
        guard bytes.count >= 2, bytes.first == tag else { return nil }
        let first = bytes[bytes.startIndex + 1]
        var start = bytes.startIndex + 2
        var length = Int(first)
        if first >= 0x80 {
            let count = Int(first & 0x7f)
            guard (1...4).contains(count), bytes.count >= 2 + count else { return nil }
            length = bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) }
            start += count
        }
        guard bytes.endIndex - start >= length else { return nil }
        return bytes[start..<start + length]
    }

    private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        guard bytes.count >= part.count else { return false }
        return (0...bytes.count - part.count).contains { bytes[$0..<$0 + part.count].elementsEqual(part) }
    }
}
