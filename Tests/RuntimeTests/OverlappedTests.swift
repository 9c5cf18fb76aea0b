import Runtime
import Synchronization
import Testing

@Suite struct OverlappedTests {
    /// The work waits for something that its owner does only after it has begun.
    @Test func theWorkIsDoneWhileItsOwnerGoesOn() {
        let (question, answer) = (Mailbox<Int>(capacity: 1), Mailbox<Int>(capacity: 1))
        let work = Overlapped("work") { () -> Int in
            guard case .message(let number) = question.receive() else { return 0 }
            answer.send(number + 1)
            return number * 2
        }
        question.send(20)
        guard case .message(21) = answer.receive() else {
            Issue.record("the work has not begun")
            return
        }
        // If the work were done twice, this would not wait forever for a second message.
        question.close()
        #expect(work.value() == 40)
    }

    @Test func theWorkIsDoneOnce() {
        let count = Mutex(0)
        let work = Overlapped("work") { count.withLock { $0 += 1 } }
        work.value()
        #expect(count.withLock { $0 } == 1)
    }
}
