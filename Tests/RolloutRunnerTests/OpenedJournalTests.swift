import MetricModel
import RouterFixtures
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Durable
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

/// Journals whose last record cannot be used.
struct OpenedJournalTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("p.journal") }

    private func record(_ number: UInt64) -> JournalRecord {
        var state = RolloutState()
        state.generation = number
        return JournalRecord(epoch: 1, number: number, at: Instant(nanoseconds: 1), step: "s", state: state)
    }

    private func write(_ numbers: ClosedRange<UInt64>) throws {
        let journal = try Journal(path: path)
        for number in numbers { try journal.append(record(number).payload) }
    }

    private func open() throws -> (record: UInt64?, loss: RecordLoss?) {
        let opened = try OpenedJournal(
            of: "p", in: directory.path, device: .system, logger: .silent)
        return (opened.record?.number, opened.loss)
    }

    /// Changes a bit of the record `index`, from 0; all are of one length.
    private func damage(_ index: Int, of count: Int) throws {
        var bytes = try FileText.bytes(path)
        bytes[bytes.count / count * index + 20] ^= 1
        try DurableFile.replace(path, by: bytes)
    }

    @Test("a whole journal loses nothing")
    func whole() throws {
        #expect(try open() == (nil, nil))
        try write(1...3)
        #expect(try open() == (3, nil))
    }

    @Test("of a damaged one the last whole record is salvaged, and every start says so until there is a new one")
    func damaged() throws {
        try write(1...4)
        try damage(1, of: 4)
        for _ in 0..<3 {
            let (found, loss) = try open()
            #expect(found == nil)
            #expect(loss?.salvaged == record(4))
            #expect(loss?.reason.contains("p.journal.damaged-1") == true)
        }
        try write(5...5)
        #expect(try open() == (5, nil))
    }

    @Test("a record of an unknown version is kept, and an earlier one of this version is salvaged")
    func unknown() throws {
        try write(1...2)
        try Journal(path: path).append(Array(#"{"epoch": 9, "state": {"phase": ["fourth"]}}"#.utf8))
        let before = try FileText.bytes(path)
        for _ in 0..<2 {
            let loss = try #require(try open().loss)
            #expect(loss.salvaged == record(2))
            #expect(loss.reason.contains("unknown version; kept as \(path).unknown-3"))
        }
        #expect(try FileText.bytes(path + ".unknown-3") == before)
        try write(3...3)
        #expect(try open() == (3, nil))
    }

    @Test("bytes made to look like headers are searched in bounded time")
    func bounded() {
        var bytes: [UInt8] = []
        for _ in 0..<100_000 { bytes += [0, 0, 1, 0] }
        let start = SystemClock.monotonicNanoseconds()
        #expect(RecordScan.lastRecord(in: bytes) == nil)
        #expect(SystemClock.monotonicNanoseconds() - start < 60_000_000_000)
    }

    @Test(
        "a service starts with a damaged journal; a trip rolls back what the routes show; promotion waits for a person",
        .enabled(if: HAProxyFixture.program != nil, "haproxy is not installed"))
    func service() throws {
        let proxy = try HAProxyFixture()
        let plan = try RolloutPlan(parsing: proxy.plan(), file: "plan.yml")
        var runner = try RollbackRunner(plans: [plan], settings: .init(directory: proxy.directory.path))
        try runner.start()
        #expect(runner.command(RolloutCommand(.start, by: "ops"), plan: "acgs") == .accepted)
        try #require(Loopback.eventually { runner.snapshots[0].services.allSatisfy { $0.progress == "baking" } })
        runner.stop()
        // The first record is damaged, and the last ones too: nothing is left.
        let path = proxy.directory.file("acgs.journal")
        var bytes = try FileText.bytes(path)
        for offset in stride(from: 20, to: bytes.count, by: 40) { bytes[offset] ^= 1 }
        try DurableFile.replace(path, by: bytes + RecordFrame.encode([1], sequence: 9_999))
        runner = try RollbackRunner(plans: [plan], settings: .init(directory: proxy.directory.path))
        try runner.start()
        try #require(Loopback.eventually { runner.snapshots[0].services.allSatisfy { $0.split.candidate == 50 } })
        let loss = try #require(runner.snapshots[0].loss)
        #expect(runner.limitations == ["plan acgs: \(loss): only rollbacks go on"])
        #expect(runner.command(RolloutCommand(.resume, by: "ops"), plan: "acgs") == .refused(loss))
        runner.measured(
            RollbackMeasurement(
                rule: "f;g;R", ruleHash: "h",
                definition: RollbackDefinition(
                    name: "R", expression: "x", trip: .init(.less, 0.95), immediate: true,
                    action: .init(plan: "acgs", scope: .all)),
                time: .init(milliseconds: SystemClock.wallMilliseconds()),
                causeNanoseconds: SystemClock.monotonicNanoseconds(), elements: [.init(labels: .empty, value: 0)]))
        try #require(Loopback.eventually { runner.snapshots[0].phase == "rolled_back" })
        #expect(try proxy.router(backend: "auth").read().split == .allStable)
        #expect(try proxy.router(backend: "ac").read().split == .allStable)
        runner.stop()
        runner = try RollbackRunner(plans: [plan], settings: .init(directory: proxy.directory.path))
        try runner.start()
        #expect(runner.snapshots[0].loss == loss, "also the next start says so")
        #expect(runner.command(RolloutCommand(.acknowledge, by: "ops", reason: "checked"), plan: "acgs") == .accepted)
        #expect(runner.snapshots[0].loss == nil)
        runner.stop()
    }
}
