internal import Runtime
internal import Synchronization

/// The queue of one receiver, with threads that start and end as needed, so that a slow receiver does not delay others.
/// May be shared between threads.
public final class ReceiverQueue<Job: Sendable>: Sendable {
    private struct State {
        var running = 0
        var idle = 0
        var threads: [Int: WorkerThread] = [:]
        var finished: [Int] = []
        var next = 0
    }

    /// An idle thread ends after this time.
    private static var idleNanoseconds: Int64 { 10_000_000_000 }
    private let concurrency: Int
    private let jobs: Mailbox<Job>
    private let state = Mutex(State())
    private let perform: @Sendable (Job) -> Void

    /// A queue that runs at most `concurrency` jobs at once.
    public init(capacity: Int, concurrency: Int, perform: @escaping @Sendable (Job) -> Void) {
        jobs = Mailbox(capacity: capacity)
        self.concurrency = concurrency
        self.perform = perform
    }

    /// The number of waiting jobs.
    public var count: Int { jobs.count }

    /// Adds a job. Returns false if the queue is full.
    public func send(_ job: Job) -> Bool {
        guard jobs.send(job) else { return false }
        let (number, finished) = state.withLock { state -> (Int?, [WorkerThread]) in
            let finished = state.finished.compactMap { state.threads.removeValue(forKey: $0) }
            state.finished = []
            guard state.idle < jobs.count, state.running < concurrency else { return (nil, finished) }
            state.running += 1
            state.next += 1
            return (state.next, finished)
        }
        for thread in finished { thread.join() }
        if let number { start(number) }
        return true
    }

    /// Starts a thread. If the system has none left, the job waits until the next job is sent.
    private func start(_ number: Int) {
        do throws(WorkerThread.StartError) {
            let thread = try WorkerThread("notify-send") { [self] in work(number) }
            state.withLock { $0.threads[number] = thread }
        } catch {
            state.withLock { $0.running -= 1 }
        }
    }

    private func work(_ number: Int) {
        while true {
            state.withLock { $0.idle += 1 }
            let reception = jobs.receive(deadline: SystemClock.monotonicNanoseconds() + Self.idleNanoseconds)
            state.withLock { $0.idle -= 1 }
            guard case .message(let job) = reception else { break }
            perform(job)
        }
        state.withLock { state in
            state.running -= 1
            state.finished.append(number)
        }
        // A job may have been added between the last check and the end. The next job or the end also runs it.
        if jobs.count > 0 { restart() }
    }

    private func restart() {
        let number = state.withLock { state -> Int? in
            guard state.running == 0 else { return nil }
            state.running += 1
            state.next += 1
            return state.next
        }
        if let number { start(number) }
    }

    /// Closes the queue after all running and waiting jobs.
    public func close() { jobs.close() }

    /// Waits for the threads.
    public func join() {
        while true {
            let threads = state.withLock { state in
                defer { state.threads = [:] }
                return Array(state.threads.values)
            }
            if threads.isEmpty { return }
            for thread in threads { thread.join() }
        }
    }
}
