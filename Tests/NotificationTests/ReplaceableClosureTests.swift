import Runtime
import Synchronization
import Testing

@testable import Notification

struct ReplaceableClosureTests {
    @Test("a closure that was called a million times is called as before, on the stack of a thread")
    func manyCalls() throws {
        let calls = Atomic(0)
        let closure = ReplaceableClosure<Bool> { false }
        #expect(!closure())
        closure.replace { true }
        let thread = try WorkerThread("closure") {
            for _ in 0..<1_000_000 where closure() { calls.add(1, ordering: .relaxed) }
        }
        thread.join()
        #expect(calls.load(ordering: .relaxed) == 1_000_000)
    }
}
