internal import Zlib

/// A body that is compressed while it is sent.
///
/// `@unchecked`: like every source it is asked by one thread at a time.
final class CompressedBody: HTTPBodySource, @unchecked Sendable {
    private let source: any HTTPBodySource
    private var deflater: Deflater
    /// What is to be compressed next.
    private var plain: [UInt8]
    private var isLast = false

    /// `beginning` and then what `source` gives. `nil` where there is no memory for it.
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
