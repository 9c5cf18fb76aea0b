public import MetricModel
public import Protobuf

/// One side of a native histogram in protobuf, in the common format of exposition and remote write. A value.
public struct ProtobufBuckets: Sendable {
    /// The positions of the buckets.
    public private(set) var spans: [FloatHistogram.Span] = []
    /// Counts given as absolute numbers.
    private var counts: [Double] = []
    /// Counts given as differences, each from the previous one.
    private var integers: [Double] = []
    private var last: Int64 = 0

    /// No buckets.
    public init() {}

    /// Clears all fields, but keeps the memory.
    public mutating func removeAll() {
        spans.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        integers.removeAll(keepingCapacity: true)
        last = 0
    }

    /// The absolute counts, from the kind that the whole histogram uses.
    public func counts(areIntegers: Bool) -> [Double] { areIntegers ? integers : counts }

    /// Reads a `BucketSpan`.
    public mutating func takeSpan(_ content: ProtobufReader.Content, _ reader: ProtobufReader) throws(ProtobufFault) {
        guard case .bytes(let range) = content else { return }
        var span = FloatHistogram.Span(offset: 0, length: 0)
        var message = reader.message(range)
        while let field = try message.next() {
            switch field {
            case (1, .varint(let bits)): span.offset = Int32(truncatingIfNeeded: ProtobufReader.zigzag(bits))
            case (2, .varint(let bits)): span.length = UInt32(truncatingIfNeeded: bits)
            default: continue
            }
        }
        spans.append(span)
    }

    /// Reads differences between adjacent counts.
    public mutating func takeDeltas(_ content: ProtobufReader.Content, _ reader: ProtobufReader) throws(ProtobufFault) {
        try reader.takeNumbers(content) { bits in
            last &+= ProtobufReader.zigzag(bits)
            integers.append(Double(last))
        }
    }

    /// Reads float counts.
    public mutating func takeCounts(_ content: ProtobufReader.Content, _ reader: ProtobufReader) throws(ProtobufFault) {
        try reader.takeDoubles(content, into: &counts)
    }
}
