/// Decodes a chunked body (RFC 9112, section 7.1) that arrives in pieces of any size. Trailer fields are checked and
/// discarded.
struct ChunkedDecoder: Equatable, Sendable {
    private enum State: Equatable {
        /// In a chunk's size, with the number of digits read.
        case size(digits: Int)
        /// After the size, in the extension, which is ignored.
        case chunkExtension
        case sizeLineFeed
        case data
        case dataReturn
        case dataLineFeed
        /// At the start of a trailer field or of the empty line.
        case trailer
        case trailerName
        case trailerValue
        case trailerLineFeed
        case lastLineFeed
        case done
    }

    private var state = State.size(digits: 0)
    /// The remaining bytes of the chunk.
    private var remaining = 0
    /// The bytes of extensions and trailers, which are limited.
    private var overhead = 0

    private static let maximumOverhead = 16 << 10

    var isDone: Bool { state == .done }

    /// Decodes `bytes` from `position` on, and passes ranges of the content to `content`.
    mutating func decode(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int,
        content: (UnsafeRawBufferPointer) throws(HTTPFault) -> Void
    ) throws(HTTPFault) {
        while position < bytes.count, state != .done {
            if state == .data {
                let end = position + min(remaining, bytes.count - position)
                try unsafe content(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
                remaining -= end - position
                position = end
                if remaining == 0 { state = .dataReturn }
            } else {
                try step(unsafe bytes[position])
                position += 1
            }
        }
    }

    private mutating func step(_ byte: UInt8) throws(HTTPFault) {
        switch state {
        case .size(let digits): try sizeByte(byte, digits)
        case .chunkExtension:
            if byte == 0x0d { state = .sizeLineFeed } else { try count(byte) }
        case .sizeLineFeed: try expect(byte, 0x0a, then: remaining == 0 ? .trailer : .data)
        case .dataReturn: try expect(byte, 0x0d, then: .dataLineFeed)
        case .dataLineFeed: try expect(byte, 0x0a, then: .size(digits: 0))
        case .trailer, .trailerName, .trailerValue: try trailerByte(byte)
        case .trailerLineFeed: try expect(byte, 0x0a, then: .trailer)
        case .lastLineFeed: try expect(byte, 0x0a, then: .done)
        case .data, .done: break
        }
    }

    private mutating func sizeByte(_ byte: UInt8, _ digits: Int) throws(HTTPFault) {
        if HTTPGrammar.isHexadecimal(byte) {
            // Fifteen hexadecimal digits fit in 63 bits.
            guard digits < 15 else { throw .bodyTooLarge }
            if digits == 0 { remaining = 0 }
            remaining = remaining << 4 | Int(byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57)
            state = .size(digits: digits + 1)
        } else if digits > 0, byte == 0x0d {
            state = .sizeLineFeed
        } else if digits > 0, byte == UInt8(ascii: ";") {
            state = .chunkExtension
        } else {
            throw .badRequest("malformed chunk size")
        }
    }

    private mutating func trailerByte(_ byte: UInt8) throws(HTTPFault) {
        switch (state, byte) {
        case (.trailer, 0x0d): state = .lastLineFeed
        case (.trailerName, UInt8(ascii: ":")): state = .trailerValue
        case (.trailerValue, 0x0d): state = .trailerLineFeed
        case (.trailerValue, _): try count(byte)
        default:
            guard HTTPGrammar.isToken(byte) else { throw .badRequest("malformed trailer field") }
            state = .trailerName
            try count(byte)
        }
    }

    private mutating func count(_ byte: UInt8) throws(HTTPFault) {
        guard HTTPGrammar.isFieldContent(byte) else { throw .badRequest("invalid character between chunks") }
        overhead += 1
        if overhead > Self.maximumOverhead { throw .headTooLarge }
    }

    private mutating func expect(_ byte: UInt8, _ wanted: UInt8, then next: State) throws(HTTPFault) {
        guard byte == wanted else { throw .badRequest("malformed chunk") }
        state = next
    }
}
