import Glibc
import MetricModel
import RollbackSimulation
import RuleEngine
import Runtime
import TestSupport
import Testing

@testable import Rollback

struct JournalTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("plan.journal") }

    private func records(_ count: Int) throws -> [[UInt8]] {
        let payloads = (1...count).map { Array("record \($0)".utf8) }
        let journal = try Journal(path: path)
        for payload in payloads { try journal.append(payload) }
        return payloads
    }

    private func rewrite(_ bytes: some Sequence<UInt8>) throws {
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        for byte in bytes { putc(Int32(byte), file) }
    }

    @Test("what was appended is there when it is opened again, and sequences go on")
    func reopen() throws {
        let payloads = try records(3)
        #expect(try Journal(path: path).recovered == payloads)
        try Journal(path: path).append([42])
        #expect(try Journal(path: path).recovered == payloads + [[42]])
        let scan = JournalFrame.scan(try FileText.bytes(path))
        #expect(scan.frames.map(\.sequence) == [1, 2, 3, 4])
    }

    @Test("a record whose writing was interrupted anywhere is cut off, and the ones before it stay")
    func torn() throws {
        let payloads = try records(3)
        let bytes = try FileText.bytes(path)
        let kept = JournalFrame.encode(payloads[0], sequence: 1) + JournalFrame.encode(payloads[1], sequence: 2)
        for length in kept.count..<bytes.count {
            try rewrite(bytes[..<length])
            let journal = try Journal(path: path)
            #expect(journal.recovered == Array(payloads[..<2]))
            #expect(journal.truncatedBytes == length - kept.count)
            #expect(try FileText.bytes(path) == kept)
        }
        // The whole length with a block of zeros in it is an interrupted write as well.
        try rewrite(kept + [UInt8](repeating: 0, count: bytes.count - kept.count))
        #expect(try Journal(path: path).recovered == Array(payloads[..<2]))
    }

    @Test("a flipped bit before the last record is damage: the file is set aside and said to be")
    func damaged() throws {
        _ = try records(3)
        let bytes = try FileText.bytes(path)
        let frame = bytes.count / 3
        for offset in [0, 4, 8, 17, frame, frame + 5, 2 * frame - 1] {
            var broken = bytes
            broken[offset] ^= 1
            try rewrite(broken)
            let error = #expect(throws: JournalError.self) { try Journal(path: path) }
            #expect(error?.code == .damaged)
            let aside = try #require(error?.message.split(separator: " ").last.map(String.init))
            #expect(try FileText.bytes(aside) == broken)
            #expect(try Journal(path: path).recovered == [])
        }
    }

    @Test("a journal that grew long is replaced by its last record")
    func compaction() throws {
        let journal = try Journal(path: path, compactionLength: 1000)
        let payload = [UInt8](repeating: 7, count: 300)
        for number in 0..<50 { try journal.append(payload + [UInt8(number)]) }
        #expect(try FileText.bytes(path).count < 2000)
        let scan = JournalFrame.scan(try FileText.bytes(path))
        #expect(scan.rest == .nothing)
        #expect(scan.frames.last?.payload.last == 49)
        #expect(scan.frames.last?.sequence == 50)
    }

    @Test("a directory that does not exist is an error that names the file")
    func noDirectory() {
        let error = #expect(throws: JournalError.self) { try Journal(path: "/nonexistent/p.journal") }
        #expect(error?.description == "/nonexistent/p.journal: cannot open the lock file: No such file or directory")
    }

    @Test("a payload that is too long is refused and harms nothing")
    func tooLong() throws {
        let journal = try Journal(path: path)
        let error = #expect(throws: JournalError.self) {
            try journal.append([UInt8](repeating: 0, count: JournalFrame.payloadLimit + 1))
        }
        #expect(error?.code == .tooLong)
        try journal.append([1])
        #expect(try Journal.init(path: path + "2").recovered == [])
    }

    @Test("mutated files never trap and never give a record that was not written")
    func fuzz() throws {
        var random = SplitMix(state: 7)
        let payloads = (0..<4).map { [UInt8](repeating: UInt8($0), count: 20) }
        let bytes = payloads.enumerated().flatMap { JournalFrame.encode($1, sequence: UInt64($0 + 1)) }
        for _ in 0..<2000 {
            var broken = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let cut = broken.prefix(Int.random(in: 0...broken.count, using: &random))
            for frame in JournalFrame.scan(Array(cut)).frames { #expect(payloads.contains(frame.payload)) }
        }
    }

    @Test("a record reads back as it was written, numbers that JSON cannot write included")
    func payload() throws {
        var state = RolloutState()
        state.generation = 3
        state.phase = .paused(reason: "because \"of\" this\n")
        state.cooldownUntil = Instant(nanoseconds: 5)
        state.services["a"] = ServiceState()
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
