import MetricStore

/// Columns of a chunk: decoding returns every bit of the input.
///
/// Four bytes select the rows with a sample; the rest are the values, eight bytes each.
enum ColumnFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        let words = stride(from: 4, to: bytes.count, by: 8).prefix(ColumnCodec.rows).map { word(bytes, $0, 8) }
        guard !words.isEmpty else { return nil }
        var values = words + [UInt64](repeating: 0, count: ColumnCodec.rows - words.count)
        let present = RowMask(truncatingIfNeeded: word(bytes, 0, 4)) & ColumnCodec.everyRow(words.count)
        var encoded = [UInt8](repeating: 0xaa, count: ColumnCodec.longest + ColumnCodec.slack)
        let length = unsafe encoded.withUnsafeMutableBytes {
            unsafe ColumnCodec.encode(&values, present: present, rowCount: words.count, into: $0.baseAddress!)
        }
        if length > ColumnCodec.longest { return "\(length) bytes" }
        var decoded = [UInt64](repeating: 0x5555, count: ColumnCodec.rows)
        let mask = unsafe encoded.withUnsafeBytes {
            unsafe ColumnCodec.decode($0.baseAddress!, length: length, rowCount: words.count, into: &decoded)
        }
        if mask != present { return "rows \(present) come back as \(mask)" }
        for row in words.indices where present & 1 << RowMask(row) != 0 && decoded[row] != words[row] {
            return "row \(row): \(words[row]) comes back as \(decoded[row])"
        }
        return timesFinding(words.map(Int64.init(bitPattern:)))
    }

    private static func timesFinding(_ times: [Int64]) -> String? {
        // Times of samples stay well within 64 bits.
        var times = times.map { $0 >> 9 }
        let wanted = times
        var encoded = [UInt8](repeating: 0, count: ColumnCodec.longest + ColumnCodec.slack)
        _ = unsafe times.withUnsafeMutableBufferPointer { times in
            unsafe encoded.withUnsafeMutableBytes { unsafe ColumnCodec.encodeTimes(times, into: $0.baseAddress!) }
        }
        let decoded = unsafe encoded.withUnsafeBytes {
            unsafe ColumnCodec.decodeTimes($0.baseAddress!, count: wanted.count)
        }
        return decoded == wanted ? nil : "times \(wanted) come back as \(decoded)"
    }

    private static func word(_ bytes: [UInt8], _ start: Int, _ width: Int) -> UInt64 {
        bytes[start..<min(start + width, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
