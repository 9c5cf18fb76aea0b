import MetricStore

/// The values of one slot in a block: decoding returns every bit of the input, and any bytes give some values or an
/// error.
///
/// The first byte chooses: an even number encodes the rest as values, with two bytes that select the rows of each 16;
/// an odd one decodes the rest, with two bytes for the number of rows.
enum SeriesFuzzing {
    static func finding(in bytes: [UInt8]) -> String? {
        guard let mode = bytes.first, bytes.count > 3 else { return nil }
        if mode & 1 == 1 {
            let rowCount = 1 + Int(word(bytes, 1, 2)) % SeriesCodec.mostRows
            _ = decode(Array(bytes[3...]), rowCount)
            return BlockParts.areWithinLimits(Array(bytes[3...])) ? nil : "a part is not within its limits"
        }
        let values = stride(from: 3, to: bytes.count, by: 8).prefix(SeriesCodec.mostRows).map { word(bytes, $0, 8) }
        let chosen = RowMask(truncatingIfNeeded: word(bytes, 1, 2))
        let masks = (0..<(values.count + 15) / 16).map { group in
            (chosen &+ RowMask(truncatingIfNeeded: group &* Int(mode)))
                & ColumnCodec.everyRow(values.count - 16 * group)
        }
        var encoded: [UInt8] = []
        unsafe SeriesCodec.encode(values, masks, rowCount: values.count, to: &encoded)
        if encoded.count > 9 * values.count + 300 { return "\(encoded.count) bytes for \(values.count) values" }
        let (isValid, decoded, found) = decode(encoded, values.count)
        guard isValid, found == masks else { return "rows \(masks) come back as \(found)" }
        for row in values.indices where masks[row / 16] >> RowMask(row % 16) & 1 != 0 && decoded[row] != values[row] {
            return "row \(row): \(values[row]) comes back as \(decoded[row])"
        }
        return nil
    }

    private static func decode(_ bytes: [UInt8], _ rowCount: Int) -> (Bool, [UInt64], [RowMask]) {
        var values = [UInt64](repeating: 0, count: rowCount)
        var masks = [RowMask](repeating: 0, count: (rowCount + 15) / 16)
        let padded = bytes + [UInt8](repeating: 0xaa, count: BitPacking.slack)
        let isValid = unsafe padded.withUnsafeBytes {
            unsafe SeriesCodec.decode(
                ByteCursor($0.baseAddress!, count: bytes.count), rowCount: rowCount, into: &values, &masks)
        }
        return (isValid, values, masks)
    }

    private static func word(_ bytes: [UInt8], _ start: Int, _ width: Int) -> UInt64 {
        bytes[start..<min(start + width, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
