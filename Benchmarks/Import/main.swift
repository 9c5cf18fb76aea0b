import Exposition
import Glibc
import MetricModel
import MetricStore

// Usage: ImportBenchmark DIRECTORY [megabytes, default 500]
//
// Writes a dump in OpenMetrics, series by series as Prometheus's tools print it, into DIRECTORY and imports it into a
// store there. Prints the samples per CPU second of each step on one thread, beside a search for line ends in the same
// file. `tribune import openmetrics` runs reading, writing and compaction on three threads.

func nanoseconds(_ clock: clockid_t) -> Int {
    var time = timespec()
    clock_gettime(clock, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func machine() -> String {
    guard let file = fopen("/proc/cpuinfo", "r") else { return "unknown" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 300)
    while fgets(&line, 300, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("model name") { return String(text.drop { $0 != ":" }.dropFirst(2)) }
    }
    return "unknown"
}

func load() -> String {
    guard let file = fopen("/proc/loadavg", "r") else { return "unknown" }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 100)
    fgets(&line, 100, file)
    return String(decoding: line.prefix { $0 != 0 && $0 != 32 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Two days of samples every 15 s of counters, gauges and buckets of twenty targets.
func writeDump(_ path: String, bytes: Int) -> (bytes: Int, samples: Int, series: Int) {
    guard let file = fopen(path, "w") else { fatalError("\(path) cannot be written") }
    defer { fclose(file) }
    var random: UInt64 = 7
    func next(_ bound: UInt64) -> Int {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((random >> 33) % bound)
    }
    let rows = 2 * 24 * 240
    var (written, series) = (0, 0)
    while written < bytes {
        let (metric, target) = (series / 20, series % 20)
        let name = ["http_requests_total", "queue_length", "latency_seconds_bucket"][metric % 3]
        var head = "\(name){handler=\"/api/v1/items/\(metric)\",instance=\"10.0.0.\(target):9100\",job=\"shop\""
        head += metric % 3 == 2 ? ",le=\"0.\(metric / 3 % 10)\"} " : "} "
        var value = next(1000)
        var text: [UInt8] = []
        for row in 0..<rows {
            value = metric % 3 == 1 ? max(0, value + next(11) - 5) : value + next(20)
            text += head.utf8
            text += "\(value) \(1_700_000_000 + row * 15).\(100 + target * 37)\n".utf8
        }
        fwrite(text, 1, text.count, file)
        written += text.count
        series += 1
    }
    fputs("# EOF\n", file)
    return (written + 6, series * rows, series)
}

func forEachPiece(_ path: String, _ body: ([UInt8]) throws -> Void) rethrows {
    guard let file = fopen(path, "r") else { fatalError("\(path) cannot be read") }
    defer { fclose(file) }
    while true {
        let piece = [UInt8](unsafeUninitializedCapacity: 1 << 20) { $1 = fread($0.baseAddress, 1, 1 << 20, file) }
        if piece.isEmpty { return }
        try body(piece)
    }
}

func run(_ directory: String, megabytes: Int) throws {
    let path = "\(directory)/dump.txt"
    let (bytes, samples, series) = writeDump(path, bytes: megabytes * 1_000_000)
    print("\(machine()), load \(load())")
    print("\(bytes / 1_000_000) MB, \(samples) samples of \(series) series")
    var baseline = 0
    func report(_ step: String, _ cpu: Int) {
        if baseline == 0 { baseline = cpu }
        let rate = Double(samples) / Double(cpu) * 1e3
        let ratio = Double(cpu) / Double(baseline)
        print(
            "\(step): \((rate * 100).rounded() / 100) million samples per CPU second,",
            "\((ratio * 10).rounded() / 10) times the search for line ends")
    }
    var start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    func passed() -> Int {
        let now = nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
        defer { start = now }
        return now - start
    }
    var lines = 0
    forEachPiece(path) { piece in for byte in piece where byte == 10 { lines += 1 } }
    precondition(lines == samples + 1)
    report("line ends", passed())

    var check = OpenMetricsDump(maximumSeries: 1_000_000)
    var found = 0
    try forEachPiece(path) { try check.read($0) { _, _, _ in found += 1 } }
    try check.finish()
    precondition(found == samples)
    report("check", passed())

    var configuration = StoreConfiguration(directory: "\(directory)/samples")
    configuration.retentionMilliseconds = Timestamp.distantFuture.milliseconds
    configuration.retentionBytes = .max
    configuration.segmentSpan = 25 * 3_600_000
    let store = try MetricStore(configuration, registry: nil)
    var importing = SampleImport(into: store, name: "import")
    var dump = OpenMetricsDump(maximumSeries: 1_000_000)
    var batch = ImportedSamples(reserving: 4_000_000)
    var known = 0
    var (reading, writing) = (0, 0)
    func write() throws {
        reading += passed()
        importing.add(series: dump.series[known...])
        known = dump.series.count
        try importing.write(batch)
        batch.removeAll()
        writing += passed()
    }
    try forEachPiece(path) { piece in
        try dump.read(piece) { batch.append($0, $1, $2) }
        if batch.count >= 4_000_000 { try write() }
    }
    try dump.finish()
    try write()
    precondition(importing.figures.samples == samples)
    report("reading", reading)
    report("writing", writing)
    while try store.compact(now: Timestamp(milliseconds: 4_000_000_000_000)) {}
    report("compaction", passed())
    let statistics = store.statistics
    print("\(Double(statistics.sampleBytes) / Double(samples)) bytes per sample, \(importing.figures.lanes) lanes")
    store.close()
}

let arguments = CommandLine.arguments
guard arguments.count > 1 else {
    print("usage: ImportBenchmark DIRECTORY [megabytes]")
    exit(2)
}
try run(arguments[1], megabytes: arguments.count > 2 ? Int(arguments[2]) ?? 500 : 500)
