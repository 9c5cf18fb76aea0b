import Glibc
import MetricModel
import OnCall
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Durable
@testable import OnCallRunner

@Suite struct PageJournalTests {
    private func record(_ pages: Int, at milliseconds: Int64) -> PageBook.Record {
        var book = PageBook(Roster())
        for page in 0..<pages {
            let problem = Problem(key: "k\(page)", title: "t", source: "s", policy: "p")
            _ = book.triggered(problem, id: "\(page)", at: Timestamp(milliseconds: 0))
        }
        return book.record(at: Timestamp(milliseconds: milliseconds))
    }

    @Test func `what was kept is there after opening again`() throws {
        let path = TemporaryDirectory.kept.file("a.journal")
        do {
            var journal = try PageJournal(path: path, logger: .silent)
            #expect(journal.keep(record(1, at: 1)) { record(1, at: 1) })
            #expect(journal.keep(record(2, at: 2)) { record(2, at: 2) })
        }
        let journal = try PageJournal(path: path, logger: .silent)
        #expect(journal.recovered == [record(1, at: 1), record(2, at: 2)])
    }

    @Test func `a damaged file is put aside, and a new one begins`() throws {
        let path = TemporaryDirectory.kept.file("c.journal")
        do {
            var journal = try PageJournal(path: path, logger: .silent)
            #expect(journal.keep(record(1, at: 1)) { record(1, at: 1) })
            #expect(journal.keep(record(2, at: 2)) { record(2, at: 2) })
        }
        var bytes = try FileText.bytes(path)
        bytes[40] ^= 1
        try DurableFile.replace(path, by: bytes)
        var journal = try PageJournal(path: path, logger: .silent)
        #expect(journal.wasDamaged && journal.recovered.isEmpty)
        #expect(Paths.exists(path + ".damaged-1"))
        #expect(journal.keep(record(3, at: 3)) { record(3, at: 3) })
    }

    @Test func `a full disk loses nothing once it has room again`() throws {
        let path = TemporaryDirectory.kept.file("b.journal")
        let isFull = Mutex(false)
        do {
            var journal = try PageJournal(path: path, logger: .silent) { (path) throws(DurableError) in
                let device = unsafe RecordLog.Device(
                    write: { descriptor, bytes in
                        if isFull.withLock({ $0 }) {
                            errno = ENOSPC
                            return -1
                        }
                        return unsafe write(descriptor, bytes.baseAddress, bytes.count)
                    }, sync: { fdatasync($0) })
                return try RecordLog(path: path, device: device)
            }
            #expect(journal.keep(record(1, at: 1000)) { record(1, at: 1000) })
            isFull.withLock { $0 = true }
            #expect(!journal.keep(record(2, at: 2000)) { record(2, at: 2000) })
            // It is tried again after ten seconds, and fails once more.
            #expect(!journal.keep(record(3, at: 3000)) { record(3, at: 3000) })
            #expect(!journal.keep(record(3, at: 13_000)) { record(3, at: 13_000) })
            isFull.withLock { $0 = false }
            #expect(!journal.keep(record(4, at: 14_000)) { record(4, at: 14_000) }, "ten seconds are not over")
            #expect(journal.keep(record(5, at: 24_000)) { record(5, at: 24_000) })
            #expect(journal.keep(record(6, at: 25_000)) { record(6, at: 25_000) })
        }
        let journal = try PageJournal(path: path, logger: .silent)
        #expect(journal.recovered == [record(5, at: 24_000), record(6, at: 25_000)])
    }
}

extension TemporaryDirectory {
    /// A directory that lives as long as the tests.
    fileprivate static let kept = TemporaryDirectory()
}
