import Glibc
import Instrumentation
import MetricModel
import MetricStore
import Protobuf
import RemoteWrite
import Snappy

// Usage: IngestBenchmark [directory] [samples, default 2000000]: CPU time of storing remote-write requests, in memory
// unless a directory is given, without HTTP.
//
// 2,000 series of 20 targets with nine labels: three quarters counters, one quarter gauges with one decimal. Four
// shapes of requests: one scrape of all series or a long stretch of a few series, each in both versions.

enum Version: CaseIterable {
    case one, two
}

func processNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

struct Fleet {
    static let seriesCount = 2000
    static let start: Int64 = 1_700_000_000_000

    let labels: [[(String, String)]] = (0..<seriesCount).map { series in
        let target = series / 100
        return [
            ("__name__", "http_server_requests_seconds_count_\(series % 25)"), ("cluster", "production-eu-west-1"),
            ("instance", "10.20.\(target).17:9090"), ("job", "payments-api"), ("method", ["GET", "POST"][series % 2]),
            ("namespace", "payments"), ("pod", "payments-api-7d9c5b8f4d-\(target)"),
            ("route", "/v1/orders/\(series % 100)"),
            ("status", "\(200 + series % 4)"),
        ]
    }
    private var random: UInt64 = 1
    private var values = (0..<seriesCount).map { $0 % 4 == 3 ? 50 : Double($0 * 1000) }

    mutating func advance(_ series: Int) -> Double {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let step = Int(random >> 33)
        values[series] += series % 4 == 3 ? Double(step % 7 - 3) / 10 : Double(step % 30)
        return values[series]
    }

    /// A request for `series`, with `count` samples of each from the number `first`.
    mutating func body(_ version: Version, _ series: Range<Int>, _ first: Int, _ count: Int) -> [UInt8] {
        var writer = ProtobufWriter()
        var symbols: [String: UInt64] = ["": 0]
        var names = [""]
        func symbol(_ text: String) -> UInt64 {
            if let known = symbols[text] { return known }
            symbols[text] = UInt64(names.count)
            names.append(text)
            return UInt64(names.count - 1)
        }
        for number in series {
            writer.message(version == .one ? 1 : 5) { message in
                switch version {
                case .one:
                    for (name, value) in labels[number] {
                        message.message(1) {
                            $0.text(1, name)
                            $0.text(2, value)
                        }
                    }
                case .two: message.numbers(1, labels[number].flatMap { [symbol($0.0), symbol($0.1)] })
                }
                for sample in 0..<count {
                    let (value, time) = (advance(number), Self.start + Int64(first + sample) * 15_000)
                    message.message(2) {
                        $0.double(1, value)
                        $0.number(2, UInt64(time))
                    }
                }
            }
        }
        if version == .two { for name in names { writer.message(4) { $0.append(Array(name.utf8)) } } }
        return Snappy.compress(writer.bytes)
    }
}

func measure(_ name: String, _ version: Version, perRequest: Int, samplesOfEach: Int, total: Int, in directory: String?)
    throws
{
    var fleet = Fleet()
    let store = try MetricStore(StoreConfiguration(directory: directory.map { "\($0)/\(name)" }), registry: nil)
    let receiver = RemoteWriteReceiver(store: store, registry: Registry())
    let now = Timestamp(milliseconds: Fleet.start + 20 * 24 * 3_600_000)
    var (stored, bytes, spent) = (0, 0, 0)
    var rounds = 0
    while stored < total {
        for first in stride(from: 0, to: Fleet.seriesCount, by: perRequest) {
            let body = fleet.body(version, first..<first + perRequest, rounds * samplesOfEach, samplesOfEach)
            bytes += body.count
            let before = processNanoseconds()
            let written = receiver.receive(body, isSecondVersion: version == .two, now: now)
            // The first round creates the series.
            if rounds > 0 { spent += processNanoseconds() - before }
            guard written == perRequest * samplesOfEach else { fatalError("\(written) samples were stored") }
            stored += written
        }
        rounds += 1
    }
    let measured = stored - Fleet.seriesCount * samplesOfEach
    print(
        "\(name): \(spent / measured) ns of CPU per sample, \(stored) samples, \(bytes / stored) bytes per sample received"
    )
}

let directory = CommandLine.arguments.count > 1 ? CommandLine.arguments[1] : nil
let total = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2])! : 2_000_000
for version in Version.allCases {
    try measure("version \(version), scrapes", version, perRequest: 2000, samplesOfEach: 1, total: total, in: directory)
    try measure("version \(version), history", version, perRequest: 20, samplesOfEach: 500, total: total, in: directory)
}
