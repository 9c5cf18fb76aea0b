import Runtime
import Testing

@Suite struct ByteBudgetTests {
    @Test func nothingIsTakenBeyondTheLimit() {
        let budget = ByteBudget(limit: 10)
        #expect(budget.take(6))
        #expect(!budget.take(5))
        #expect(budget.used == 6 && budget.refusals == 1)
        #expect(budget.take(4))
        budget.give(10)
        #expect(budget.used == 0 && budget.take(10))
    }

    @Test func threadsTogetherStayBelowTheLimit() throws {
        let budget = ByteBudget(limit: 100)
        let threads = try (0..<4).map { index in
            try WorkerThread("test-budget-\(index)") {
                for _ in 0..<10_000 where budget.take(40) { budget.give(40) }
            }
        }
        for thread in threads { thread.join() }
        #expect(budget.used == 0)
    }
}
