import Glibc
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Durable

@Suite struct RecordLogTests {
    private let directory = TemporaryDirectory()
    private var path: String { directory.file("records") }

    private func records(_ count: Int) throws -> [[UInt8]] {
        let payloads = (1...count).map { Array("record \($0)".utf8) }
        let log = try RecordLog(path: path)
        for payload in payloads { try log.append(payload) }
        return payloads
    }

    private func recovered() throws -> [[UInt8]] { try RecordLog(path: path).recovered.map(\.payload) }

    private func rewrite(_ bytes: some Sequence<UInt8>) throws {
        try DurableFile.replace(path, by: Array(bytes))
    }

    @Test func whatWasAppendedIsThereWhenItIsOpenedAgainAndSequencesGoOn() throws {
        let payloads = try records(3)
        #expect(try recovered() == payloads)
        try RecordLog(path: path).append([42])
        #expect(try recovered() == payloads + [[42]])
        #expect(try RecordLog(path: path).recovered.map(\.sequence) == [1, 2, 3, 4])
    }

    @Test func anInterruptedRecordIsCutOffAndThoseBeforeItStay() throws {
        let payloads = try records(3)
        let bytes = try FileText.bytes(path)
        let kept = RecordFrame.encode(payloads[0], sequence: 1) + RecordFrame.encode(payloads[1], sequence: 2)
        for length in kept.count..<bytes.count {
            try rewrite(bytes[..<length])
            let log = try RecordLog(path: path)
            #expect(log.recovered.map(\.payload) == Array(payloads[..<2]))
            #expect(log.truncatedBytes == length - kept.count)
            #expect(try FileText.bytes(path) == kept)
        }
        // The whole length with a block of zeros in it is also an interrupted write.
        try rewrite(kept + [UInt8](repeating: 0, count: bytes.count - kept.count))
        #expect(try recovered() == Array(payloads[..<2]))
    }

    @Test func aFlippedBitBeforeTheLastRecordIsDamageAndTheFileIsSetAside() throws {
        _ = try records(3)
        let bytes = try FileText.bytes(path)
        let size = bytes.count / 3
        for offset in [0, 4, 8, 17, size, size + 5, 2 * size - 1] {
            var broken = bytes
            broken[offset] ^= 1
            try rewrite(broken)
            let error = #expect(throws: DurableError.self) { try RecordLog(path: path) }
            #expect(error?.code == .damaged)
            let aside = try #require(error?.reason.split(separator: " ").last.map(String.init))
            #expect(try FileText.bytes(aside) == broken)
            #expect(try recovered() == [])
        }
    }

    @Test func theLengthIsCovered() {
        // The second record's bytes pretend to belong to the first, whose length was changed.
        var bytes = RecordFrame.encode([1, 2, 3, 4], sequence: 1) + RecordFrame.encode([5], sequence: 2)
        bytes[0] = 3
        #expect(RecordFrame.piece(of: bytes, at: 0) == .damaged)
    }

    @Test func oneProcessAtATimeHasItOpen() throws {
        let log = try RecordLog(path: path)
        let error = #expect(throws: DurableError.self) { try RecordLog(path: path) }
        #expect(error?.code == .locked)
        withExtendedLifetime(log) {}
    }

    @Test func allRecordsCanBeReplacedByOne() throws {
        let payloads = try records(3)
        let log = try RecordLog(path: path)
        try log.replaceAll(by: [9])
        #expect(log.byteCount == RecordFrame.headerByteCount + 1)
        try log.append(payloads[0])
        withExtendedLifetime(log) {}
        #expect(RecordScan(try FileText.bytes(path)).records.map(\.sequence) == [4, 5])
        #expect(RecordScan(try FileText.bytes(path)).records.map(\.payload) == [[9], payloads[0]])
    }

    @Test func aPayloadThatIsTooLongIsRefusedAndHarmsNothing() throws {
        let log = try RecordLog(path: path)
        let error = #expect(throws: DurableError.self) {
            try log.append([UInt8](repeating: 0, count: RecordFrame.payloadLimit + 1))
        }
        #expect(error?.code == .tooLong)
        try log.append([1])
        #expect(RecordScan(try FileText.bytes(path)).records.map(\.payload) == [[1]])
    }

    @Test func afterAFailedWriteItStaysFailedAndTheTornRecordIsCutOffAtTheNextStart() throws {
        let room = Mutex(2 * (RecordFrame.headerByteCount + 8) + 10)
        var disk = RecordLog.Device.system
        disk.write = { descriptor, bytes in
            let count = room.withLock { room in
                let count = min(room, bytes.count)
                room -= count
                return count
            }
            errno = ENOSPC
            return count == 0 ? -1 : write(descriptor, bytes.baseAddress, count)
        }
        let payload = [UInt8](repeating: 7, count: 8)
        do {
            let log = try RecordLog(path: path, device: disk)
            try log.append(payload)
            try log.append(payload)
            let first = #expect(throws: DurableError.self) { try log.append(payload) }
            #expect(first?.description == "\(path): cannot write: No space left on device")
            // A record that would fit is also rejected, because of the torn one.
            room.withLock { $0 = 1000 }
            let second = #expect(throws: DurableError.self) { try log.append([]) }
            #expect(second == first)
        }
        let log = try RecordLog(path: path)
        #expect(log.recovered.map(\.payload) == [payload, payload])
        #expect(log.truncatedBytes == 10)
    }

    @Test func afterAFailedSyncNothingIsWrittenAnyMore() throws {
        let isBroken = Atomic(false)
        var disk = RecordLog.Device.system
        disk.sync = { descriptor in
            errno = EIO
            return isBroken.load(ordering: .relaxed) ? -1 : fdatasync(descriptor)
        }
        let log = try RecordLog(path: path, device: disk)
        try log.append([1])
        isBroken.store(true, ordering: .relaxed)
        #expect(throws: DurableError.self) { try log.append([2]) }
        isBroken.store(false, ordering: .relaxed)
        #expect(throws: DurableError.self) { try log.append([3]) }
        #expect(throws: DurableError.self) { try log.replaceAll(by: [4]) }
    }

    @Test func afterAFailedSyncItContinuesInANewFileOnly() throws {
        func inode(_ path: String) -> UInt64 {
            var status = stat()
            return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
        }
        let isBroken = Atomic(false)
        let synced = Mutex<[UInt64]>([])
        var disk = RecordLog.Device.system
        disk.sync = { descriptor in
            var status = stat()
            fstat(descriptor, &status)
            synced.withLock { $0.append(UInt64(status.st_ino)) }
            errno = EIO
            return isBroken.load(ordering: .relaxed) ? -1 : fdatasync(descriptor)
        }
        let log = try RecordLog(path: path, device: disk)
        try log.append([1])
        let first = inode(path)
        isBroken.store(true, ordering: .relaxed)
        #expect(throws: DurableError.self) { try log.append([2]) }
        // Kept, so that the system cannot give its number to another file.
        let failed = path + ".kept"
        for _ in 0..<2 {
            #expect(throws: DurableError.self) { try log.beginAgain(with: [3]) }
            unlink(failed)
            #expect(link(path + ".new", failed) == 0)
        }
        #expect(inode(path) == first, "the last whole file keeps its name until another one is complete")
        isBroken.store(false, ordering: .relaxed)
        #expect(throws: DurableError.self) { try log.append([4]) }
        let count = synced.withLock { $0.count }
        try log.beginAgain(with: [5])
        try log.append([6])
        let later = synced.withLock { Array($0[count...]) }
        #expect(!later.contains(first) && !later.contains(inode(failed)), "no failed file is synced again")
        #expect(later == [inode(path), inode(path)])
        withExtendedLifetime(log) {}
        #expect(RecordScan(try FileText.bytes(path)).records.map(\.payload) == [[5], [6]])
    }

    @Test func mutatedFilesNeverTrapAndNeverGiveARecordThatWasNotWritten() {
        var random = SeededGenerator(seed: 7)
        let payloads = (0..<4).map { [UInt8](repeating: UInt8($0), count: 20) }
        let bytes = payloads.enumerated().flatMap { RecordFrame.encode($1, sequence: UInt64($0 + 1)) }
        for coverage in [RecordFrame.Coverage.wholeRecord, .withoutLength] {
            for _ in 0..<2000 {
                var broken = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                let cut = broken.prefix(Int.random(in: 0...broken.count, using: &random))
                let scan = RecordScan(Array(cut), coverage: coverage)
                if coverage == .wholeRecord {
                    for record in scan.records { #expect(payloads.contains(record.payload)) }
                }
                #expect(scan.goodByteCount <= cut.count)
            }
        }
    }

    /// Headers that each claim all the bytes that follow would cost a checksum of the whole rest at every offset.
    @Test func bytesMadeToLookLikeHeadersAreSearchedInBoundedTime() {
        var bytes: [UInt8] = []
        for _ in 0..<100_000 { bytes += [0, 0, 1, 0] }
        let start = SystemClock.monotonicNanoseconds()
        let scan = RecordScan(bytes)
        #expect(scan.records.isEmpty)
        guard case .damage = scan.rest else {
            Issue.record("\(scan.rest)")
            return
        }
        // Without the bound these are 25 GB of checksums: minutes in place of a second.
        #expect(SystemClock.monotonicNanoseconds() - start < 60_000_000_000)
    }
}
