import Receivers
import Synchronization
import TestSupport
import Testing

@Suite struct ReceiverQueueTests {
    private final class Counts: Sendable {
        let running = Atomic(0)
        let most = Atomic(0)
        let done = Atomic(0)
        let mayEnd = Atomic(false)

        func perform() {
            let now = running.wrappingAdd(1, ordering: .relaxed).newValue
            most.max(now, ordering: .relaxed)
            _ = Loopback.eventually { mayEnd.load(ordering: .relaxed) }
            running.wrappingSubtract(1, ordering: .relaxed)
            done.wrappingAdd(1, ordering: .relaxed)
        }
    }

    @Test("jobs that wait get more threads, up to the limit, and all jobs run")
    func slowReceiver() {
        let counts = Counts()
        let queue = ReceiverQueue<Int>(capacity: 100, concurrency: 5) { _ in counts.perform() }
        for job in 0..<20 { #expect(queue.send(job)) }
        #expect(Loopback.eventually { counts.running.load(ordering: .relaxed) == 5 })
        counts.mayEnd.store(true, ordering: .relaxed)
        queue.close()
        queue.join()
        #expect(counts.done.load(ordering: .relaxed) == 20)
        #expect(counts.most.load(ordering: .relaxed) == 5)
    }

    @Test("a full queue refuses jobs, and one that was closed")
    func limits() {
        let counts = Counts()
        let queue = ReceiverQueue<Int>(capacity: 3, concurrency: 1) { _ in counts.perform() }
        #expect(queue.send(0))
        #expect(Loopback.eventually { counts.running.load(ordering: .relaxed) == 1 })
        #expect((1...4).map { queue.send($0) } == [true, true, true, false])
        counts.mayEnd.store(true, ordering: .relaxed)
        queue.close()
        #expect(!queue.send(5))
        queue.join()
        #expect(counts.done.load(ordering: .relaxed) == 4)
    }
}
