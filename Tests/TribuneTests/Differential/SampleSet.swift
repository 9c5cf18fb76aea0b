import MetricModel
import Snappy
import TestSupport

/// An hour of samples of every kind that matters to the language, the same for every server that gets them.
///
/// Values are multiples of 2^-12 and small, so that sums are exact in whatever order a server adds them. No sample lies
/// on a whole second (see `KnownDifference`).
struct SampleSet {
    /// Time and value.
    typealias Sample = (time: Int64, value: Double)

    /// One series.
    struct Series {
        var labels: [(name: String, value: String)]
        var samples: [Sample]
        var histograms: [(time: Int64, value: CountedHistogram)] = []
    }

    /// Milliseconds between two samples of a series.
    static let interval: Int64 = 15_000
    /// Samples of a series that has no gaps.
    static let count = 240

    /// The series.
    private(set) var series: [Series] = []
    /// A whole minute, right after the last sample.
    let end: Int64
    private var random: SeededGenerator

    init(end: Int64, random: SeededGenerator) {
        self.end = end
        self.random = random
        for job in ["api", "web"] {
            add("quota", [("job", job)], gauge(from: 100, step: 1))
            for instance in ["i0", "i1", "i2"] { addInstance([("job", job), ("instance", instance)]) }
        }
        for pod in 0..<12 { addPod("p\(pod)") }
        for job in ["api", "web"] {
            for instance in ["i0", "i1", "i2"] { addNative([("job", job), ("instance", instance)]) }
        }
    }

    private mutating func addInstance(_ labels: [(String, String)]) {
        for method in ["get", "post"] {
            for code in ["200", "404", "500"] {
                add("requests_total", labels + [("method", method), ("code", code)], counter(resets: 0.01))
            }
        }
        add("errors_total", labels, counter(resets: 0.03))
        for zone in ["north", "south"] {
            add("temperature", labels + [("zone", zone)], gauge(from: 20, step: 0.25))
            add("queue_depth", labels + [("zone", zone)], withGaps(integers(0...6)))
        }
        add("strange", labels, strange())
        add("up", labels, interrupted(integers(0...1)))
        addVersions(labels)
        addHistogram(labels)
    }

    /// A release in the middle of the hour: one series ends with a staleness marker where the next begins.
    private mutating func addVersions(_ labels: [(String, String)]) {
        let change = Int.random(in: 40..<200, using: &random)
        let ones = [Double?](repeating: 1, count: Self.count)
        var old = ones
        old[change] = .staleMarker
        for index in (change + 1)..<Self.count { old[index] = nil }
        add("build_info", labels + [("version", "1.0")], old)
        add(
            "build_info", labels + [("version", "1.1")], ones.enumerated().map { $0.offset < change ? nil : $0.element }
        )
    }

    private mutating func addHistogram(_ labels: [(String, String)]) {
        let bounds = ["0.1", "0.25", "0.5", "1", "2.5", "10", "+Inf"]
        var buckets = [[Double?]](repeating: [], count: bounds.count)
        var sums: [Double?] = []
        var counts = bounds.indices.map { Double(1000 * ($0 + 1)) }
        var sum = 3000.0
        for _ in 0..<Self.count {
            if Double.random(in: 0..<1, using: &random) < 0.01 {
                counts = bounds.indices.map { Double(10 * ($0 + 1)) }
                sum = 30
            }
            for _ in 0..<Int.random(in: 0...20, using: &random) {
                let least = Int.random(in: bounds.indices, using: &random)
                for index in least..<bounds.count { counts[index] += 1 }
                sum += Double(least) / 8
            }
            for index in bounds.indices { buckets[index].append(counts[index]) }
            sums.append(sum)
        }
        for (bound, values) in zip(bounds, buckets) { add("latency_seconds_bucket", labels + [("le", bound)], values) }
        add("latency_seconds_sum", labels, sums)
        add("latency_seconds_count", labels, buckets[bounds.count - 1])
    }

    /// Native histograms that are counters: now and then one starts anew, or gets coarser, as clients do that have no
    /// room.
    private mutating func addNative(_ labels: [(String, String)]) {
        var histogram = CountedHistogram(schema: Int32.random(in: 1...3, using: &random))
        histogram.observe(5000, using: &random)
        let shift = Int64.random(in: 0..<15, using: &random) * 1000 + 137
        let start = end - Int64(Self.count) * Self.interval
        var samples: [(time: Int64, value: CountedHistogram)] = []
        for index in 0..<Self.count {
            switch Int.random(in: 0..<200, using: &random) {
            case 0:
                // Far from zero, as all counters here.
                histogram.reset()
                histogram.observe(2000, using: &random)
            case 1: histogram.makeCoarser()
            case 2: histogram.widenZeroBucket()
            default: histogram.observe(Int.random(in: 0...20, using: &random), using: &random)
            }
            samples.append((start + Int64(index) * Self.interval + shift, histogram))
        }
        let labels = ([("__name__", "delay_seconds")] + labels).sorted { $0.0 < $1.0 }
        series.append(
            Series(labels: labels.map { (name: $0.0, value: $0.1) }, samples: [], histograms: samples))
    }

    /// A series that comes and goes once, with or without a marker at its end.
    private mutating func addPod(_ pod: String) {
        let first = Int.random(in: 0..<200, using: &random)
        let last = Int.random(in: (first + 2)..<Self.count, using: &random)
        var values = gauge(from: 1, step: 0.5)
        for index in values.indices where !(first...last).contains(index) { values[index] = nil }
        if Bool.random(using: &random) { values[last] = .staleMarker }
        add("pod_load", [("pod", pod), ("job", Bool.random(using: &random) ? "api" : "web")], values)
    }

    private mutating func add(_ name: String, _ labels: [(String, String)], _ values: [Double?]) {
        let shift = Int64.random(in: 0..<15, using: &random) * 1000 + 137
        let start = end - Int64(Self.count) * Self.interval
        let samples = values.enumerated().compactMap { index, value in
            value.map { (start + Int64(index) * Self.interval + shift, $0) }
        }
        let labels = ([("__name__", name)] + labels).sorted { $0.0 < $1.0 }
        series.append(Series(labels: labels.map { (name: $0.0, value: $0.1) }, samples: samples))
    }

    private mutating func counter(resets: Double) -> [Double?] {
        let rate = Double(Int.random(in: 1...40, using: &random))
        // Far from zero at first: where a counter reaches zero is extrapolated differently from 2.50 on.
        var value = Double(Int.random(in: 20_000...200_000, using: &random))
        return (0..<Self.count).map { index in
            let isReset = Double.random(in: 0..<1, using: &random) < resets
            // Nor near zero in the first ten minutes, when windows begin before the samples.
            if isReset && index >= 40 { value = rate * 8 }
            value += (Double.random(in: 0...rate, using: &random) * 8).rounded() / 8
            return value
        }
    }

    /// A random walk of multiples of `step` whose fraction distinguishes it from every other series.
    private mutating func gauge(from start: Double, step: Double) -> [Double?] {
        var value = start + Double(series.count) / 4096
        return (0..<Self.count).map { _ in
            value += Double(Int.random(in: -8...8, using: &random)) * step
            return value
        }
    }

    private mutating func integers(_ range: ClosedRange<Int>) -> [Double?] {
        (0..<Self.count).map { _ in Double(Int.random(in: range, using: &random)) }
    }

    private mutating func withGaps(_ values: [Double?]) -> [Double?] {
        var gap = 0
        return values.map { value in
            if Double.random(in: 0..<1, using: &random) < 0.02 { gap = Int.random(in: 1...30, using: &random) }
            gap -= 1
            return gap < 0 ? value : nil
        }
    }

    /// Gaps that begin with a staleness marker.
    private mutating func interrupted(_ values: [Double?]) -> [Double?] {
        let gapped = withGaps(values)
        return gapped.indices.map { index in
            gapped[index] == nil && index > 0 && gapped[index - 1] != nil ? .staleMarker : gapped[index]
        }
    }

    private mutating func strange() -> [Double?] {
        let values = gauge(from: -10, step: 1)
        return values.map { value in
            switch Int.random(in: 0..<24, using: &random) {
            case 0: .nan
            case 1: .infinity
            case 2: -.infinity
            case 3: -0.0
            default: value
            }
        }
    }

    /// The messages of remote write 1.0 that bring all samples, oldest first.
    func messages() -> [[UInt8]] {
        let slice = 10 * 60_000 as Int64
        return stride(from: end - Int64(Self.count) * Self.interval, to: end, by: Int64.Stride(slice)).map { from in
            var message = ProtobufMessage()
            for one in series {
                let samples = one.samples.filter { (from..<(from + slice)).contains($0.time) }
                let histograms = one.histograms.filter { (from..<(from + slice)).contains($0.time) }
                guard !samples.isEmpty || !histograms.isEmpty else { continue }
                message.message(1) { message in
                    for label in one.labels {
                        message.message(1) {
                            $0.bytes(1, Array(label.name.utf8))
                            $0.bytes(2, Array(label.value.utf8))
                        }
                    }
                    for sample in samples {
                        message.message(2) {
                            $0.double(1, sample.value)
                            $0.number(2, UInt64(bitPattern: sample.time))
                        }
                    }
                    for sample in histograms { message.message(4) { sample.value.write(to: &$0, at: sample.time) } }
                }
            }
            return Snappy.compress(message.content)
        }
    }
}
