/// The series of one target and how their values advance: 60 % buckets of classic histograms, 30 % counters (including
/// the histograms' sums and counts), 10 % gauges; 5 to 7 labels.
///
/// The text between two values never changes and is written once. A scrape costs one copy of it and the digits.
struct SyntheticTarget: Sendable {
    /// Lines come in blocks of this many: twelve buckets, sum, count, four counters and two gauges.
    static let blockSize = 20
    private static let families = ["http_request", "grpc_request", "db_query", "queue_message"]
    private static let bounds = [
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
    ]

    private enum Value {
        /// A counter that started at `first` and grows by `perSecond`.
        case counter(first: Int, perSecond: Int)
        /// Thousandths in a random walk around `middle`.
        case gauge(middle: Int)
    }

    private var text: [UInt8] = []
    private var lines: [(end: Int, value: Value)] = []
    private var seed: UInt64

    /// A target with `series` series, of which `series` must be a multiple of ``blockSize``.
    init(number: Int, series: Int) {
        seed = UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1
        let blocks = series / Self.blockSize
        let common =
            "service=\"service-\(number % 10)\",version=\"v1.\(number % 3).7\",zone=\"eu-west-1\(["a", "b", "c"][number % 3])\""
        for (index, family) in Self.families.enumerated() {
            let own = blocks * index / Self.families.count..<blocks * (index + 1) / Self.families.count
            let labels = own.map { "\(common),handler=\"/api/v1/resources/\($0)/items\"" }
            describe("\(family)_duration_seconds", as: "histogram")
            for labels in labels { addHistogram("\(family)_duration_seconds", labels) }
            describe("\(family)_handled_total", as: "counter")
            for labels in labels {
                for code in [200, 302, 404, 500] {
                    let value = Value.counter(first: random(below: 1_000_000), perSecond: code == 200 ? 90 : 2)
                    add("\(family)_handled_total{\(labels),method=\"GET\",code=\"\(code)\"}", value)
                }
            }
            for name in ["\(family)_concurrency_average", "\(family)_queue_age_seconds"] {
                describe(name, as: "gauge")
                for labels in labels {
                    add("\(name){\(labels),priority=\"interactive\"}", .gauge(middle: random(below: 90_000)))
                }
            }
        }
    }

    private mutating func addHistogram(_ name: String, _ labels: String) {
        let (first, perSecond) = (1000 + random(below: 50_000), 10 + random(below: 90))
        for (index, bound) in Self.bounds.enumerated() {
            let share = index + 1
            let value = Value.counter(
                first: first * share / Self.bounds.count, perSecond: max(1, perSecond * share / Self.bounds.count))
            add("\(name)_bucket{\(labels),method=\"GET\",le=\"\(bound)\"}", value)
        }
        add("\(name)_sum{\(labels),method=\"GET\"}", .counter(first: first / 3, perSecond: max(1, perSecond / 3)))
        add("\(name)_count{\(labels),method=\"GET\"}", .counter(first: first, perSecond: perSecond))
    }

    private mutating func describe(_ name: String, as type: String) {
        text += "# HELP \(name) Synthetic.\n# TYPE \(name) \(type)\n".utf8
    }

    private mutating func add(_ series: String, _ value: Value) {
        text += series.utf8
        text.append(UInt8(ascii: " "))
        lines.append((text.count, value))
    }

    /// xorshift64: the same fleet in every run.
    private mutating func random(below bound: Int) -> Int {
        seed ^= seed << 13
        seed ^= seed >> 7
        seed ^= seed << 17
        return Int(seed % UInt64(bound))
    }

    /// The body of a scrape `milliseconds` after the fleet started.
    func body(at milliseconds: Int) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(text.count + lines.count * 12)
        var start = 0
        for (index, line) in lines.enumerated() {
            body += text[start..<line.end]
            start = line.end
            switch line.value {
            case .counter(let first, let perSecond):
                Self.append(first + perSecond * milliseconds / 1000, to: &body)
            case .gauge(let middle):
                let thousandths = middle + (milliseconds / 1000 * 7919 + index * 104_729) % 10_007
                Self.append(thousandths / 1000, to: &body)
                body.append(UInt8(ascii: "."))
                for divisor in [100, 10, 1] {
                    body.append(UInt8(ascii: "0") + UInt8(thousandths / divisor % 10))
                }
            }
            body.append(UInt8(ascii: "\n"))
        }
        return body
    }

    private static func append(_ number: Int, to body: inout [UInt8]) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            body.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}
