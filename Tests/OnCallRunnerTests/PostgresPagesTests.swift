import Database
import History
import Lease
import MetricModel
import OnCall
import Runtime
import TestSupport
import Testing

@testable import OnCallRunner

/// Pages in a real PostgreSQL. Skipped, saying so, where none is installed.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct PostgresPagesTests {
    private func session(_ server: PostgresServer) -> PostgresSession {
        PostgresSession(address: server.address, answerSeconds: 2) { (database) throws(DatabaseError) in
            let now = SystemClock.wallMilliseconds()
            try LedgerSchema.migrate(database, origin: "t", now: now)
            _ = try Migrator(database, PostgresPages.schema, now: now).migrate()
        }
    }

    @Test func `pages are stored by the holder of the lease only, and read by every node`() throws {
        let server = try PostgresServer()
        let lease = PostgresLease(session(server))
        #expect(try lease.take(lease.look(), holder: "a", milliseconds: 1, above: 0) == 1)
        var book = PageBook(Roster())
        let problem = Problem(key: "odd '\"ü\u{0}", title: "t", source: "s", policy: "p")
        _ = book.triggered(problem, id: "1", at: Timestamp(milliseconds: 5))
        let record = book.record(at: Timestamp(milliseconds: 5))
        let one = PostgresPages(session(server), holder: "a", epoch: { 1 })
        let two = PostgresPages(session(server), holder: "b", epoch: { 1 })
        #expect(try one.pages().epoch == 0)
        #expect(try one.keep(record))
        #expect(try two.pages().record.entries == record.entries)
        #expect(try two.pages().epoch == 1)
        // Another holder, an older epoch and a node without the lease change nothing.
        let gone = PageBook.Record(entries: [], forgotten: ["1"], at: Timestamp(milliseconds: 6))
        #expect(try !two.keep(gone))
        #expect(try !PostgresPages(session(server), holder: "a", epoch: { 2 }).keep(gone))
        #expect(try !PostgresPages(session(server), holder: "a", epoch: { nil }).keep(gone))
        #expect(try two.pages().record.entries.count == 1)
        #expect(try one.keep(gone))
        #expect(try two.pages().record.entries.isEmpty)
    }
}
