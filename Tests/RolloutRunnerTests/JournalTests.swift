import Durable
import MetricModel
import RollbackSimulation
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Lease
@testable import Rollback
@testable import RolloutRunner
@testable import TrafficRouters

struct JournalTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("plan.journal") }

    private func records(_ count: Int) throws -> [[UInt8]] {
        let payloads = (1...count).map { Array("record \($0)".utf8) }
        let journal = try Journal(path: path)
        for payload in payloads { try journal.append(payload) }
        return payloads
    }

    @Test("appended records are there after reopening, and sequences continue")
    func reopen() throws {
        let payloads = try records(3)
        #expect(try Journal(path: path).recovered == payloads)
        try Journal(path: path).append([42])
        #expect(try Journal(path: path).recovered == payloads + [[42]])
        let scan = RecordScan(try FileText.bytes(path))
        #expect(scan.records.map(\.sequence) == [1, 2, 3, 4])
    }

    @Test("a long journal is replaced by its last record")
    func compaction() throws {
        let journal = try Journal(path: path, compactionLength: 1000)
        let payload = [UInt8](repeating: 7, count: 300)
        for number in 0..<50 { try journal.append(payload + [UInt8(number)]) }
        #expect(try FileText.bytes(path).count < 2000)
        let scan = RecordScan(try FileText.bytes(path))
        #expect(scan.rest == .nothing)
        #expect(scan.records.last?.payload.last == 49)
        #expect(scan.records.last?.sequence == 50)
    }

    @Test("a directory that does not exist is an error that names the file")
    func noDirectory() {
        let error = #expect(throws: JournalError.self) { try Journal(path: "/nonexistent/p.journal") }
        #expect(error?.description == "/nonexistent/p.journal: cannot open the lock file: No such file or directory")
    }

    @Test("a record reads back unchanged, including numbers that JSON cannot represent")
    func payload() throws {
        var state = RolloutState()
        state.generation = 3
        state.phase = .paused(reason: "because \"of\" this\n")
        state.cooldownUntil = Instant(nanoseconds: 5)
        state.services["a"] = ServiceRollout()
        state.services["a"]?.progress = .baking(stage: 1, since: Instant(nanoseconds: 7))
        state.services["a"]?.frozen = "down"
        let definition = RollbackDefinition(
            name: "R", expression: "x", trip: .init(.greater, .infinity), action: .init(plan: "p"))
        let measurement = RollbackMeasurement(
            rule: "f;g;R", ruleHash: "h", definition: definition, time: Timestamp(milliseconds: 9), elements: [])
        let trip = Trip(
            of: measurement, labels: ["service": "ä"],
            samples: [EvidenceSample(time: Timestamp(milliseconds: 1), value: -.infinity)])
        state.rollback = RollbackRecord(
            id: "p-3-1", generation: 3, number: 1,
            causes: [.trip(trip), .command(by: "x", reason: ""), .promotion(service: "a", reason: "gate")],
            services: ["a"], step: .validate, validatingSince: Instant(nanoseconds: 3),
            verdict: .init(isValid: false, detail: "d"))
        state.rollback?.add("decided", nil, "|", at: Instant(nanoseconds: 8))
        let record = JournalRecord(epoch: 4, at: Instant(nanoseconds: 10), step: "s", state: state)
        #expect(JournalRecord(payload: record.payload) == record)
        #expect(JournalRecord(payload: Array("{}".utf8)) == nil)
        #expect(JournalRecord(payload: [0xff]) == nil)
    }
}
