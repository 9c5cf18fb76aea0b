internal import Glibc
internal import JSON
internal import LoadTest
internal import MetricModel
internal import Runtime
internal import Synchronization
internal import YAML

/// `tribune loadtest`: requests at times that do not depend on the answers, and what they took.
enum LoadTestCommand {
    static let command = Command(
        "loadtest", "Send requests at a fixed rate and measure how long they take.", operands: "[FILE]", count: 0...1,
        options: [
            .value("target", "[NAME=]URL", "A target beside those of FILE. Repeatable."),
            .value("rate", "NUMBER", "Requests per second; 100 unless given here or in FILE."),
            .value("duration", "DURATION", "The length; 300s unless given here or in FILE."),
            .value("connections", "NUMBER", "The most requests at once; 50 unless given here or in FILE."),
            .value("timeout", "DURATION", "After this a request has failed; 10s unless given here or in FILE."),
            .value("hash", "HASH", "The value that X-Constitutional-Hash of every answer must have."),
            .value("threshold", "TEXT", "What must hold, such as 'p99 < 5ms' or 'errors < 1%'. Repeatable."),
            .value("report", "FILE", "Write a page with plots."),
            .value("json", "FILE", "Write the measurements as JSON."),
            .flag("quiet", "Print no progress."),
        ],
        details: """
            FILE is YAML: rate, duration, stages, connections, timeout, hash, targets, thresholds (docs/operations/loadtest.md). Latency counts from
            the time at which a request was due, also if all connections were busy. Ctrl-C ends the test early, with its report. Exit codes: 0
            every threshold holds, 1 one does not, or nothing succeeded.
            """
    ) { (invocation) throws(CommandFailure) in
        let plan = try plan(invocation)
        let runner: LoadRunner
        do throws(LoadError) { runner = try LoadRunner(plan) } catch { throw CommandFailure(error.description) }
        let watcher = try stopOnSignal(runner)
        let began = SystemClock.wallMilliseconds()
        let isQuiet = invocation.flag("quiet")
        let result: LoadResult
        do throws(LoadError) {
            result = try runner.run { progress in
                if !isQuiet { Console.error(Self.line(progress)) }
            }
        } catch {
            throw CommandFailure(error.description)
        }
        watcher.end()
        let report = LoadReport(plan, result, began: began)
        Console.print(report.text)
        for (option, text) in [("report", report.html), ("json", report.json.encoded + "\n")] {
            guard let path = invocation.value(option) else { continue }
            guard FileText.write(text, to: path, isPrivate: false) else {
                throw CommandFailure("\(path): \(SystemError.current)")
            }
        }
        let isFailed = !report.violations.isEmpty || result.total.succeeded == 0
        return isFailed ? CommandFailure.Code.failed.rawValue : 0
    }

    private static func line(_ progress: LoadRunner.Progress) -> String {
        let second = progress.second
        let latency = { (value: Int64) in "\(FloatText.general((Double(value) / 1e4).rounded() / 100)) ms" }
        return "\(Int(progress.seconds))/\(Int(progress.planned)) s  \(second.ended)/s  \(second.failed) failed  "
            + "p50 \(latency(second.median))  p99 \(latency(second.p99))  max \(latency(second.maximum))  "
            + "\(progress.inFlight) in flight\(progress.isBehind ? ", waiting for connections" : "")"
    }

    private static func plan(_ invocation: Invocation) throws(CommandFailure) -> LoadPlan {
        var plan = try file(invocation.operands.first)
        for text in invocation.values("target") {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            let isNamed = parts.count == 2 && !parts[0].contains("/")
            let url = isNamed ? parts[1] : text
            guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
                throw CommandFailure("--target \(text): expected a URL of http or https", code: .usage)
            }
            plan.targets.append(.init(name: isNamed ? parts[0] : url, url: url))
        }
        let rate = try number(invocation, "rate", in: 0.001...1_000_000)
        let seconds = try duration(invocation, "duration")
        if rate != nil || seconds != nil {
            let first = plan.stages.first
            let rate = rate ?? first?.from ?? 100
            plan.stages = [LoadStage(seconds: seconds ?? LoadSchedule(plan.stages).seconds, from: rate, to: rate)]
        }
        if let connections = try number(invocation, "connections", in: 1...Double(LoadPlan.connectionLimit)) {
            plan.connections = Int(connections)
        }
        plan.timeout = try duration(invocation, "timeout") ?? plan.timeout
        if let hash = invocation.value("hash") { plan.hash = .init(value: hash) }
        for text in invocation.values("threshold") {
            guard let threshold = LoadThreshold(text) else {
                throw CommandFailure("--threshold \(text): \(LoadThreshold.expectation)", code: .usage)
            }
            plan.thresholds.append(threshold)
        }
        for threshold in plan.thresholds {
            guard let name = threshold.target, !plan.targets.contains(where: { $0.name == name }) else { continue }
            throw CommandFailure("threshold \(threshold.description): no target \(name)", code: .usage)
        }
        return plan
    }

    private static func file(_ path: String?) throws(CommandFailure) -> LoadPlan {
        guard let path else { return LoadPlan() }
        guard let text = FileText.read(path) else { throw CommandFailure("\(path): \(SystemError.current)") }
        do throws(YAMLError) {
            guard let node = try YAML.document(text, file: path) else {
                throw YAMLError(file: path, line: 0, column: 0, field: "", message: "the file is empty")
            }
            return try LoadPlan(node, file: path)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private static func number(
        _ invocation: Invocation, _ name: String, in range: ClosedRange<Double>
    ) throws(CommandFailure) -> Double? {
        guard let text = invocation.value(name) else { return nil }
        guard let value = Double(text), range.contains(value) else {
            throw invocation.misuse(of: name, "a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    private static func duration(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> Double? {
        guard let text = invocation.value(name) else { return nil }
        guard let value = Milliseconds(parsing: text), value > .zero, value <= .hours(168) else {
            throw invocation.misuse(of: name, "a duration such as 30s")
        }
        return Double(value.rawValue) / 1000
    }

    /// Stops the test on SIGINT and SIGTERM, from a thread of its own.
    private static func stopOnSignal(_ runner: LoadRunner) throws(CommandFailure) -> SignalWatcher {
        let watcher = SignalWatcher()
        do throws(WorkerThread.StartError) {
            try watcher.start { runner.stop() }
        } catch {
            throw CommandFailure(error.description)
        }
        return watcher
    }

    /// A thread that waits for the signals that end a program.
    private final class SignalWatcher: Sendable {
        private static let stopping = [SIGINT, SIGTERM]
        private let isEnded = Atomic<Bool>(false)
        private let thread = Mutex<WorkerThread?>(nil)

        func start(_ act: @escaping @Sendable () -> Void) throws(WorkerThread.StartError) {
            Signals.block(Self.stopping)
            let worker = try WorkerThread("signals") { [self] in
                while !isEnded.load(ordering: .relaxed) {
                    if Signals.wait(for: Self.stopping, milliseconds: 100) != nil { act() }
                }
            }
            thread.withLock { $0 = worker }
        }

        func end() {
            isEnded.store(true, ordering: .relaxed)
            thread.withLock { $0.take() }?.join()
        }
    }
}
