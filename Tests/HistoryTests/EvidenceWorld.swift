import Database
import Glibc
import Instrumentation
import JSON
import Runtime
import TestSupport
import Testing

@testable import History

/// A history in SQLite or PostgreSQL, and an attacker with full access to its database.
final class EvidenceWorld {
    enum Kind: CaseIterable { case sqlite, postgres }

    static let kinds: [Kind] = PostgresServer.programDirectory == nil ? [.sqlite] : Kind.allCases
    static let origin = "test.example/ledger"

    let directory = TemporaryDirectory()
    let server: PostgresServer?
    var configuration: HistoryConfiguration

    init(_ kind: Kind) throws {
        server = kind == .postgres ? try PostgresServer() : nil
        configuration = HistoryConfiguration(directory: directory.file("history"), origin: Self.origin)
        if let server { configuration.database = .postgres(address: server.address) }
        configuration.selfCheckRate = 0
    }

    func start(_ changed: HistoryConfiguration? = nil) throws -> HistoryRunner {
        try HistoryRunner(
            changed ?? configuration, logger: .silent, registry: Registry(), retryNanoseconds: 20_000_000,
            openStore: { [configuration] () throws(HistoryError) in try (changed ?? configuration).openStore() })
    }

    func event(_ number: Int64, by actor: LedgerActor? = nil) -> LedgerEvent {
        LedgerEvent(
            milliseconds: number, kind: .decision, subject: "rule", body: ["number": .integer(number)], actor: actor)
    }

    /// Starts the history, records events, and stops when they are in the database. Returns the newest checkpoint.
    @discardableResult
    func record(_ numbers: ClosedRange<Int64>) throws -> String {
        let runner = try start()
        for number in numbers { runner.record(event(number)) }
        #expect(runner.drain(timeout: 30_000), "\(runner.status)")
        runner.stop()
        return try #require(memory.largest).note
    }

    var memory: NodeMemory { NodeMemory(directory: configuration.directory) }
    var audit: LedgerAudit { LedgerAudit(configuration) }

    func ledger() throws -> Ledger { Ledger(store: try configuration.openStore()) }

    func size() throws -> Int64 { try ledger().head().size }

    /// The numbers of all recorded events in the order of the ledger.
    func numbers() throws -> [Int64] {
        try ledger().rows(after: 0, limit: 1_000_000).filter { $0.kind == "decision" }
            .compactMap { LeafContent($0.leaf)?.body["number"]?.integer }
    }

    private static let tables = [
        "log", "ledger", "checkpoint", "spool", "tree_node", "node_key", "disclosure", "blob", "series", "measurement",
        "sample",
    ]

    /// Copies the database, as a backup does.
    func copyDatabase() throws {
        guard server != nil else {
            try copy("history.db", to: "copy.db")
            return
        }
        let copies = Self.tables.map { "CREATE TABLE copy.\($0) AS TABLE tribune.\($0)" }.joined(separator: ";")
        try configuration.openStore().run("CREATE SCHEMA copy; \(copies)")
    }

    /// Puts the copy in the place of the database.
    func restoreDatabase() throws {
        guard server != nil else {
            try removeDatabase()
            try copy("copy.db", to: "history.db")
            return
        }
        let script = Self.tables.map { "TRUNCATE tribune.\($0); INSERT INTO tribune.\($0) \(Self.source($0))" }
        try configuration.openStore().run(script.joined(separator: ";"))
    }

    /// The columns from which a table is restored, without generated columns.
    private static func source(_ table: String) -> String {
        table == "series"
            ? "(id, digest, labels) SELECT id, digest, labels FROM copy.series" : "SELECT * FROM copy.\(table)"
    }

    func removeDatabase() throws {
        guard server != nil else {
            for suffix in ["", "-wal", "-shm"] { unlink("\(configuration.directory)/history.db\(suffix)") }
            return
        }
        try configuration.openStore().run("DROP SCHEMA tribune CASCADE")
    }

    private func copy(_ name: String, to other: String) throws {
        // Bring the write-ahead log into the file first.
        if name == "history.db" { try configuration.openStore().run("PRAGMA wal_checkpoint(TRUNCATE)") }
        let bytes = try FileText.bytes("\(configuration.directory)/\(name)")
        let descriptor = open("\(configuration.directory)/\(other)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        #expect(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
        close(descriptor)
    }
}
