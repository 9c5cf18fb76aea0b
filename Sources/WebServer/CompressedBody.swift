internal import Zlib

/// A body that is compressed while it is sent.
///
/// `@unchecked`: like every source, it is used by one thread at a time.
final class CompressedBody: HTTPBodySource, @unchecked Sendable {
    private let source: any HTTPBodySource
    private var deflater: Deflater
    /// The bytes to compress next.
    private var plain: [UInt8]
    private var isLast = false

    /// A body with `beginning` and the content of `source`. `nil` without memory.
    init?(_ beginning: [UInt8], _ source: any HTTPBodySource, as format: CompressedFormat) {
        guard let deflater = Deflater(as: format) else { return nil }
        self.deflater = deflater
        self.source = source
        plain = beginning
    }

    func appendPiece(to piece: inout [UInt8]) -> Bool {
        while piece.isEmpty {
            if plain.isEmpty, !isLast { isLast = !source.appendPiece(to: &plain) }
            deflater.append(plain, isLast: isLast, to: &piece)
            plain.removeAll(keepingCapacity: true)
            if isLast { return false }
        }
        return true
    }
}
