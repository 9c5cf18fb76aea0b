import Runtime
import TestSupport
import Testing

@testable import History

/// Notifications and silences in a real PostgreSQL. Skipped, saying so, where none is installed.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct NotificationTableTests {
    private func table(_ server: PostgresServer) -> NotificationTable {
        NotificationTable(
            address: server.address, origin: "t", answerSeconds: 2, now: { SystemClock.wallMilliseconds() })
    }

    @Test("notifications are stored by the holder of the lease only, and read by every node")
    func notifications() throws {
        let server = try PostgresServer()
        let lease = LeaseTable(
            address: server.address, origin: "t", answerSeconds: 2, now: { SystemClock.wallMilliseconds() })
        #expect(try lease.take(lease.look(), holder: "a", milliseconds: 1, above: 0) == 1)
        let (one, two) = (table(server), table(server))
        #expect(try one.notifications() == [])
        let odd = "[\"{}\",{\"a\":\"\\\\u0000'\\\"ü\"}]"
        #expect(try one.keep([.init(key: odd, text: "x"), .init(key: "k", text: "y")], holder: "a", epoch: 1))
        #expect(try two.notifications() == [.init(key: odd, text: "x"), .init(key: "k", text: "y")])
        #expect(try one.keep([.init(key: odd, text: nil), .init(key: "k", text: "z")], holder: "a", epoch: 1))
        #expect(try Loopback.eventually { try lease.look().isOver })
        #expect(try lease.take(lease.look(), holder: "b", milliseconds: 60_000, above: 0) == 2)
        #expect(try !one.keep([.init(key: "k", text: nil)], holder: "a", epoch: 1))
        #expect(try two.notifications() == [.init(key: "k", text: "z")])
        #expect(try two.keep([], holder: "b", epoch: 2))
    }

    @Test("the newer of two silences with the same id is kept")
    func silences() throws {
        let server = try PostgresServer()
        let (one, two) = (table(server), table(server))
        try one.put(.init(id: "s", updated: 10, text: "ten"))
        try two.put(.init(id: "s", updated: 9, text: "nine"))
        #expect(try two.silences() == ["s": 10])
        #expect(try two.silence("s") == .init(id: "s", updated: 10, text: "ten"))
        try two.put(.init(id: "s", updated: 11, text: "eleven"))
        #expect(try one.silence("s")?.text == "eleven")
        try one.delete(silence: "s")
        #expect(try one.silence("s") == nil)
    }

    @Test("a table connects again after the database was gone")
    func reconnects() throws {
        let server = try PostgresServer()
        let table = table(server)
        #expect(try table.silences() == [:])
        server.kill()
        #expect(throws: HistoryError.self) { try table.silences() }
        try server.start()
        #expect(Loopback.eventually(within: 20) { (try? table.silences()) == [:] })
    }
}
