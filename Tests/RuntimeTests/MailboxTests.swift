import Runtime
import Synchronization
import Testing

@Suite struct MailboxTests {
    @Test func messagesComeOutInOrderAndOverflowIsCounted() {
        let mailbox = Mailbox<Int>(capacity: 2)
        #expect(mailbox.send(1))
        #expect(mailbox.send(2))
        #expect(!mailbox.send(3))
        #expect(mailbox.dropped == 1)
        guard case .message(1) = mailbox.receive(), case .message(2) = mailbox.receive() else {
            Issue.record("wrong order")
            return
        }
        guard case .timedOut = mailbox.receive(deadline: SystemClock.monotonicNanoseconds()) else {
            Issue.record("expected a time-out")
            return
        }
    }

    @Test func closedMailboxesHandOutWhatTheyHoldAndNoMore() {
        let mailbox = Mailbox<Int>(capacity: 2)
        mailbox.send(1)
        mailbox.close()
        #expect(!mailbox.send(2))
        guard case .message(1) = mailbox.receive(), case .closed = mailbox.receive() else {
            Issue.record("expected the message, then the end")
            return
        }
    }

    @Test func manySendersLoseNothing() throws {
        let mailbox = Mailbox<Int>(capacity: 100_000)
        let senders = try (0..<4).map { _ in
            try WorkerThread("sender") { for number in 0..<5000 { mailbox.send(number) } }
        }
        let sum = Mutex(0)
        let receiver = try WorkerThread("receiver") {
            while case .message(let number) = mailbox.receive() { sum.withLock { $0 += number } }
        }
        for sender in senders { sender.join() }
        mailbox.close()
        receiver.join()
        #expect(sum.withLock { $0 } == 4 * 5000 * 4999 / 2)
        #expect(mailbox.dropped == 0)
    }
}
