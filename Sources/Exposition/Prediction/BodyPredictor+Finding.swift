internal import Glibc
internal import MetricModel

extension BodyPredictor {
    /// The number of the series that the parser has read, and its line if it was in the last body.
    func find(_ parser: ExpositionParser, _ context: Context, _ place: Place) -> (number: Int32, line: Int?)? {
        let text = unsafe parser.buffer(parser.series)
        if let near = unsafe findNear(text, parser, context, place) { return near }
        let hash = unsafe table.hash(text)
        return table.find(hash, length: text.count, context) { known in unsafe has(known, text) }
            .map { ($0, table.line(of: $0)) }
    }

    /// Searches the next expected lines.
    private func findNear(
        _ text: UnsafeBufferPointer<UInt8>, _ parser: ExpositionParser, _ context: Context, _ place: Place
    ) -> (number: Int32, line: Int?)? {
        let last = min(place.expected + Self.lookahead, lines.count)
        guard place.expected < last else { return nil }
        // Number of bytes that the text has in common with the line before the compared one.
        var common = 0
        if place.expected > 0 {
            let before = Int(lines[place.expected - 1].textLength)
            common = unsafe Self.commonPrefix(
                parser.buffer(place.anchor..<place.anchor + min(before, text.count)), text)
        }
        return unsafe arena.withUnsafeBufferPointer { arena in
            for index in place.expected..<last {
                let line = lines[index]
                let shared = Int(line.shared)
                // If the line shares more than is in common, it differs from the text where the line before it did.
                guard shared <= common else { continue }
                let start = Int(line.own) + Int(line.lead)
                let rest = unsafe UnsafeBufferPointer(rebasing: arena[start..<start + Int(line.textLength) - shared])
                let wanted = unsafe UnsafeBufferPointer(rebasing: text[shared...])
                common = unsafe shared + Self.commonPrefix(rest, wanted)
                if common == text.count && Int(line.textLength) == text.count && line.after == context {
                    return (line.series, index)
                }
            }
            return nil
        }
    }

    /// Whether a series in the table has this text.
    private func has(_ known: SeriesTable.Known, _ text: UnsafeBufferPointer<UInt8>) -> Bool {
        unsafe arena.withUnsafeBufferPointer { arena in
            guard known.state == .line else {
                return unsafe memcmp(text.baseAddress!, arena.baseAddress! + Int(known.place), text.count) == 0
            }
            var index = Int(known.place)
            // From the end to the start: shared bytes are in the previous lines.
            var end = text.count
            while end > 0 {
                let line = lines[index]
                let shared = Int(line.shared)
                if shared < end {
                    let own = unsafe arena.baseAddress! + Int(line.own) + Int(line.lead)
                    guard unsafe memcmp(text.baseAddress! + shared, own, end - shared) == 0 else { return false }
                    end = shared
                }
                index -= 1
            }
            return true
        }
    }

    /// Assigns a number to the series that the parser has read. Its text will be at `offset` in the arena.
    mutating func learn(
        _ parser: ExpositionParser, _ context: Context, at offset: Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) -> Int32 {
        let labels = try parser.seriesLabels(like: result.newSeries.last?.labels ?? .empty)
        let hash = unsafe table.hash(parser.buffer(parser.series))
        let number = table.insert(
            text: UInt32(offset), length: UInt32(parser.series.count), context: context, hash: hash)
        newNumbers.append(number)
        result.newSeries.append(.init(number: number, labels: labels, type: context.type))
        return number
    }

    /// The length of the common prefix.
    static func commonPrefix(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Int {
        let count = min(left.count, right.count)
        guard count > 0 else { return 0 }
        let (left, right) = unsafe (UnsafeRawPointer(left.baseAddress!), UnsafeRawPointer(right.baseAddress!))
        var length = 0
        while length + 8 <= count {
            let mine = unsafe left.loadUnaligned(fromByteOffset: length, as: UInt64.self)
            let difference = unsafe mine ^ right.loadUnaligned(fromByteOffset: length, as: UInt64.self)
            if difference != 0 { return length + UInt64(littleEndian: difference).trailingZeroBitCount / 8 }
            length += 8
        }
        while unsafe length < count
            && left.load(fromByteOffset: length, as: UInt8.self) == right.load(fromByteOffset: length, as: UInt8.self)
        { length += 1 }
        return length
    }
}
