/// The series of a ``BodyPredictor``, by number and by text. A value. Its owner stores the texts.
///
/// Open addressing with linear probing, at most three quarters full. The hash is seeded, so that collisions cannot be
/// chosen.
struct SeriesTable: Sendable {
    /// A series.
    struct Known: Sendable {
        /// The meaning of ``place``. A new series has no line.
        enum State: UInt8 {
            case removed
            case text
            case line
        }

        let hash: UInt32
        /// The series' line in the last committed body, or the offset of its text in the owner's arena.
        fileprivate(set) var place: UInt32
        let textLength: UInt32
        let context: BodyPredictor.Context
        fileprivate(set) var state: State
        fileprivate var isMarked = false
    }

    private static let empty: Int32 = -1
    private static let removed: Int32 = -2

    private var known: [Known] = []
    private var free: [Int32] = []
    private var cells: [Int32] = [Int32](repeating: empty, count: 16)
    /// The number of cells that are not empty, including removed ones.
    private var used = 0
    private let seed = UInt64.random(in: 0...UInt64.max)

    /// All numbers are less than this.
    var numberLimit: Int { known.count }

    /// The index of the series' line in the last committed body, if it was there.
    func line(of number: Int32) -> Int? {
        let series = known[Int(number)]
        return series.state == .line ? Int(series.place) : nil
    }

    /// Releases unused capacity.
    mutating func trim() {
        known = known.trimmed()
    }

    /// Sets the line of a series and marks the series.
    mutating func setLine(_ index: Int, of number: Int32) {
        known[Int(number)].place = UInt32(index)
        known[Int(number)].state = .line
        known[Int(number)].isMarked = true
    }

    /// Removes every series without a mark, and clears the marks. Returns the removed numbers.
    mutating func forgetUnmarked() -> [Int32] {
        var forgotten: [Int32] = []
        for number in known.indices {
            if known[number].isMarked {
                known[number].isMarked = false
            } else if known[number].state != .removed {
                remove(Int32(number))
                forgotten.append(Int32(number))
            }
        }
        return forgotten
    }

    /// The number of the series with this hash, length and context for which `matches` returns true.
    func find(
        _ hash: UInt32, length: Int, _ context: BodyPredictor.Context, _ matches: (Known) -> Bool
    ) -> Int32? {
        var cell = Int(hash) & (cells.count - 1)
        while cells[cell] != Self.empty {
            let number = cells[cell]
            if number >= 0 {
                let series = known[Int(number)]
                if series.hash == hash && Int(series.textLength) == length && series.context == context
                    && matches(series)
                {
                    return number
                }
            }
            cell = (cell + 1) & (cells.count - 1)
        }
        return nil
    }

    /// Adds a series that is not in the table.
    mutating func insert(text: UInt32, length: UInt32, context: BodyPredictor.Context, hash: UInt32) -> Int32 {
        if (used + 1) * 4 > cells.count * 3 { rebuild() }
        let series = Known(hash: hash, place: text, textLength: length, context: context, state: .text)
        let number: Int32
        if let reused = free.popLast() {
            number = reused
            known[Int(reused)] = series
        } else {
            number = Int32(known.count)
            known.append(series)
        }
        place(number, hash)
        return number
    }

    /// Removes a series. Its number may be reused.
    mutating func remove(_ number: Int32) {
        var cell = Int(known[Int(number)].hash) & (cells.count - 1)
        while cells[cell] != number { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = Self.removed
        known[Int(number)].state = .removed
        free.append(number)
    }

    private mutating func rebuild() {
        let live = known.count - free.count
        var size = 16
        while size * 2 < (live + 1) * 3 { size *= 2 }
        cells = [Int32](repeating: Self.empty, count: size)
        used = 0
        for (number, series) in known.enumerated() where series.state != .removed { place(Int32(number), series.hash) }
    }

    private mutating func place(_ number: Int32, _ hash: UInt32) {
        var cell = Int(hash) & (cells.count - 1)
        while cells[cell] != Self.empty { cell = (cell + 1) & (cells.count - 1) }
        cells[cell] = number
        used += 1
    }

    /// A seeded hash of `text`, eight bytes at a time. Up to 7 bytes after it are loaded and masked.
    func hash(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 {
        UInt32(truncatingIfNeeded: unsafe hash64(text, 0))
    }

    /// The complete hash, continued from the hash of the preceding text.
    func hash64(_ text: UnsafeBufferPointer<UInt8>, _ former: UInt64) -> UInt64 {
        func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let (high, low) = left.multipliedFullWidth(by: right)
            return high ^ low
        }
        var state = seed ^ former ^ UInt64(text.count) &* 0x9e37_79b9_7f4a_7c15
        // The text is in a padded body.
        var place = unsafe UnsafeRawPointer(text.baseAddress!)
        var rest = text.count
        while rest > 0 {
            var word = unsafe place.loadUnaligned(as: UInt64.self)
            if rest < 8 { word &= (1 << UInt64(rest * 8)) - 1 }
            state = fold(state ^ word, 0xa076_1d64_78bd_642f ^ seed)
            unsafe place += 8
            rest -= 8
        }
        return fold(state, 0xe703_7ed1_a0b4_28db)
    }
}
