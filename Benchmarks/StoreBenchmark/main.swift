import Glibc
import MetricModel
import MetricStore

// Usage: StoreBenchmark [series, default 100000] [minutes of data, default 5] [directory, default in memory] [seconds
// between samples, default 5] StoreBenchmark open DIRECTORY: only opens a store, such as the copy of one that was
// killed StoreBenchmark churn [series, default 100000] [minutes, default 60] [minutes of retention, default 20]
// [directory] StoreBenchmark week DIRECTORY [series, default 2000] [days, default 7]: bytes of days of samples on disk,
// and queries over them, before and after compaction
//
// A fleet of targets with 1000 series each: 60 % histogram buckets, 30 % counters, 10 % gauges with three decimals,
// seven labels. Counters increase by 0 to 7 per sample. Times are CPU times of this thread, without generating the
// values. A run in a directory with data continues after them, however the previous run ended.

func cpuNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// CPU time of all threads.
func processNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func wallNanoseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}

func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var text = [CChar](repeating: 0, count: 200)
    fgets(&text, 200, file)
    let fields = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
        separator: " ")
    return (Int(fields[1]) ?? 0) * 4096
}

/// The bytes that this process has written to disk through the kernel: pages that became dirty.
func writtenBytes() -> Int {
    guard let file = fopen("/proc/self/io", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 100)
    while fgets(&line, 100, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if text.hasPrefix("write_bytes: ") { return Int(text.dropFirst(13)) ?? 0 }
    }
    return 0
}

/// Bytes on disk of the files in `directory`.
func diskBytes(_ directory: String) -> Int {
    guard let handle = opendir(directory) else { return 0 }
    defer { closedir(handle) }
    var total = 0
    while let entry = readdir(handle) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        var status = stat()
        if stat("\(directory)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            total += Int(status.st_blocks) * 512
        }
    }
    return total
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

/// Opens a store, and prints the duration and the resident memory.
func open(_ directory: String) throws {
    let (wall, cpu, resident) = (wallNanoseconds(), processNanoseconds(), residentBytes())
    let store = try MetricStore(StoreConfiguration(directory: directory), registry: nil)
    let (opened, used) = (wallNanoseconds() - wall, processNanoseconds() - cpu)
    let series = store.statistics.seriesCount
    for note in store.recoveryNotes { print(note) }
    print(
        "opening:                 \(Double(opened / 100_000) / 10) ms, \(Double(used / 100_000) / 10) ms CPU of all threads; \(series) series, \((residentBytes() - resident) / max(series, 1)) bytes resident for each"
    )
}

func run() throws {
    let seriesCount = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 100_000 : 100_000
    let minutes = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 5 : 5
    let step = CommandLine.arguments.count > 4 ? Int(CommandLine.arguments[4]) ?? 5 : 5
    print(
        "machine: \(machine()), \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) cores; \(seriesCount) series, \(minutes) min of \(step) s data"
    )

    let atStart = residentBytes()
    let directory = CommandLine.arguments.count > 3 ? CommandLine.arguments[3] : nil
    let (opening, openingCPU) = (wallNanoseconds(), cpuNanoseconds())
    let store = try MetricStore(StoreConfiguration(directory: directory), registry: nil)
    print(
        "opening:                 \((wallNanoseconds() - opening) / 1_000_000) ms, of them \((cpuNanoseconds() - openingCPU) / 1_000_000) ms CPU; \(store.statistics.seriesCount) series there"
    )
    for note in store.recoveryNotes { print(note) }
    var targets: [(lane: Lane, slots: [RingSlot])] = []
    var start = cpuNanoseconds()
    for target in 0..<seriesCount / 1000 {
        let lane = try store.openLane("target \(target)")
        let common = [
            Label("instance", "10.0.\(target / 250).\(target % 250):9100"), Label("job", "api"), Label("env", "green"),
        ]
        let slots = try (0..<1000).map { number in
            let own: [Label] =
                switch number % 10 {
                case 0..<6:
                    [
                        Label("__name__", "http_request_duration_seconds_bucket"), Label("le", "\(number % 12)"),
                        Label("path", "/api/v1/resource/\(number / 12)"), Label("method", "GET"),
                    ]
                case 6..<9:
                    [
                        Label("__name__", "http_requests_total"), Label("code", "\(200 + number % 7)"),
                        Label("path", "/api/v1/resource/\(number)"), Label("method", "GET"),
                    ]
                default:
                    [
                        Label("__name__", "queue_length"), Label("queue", "q\(number)"),
                        Label("shard", "\(number % 16)"),
                        Label("zone", "eu-1"),
                    ]
                }
            return try lane.slot(for: Labels(common + own))
        }
        targets.append((lane, slots))
    }
    print("creating a series:       \((cpuNanoseconds() - start) / seriesCount) ns")
    let afterCreation = residentBytes()

    var counters = [Double](repeating: 0, count: seriesCount)
    var random: UInt64 = 1
    var appending = 0
    let written = writtenBytes()
    let rows = minutes * 60 / step
    // A second run in the same directory continues after the first.
    let began = (store.statistics.timeRange?.upperBound.milliseconds ?? 0) + 5000
    for row in 0..<rows {
        for index in counters.indices {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if index % 10 == 9 {
                counters[index] = Double(index % 90_000 + Int(random >> 51)) / 1000
            } else {
                counters[index] += Double(random >> 61)
            }
        }
        for (target, (lane, slots)) in targets.enumerated() {
            let values = counters[(target * 1000)...]
            start = cpuNanoseconds()
            var appender = lane.beginAppend(
                at: Timestamp(milliseconds: began + Int64(row * step) * 1000 + Int64(target) * 7))
            for index in 0..<1000 { appender.append(slots[index], values[target * 1000 + index]) }
            try appender.commit()
            appending += cpuNanoseconds() - start
        }
        if row % 16 == 15 { store.maintain(now: Timestamp(milliseconds: began + Int64(row * step) * 1000)) }
    }
    let samples = max(seriesCount * rows, 1)
    print("append, seal included:   \(Double(appending * 10 / samples) / 10) ns per value")
    let atEnd = residentBytes()
    print(
        "resident:                \((atEnd - atStart - 8 * seriesCount) / seriesCount) bytes per series, of them \((afterCreation - atStart) / seriesCount) before the first sample"
    )
    if let directory {
        print(
            "written:                 \(Double((writtenBytes() - written) * 100 / samples) / 100) bytes per sample, in pages"
        )
        let parts = ["segments", "rows", ""].map { diskBytes("\(directory)/\($0)") >> 20 }
        print("files:                   segments \(parts[0]) MiB, rows \(parts[1]) MiB, series log \(parts[2]) MiB")
    }
    let figures = store.statistics
    if let range = figures.timeRange {
        print(
            "samples kept:            \(figures.sampleCount) sealed, \((range.upperBound.milliseconds - range.lowerBound.milliseconds) / 1000) s"
        )
    }
    print("sample memory mapped:    \(figures.sampleBytes / seriesCount) bytes per series")

    for (name, matchers, window) in [
        ("all buckets, 5 min", [Matcher("__name__", .equal, "http_request_duration_seconds_bucket")], 300),
        ("all series, 1 min", [], 60),
        ("one target, 5 min", [Matcher("instance", .equal, "10.0.0.7:9100")], 300),
        ("one series, 5 min", [Matcher("instance", .equal, "10.0.0.7:9100"), Matcher("queue", .equal, "q9")], 300),
    ] as [(String, [Matcher], Int)] {
        let end = Timestamp(milliseconds: began + Int64(rows * step) * 1000)
        var best = Int.max
        var read = 0
        var found = 0
        for _ in 0..<5 {
            start = cpuNanoseconds()
            let series = try store.select(
                matchers, from: end - .seconds(Int64(window)), through: end, sampleLimit: .max)
            best = min(best, cpuNanoseconds() - start)
            read = series.reduce(0) { $0 + $1.count }
            found = series.count
        }
        print(
            "select \(name): \(found) series, \(read) samples, \(best / 1000) µs, \(best / max(found, 1)) ns per series, \(Double(best * 10 / max(read, 1)) / 10) ns per sample"
        )
    }
}

if CommandLine.arguments.dropFirst().first == "churn" {
    let numbers = CommandLine.arguments.dropFirst(2).prefix(3).map { Int($0) ?? 0 }
    let directory = CommandLine.arguments.count > 5 ? CommandLine.arguments[5] : nil
    var churn = try Churn(
        series: numbers.first ?? 100_000, retention: numbers.count > 2 ? numbers[2] : 20, directory: directory)
    try churn.run(minutes: numbers.count > 1 ? numbers[1] : 60)
} else if CommandLine.arguments.count >= 3, CommandLine.arguments[1] == "week" {
    let numbers = CommandLine.arguments.dropFirst(3).map { Int($0) ?? 0 }
    var week = try Week(
        series: numbers.first ?? 2000, days: numbers.count > 1 ? numbers[1] : 7, directory: CommandLine.arguments[2])
    try week.run()
} else if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "open" {
    try open(CommandLine.arguments[2])
} else {
    try run()
}
