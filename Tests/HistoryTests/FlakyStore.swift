import Database
import Synchronization
import TestSupport

@testable import History

/// Decides which calls of a database fail.
final class Faults: Sendable {
    let isOver = Atomic<Bool>(false)
    private let state: Mutex<(generator: SeededGenerator, injected: Int)>

    init(seed: UInt64) {
        state = Mutex((SeededGenerator(seed: seed), 0))
    }

    var injected: Int { state.withLock { $0.injected } }

    /// Whether the next call fails: before it does anything, or after.
    func next() -> (before: Bool, after: Bool) {
        if isOver.load(ordering: .relaxed) { return (false, false) }
        return state.withLock { state in
            let roll = Int.random(in: 0..<20, using: &state.generator)
            if roll < 2 { state.injected += 1 }
            return (roll == 0, roll == 1)
        }
    }
}

/// A store whose calls fail occasionally, also after they took effect, as over a network.
final class FlakyStore: SQLDatabase {
    private let base: any SQLDatabase
    private let faults: Faults

    init(_ base: any SQLDatabase, _ faults: Faults) {
        self.base = base
        self.faults = faults
    }

    var dialect: SQLDialect { base.dialect }

    private func flaky<Result>(_ body: () throws(DatabaseError) -> Result) throws(DatabaseError) -> Result {
        let (before, after) = faults.next()
        if before { throw DatabaseError(.unreachable, "injected before the call") }
        let result = try body()
        if after { throw DatabaseError(.unreachable, "injected after the call") }
        return result
    }

    func run(_ script: String) throws(DatabaseError) { try flaky { () throws(DatabaseError) in try base.run(script) } }
    func rows(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> [[SQLValue]] {
        try flaky { () throws(DatabaseError) in try base.rows(sql, parameters) }
    }
    func change(_ sql: String, _ parameters: [SQLValue]) throws(DatabaseError) -> Int {
        try flaky { () throws(DatabaseError) in try base.change(sql, parameters) }
    }
    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(DatabaseError) {
        try flaky { () throws(DatabaseError) in try base.insert(into: table, columns: columns, rows) }
    }
    func insert(into table: String, _ columns: [(name: String, values: SQLColumn)]) throws(DatabaseError) {
        try flaky { () throws(DatabaseError) in try base.insert(into: table, columns) }
    }
    func begin() throws(DatabaseError) { try flaky { () throws(DatabaseError) in try base.begin() } }
    func lockMigrations() throws(DatabaseError) { try base.lockMigrations() }
    func hasTable(_ table: String) throws(DatabaseError) -> Bool { try base.hasTable(table) }
}
