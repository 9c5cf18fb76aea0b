extension BodyPredictor {
    /// The maximum number of lines from which a text is assembled. At least once in this many lines a text is stored
    /// whole.
    private static let longestChain = 16

    /// The text of a stored line.
    private func text(ofLine index: Int) -> [UInt8] {
        var text = [UInt8](repeating: 0, count: Int(lines[index].textLength))
        var (index, end) = (index, text.count)
        while end > 0 {
            let line = lines[index]
            let shared = Int(line.shared)
            if shared < end {
                let own = Int(line.own) + Int(line.lead)
                text.replaceSubrange(shared..<end, with: arena[own..<own + end - shared])
                end = shared
            }
            index -= 1
        }
        return text
    }

    /// Makes the first line of `run` independent of its former previous line, if that was removed.
    mutating func unchain(_ run: Run) {
        let line = pending[run.start]
        guard line.shared > 0 else { return }
        if run.start > 0, pending[run.start - 1].series == lines[run.source - 1].series { return }
        let own = Int(line.own)
        let lead = arena[own..<own + Int(line.lead)]
        let blanks = arena[own + line.ownLength - Int(line.blanks)..<own + line.ownLength]
        pending[run.start].own = UInt32(arena.count)
        pending[run.start].shared = 0
        arena += Array(lead) + text(ofLine: run.source) + Array(blanks)
    }

    /// Compacts the arena if much of it is unused or could be shared.
    mutating func compactIfWorthwhile() {
        guard arena.count > compactArena + compactArena / 2 + 4096 || compactArena == 0 else { return }
        var compact: [UInt8] = []
        var (before, text): ([UInt8], [UInt8]) = ([], [])
        for index in lines.indices {
            let line = lines[index]
            let own = Int(line.own)
            let rest = own + Int(line.lead)
            let blanks = rest + Int(line.textLength - line.shared)
            swap(&before, &text)
            text.removeAll(keepingCapacity: true)
            text += before[..<Int(line.shared)]
            text += arena[rest..<blanks]
            let isWhole = index % Self.longestChain == 0
            let shared =
                unsafe isWhole
                ? 0
                : before.withUnsafeBufferPointer { before in
                    unsafe text.withUnsafeBufferPointer { unsafe Self.commonPrefix(before, $0) }
                }
            lines[index].own = UInt32(compact.count)
            lines[index].shared = UInt32(shared)
            compact += arena[own..<rest]
            compact += text[shared...]
            compact += arena[blanks..<blanks + Int(line.blanks)]
        }
        arena = compact.trimmed()
        lines = lines.trimmed()
        table.trim()
        compactArena = arena.count
    }
}

extension Array {
    /// The same elements without spare capacity, for long-term storage.
    func trimmed() -> [Element] {
        capacity > count + count / 8 ? unsafe withUnsafeBufferPointer { unsafe Array($0) } : self
    }
}
