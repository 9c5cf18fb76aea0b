import Glibc
import Runtime
import Synchronization
import Testing

@Suite struct WorkerThreadTests {
    /// No address space holds a stack of this size.
    private static let impossibleStack = 1 << 50

    @Test func theBodyRunsOnAThreadOfItsOwn() throws {
        let seen = Mutex<pthread_t?>(nil)
        try WorkerThread("other") { seen.withLock { $0 = pthread_self() } }.join()
        #expect(seen.withLock { $0 } != pthread_self())
        #expect(seen.withLock { $0 } != nil)
    }

    @Test func aThreadThatCannotStartIsAnErrorAndItsBodyIsReleased() {
        final class Token: Sendable {}
        weak var held: Token?
        #expect(throws: WorkerThread.StartError(thread: "large", code: EAGAIN)) {
            let token = Token()
            held = token
            try WorkerThread("large", stackBytes: Self.impossibleStack) { withExtendedLifetime(token) {} }.join()
        }
        #expect(held == nil)
        #expect(
            WorkerThread.StartError(thread: "large", code: EAGAIN).description
                == "cannot start thread \"large\": Resource temporarily unavailable")
    }

    @Test func overlappedWorkWithoutAThreadIsDoneWhenItIsAskedFor() {
        let work = Overlapped("large", stackBytes: Self.impossibleStack) { 7 }
        #expect(work.value() == 7)
    }
}
