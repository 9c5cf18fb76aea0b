import Durable
import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import History

@Suite struct SpoolTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("spool") }

    private func open(segmentBytes: Int = 1 << 20, device: SpoolDevice = .system) throws -> Spool {
        try Spool(
            directory: SpoolDirectory(path: path), segmentBytes: segmentBytes, device: device, logger: .silent,
            onDurable: {})
    }

    private func payload(_ number: Int) -> [UInt8] { Array("record \(number)".utf8) }

    private func append(_ numbers: ClosedRange<Int>, to spool: Spool) {
        for number in numbers {
            let reply = Mailbox<Bool>(capacity: 1)
            spool.append(payload(number), reply: reply)
            guard case .message(true) = reply.receive(deadline: SystemClock.monotonicNanoseconds() + 10_000_000_000)
            else {
                Issue.record("record \(number) did not become durable")
                return
            }
        }
    }

    private func all(_ spool: Spool, after position: UInt64 = 0) throws -> [RecordFrame.Record] {
        let state = spool.state
        return try SpoolReader(directory: spool.directory)
            .records(after: position, through: state.durable, in: state.segments, count: .max)
    }

    private func expected(_ numbers: ClosedRange<Int>) -> [RecordFrame.Record] {
        numbers.map { RecordFrame.Record(sequence: UInt64($0), payload: payload($0)) }
    }

    @Test func `records come back in order, across segments and restarts`() throws {
        do {
            let spool = try open(segmentBytes: 100)
            append(1...20, to: spool)
            #expect(spool.state.segments.count > 4)
            #expect(try all(spool) == expected(1...20))
            spool.close()
            spool.directory.unlock()
            #expect(spool.append([1]) == nil)
        }
        let spool = try open(segmentBytes: 100)
        append(21...25, to: spool)
        #expect(try all(spool) == expected(1...25))
        #expect(try all(spool, after: 13) == expected(14...25))
        #expect(spool.lost == [])
        spool.close()
        spool.directory.unlock()
    }

    @Test func `a reader keeps its place while the spool grows`() throws {
        let spool = try open(segmentBytes: 200)
        defer { spool.close() }
        let reader = SpoolReader(directory: spool.directory)
        var position: UInt64 = 0
        for start in stride(from: 1, through: 60, by: 3) {
            append(start...start + 2, to: spool)
            let state = spool.state
            for _ in 0..<2 where position < state.durable {
                let records = try reader.records(
                    after: position, through: state.durable, in: state.segments, count: 2)
                #expect(records.map(\.sequence) == Array(position + 1...position + UInt64(records.count)))
                position = try #require(records.last).sequence
                spool.discard(through: position)
            }
        }
        #expect(position == 60)
        #expect(spool.state.segments.count <= 2)
    }

    @Test func `a torn end is cut off at whatever byte it tears`() throws {
        var whole: [UInt8] = []
        do {
            let spool = try open()
            append(1...3, to: spool)
            spool.close()
            spool.directory.unlock()
            whole = try FileText.bytes(path + "/" + SpoolSegment.name(first: 1))
        }
        let record = RecordFrame.headerByteCount + payload(1).count
        for length in 0..<whole.count {
            directory.write("", to: "spool/" + SpoolSegment.name(first: 1))
            let descriptor = Glibc.open(path + "/" + SpoolSegment.name(first: 1), O_WRONLY)
            _ = whole.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, length) }
            close(descriptor)
            let spool = try open()
            let kept = max(0, length - SpoolSegment.headerByteCount) / record
            #expect(try all(spool).map(\.sequence) == (0..<kept).map { UInt64($0 + 1) }, "cut at byte \(length)")
            append(kept + 1...kept + 1, to: spool)
            #expect(try all(spool) == expected(1...kept + 1))
            spool.close()
            spool.directory.unlock()
        }
    }

    @Test func `a record with a flipped bit is not believed`() throws {
        do {
            let spool = try open(segmentBytes: 60)
            append(1...6, to: spool)
            spool.close()
            spool.directory.unlock()
        }
        let segments = try SpoolDirectory(path: path).segments()
        let file = path + "/" + SpoolSegment.name(first: segments[1])
        var bytes = try FileText.bytes(file)
        bytes[SpoolSegment.headerByteCount + 20] ^= 1
        let descriptor = Glibc.open(file, O_WRONLY)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        let spool = try open(segmentBytes: 60)
        #expect(spool.lost == [segments[1]...segments[1]], "the records after it in the same segment are read")
        #expect(try all(spool).map(\.sequence).contains(segments[1]) == false)
        #expect(try all(spool).map(\.sequence) == (1...6).filter { $0 != segments[1] })
        #expect(try spool.checkInvariants() == nil)
        spool.close()
        spool.directory.unlock()
    }

    @Test func `a long record that is damaged loses only itself`() throws {
        do {
            let spool = try open(segmentBytes: 64 << 20)
            append(1...2, to: spool)
            let reply = Mailbox<Bool>(capacity: 1)
            spool.append([UInt8](repeating: 7, count: 3 << 20), reply: reply)
            guard case .message(true) = reply.receive() else {
                Issue.record("not durable")
                return
            }
            append(4...9, to: spool)
            spool.close()
            spool.directory.unlock()
        }
        let descriptor = Glibc.open(path + "/" + SpoolSegment.name(first: 1), O_WRONLY)
        _ = [UInt8(8)].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, 1, 2 << 20) }
        close(descriptor)
        let spool = try open(segmentBytes: 64 << 20)
        #expect(spool.lost == [3...3])
        #expect(try all(spool) == expected(1...2) + expected(4...9))
        spool.close()
        spool.directory.unlock()
    }

    @Test func `files with impossible numbers are left alone`() throws {
        mkdir(path, 0o700)
        for name in ["0000000000000000.spool", "ffffffffffffffff.spool"] { directory.write("", to: "spool/" + name) }
        let spool = try open()
        append(1...2, to: spool)
        #expect(try all(spool) == expected(1...2))
        spool.close()
        spool.directory.unlock()
    }

    @Test func `a full disk keeps records waiting, says so, and loses none`() throws {
        let disk = FullDisk()
        do {
            let device = SpoolDevice(
                write: { descriptor, bytes, offset in
                    guard disk.isFull.load(ordering: .relaxed) else {
                        return SpoolDevice.system.write(descriptor, bytes, offset)
                    }
                    // A part still fits, as on a real disk.
                    let half = UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2))
                    if half.count > 4 { return SpoolDevice.system.write(descriptor, half, offset) }
                    errno = ENOSPC
                    return -1
                }, sync: SpoolDevice.system.sync)
            let spool = try open(device: device)
            append(1...2, to: spool)
            disk.isFull.store(true, ordering: .relaxed)
            let reply = Mailbox<Bool>(capacity: 1)
            spool.append(payload(3), reply: reply)
            for number in 4...5 { spool.append(payload(number)) }
            #expect(Loopback.eventually { spool.state.failure != nil })
            #expect(spool.state.failure?.contains("No space left on device") == true)
            #expect(spool.state.durable == 2)
            #expect(spool.state.accepted == 5)
            disk.isFull.store(false, ordering: .relaxed)
            guard case .message(true) = reply.receive() else {
                Issue.record("not durable")
                return
            }
            #expect(Loopback.eventually { spool.state.durable == 5 })
            #expect(spool.state.failure == nil)
            #expect(try all(spool) == expected(1...5))
            spool.close()
            spool.directory.unlock()
        }
        let spool = try open()
        #expect(try all(spool) == expected(1...5))
        spool.close()
        spool.directory.unlock()
    }

    @Test func `after a failed sync the records are written again elsewhere and come back once`() throws {
        let disk = FullDisk()
        let device = SpoolDevice(
            write: SpoolDevice.system.write,
            sync: { descriptor in
                guard disk.isFull.exchange(false, ordering: .relaxed) else {
                    return SpoolDevice.system.sync(descriptor)
                }
                errno = EIO
                return -1
            })
        let spool = try open(device: device)
        append(1...2, to: spool)
        disk.isFull.store(true, ordering: .relaxed)
        append(3...4, to: spool)
        #expect(spool.state.segments == [1, 3])
        #expect(try all(spool) == expected(1...4))
        spool.close()
        spool.directory.unlock()
        let again = try open()
        #expect(try all(again) == expected(1...4))
        #expect(again.lost == [])
        again.close()
        again.directory.unlock()
    }

    @Test func `one process at a time may use a spool`() throws {
        let spool = try open()
        #expect { try SpoolDirectory(path: path) } throws: {
            ($0 as? HistoryError)?.message.contains("another process") == true
        }
        spool.close()
        spool.directory.unlock()
    }

    @Test func `a payload survives its encoding, and no mutilated one traps`() throws {
        let event = PendingEvent(milliseconds: -1, kind: "violation", subject: "é", body: #"{"a":1}"#)
        var batch = MeasurementBatch()
        batch.series = [#"{"__name__":"up"}"#]
        batch.samples = [.init(series: 0, milliseconds: 1_000_000_000_000, value: -0.5)]
        let payload = SpoolPayload(event: event, measurements: batch)
        #expect(try SpoolPayload(decoding: payload.encoded) == payload)
        let bytes = payload.encoded
        for length in 0..<bytes.count {
            #expect(throws: HistoryError.self) { try SpoolPayload(decoding: Array(bytes.prefix(length))) }
        }
        for index in bytes.indices {
            var mutilated = bytes
            mutilated[index] = 0xff
            _ = try? SpoolPayload(decoding: mutilated)
        }
    }
}

/// A switch that tests' devices look at.
private final class FullDisk: Sendable {
    let isFull = Atomic<Bool>(false)
}
