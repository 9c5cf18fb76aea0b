import Database
import History
import Lease
import MetricModel
import RuleModel
import Runtime
import TestSupport
import Testing

@testable import Notification

/// Notifications and silences in a real PostgreSQL. Skipped, saying so, where none is installed.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct PostgresNotificationsTests {
    private func session(_ server: PostgresServer) -> PostgresSession {
        PostgresSession(address: server.address, answerSeconds: 2) { (database) throws(DatabaseError) in
            let now = SystemClock.wallMilliseconds()
            try LedgerSchema.migrate(database, origin: "t", now: now)
            _ = try Migrator(database, PostgresNotifications.schema, now: now).migrate()
        }
    }

    private func store(_ server: PostgresServer, holder: String) -> PostgresNotifications {
        PostgresNotifications(session(server), holder: holder)
    }

    private func entry(_ value: String, at time: Int64 = 5) -> NotificationLogEntry {
        let labels = Labels([Label("alertname", value)])
        let alert = Alert(
            labels: labels, annotations: Labels([]), startsAt: Timestamp(milliseconds: 1),
            endsAt: Timestamp(milliseconds: 0), isResolved: false, generatorURL: "", value: 0)
        return NotificationLogEntry(
            route: "{}", labels: labels,
            alerts: [.init(alert: alert, updatedAt: Timestamp(milliseconds: 1), origin: .rules)],
            sent: ["hook/0": .init(at: Timestamp(milliseconds: time), firing: [labels], resolved: [], memory: [:])])
    }

    private func change(_ entry: NotificationLogEntry, deletes: Bool = false) -> NotificationLogEntry.Change {
        .init(route: entry.route, labels: entry.labels, entry: deletes ? nil : entry)
    }

    @Test("notifications are stored by the holder of the lease only, and read by every node")
    func notifications() throws {
        let server = try PostgresServer()
        let lease = PostgresLease(session(server))
        #expect(try lease.take(lease.look(), holder: "a", milliseconds: 1, above: 0) == 1)
        let (one, two) = (store(server, holder: "a"), store(server, holder: "b"))
        let (odd, plain) = (entry("\\u0000'\"ü"), entry("plain"))
        #expect(try !one.keep([change(plain)]), "it follows no epoch yet")
        one.follow { 1 }
        #expect(try one.notifications() == [])
        #expect(try one.keep([change(odd), change(plain)]))
        #expect(Set(try two.notifications().map(\.labels)) == [odd.labels, plain.labels])
        let later = entry("plain", at: 6)
        #expect(try one.keep([change(odd, deletes: true), change(later)]))
        #expect(try two.notifications() == [later])
        #expect(try Loopback.eventually { try lease.look().isOver })
        #expect(try lease.take(lease.look(), holder: "b", milliseconds: 60_000, above: 0) == 2)
        #expect(try !one.keep([change(later, deletes: true)]))
        #expect(try two.notifications() == [later])
        two.follow { 2 }
        #expect(try two.keep([]))
    }

    @Test("the newer of two silences with the same id is kept")
    func silences() throws {
        let server = try PostgresServer()
        let (one, two) = (store(server, holder: "a"), store(server, holder: "b"))
        try one.put(.init(id: "s", updated: 10, text: "ten"))
        try two.put(.init(id: "s", updated: 9, text: "nine"))
        #expect(try two.silences() == ["s": 10])
        #expect(try two.silence("s") == .init(id: "s", updated: 10, text: "ten"))
        try two.put(.init(id: "s", updated: 11, text: "eleven"))
        #expect(try one.silence("s")?.text == "eleven")
        try one.delete(silence: "s")
        #expect(try one.silence("s") == nil)
    }

    @Test("a store connects again after the database was gone")
    func reconnects() throws {
        let server = try PostgresServer()
        let store = store(server, holder: "a")
        #expect(try store.silences() == [:])
        server.kill()
        #expect(throws: NotificationStoreFault.self) { try store.silences() }
        try server.start()
        #expect(Loopback.eventually { (try? store.silences()) == [:] })
    }
}
