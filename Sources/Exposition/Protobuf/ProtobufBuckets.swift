public import MetricModel
public import Protobuf

/// One side of a native histogram as protobuf messages spell it: the exposition's and remote write's agree here. A
/// value.
public struct ProtobufBuckets: Sendable {
    /// Where the buckets lie.
    public private(set) var spans: [FloatHistogram.Span] = []
    /// Counts that were given as numbers of observations.
    private var counts: [Double] = []
    /// Counts that were given as differences, each to the one before.
    private var integers: [Double] = []
    private var last: Int64 = 0

    /// No buckets.
    public init() {}

    /// Forgets everything, but keeps the memory.
    public mutating func removeAll() {
        spans.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        integers.removeAll(keepingCapacity: true)
        last = 0
    }

    /// The absolute counts, by whichever of the two ways the histogram as a whole is given.
    public func counts(areIntegers: Bool) -> [Double] { areIntegers ? integers : counts }

    /// Takes a `BucketSpan`.
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

    /// Takes differences between neighbours.
    public mutating func takeDeltas(_ content: ProtobufReader.Content, _ reader: ProtobufReader) throws(ProtobufFault) {
        try reader.takeNumbers(content) { bits in
            last &+= ProtobufReader.zigzag(bits)
            integers.append(Double(last))
        }
    }

    /// Takes float counts.
    public mutating func takeCounts(_ content: ProtobufReader.Content, _ reader: ProtobufReader) throws(ProtobufFault) {
        try reader.takeDoubles(content, into: &counts)
    }
}
