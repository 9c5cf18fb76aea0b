import Instrumentation
import JSON
import Runtime
import TestSupport
import Testing

@testable import History

/// A ledger in a real PostgreSQL that several processes write. Skipped with a message if none is installed.
@Suite(.enabled(if: PostgresServer.programDirectory != nil, "PostgreSQL is not installed"), .serialized)
struct SharedLedgerTests {
    @Test("two processes write one ledger in turns, and nothing is lost")
    func turns() throws {
        let server = try PostgresServer()
        let directory = TemporaryDirectory()
        func runner(_ name: String) throws -> HistoryRunner {
            var configuration = HistoryConfiguration(directory: directory.file(name), origin: "test.example/ledger")
            configuration.database = .postgres(address: server.address)
            configuration.waitsForTurn = true
            configuration.admitsNodes = true
            return try HistoryRunner(configuration, logger: .silent, registry: Registry())
        }
        func record(_ runner: HistoryRunner, _ number: Int64) {
            runner.record(
                LedgerEvent(milliseconds: number, kind: .decision, subject: "s", body: ["number": .integer(number)]))
        }
        let (one, two) = (try runner("one"), try runner("two"))
        defer {
            one.stop()
            two.stop()
        }
        record(one, 1)
        record(two, 2)
        #expect(!one.drain(timeout: 300))
        #expect(!one.status.isBehind, "a standby is not late")
        one.turnChanged(isOurs: true)
        #expect(one.drain(timeout: 20_000))
        #expect(try one.query(LedgerQuery(kinds: [.decision])).map(\.event.milliseconds) == [1])
        // The first does not know yet that its lease has ended.
        two.turnChanged(isOurs: true)
        #expect(two.drain(timeout: 20_000))
        record(one, 3)
        #expect(!one.drain(timeout: 500))
        record(two, 4)
        #expect(two.drain(timeout: 20_000))
        two.turnChanged(isOurs: false)
        one.turnChanged(isOurs: true)
        #expect(one.drain(timeout: 20_000))
        record(one, 5)
        #expect(one.drain(timeout: 20_000))
        #expect(try one.query(LedgerQuery(kinds: [.decision])).map(\.event.milliseconds) == [5, 3, 4, 2, 1])
    }
}
