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

/// A store whose calls fail now and then, also after they took effect, as those over a network do.
final class FlakyStore: LedgerStore {
    private let base: any LedgerStore
    private let faults: Faults

    static let migrations = Migration.sqlite

    init(_ base: any LedgerStore, _ faults: Faults) {
        self.base = base
        self.faults = faults
    }

    var name: String { base.name }

    private func flaky<Result>(_ body: () throws(HistoryError) -> Result) throws(HistoryError) -> Result {
        let (before, after) = faults.next()
        if before { throw HistoryError(.unreachable, "injected before the call") }
        let result = try body()
        if after { throw HistoryError(.unreachable, "injected after the call") }
        return result
    }

    func run(_ script: String) throws(HistoryError) { try flaky { () throws(HistoryError) in try base.run(script) } }
    func rows(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> [[SQLValue]] {
        try flaky { () throws(HistoryError) in try base.rows(sql, parameters) }
    }
    func change(_ sql: String, _ parameters: [SQLValue]) throws(HistoryError) -> Int {
        try flaky { () throws(HistoryError) in try base.change(sql, parameters) }
    }
    func insert(into table: String, columns: [String], _ rows: [[SQLValue]]) throws(HistoryError) {
        try flaky { () throws(HistoryError) in try base.insert(into: table, columns: columns, rows) }
    }
    func begin() throws(HistoryError) { try flaky { () throws(HistoryError) in try base.begin() } }
    func lockMigrations() throws(HistoryError) { try base.lockMigrations() }
    func prepare(_ month: Month) throws(HistoryError) { try base.prepare(month) }
    func months(before month: Month) throws(HistoryError) -> [(month: Month, rows: Int64)] {
        try base.months(before: month)
    }
    func drop(_ month: Month) throws(HistoryError) { try base.drop(month) }
    func hasTable(_ table: String) throws(HistoryError) -> Bool { try base.hasTable(table) }
}
