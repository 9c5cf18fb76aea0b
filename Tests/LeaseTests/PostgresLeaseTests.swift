import Database
import History
import Lease
import Runtime
import TestSupport
import Testing

/// The lease in a real PostgreSQL. Skipped with a message if none is installed.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct PostgresLeaseTests {
    private func table(_ server: PostgresServer) -> PostgresLease {
        PostgresLease(
            PostgresSession(address: server.address, answerSeconds: 2) { (database) throws(DatabaseError) in
                try LedgerSchema.migrate(database, origin: "t", now: SystemClock.wallMilliseconds())
            })
    }

    @Test("one of two takes the lease; epochs rise with every change; an expired or released lease can be taken")
    func terms() throws {
        let server = try PostgresServer()
        let (one, two) = (table(server), table(server))
        let free = try one.look()
        #expect(free == .init(holder: "", epoch: 0, renewals: 0, isOver: true))
        #expect(try one.take(free, holder: "a", milliseconds: 60_000, above: 0) == 1)
        #expect(try two.take(free, holder: "b", milliseconds: 60_000, above: 0) == nil, "it is not as it was")
        let held = try two.look()
        #expect(held == .init(holder: "a", epoch: 1, renewals: 0, isOver: false))
        #expect(try two.take(held, holder: "b", milliseconds: 60_000, above: 0) == nil, "it is not over")
        #expect(try one.renew(holder: "a", epoch: 1, milliseconds: 1))
        #expect(try !two.renew(holder: "b", epoch: 1, milliseconds: 60_000))
        #expect(try !one.renew(holder: "a", epoch: 0, milliseconds: 60_000))
        #expect(try Loopback.eventually { try two.look().isOver })
        #expect(try two.take(held, holder: "b", milliseconds: 60_000, above: 0) == nil, "it was renewed meanwhile")
        #expect(
            try two.take(two.look(), holder: "b", milliseconds: 60_000, above: 41) == 42, "above what a journal holds")
        #expect(try !one.renew(holder: "a", epoch: 1, milliseconds: 60_000))
        try one.release(holder: "a", epoch: 1)
        #expect(try one.look().holder == "b", "only the holder gives it back")
        try two.release(holder: "b", epoch: 42)
        #expect(try one.take(one.look(), holder: "a", milliseconds: 60_000, above: 0) == 43)
        #expect(try one.take(one.look(), holder: "a", milliseconds: 60_000, above: 0) == 44, "after a restart")
    }

    @Test("records of plans are kept by the holder only")
    func records() throws {
        let server = try PostgresServer()
        let (one, two) = (table(server), table(server))
        #expect(try one.take(one.look(), holder: "a", milliseconds: 1, above: 0) == 1)
        #expect(try one.keep(Array("{\"n\":1}".utf8), plan: "p", holder: "a", epoch: 1))
        #expect(try one.keep(Array("{\"n\":2}".utf8), plan: "p", holder: "a", epoch: 1))
        #expect(try Loopback.eventually { try two.look().isOver })
        #expect(try two.take(two.look(), holder: "b", milliseconds: 60_000, above: 0) == 2)
        #expect(try !one.keep(Array("{\"n\":3}".utf8), plan: "p", holder: "a", epoch: 1))
        #expect(try two.records() == ["p": Array("{\"n\":2}".utf8)])
    }

    @Test("a process suspended in a transaction loses its locks, so that another one can take the lease")
    func standingStill() throws {
        let server = try PostgresServer()
        let table = table(server)
        _ = try table.look()
        let stalled = try PostgresDatabase(address: server.address, answerSeconds: 2)
        try stalled.begin()
        _ = try stalled.rows("SELECT epoch FROM lease FOR SHARE")
        #expect(
            Loopback.eventually {
                guard let row = try? table.look() else { return false }
                // The reply to a successful request may be late; the next request then takes the lease again.
                return (try? table.take(row, holder: "b", milliseconds: 60_000, above: 0)) != nil
            })
    }

    @Test("a database that hangs or is gone is an error within the timeout, and is reconnected")
    func unreachable() throws {
        let server = try PostgresServer()
        let table = table(server)
        _ = try table.look()
        server.freeze()
        #expect(throws: LeaseFault.self) { try table.look() }
        server.thaw()
        #expect(Loopback.eventually { (try? table.look()) != nil })
        server.kill()
        #expect(throws: LeaseFault.self) { try table.look() }
        try server.start()
        #expect(Loopback.eventually { (try? table.look()) != nil })
    }
}
