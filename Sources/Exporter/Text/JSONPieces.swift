internal import JSON
internal import WebServer

/// A part of an answer that is written some at a time, because all of it at once would take much memory.
protocol JSONPieces: Sendable {
    /// Writes on until all is written, or until `writer` holds about `size` bytes.
    ///
    /// - Returns: Whether all is written.
    mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool
}

/// A list, one element after the other.
struct ListPieces<Element: Sendable>: JSONPieces {
    private let elements: ArraySlice<Element>
    private let write: @Sendable (inout JSONWriter, Element) -> Void
    private var next: Int?

    init(_ elements: ArraySlice<Element>, _ write: @escaping @Sendable (inout JSONWriter, Element) -> Void) {
        self.elements = elements
        self.write = write
    }

    mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool {
        if next == nil { writer.beginArray() }
        var index = next ?? elements.startIndex
        while index < elements.endIndex, writer.bytes.count < size {
            write(&writer, elements[index])
            index += 1
        }
        next = index
        guard index == elements.endIndex else { return false }
        writer.endArray()
        return true
    }
}

/// An answer whose data is written while it is sent.
///
/// `@unchecked`: like every source it is asked by one thread at a time, the one that serves its connection.
final class JSONBody: HTTPBodySource, @unchecked Sendable {
    /// About how much of an answer is in memory at a time.
    static let pieceSize = 96 << 10

    private var writer: JSONWriter
    private var data: any JSONPieces
    private let notes: APINotes?

    /// - Parameter writer: An envelope whose data has been begun by `data`, to be ended with `notes`; without notes there is
    ///   none.
    init(_ writer: JSONWriter, _ data: any JSONPieces, _ notes: APINotes?) {
        self.writer = writer
        self.data = data
        self.notes = notes
    }

    func appendPiece(to piece: inout [UInt8]) -> Bool {
        let isWhole = data.write(to: &writer, until: Self.pieceSize)
        if isWhole { notes?.endEnvelope(&writer) }
        writer.drain(into: &piece)
        return !isWhole
    }
}
