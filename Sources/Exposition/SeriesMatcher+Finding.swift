internal import Glibc

extension SeriesMatcher {
    /// The number and, if it was in the last body, the line of the series that the parser has read.
    func find(_ parser: ExpositionParser, _ context: Context, near expected: Int) -> (number: Int32, line: Int?)? {
        let text = unsafe parser.buffer(parser.series)
        return unsafe arena.withUnsafeBufferPointer { arena in
            for index in expected..<min(expected + Self.lookahead, lines.count) {
                let line = lines[index]
                if unsafe Int(line.textLength) == text.count && line.after == context
                    && memcmp(text.baseAddress!, arena.baseAddress! + Int(line.text), text.count) == 0
                {
                    return (line.series, index)
                }
            }
            let hash = unsafe table.hash(text)
            return unsafe table.find(text, context, hash: hash, in: arena).map { ($0, table.line(of: $0)) }
        }
    }

    /// Gives a number to the series that the parser has read, whose text will stand at `offset` of the arena.
    mutating func learn(
        _ parser: ExpositionParser, _ context: Context, at offset: Int, _ result: inout ScrapedBody
    ) throws(ExpositionError) -> Int32 {
        let labels = try parser.seriesLabels()
        let hash = unsafe table.hash(parser.buffer(parser.series))
        let number = table.insert(
            text: UInt32(offset), length: UInt32(parser.series.count), context: context, hash: hash)
        newNumbers.append(number)
        result.newSeries.append((number, labels))
        return number
    }

    /// Drops the garbage between the segments when there is more of it than of them.
    mutating func compactIfWorthwhile() {
        let live = lines.reduce(0) { $0 + Int($1.segmentLength) }
        guard arena.count > 2 * live + 4096 else { return }
        var compact: [UInt8] = []
        compact.reserveCapacity(live)
        for index in lines.indices {
            let line = lines[index]
            let offset = UInt32(compact.count)
            compact += arena[Int(line.segment)..<Int(line.segment + line.segmentLength)]
            lines[index].segment = offset
            lines[index].text = offset + (line.text - line.segment)
            table.setText(lines[index].text, of: line.series)
        }
        arena = compact
    }
}
