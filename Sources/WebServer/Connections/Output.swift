/// Bytes to be sent on one connection. Large bodies are kept separately instead of being copied.
struct Output {
    private var first: [UInt8] = []
    private var others: [[UInt8]] = []
    /// The number of bytes of `first` that were sent.
    private var sent = 0

    /// Bodies up to this size are copied, so that head and body are sent together.
    static let longestCopy = 16 << 10

    private(set) var count = 0
    var isEmpty: Bool { count == 0 }

    /// Appends the bytes that `write` appends to its argument: a head, or other small data.
    mutating func append(_ write: (inout [UInt8]) -> Void) {
        if others.isEmpty {
            let before = first.count
            write(&first)
            count += first.count - before
        } else {
            var piece: [UInt8] = []
            write(&piece)
            count += piece.count
            others.append(piece)
        }
    }

    mutating func append(body: [UInt8]) {
        if body.count <= Self.longestCopy {
            append { $0 += body }
        } else {
            count += body.count
            others.append(body)
        }
    }

    /// The bytes to be sent next, in two parts.
    func withUnsent<Result>(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe first.withUnsafeBytes { first in
            unsafe (others.first ?? []).withUnsafeBytes { second in
                unsafe body(UnsafeRawBufferPointer(rebasing: first[sent...]), second)
            }
        }
    }

    /// Records that `count` more bytes were sent.
    mutating func sent(_ count: Int) {
        assert(count <= self.count)
        self.count -= count
        sent += count
        while sent >= first.count, !others.isEmpty {
            sent -= first.count
            first = others.removeFirst()
        }
        guard sent == first.count else { return }
        // The memory of a small response is reused for the next one.
        sent = 0
        first.removeAll(keepingCapacity: first.capacity <= 2 * Self.longestCopy)
    }

    /// Frees the memory while the connection is idle.
    mutating func release() {
        if isEmpty { first = [] }
    }
}
