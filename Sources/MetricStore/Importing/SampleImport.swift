public import MetricModel

/// Samples in any order, as flat arrays. A value.
public struct ImportedSamples: Sendable {
    /// The number of the series of each sample.
    public var series: [Int32] = []
    /// Milliseconds since 1970.
    public var times: [Int64] = []
    /// The values.
    public var values: [Double] = []

    /// No samples, with room for `capacity`.
    public init(reserving capacity: Int = 0) {
        series.reserveCapacity(capacity)
        times.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
    }

    /// The number of samples.
    public var count: Int { times.count }

    /// Removes all and keeps the memory.
    public mutating func removeAll() {
        series.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    /// Adds a sample.
    @inline(__always)
    public mutating func append(_ number: Int32, _ time: Int64, _ value: Double) {
        series.append(number)
        times.append(time)
        values.append(value)
    }
}

/// Writes samples of the past into a store, in lanes of their own. Owned by one thread.
///
/// Readers merge the samples of all lanes of a series, so that it does not matter which samples of it the store has.
/// The samples of a call are divided into lanes: series of one target (`job` and `instance`) share a lane, because they
/// have the same times; others do if their times are equal. Each lane is closed at the end of the call.
public struct SampleImport {
    /// Counts of written samples.
    public struct Figures: Equatable, Sendable {
        /// Stored samples.
        public var samples = 0
        /// Samples with the series and time of another one.
        public var duplicates = 0
        /// Lanes.
        public var lanes = 0
        /// The time of the oldest sample, in milliseconds since 1970.
        public var oldest = Int64.max
        /// The time of the newest sample.
        public var newest = Int64.min

        /// Nothing yet.
        public init() {}
    }

    /// Times are at most this far from 1970, in milliseconds: about the year 10000.
    public static let farthest: Int64 = 253_402_300_800_000
    private static let day: Int64 = 24 * 3_600_000

    private let store: MetricStore
    private let name: String
    /// The labels of the series, by number.
    private var series: [Labels] = []
    /// The counts until now.
    public private(set) var figures = Figures()

    /// - Parameter name: the start of the names of the lanes, which no lane of the store has.
    public init(into store: MetricStore, name: String) {
        self.store = store
        self.name = name
    }

    /// Adds the labels of the next series.
    public mutating func add(series labels: some Sequence<Labels>) {
        series.append(contentsOf: labels)
    }

    /// Writes samples.
    ///
    /// - Complexity: O(samples), plus sorting the samples of series that are not in the order of time.
    public mutating func write(_ samples: ImportedSamples) throws(StoreError) {
        let columns = ImportColumns(samples, seriesCount: series.count)
        figures.duplicates += columns.duplicates
        var lanes: [ImportLane] = []
        defer { for lane in lanes { lane.lane.close() } }
        try write(groups(columns), columns, into: &lanes)
    }

    /// The numbers of the columns of each lane.
    private func groups(_ columns: ImportColumns) -> [[Int]] {
        struct Key: Hashable {
            var job: String
            var instance: String
            var times: Int
        }
        var found: [Key: Int] = [:]
        var groups: [[Int]] = []
        for column in 0..<columns.count {
            let labels = series[Int(columns.series[column])]
            let instance = labels["instance"] ?? ""
            let key = Key(
                job: instance.isEmpty ? "" : labels["job"] ?? "", instance: instance,
                times: instance.isEmpty ? columns.hashOfTimes(column) : 0)
            if let group = found[key] {
                groups[group].append(column)
            } else {
                found[key] = groups.count
                groups.append([column])
            }
        }
        return groups
    }

    private mutating func write(
        _ groups: [[Int]], _ columns: ImportColumns, into lanes: inout [ImportLane]
    ) throws(StoreError) {
        for group in groups {
            let lane = try store.core.openLane("\(name) \(figures.lanes)")
            figures.lanes += 1
            // Rows that are not sealed are lost in a crash, and the import with them.
            lane.isLogged = false
            lanes.append(ImportLane(lane: lane, rest: group.map { columns.range($0) }))
            for column in group {
                lanes[lanes.count - 1].slots.append(try lane.slot(for: series[Int(columns.series[column])]))
            }
        }
        // Day by day, so that segments and blocks have short time ranges.
        while let first = lanes.compactMap({ columns.first(of: $0.rest) }).min() {
            let limit = (first / Self.day + (first < 0 ? 0 : 1)) * Self.day
            for index in lanes.indices {
                let part = columns.split(&lanes[index].rest, before: limit)
                try write(part, columns, into: lanes[index])
            }
        }
    }

    private mutating func write(
        _ part: [Range<Int>], _ columns: ImportColumns, into lane: ImportLane
    ) throws(StoreError) {
        try columns.forEachRow(of: part) { (time, cells) throws(StoreError) in
            var appender = lane.lane.beginAppend(at: Timestamp(milliseconds: time))
            for (member, value) in cells where appender.append(lane.slots[member], value) == .appended {
                figures.samples += 1
            }
            try appender.commit()
            figures.oldest = min(figures.oldest, time)
            figures.newest = max(figures.newest, time)
        }
    }
}

/// A lane of a call, and the samples that it does not have yet.
private struct ImportLane {
    let lane: Lane
    var slots: [RingSlot] = []
    /// Ranges of samples, by member.
    var rest: [Range<Int>]
}

/// Samples series by series, each with ascending times. A value.
struct ImportColumns {
    /// The number of the series of each column.
    private(set) var series: [Int32] = []
    private var starts: [Int] = []
    private var times: [Int64] = []
    private var values: [Double] = []
    /// Samples that were left out, because another one has their series and time.
    private(set) var duplicates = 0

    var count: Int { series.count }

    /// - Parameter seriesCount: all numbers of series are less.
    init(_ samples: ImportedSamples, seriesCount: Int) {
        var counts = [Int](repeating: 0, count: seriesCount)
        for number in samples.series { counts[Int(number)] += 1 }
        var places = [Int](repeating: 0, count: seriesCount)
        var total = 0
        for number in 0..<seriesCount where counts[number] > 0 {
            series.append(Int32(number))
            starts.append(total)
            places[number] = total
            total += counts[number]
        }
        starts.append(total)
        times = [Int64](repeating: 0, count: total)
        values = [Double](repeating: 0, count: total)
        for index in 0..<samples.count {
            let place = places[Int(samples.series[index])]
            times[place] = samples.times[index]
            values[place] = samples.values[index]
            places[Int(samples.series[index])] = place + 1
        }
        sort()
    }

    /// The samples of a column.
    func range(_ column: Int) -> Range<Int> { starts[column]..<starts[column + 1] }

    /// Sorts the columns that are not ascending, and removes samples with equal times: the last one in the input stays.
    private mutating func sort() {
        var isAscending = true
        for column in 0..<count {
            let range = range(column)
            for index in range.dropFirst() where times[index] <= times[index - 1] {
                isAscending = false
                let order = range.sorted { (times[$0], $0) < (times[$1], $1) }
                let sorted = order.map { (times[$0], values[$0]) }
                for (place, sample) in zip(range, sorted) { (times[place], values[place]) = sample }
                break
            }
        }
        if isAscending { return }
        var kept = 0
        for column in 0..<count {
            let range = range(column)
            starts[column] = kept
            for index in range {
                if index + 1 < range.upperBound, times[index + 1] == times[index] {
                    duplicates += 1
                    continue
                }
                (times[kept], values[kept]) = (times[index], values[index])
                kept += 1
            }
        }
        starts[count] = kept
        times.removeLast(times.count - kept)
        values.removeLast(values.count - kept)
    }

    /// Equal for columns with equal times.
    func hashOfTimes(_ column: Int) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in range(column) {
            hash = (hash ^ UInt64(bitPattern: times[index])) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
        }
        return Int(truncatingIfNeeded: hash)
    }

    /// The oldest time in `ranges` of samples; `nil` if they are empty.
    func first(of ranges: [Range<Int>]) -> Int64? {
        ranges.lazy.filter { !$0.isEmpty }.map { times[$0.lowerBound] }.min()
    }

    /// Removes the samples before `limit` from the ranges, and returns them.
    func split(_ ranges: inout [Range<Int>], before limit: Int64) -> [Range<Int>] {
        ranges.indices.map { index in
            let range = ranges[index]
            var (low, high) = (range.lowerBound, range.upperBound)
            while low < high {
                let middle = (low + high) / 2
                if times[middle] < limit { low = middle + 1 } else { high = middle }
            }
            ranges[index] = low..<range.upperBound
            return range.lowerBound..<low
        }
    }

    /// Calls `body` for each time in `ranges` of samples, ascending, with the cells of that time: the index of the
    /// range, and the value.
    func forEachRow(
        of ranges: [Range<Int>], _ body: (Int64, [(member: Int, value: Double)]) throws(StoreError) -> Void
    ) throws(StoreError) {
        let total = ranges.reduce(0) { $0 + $1.count }
        guard let first = ranges.first, total > 0 else { return }
        var cells: [(member: Int, value: Double)] = []
        cells.reserveCapacity(ranges.count)
        if ranges.allSatisfy({ times[$0] == times[first] }) {
            for row in 0..<first.count {
                cells.removeAll(keepingCapacity: true)
                for (member, range) in ranges.enumerated() { cells.append((member, values[range.lowerBound + row])) }
                try body(times[first.lowerBound + row], cells)
            }
            return
        }
        var places: [(time: Int64, member: Int32, index: Int)] = []
        places.reserveCapacity(total)
        for (member, range) in ranges.enumerated() {
            for index in range { places.append((times[index], Int32(member), index)) }
        }
        places.sort { ($0.time, $0.member) < ($1.time, $1.member) }
        var start = 0
        while start < total {
            var end = start
            cells.removeAll(keepingCapacity: true)
            while end < total, places[end].time == places[start].time {
                cells.append((Int(places[end].member), values[places[end].index]))
                end += 1
            }
            try body(places[start].time, cells)
            start = end
        }
    }
}
