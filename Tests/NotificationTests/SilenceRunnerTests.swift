import Instrumentation
import MetricModel
import Notification
import Runtime
import Synchronization
import TestSupport
import Testing

extension SilenceRunner {
    /// A runner that stores its silences in `directory` and reports nothing.
    static func kept(in directory: TemporaryDirectory) -> SilenceRunner {
        SilenceRunner(
            path: directory.file("silences.json"), logger: .silent, registry: Registry(), report: { _ in })
    }
}

@Suite struct SilenceRunnerTests {
    private final class Reports: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }

        func add(_ report: SilenceRunner.Report) {
            let line =
                switch report {
                case .kept(let silence): "kept \(silence.comment)"
                case .changed(.created(let silence), let actor): "created \(silence.comment) by \(actor ?? "-")"
                case .changed(.updated(let silence, _), let actor): "updated \(silence.comment) by \(actor ?? "-")"
                case .changed(.expired(let silence, let next), let actor):
                    "expired \(silence.comment) by \(actor ?? "-")\(next == nil ? "" : ", replaced")"
                case .changed(.ended(let silence), let actor): "ended \(silence.comment) by \(actor ?? "-")"
                }
            lines.withLock { $0.append(line) }
        }
    }

    private let directory = TemporaryDirectory()
    private let now = SystemClock.wallMilliseconds()

    private func runner(
        _ reports: Reports = Reports(), registry: Registry = Registry(),
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) -> SilenceRunner {
        SilenceRunner(
            path: directory.file("silences.json"), logger: Logger(level: .info, write: log), registry: registry,
            report: { reports.add($0) })
    }

    private func silence(
        _ comment: String, id: String = "", from start: Int64 = 0, to end: Int64 = 3_600_000,
        matcher: String = "alertname=~\"A\\\"|\t\\\\n.*\""
    ) throws -> Silence {
        Silence(
            id: id, matchers: [try LabelMatcher(parsing: matcher)], startsAt: Timestamp(milliseconds: now + start),
            endsAt: Timestamp(milliseconds: now + end), createdBy: "ada", comment: comment)
    }

    @Test func silencesOutliveTheProcessAndEveryChangeIsReported() throws {
        let reports = Reports()
        let first = runner(reports)
        let id = try first.set(try silence("one"), by: "ada").get()
        #expect(id.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12])
        // An active silence goes on only with its own start, which was the time of the call.
        let start = try #require(first.silences.active(at: Timestamp(milliseconds: now + 10_000)).first).startsAt
        let two = try silence("two", id: id, from: start.milliseconds - now, to: 7_200_000)
        #expect(try first.set(two, by: "bob").get() == id)
        let other = try first.set(try silence("three", id: id, matcher: "a=b"), by: "cyd").get()
        #expect(other != id)
        _ = try first.expire(other, by: "dan").get()
        let last = try first.set(try silence("four"), by: "eve").get()
        #expect(
            reports.all == [
                "created one by ada", "updated two by bob", "expired two by cyd, replaced", "created three by cyd",
                "expired three by dan", "created four by eve",
            ])
        let again = Reports()
        let second = runner(again)
        #expect(second.silences == first.silences)
        #expect(again.all == ["kept four"])
        #expect(second.silences.active(at: Timestamp(milliseconds: now + 10_000)).map(\.id) == [last])
    }

    @Test func anEndThatNobodySawIsReportedByTheNextProcess() throws {
        let first = runner()
        _ = try first.set(try silence("short", to: SystemClock.wallMilliseconds() - now + 20), by: "ada").get()
        let reports = Reports()
        let second = runner(reports)
        #expect(
            Loopback.eventually {
                second.advance()
                return reports.all.last == "ended short by -"
            })
        let third = Reports()
        runner(third).advance()
        #expect(third.all.isEmpty)
    }

    @Test(arguments: [
        "", "{", "[]", #"{"version":2,"silences":[]}"#, #"{"version":1,"silences":[{}]}"#,
        #"{"version":1,"silences":[{"id":"x","matchers":[{"name":"a","operation":"=~","value":"("}],"starts_at":1,"ends_at":2,"updated_at":1}]}"#,
        #"{"version":1,"silences":[{"id":"x","matchers":[{"name":"a","operation":"~","value":"b"}],"starts_at":1,"ends_at":2,"updated_at":1}]}"#,
    ])
    func aDamagedFileIsSetAside(content: String) throws {
        directory.write(content, to: "silences.json")
        let lines = Mutex<[String]>([])
        let runner = runner(log: { line in lines.withLock { $0.append(line) } })
        #expect(runner.silences.all.isEmpty)
        #expect(lines.withLock { $0.count { $0.contains("cannot read silences") } } == 1)
        #expect(FileText.read(directory.file("silences.json.damaged")) == content)
        _ = try runner.set(try silence("new"), by: "ada").get()
        #expect(self.runner().silences.all.map(\.comment) == ["new"])
    }

    @Test func withoutADiskNothingChangesAndThatIsSaid() throws {
        let registry = Registry()
        let reports = Reports()
        let runner = runner(reports, registry: registry)
        // A directory blocks the file to be written.
        #expect(Paths.makeDirectory(directory.file("silences.json.new")))
        let error = #expect(throws: SilenceError.self) { try runner.set(try silence("x"), by: "ada").get() }
        #expect(error?.code == .storage)
        #expect(runner.silences.all.isEmpty)
        #expect(reports.all.isEmpty)
        let failures = registry.snapshot().first { $0.name == "tribune_silences_write_failures_total" }
        guard case .number(let count) = try #require(failures?.members.first).value else {
            Issue.record("not a number")
            return
        }
        #expect(count == 1)
    }

    @Test func changesByManyThreadsAreAllKept() throws {
        let runner = runner()
        let threads = try (0..<4).map { thread in
            try WorkerThread("silences-\(thread)") { [self] in
                for index in 0..<10 { _ = runner.set(try! silence("\(thread)-\(index)"), by: "ada") }
            }
        }
        for thread in threads { thread.join() }
        #expect(runner.silences.all.count == 40)
        #expect(self.runner().silences == runner.silences)
    }
}
