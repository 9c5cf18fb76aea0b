import Instrumentation
import JSON
import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Notification

/// Two nodes that exchange silences through a store in memory.
@Suite struct SilenceSharingTests {
    private final class MemoryStore: NotificationStore {
        let rows = Mutex<[String: SharedSilence]>([:])
        let reads = Mutex(0)

        func notifications() throws(NotificationStoreFault) -> [NotificationLogEntry] { [] }
        func keep(_ changes: [NotificationLogEntry.Change]) throws(NotificationStoreFault) -> Bool { true }
        func silences() throws(NotificationStoreFault) -> [String: Int64] {
            rows.withLock { $0.mapValues(\.updated) }
        }
        func silence(_ id: String) throws(NotificationStoreFault) -> SharedSilence? {
            reads.withLock { $0 += 1 }
            return rows.withLock { $0[id] }
        }
        func put(_ silence: SharedSilence) throws(NotificationStoreFault) {
            rows.withLock { rows in
                if rows[silence.id].map({ $0.updated < silence.updated }) ?? true { rows[silence.id] = silence }
            }
        }
        func delete(silence id: String) throws(NotificationStoreFault) { rows.withLock { $0[id] = nil } }
    }

    private func node(_ directory: TemporaryDirectory, _ name: String, _ reports: Counter) -> SilenceRunner {
        SilenceRunner(path: directory.file(name), logger: .silent, registry: Registry()) { _ in reports.add() }
    }

    private var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    private func silence(id: String = "", comment: String) throws -> Silence {
        Silence(
            id: id, matchers: [try LabelMatcher(parsing: "alertname=A")], startsAt: now, endsAt: now + .hours(1),
            createdBy: "ada", comment: comment)
    }

    @Test func changesOfEitherNodeReachTheOtherAndTheLaterOneCounts() throws {
        let directory = TemporaryDirectory()
        let store = MemoryStore()
        let reports = Registry().counter("reports", "Reports.")
        let (one, two) = (node(directory, "one", reports), node(directory, "two", reports))
        let id = try one.set(try silence(comment: "first"), by: "ada").get()
        try one.exchange(with: store)
        try two.exchange(with: store)
        #expect(two.silences[id]?.comment == "first")
        #expect(reports.value == 1, "the node where the user was has reported it")

        _ = try two.set(try silence(id: id, comment: "second"), by: "bob").get()
        _ = two.expire(id, by: "bob")
        try two.exchange(with: store)
        try one.exchange(with: store)
        #expect(one.silences[id]?.state(at: now + .milliseconds(1)) == .expired)
        #expect(one.silences.all.map(\.comment).sorted() == two.silences.all.map(\.comment).sorted())
        let reads = store.reads.withLock { $0 }
        try one.exchange(with: store)
        try two.exchange(with: store)
        #expect(store.reads.withLock { $0 } == reads, "nothing is read twice")
        // Kept over a restart.
        #expect(node(directory, "one", reports).silences[id] != nil)
    }

    @Test func aChangeIsLaterThanTheOneBeforeWhateverTheClockSays() throws {
        var set = SilenceSet()
        _ = try set.set(try silence(comment: "first"), newID: "s", at: now)
        let ahead = now + .minutes(10)
        var entry = try #require(set.entries["s"])
        entry.silence.updatedAt = ahead
        set.merge(entry)
        _ = try set.expire("s", at: now)
        #expect(try #require(set["s"]).updatedAt > ahead)
    }

    @Test func whatCannotBeReadIsSkippedAndWhatIsOldIsDeleted() throws {
        let directory = TemporaryDirectory()
        let store = MemoryStore()
        let reports = Registry().counter("reports", "Reports.")
        let one = node(directory, "one", reports)
        try store.put(SharedSilence(id: "broken", updated: 1, text: "{"))
        let id = try one.set(try silence(comment: "old"), by: "ada").get()
        var entry = try #require(one.silences.entries[id])
        entry.silence.id = "old"
        entry.silence.endsAt = Timestamp(milliseconds: 1)
        try store.put(SharedSilence(id: "old", updated: 2, text: entry.stored.encoded))
        try one.exchange(with: store)
        #expect(one.silences["broken"] == nil && one.silences["old"] == nil)
        #expect(try store.silences().keys.sorted() == [id, "broken"].sorted())
        let reads = store.reads.withLock { $0 }
        try one.exchange(with: store)
        #expect(store.reads.withLock { $0 } == reads)
    }
}
