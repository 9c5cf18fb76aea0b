import Glibc
import Instrumentation
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Durable
@testable import Rollback
@testable import RolloutRunner

/// A disk under a test's control.
final class TestDisk: Sendable {
    /// Syncs wait here while it is closed to them.
    let gate = Mutex<Mailbox<Void>?>(nil)
    /// Whether writes fail.
    let isFull = Atomic(false)
    /// How many syncs have begun.
    let syncs = Atomic<Int>(0)

    var device: RecordLog.Device {
        var device = RecordLog.Device.system
        device.write = { [self] descriptor, bytes in
            guard isFull.load(ordering: .acquiring) else { return write(descriptor, bytes.baseAddress, bytes.count) }
            errno = ENOSPC
            return -1
        }
        device.sync = { [self] descriptor in
            syncs.wrappingAdd(1, ordering: .acquiringAndReleasing)
            if let gate = gate.withLock({ $0 }) { _ = gate.receive() }
            return fdatasync(descriptor)
        }
        return device
    }

    /// Lets syncs hang until ``release()``.
    func hang() { gate.withLock { $0 = Mailbox(capacity: 1) } }

    func release() {
        gate.withLock { gate in
            gate?.close()
            gate = nil
        }
    }
}

struct JournalWriterTests {
    private let directory = TemporaryDirectory()
    private let disk = TestDisk()
    private let outcomes = Mailbox<JournalWriter.Outcome>(capacity: 100)
    private var path: String { directory.file("p.journal") }

    private func writer() throws -> JournalWriter {
        let writer = JournalWriter(
            try Journal(path: path, device: disk.device), logger: .silent,
            duration: Registry().histogram("h", "")
        ) { [outcomes] in outcomes.send($0) }
        try writer.run()
        return writer
    }

    private func record(_ number: UInt64) -> JournalRecord {
        JournalRecord(epoch: 1, number: number, at: Instant(nanoseconds: 1), step: "s", state: RolloutState())
    }

    /// The next outcome: the number of a stored record, or `nil` for a failure.
    private func next() throws -> UInt64? {
        let deadline = SystemClock.monotonicNanoseconds() + 90_000_000_000
        guard case .message(let outcome) = outcomes.receive(deadline: deadline) else {
            throw BenchTimeout()
        }
        if case .stored(let number) = outcome { return number }
        return nil
    }

    private struct BenchTimeout: Error {}

    private func stored() throws -> [UInt64] {
        RecordScan(try FileText.bytes(path)).records.compactMap { JournalRecord(payload: $0.payload)?.number }
    }

    @Test("while the disk hangs nobody waits for it; of what was made meanwhile only the last record is written")
    func hangs() throws {
        let writer = try writer()
        disk.hang()
        for number in 1...50 { writer.write(record(UInt64(number))) }
        #expect(Loopback.eventually { disk.syncs.load(ordering: .acquiring) == 1 })
        for number in 51...100 { writer.write(record(UInt64(number))) }
        #expect(outcomes.count == 0)
        disk.release()
        let first = try #require(try next())
        if first != 100 { #expect(try next() == 100) }
        writer.stop()
        #expect(try stored() == (first == 100 ? [100] : [first, 100]))
    }

    @Test("a disk that is full is told once; when there is room, the last record begins a new file")
    func full() throws {
        let writer = try writer()
        writer.write(record(1))
        #expect(try next() == 1)
        disk.isFull.store(true, ordering: .releasing)
        writer.write(record(2))
        #expect(try next() == nil)
        for number in 3...9 { writer.write(record(UInt64(number))) }
        #expect(try stored() == [1])
        disk.isFull.store(false, ordering: .releasing)
        #expect(try next() == 9)
        #expect(try stored() == [9])
        writer.write(record(10))
        #expect(try next() == 10)
        #expect(try stored() == [9, 10])
        writer.stop()
    }

    @Test("a process can end while its disk hangs, and one whose disk works writes the last record first")
    func stops() throws {
        let writer = try writer()
        writer.write(record(1))
        writer.stop()
        #expect(try stored() == [1])
        let other = JournalWriter(
            try Journal(path: directory.file("q.journal"), device: disk.device), logger: .silent,
            duration: Registry().histogram("h", ""), tell: { _ in })
        try other.run()
        disk.hang()
        other.write(record(1))
        #expect(Loopback.eventually { disk.syncs.load(ordering: .acquiring) == 2 })
        other.stop(seconds: 0)
        disk.release()
    }
}
