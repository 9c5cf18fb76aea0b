import Foundation
import Glibc
import Runtime
import Synchronization
import Testing

@testable import MetricStore

@Suite struct SeriesLogTests {
    private let directory: StoreDirectory
    private let owner: TemporaryDirectory

    init() throws {
        owner = try TemporaryDirectory()
        directory = StoreDirectory(path: owner.path, store: 7)
    }

    private func makeLog(_ name: String) throws -> SeriesLog {
        let log = SeriesLog(lock: try OpenFile(locking: owner.path + "/" + name))
        try log.compact(StoreCore.Catalog(), directory)
        return log
    }

    /// The names of the lanes in the file, whose frames must all be whole.
    private func names() throws -> [String] {
        let data = try Data(contentsOf: URL(fileURLWithPath: directory.seriesLog))
        return try data.withUnsafeBytes { bytes in
            var found: [String] = []
            var offset = SeriesLog.headerSize
            while offset < bytes.count {
                let frame = try #require(SeriesLog.frame(bytes, at: offset))
                var reader = SeriesRecordReader(frame)
                while let record = reader.next() {
                    if case .lane(_, let name) = record { found.append(name) }
                }
                offset += 8 + frame.count
            }
            return found
        }
    }

    /// Also when another thread is writing it at that moment.
    @Test func aRecordIsInTheFileOnceItsThreadHasFlushed() throws {
        let (threads, perThread, length) = (3, 100, 4000)
        let name = String(repeating: "x", count: length)
        for round in 0..<20 {
            let log = try makeLog("lock \(round)")
            let path = directory.seriesLog
            let done = Atomic(0)
            let missing = Atomic(0)
            let workers = try (0..<threads).map { _ in
                try WorkerThread("flush") {
                    for _ in 0..<perThread {
                        log.add(.lane(1, name: name))
                        try? log.flush()
                        // The overhead of frames is less than a record.
                        let count = done.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
                        var status = stat()
                        stat(path, &status)
                        if Int(status.st_size) < count * length {
                            missing.wrappingAdd(1, ordering: .relaxed)
                        }
                    }
                }
            }
            for worker in workers { worker.join() }
            #expect(missing.load(ordering: .relaxed) == 0)
            #expect(try names().count == threads * perThread)
        }
    }

    /// A rewritten log includes waiting records; records after it must be read too.
    @Test func recordsAfterARewrittenLogAreRead() throws {
        let log = try makeLog("lock")
        log.add(.lane(1, name: "before"))
        try log.compact(StoreCore.Catalog(), directory)
        try log.flush()
        log.add(.lane(2, name: "after"))
        try log.flush()
        #expect(try names() == ["after"])
    }
}
