public import JSON
internal import WebServer

/// A JSON value that is written piece by piece, because the whole text would take much memory.
public protocol IncrementalJSON: Sendable {
    /// Continues writing to the end, or until `writer` has about `size` bytes.
    ///
    /// - Returns: whether everything is written.
    mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool
}

/// A list, one element after the other.
public struct IncrementalJSONList<Element: Sendable>: IncrementalJSON {
    @usableFromInline let elements: ArraySlice<Element>
    @usableFromInline let write: @Sendable (inout JSONWriter, Element) -> Void
    @usableFromInline var next: Int?

    /// A list of `elements`, each written by `write`.
    @inlinable
    public init(_ elements: ArraySlice<Element>, _ write: @escaping @Sendable (inout JSONWriter, Element) -> Void) {
        self.elements = elements
        self.write = write
    }

    /// Continues writing to the end, or until `writer` has about `size` bytes.
    @inlinable
    public mutating func write(to writer: inout JSONWriter, until size: Int) -> Bool {
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

/// A response body whose data is written while it is sent.
///
/// `@unchecked`: like every source it is used by one thread at a time, which serves its connection.
final class JSONBodySource: HTTPBodySource, @unchecked Sendable {
    /// About how much of a body is in memory at a time.
    static let pieceSize = 96 << 10

    private var writer: JSONWriter
    private var data: any IncrementalJSON
    private let result: APIResult?

    /// - Parameters:
    ///   - writer: an envelope in which `data` has been begun.
    ///   - result: ends the envelope; `nil` if there is none.
    init(_ writer: JSONWriter, _ data: any IncrementalJSON, _ result: APIResult?) {
        self.writer = writer
        self.data = data
        self.result = result
    }

    func appendPiece(to piece: inout [UInt8]) -> Bool {
        let isWhole = data.write(to: &writer, until: Self.pieceSize)
        if isWhole { result?.endEnvelope(&writer) }
        writer.drain(into: &piece)
        return !isWhole
    }
}
