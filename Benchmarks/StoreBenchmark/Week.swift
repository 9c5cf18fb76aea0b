import Glibc
import MetricModel
import MetricStore
import PromQL

/// Days of samples every 30 s of series in 20 lanes: three quarters counters, whose increments are Poisson numbers of a
/// mean of 0, 0.2, 3, 30 or 300, and a quarter gauges with one decimal, which move by up to 0.3.
///
/// Prints the bytes per sample before and after compaction beside the entropy of the steps and what `zstd -19` makes of
/// them, and the CPU time of the compaction and of queries over it, without HTTP and JSON.
struct Week {
    private static let interval = 30
    private static let laneCount = 20
    private static let means = [0, 0.2, 3, 30, 300]
    /// Every how many series' steps are counted for the entropy and given to zstd.
    private static let sampled = 23

    private let store: MetricStore
    private let directory: String
    private let seriesCount: Int
    private let rows: Int
    private let end: Int64
    private var random: UInt64 = 1
    private var values: [Double]
    private var steps: [[Int: Int]]
    private var stepBytes: [[UInt8]]

    init(series: Int, days: Int, directory: String) throws {
        var configuration = StoreConfiguration(directory: directory)
        configuration.retentionMilliseconds = 15 * 24 * 3_600_000
        configuration.retentionBytes = 1 << 40
        store = try MetricStore(configuration, registry: nil)
        self.directory = directory
        seriesCount = series / Self.laneCount * Self.laneCount
        rows = days * 24 * 3600 / Self.interval
        end = 1_700_000_000_000 / 1000 * 1000
        values = (0..<seriesCount).map { Self.isGauge($0) ? 50 : Double($0 * 1000) }
        steps = Array(repeating: [:], count: seriesCount)
        stepBytes = Array(repeating: [], count: 3)
    }

    private static func isGauge(_ series: Int) -> Bool { series % 4 == 3 }

    private mutating func uniform() -> Double {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(random >> 11) * 0x1p-53
    }

    private mutating func poisson(_ mean: Double) -> Int {
        if mean > 50 {
            let normal = (-2 * log(max(uniform(), 1e-300))).squareRoot() * cos(2 * .pi * uniform())
            return max(0, Int((mean + mean.squareRoot() * normal).rounded()))
        }
        let limit = exp(-mean)
        var product = uniform()
        var count = 0
        while product > limit {
            product *= uniform()
            count += 1
        }
        return count
    }

    /// The next value of `series`, and the step to it in units of its last digit.
    private mutating func advance(_ series: Int) -> Int {
        if Self.isGauge(series) {
            let step = Int(uniform() * 7) - 3
            let tenths = Int((values[series] * 10).rounded()) + step
            values[series] = Double(tenths) / 10
            return step
        }
        let step = poisson(Self.means[series / 4 % Self.means.count])
        values[series] += Double(step)
        return step
    }

    mutating func run() throws {
        let perLane = seriesCount / Self.laneCount
        var lanes: [(Lane, [RingSlot])] = []
        for number in 0..<Self.laneCount {
            let lane = try store.openLane("lane \(number)")
            let slots = try (0..<perLane).map { index in
                let series = number * perLane + index
                return try lane.slot(
                    for: Labels([
                        Label("__name__", Self.isGauge(series) ? "level" : "requests_total"), Label("job", "api"),
                        Label("instance", "10.0.0.\(number):9100"), Label("i", "\(index)"),
                        Label("path", "/api/\(index % 10)"),
                    ]))
            }
            lanes.append((lane, slots))
        }
        var appending = 0
        let began = end - Int64(rows * Self.interval) * 1000
        for row in 0..<rows {
            for series in 0..<seriesCount {
                let step = advance(series)
                guard series % Self.sampled == 0 else { continue }
                steps[series][step, default: 0] += 1
                let folded = UInt32(bitPattern: Int32(step) << 1 ^ Int32(step) >> 31)
                for plane in 0..<3 { stepBytes[plane].append(UInt8(truncatingIfNeeded: folded >> UInt32(8 * plane))) }
            }
            let time = Timestamp(milliseconds: began + Int64(row * Self.interval) * 1000)
            let start = cpuNanoseconds()
            for (number, (lane, slots)) in lanes.enumerated() {
                var appender = lane.beginAppend(at: time)
                for index in 0..<perLane { appender.append(slots[index], values[number * perLane + index]) }
                try appender.commit()
            }
            appending += cpuNanoseconds() - start
        }
        let samples = rows * seriesCount
        print("\(machine())")
        print("\(seriesCount) series, \(rows) rows, \(samples) samples; append: \(appending / samples) ns per sample")
        try printBounds()
        printBytes("sealed chunks", samples)
        try query("before")
        let start = cpuNanoseconds()
        var files = 0
        while try store.compact(now: Timestamp(milliseconds: end + 2 * 3_600_000)) { files += 1 }
        print("compaction: \(files) files, \((cpuNanoseconds() - start) / samples) ns of CPU per sample")
        printBytes("with blocks", samples)
        try query("after")
    }

    private func printBytes(_ name: String, _ samples: Int) {
        let all = ["segments", "blocks", "rows", ""].map { diskBytes("\(directory)/\($0)") }
        let total = all.reduce(0, +)
        print(
            "\(name): \(rounded(Double(total) / Double(samples))) bytes per sample on disk, of them blocks \(rounded(Double(all[1]) / Double(samples))), segments \(rounded(Double(all[0]) / Double(samples)))"
        )
    }

    private func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    /// The entropy of the steps of each series, and what zstd makes of their bytes, in bytes per sample.
    private func printBounds() throws {
        var bits = 0.0
        var count = 0
        for own in steps where !own.isEmpty {
            let total = own.values.reduce(0, +)
            for number in own.values { bits -= Double(number) * log2(Double(number) / Double(total)) }
            count += total
        }
        print("entropy of the steps: \(rounded(bits / 8 / Double(max(count, 1)))) bytes per sample")
        let path = "\(directory)/steps"
        var planes = stepBytes.flatMap(\.self)
        let file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0o600)
        _ = write(file, &planes, planes.count)
        close(file)
        let isPacked = system("zstd -19 -q -f \(path) -o \(path).zst 2>/dev/null") == 0
        var status = stat()
        if isPacked, stat("\(path).zst", &status) == 0 {
            print("zstd -19 of their byte planes: \(rounded(Double(status.st_size) / Double(count))) bytes per sample")
        } else {
            print("zstd is not installed")
        }
        unlink(path)
        unlink("\(path).zst")
    }

    private func query(_ name: String) throws {
        let week = Int64(rows * Self.interval)
        let one = #"requests_total{i="4",instance="10.0.0.3:9100"}"#
        for (title, text, start, step) in [
            ("one series, all days, 1000 points", one, week, week / 1000),
            ("rate of one series, all days", "rate(\(one)[10m])", week, week / 1000),
            ("sum by (rate[5m]), 24 h by 1 m", "sum by (path) (rate(requests_total[5m]))", 86_400, 60),
            ("sum by (rate[1h]), all days by 10 m", "sum by (path) (rate(requests_total[1h]))", week, 600),
            ("max_over_time[1d] of 20 series", #"max_over_time(level{i="3"}[1d])"#, 0, 1),
            ("quantile_over_time[7d], one series", "quantile_over_time(0.9, \(one)[7d])", 0, 1),
            ("avg_over_time[7d] of all gauges", "avg_over_time(level[7d])", 0, 1),
            ("sum(increase[7d]) of all counters", "sum(increase(requests_total[7d]))", 0, 1),
            ("instant sum, a day ago", "sum(requests_total offset 1d)", 0, 1),
        ] as [(String, String, Int64, Int64)] {
            let expression = try Expression.parse(text)
            let engine = QueryEngine()
            let until = Timestamp(milliseconds: end - 60_000)
            var best = Int.max
            var result: QueryResult?
            for _ in 0..<5 {
                let began = wallNanoseconds()
                if start == 0 {
                    result = try engine.prepare(expression).instant(at: until, from: store)
                } else {
                    result = try engine.range(
                        expression, start: until - .seconds(start), end: until, step: .seconds(step), from: store)
                }
                best = min(best, wallNanoseconds() - began)
            }
            let read = result?.statistics.totalSamples ?? 0
            print("\(name): \(title): \(rounded(Double(best) / 1e6)) ms, \(read) samples")
        }
    }
}
