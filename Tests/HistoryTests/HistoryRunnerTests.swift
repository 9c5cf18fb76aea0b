import Database
import Glibc
import Instrumentation
import JSON
import MetricModel
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import History

/// The runner with both databases, which must behave the same.
@Suite(.serialized) struct HistoryRunnerTests {
    private let directory = TemporaryDirectory()

    enum Kind: CaseIterable { case sqlite, postgres }

    static let kinds: [Kind] = PostgresServer.programDirectory == nil ? [.sqlite] : Kind.allCases

    private final class World {
        let server: PostgresServer?
        var configuration: HistoryConfiguration

        init(_ kind: Kind, _ directory: TemporaryDirectory) throws {
            server = kind == .postgres ? try PostgresServer() : nil
            configuration = HistoryConfiguration(directory: directory.file("history"), origin: "test.example/ledger")
            if let server { configuration.database = .postgres(address: server.address) }
        }

        func start() throws -> HistoryRunner {
            try HistoryRunner(configuration, logger: .silent, registry: Registry())
        }

        func ledger() throws -> Ledger { Ledger(store: try configuration.openReadingStore()) }
    }

    private func event(_ number: Int, _ kind: LedgerEvent.Kind = .decision) -> LedgerEvent {
        LedgerEvent(
            milliseconds: Int64(number), kind: kind, subject: "rule \(number % 2)",
            body: ["number": .integer(Int64(number))])
    }

    /// The numbers of all recorded events in the order of the ledger.
    private func numbers(_ ledger: Ledger) throws -> [Int64] {
        try ledger.rows(after: 0, limit: 1_000_000).compactMap { LeafContent($0.leaf)?.body["number"]?.integer }
    }

    @Test func `queries that wait for a slow one are refused before they occupy the web server`() throws {
        let world = try World(.sqlite, directory)
        try world.start().stop()
        let reader = try HistoryReader(world.configuration)
        defer { reader.stop() }
        let begun = Mailbox<Void>(capacity: 1)
        let release = Mailbox<Void>(capacity: 1)
        let slow = try WorkerThread("slow") {
            _ = try? reader.perform { _ in
                begun.send(())
                _ = release.receive()
            }
        }
        _ = begun.receive()
        let answers = Mailbox<Bool>(capacity: 100)
        let others = try (0..<32).map { index in
            try WorkerThread("other-\(index)") {
                let answer: Void? = try? reader.perform { _ in }
                answers.send(answer != nil)
            }
        }
        let deadline = SystemClock.monotonicNanoseconds() + 10_000_000_000
        for _ in 0..<16 {
            guard case .message(false) = answers.receive(deadline: deadline) else {
                Issue.record("half of the handlers must stay free")
                break
            }
        }
        release.send(())
        for thread in [slow] + others { thread.join() }
    }

    @Test(arguments: kinds) func `events accepted together keep their order, also over several transactions`(
        kind: Kind
    ) throws {
        let world = try World(kind, directory)
        let runner = try world.start()
        runner.record(event(0))
        #expect(runner.record((1...2500).map { event($0) }))
        #expect(runner.record([]))
        runner.record(event(2501))
        #expect(runner.drain(timeout: 60_000))
        runner.stop()
        #expect(!runner.record([event(2502)]))
        #expect(try numbers(try world.ledger()) == Array(0...2501))
    }

    @Test(arguments: kinds) func `events can be queried by kind, subject, time and page`(kind: Kind) throws {
        let world = try World(kind, directory)
        let runner = try world.start()
        defer { runner.stop() }
        for number in 1...10 { runner.record(event(number, number > 5 ? .alert : .decision)) }
        #expect(runner.drain(timeout: 20_000))
        func found(_ query: LedgerQuery) throws -> [Int64] { try runner.query(query).map(\.event.milliseconds) }
        #expect(try found(LedgerQuery(kinds: [.alert])) == [10, 9, 8, 7, 6])
        #expect(try found(LedgerQuery(kinds: [.alert, .decision], from: 3, through: 7)) == [7, 6, 5, 4, 3])
        #expect(try found(LedgerQuery(kinds: [.decision], subject: "rule 1")) == [5, 3, 1])
        let page = try runner.query(LedgerQuery(kinds: [.alert], limit: 2))
        #expect(try found(LedgerQuery(kinds: [.alert], before: page.last?.sequence, limit: 2)) == [8, 7])
        #expect(page.first?.event == event(10, .alert))
        let status = runner.status
        #expect(status.isConnected && !status.isBehind && status.spooled == 0 && status.lastError == nil)
        #expect(status.size == 10 + (kind == .postgres ? 8 : 7), "ten events, the schema steps and the key")
    }

    @Test(arguments: kinds) func `what was recorded before a stop is there after it, once`(kind: Kind) throws {
        let world = try World(kind, directory)
        for round in 0..<3 {
            let runner = try world.start()
            for number in 1...50 { runner.record(event(round * 50 + number)) }
            runner.stop()
            #expect(!runner.record(event(0)))
        }
        #expect(try numbers(world.ledger()) == Array(1...150))
        #expect(try world.ledger().head().epoch == 3)
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil))
    func `a database that is away, at the start and later, loses and doubles nothing`() throws {
        let world = try World(.postgres, directory)
        let server = try #require(world.server)
        server.stop()
        let runner = try world.start()
        for number in 1...100 { #expect(runner.recordDurably(event(number))) }
        #expect(Loopback.eventually { runner.status.lastError != nil })
        #expect(runner.status.isBehind)
        #expect(runner.status.spooled == 100)
        try server.start()
        #expect(runner.drain(timeout: 30_000))
        #expect(!runner.status.isBehind)
        #expect(try runner.query(LedgerQuery(limit: 1)).first?.event == event(100))

        var next = 101
        for outage in 0..<3 {
            // The server is killed while records are being written.
            for _ in 0..<200 {
                runner.record(event(next))
                next += 1
                if next % 70 == 0 { if outage == 1 { server.kill() } else { server.stop() } }
            }
            #expect(Loopback.eventually { runner.status.isBehind })
            try server.start()
            #expect(runner.drain(timeout: 30_000))
            #expect(try runner.query(LedgerQuery(limit: 1)).first?.event == event(next - 1))
        }
        runner.stop()
        #expect(throws: HistoryError.self) { try runner.query(LedgerQuery()) }
        #expect(try numbers(world.ledger()) == (1..<Int64(next)).map { $0 })
    }

    @Test(arguments: kinds) func `a commit whose outcome was not seen is not repeated`(kind: Kind) throws {
        let world = try World(kind, directory)
        do {
            let runner = try world.start()
            for number in 1...10 { runner.record(event(number)) }
            runner.stop()
        }
        // As after a crash between commit and the deletion of segments: the spool still holds what the ledger has.
        let spool = try Spool(
            directory: SpoolDirectory(path: world.configuration.spoolPath), segmentBytes: 1 << 20, logger: .silent,
            onDurable: {})
        #expect(spool.state.durable == 10)
        #expect(
            try SpoolReader(directory: spool.directory)
                .records(after: 0, through: 10, in: spool.state.segments, count: 100).count == 10)
        spool.close()
        spool.directory.unlock()
        let runner = try world.start()
        runner.record(event(11))
        runner.stop()
        #expect(try numbers(world.ledger()) == Array(1...11))
    }

    @Test(arguments: kinds) func `a stale head or position changes nothing`(kind: Kind) throws {
        let world = try World(kind, directory)
        do {
            let runner = try world.start()
            runner.record(event(1))
            runner.stop()
        }
        let store = try world.configuration.openStore()
        let ledger = Ledger(store: store)
        var head = try ledger.head()
        try ledger.register(spool: "other", at: 0)
        let payloads = [SpoolPayload(event: PendingEvent(event(2)))]
        var stale = head
        _ = try ledger.apply(payloads, ofSpool: "other", from: 0, through: 1, to: &head, signer: nil)
        func code(_ body: () throws -> Void) -> HistoryError.Code? {
            do { try body() } catch { return (error as? HistoryError)?.code }
            return nil
        }
        #expect(
            code { _ = try ledger.apply(payloads, ofSpool: "other", from: 1, through: 2, to: &stale, signer: nil) }
                == .conflict)
        #expect(
            code { _ = try ledger.apply(payloads, ofSpool: "other", from: 0, through: 1, to: &head, signer: nil) }
                == .conflict)
        _ = try ledger.takeOver()
        #expect(
            code { _ = try ledger.apply(payloads, ofSpool: "other", from: 1, through: 2, to: &head, signer: nil) }
                == .conflict)
        #expect(try numbers(ledger) == [1, 2])
    }

    @Test(.enabled(if: PostgresServer.programDirectory != nil))
    func `a process that was overtaken stops writing and keeps its records`() throws {
        let world = try World(.postgres, directory)
        let first = try world.start()
        first.record(event(1))
        #expect(first.drain(timeout: 20_000))
        var other = world.configuration
        other.directory = directory.file("second")
        other.admitsNodes = true
        let second = try HistoryRunner(other, logger: .silent, registry: Registry())
        second.record(event(2))
        #expect(second.drain(timeout: 20_000))
        first.record(event(3))
        #expect(Loopback.eventually { first.status.lastError?.contains("taken the ledger over") == true })
        #expect(first.status.isBehind)
        #expect(first.status.spooled == 1)
        second.stop()
        first.stop()
        #expect(try numbers(world.ledger()) == [1, 2])
        let again = try world.start()
        #expect(again.drain(timeout: 20_000))
        again.stop()
        #expect(try numbers(world.ledger()) == [1, 2, 3])
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a database that fails at any call, before or after a commit takes effect, gets every record once`(
        seed: UInt64
    ) throws {
        let world = try World(.sqlite, directory)
        mkdir(world.configuration.directory, 0o700)
        let faults = Faults(seed: seed)
        let runner = try HistoryRunner(
            world.configuration, logger: .silent, registry: Registry(), retryNanoseconds: 1_000_000,
            openStore: { [configuration = world.configuration] () throws(HistoryError) in
                LedgerStore(FlakyStore(try configuration.openStore().database, faults))
            })
        for number in 1...400 {
            runner.record(event(number))
            if number % 20 == 0 {
                let labels: Labels = ["__name__": "m", "round": "\(number % 60)"]
                let time = Timestamp(milliseconds: 1_700_000_000_000 + Int64(number))
                runner.record(measurements: [Measurement(labels: labels, timestamp: time, value: 1)])
                _ = runner.drain(timeout: 5)
            }
        }
        #expect(runner.drain(timeout: 60_000))
        #expect(faults.injected > 3)
        faults.isOver.store(true, ordering: .relaxed)
        runner.stop()
        let ledger = try world.ledger()
        #expect(try numbers(ledger) == Array(1...400))
        #expect(try ledger.store.rows("SELECT count(*) FROM measurement") == [[.integer(20)]])
        #expect(try ledger.store.rows("SELECT count(*) FROM series") == [[.integer(3)]])
    }
}
