internal import CurlHTTP
internal import Runtime
internal import Synchronization

/// Runs a load test on its caller's thread, which sends and receives everything. May be stopped from any thread.
///
/// The times of requests come from the plan alone. A request that cannot be sent at its time, because all connections
/// are busy, is sent later, and its latency counts from the time at which it was due. A server that stands still for a
/// second is therefore seen by all requests of that second, and not by one for each connection.
public final class LoadRunner: Sendable {
    /// A state of a running test, once a second.
    public struct Progress: Sendable {
        /// Seconds since the beginning.
        public var seconds: Double
        /// The length of the plan.
        public var planned: Double
        /// The last second.
        public var second: LoadResult.Second
        /// Requests in progress.
        public var inFlight: Int
        /// Requests that are due and wait for a connection.
        public var isBehind: Bool
    }

    private struct Slot {
        var target: Int
        var due: Int64
        var sent: Int64
    }

    private let plan: LoadPlan
    private let requests: [PreparedRequest]
    private let isStopped = Atomic<Bool>(false)

    /// A runner of `plan`, which must have targets.
    public init(_ plan: LoadPlan) throws(LoadError) {
        guard !plan.targets.isEmpty else { throw LoadError("there are no targets") }
        let schedule = LoadSchedule(plan.stages)
        guard schedule.requests >= 1 else { throw LoadError("the stages have less than one request") }
        self.plan = plan
        var requests: [PreparedRequest] = []
        for target in plan.targets {
            var request = HTTPRequest(url: target.url)
            request.method = target.method
            request.headers = target.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
            request.body = Array(target.body.utf8)
            request.timeoutMilliseconds = Int64(plan.timeout * 1000)
            do throws(HTTPFailure) { requests.append(try PreparedRequest(request)) } catch {
                throw LoadError("\(target.url): \(error.message)")
            }
        }
        self.requests = requests
    }

    /// Ends the test early. The result has what was measured.
    public func stop() { isStopped.store(true, ordering: .relaxed) }

    /// Runs the test to its end.
    ///
    /// - Parameter progress: called once a second, on this thread; its time delays requests.
    public func run(_ progress: (Progress) -> Void = { _ in }) throws(LoadError) -> LoadResult {
        let multiplexer: HTTPMultiplexer
        do throws(HTTPFailure) { multiplexer = try HTTPMultiplexer(maximumIdleConnections: plan.connections) } catch {
            throw LoadError(error.message)
        }
        var state = State(plan)
        let begin = SystemClock.monotonicNanoseconds()
        let end = begin + Int64(state.schedule.seconds * 1e9)
        let lastSend = end + Int64(plan.timeout * 1e9)
        var nextSecond = begin + 1_000_000_000
        while !isStopped.load(ordering: .relaxed) {
            let now = SystemClock.monotonicNanoseconds()
            while let target = state.popDue(begin, now: now, isLate: now > lastSend) {
                multiplexer.start(requests[target.index], token: target.slot)
            }
            if now >= nextSecond {
                let second = state.result.secondPassed()
                nextSecond += 1_000_000_000
                progress(
                    Progress(
                        seconds: Double(now - begin) / 1e9, planned: state.schedule.seconds, second: second,
                        inFlight: state.inFlight, isBehind: state.isBehind(begin, now: now)))
            }
            guard state.isWorking else { break }
            let wait = state.nextTime(begin) ?? .max
            multiplexer.run(until: min(wait, nextSecond)) { slot, result in
                let ended = SystemClock.monotonicNanoseconds()
                switch result {
                case .success(var response):
                    state.ended(slot, response, plan, now: ended)
                    multiplexer.recycle(response.takeBody())
                case .failure(let failure): state.failed(slot, failure, now: ended)
                }
            }
        }
        multiplexer.cancelAll { _, _ in }
        state.result.finished(after: SystemClock.monotonicNanoseconds() - begin)
        return state.result
    }

    /// The state that the loop changes.
    private struct State {
        var schedule: LoadSchedule
        var result: LoadResult
        private var rotation: WeightedRotation
        private var slots: [Slot?]
        private var free: [Int]
        private var next: Int64?

        init(_ plan: LoadPlan) {
            schedule = LoadSchedule(plan.stages)
            result = LoadResult(targets: plan.targets.map(\.name))
            rotation = WeightedRotation(plan.targets.map(\.weight))
            slots = [Slot?](repeating: nil, count: plan.connections)
            free = Array(0..<plan.connections)
            next = schedule.popNext()
        }

        var inFlight: Int { slots.count - free.count }
        var isWorking: Bool { next != nil || inFlight > 0 }

        func isBehind(_ begin: Int64, now: Int64) -> Bool { free.isEmpty && (next.map { begin + $0 <= now } ?? false) }

        /// When the next request can be sent; `nil` if it waits for a connection.
        func nextTime(_ begin: Int64) -> Int64? { free.isEmpty ? nil : next.map { begin + $0 } }

        /// The next request that is due, if a connection is free. If it is too late, the rest of the plan is given up.
        mutating func popDue(_ begin: Int64, now: Int64, isLate: Bool) -> (index: Int, slot: Int)? {
            while isLate, let time = next {
                result.due()
                result.ended(rotation.popNext(), .unsent, due: begin + time, sent: now, now: now)
                next = schedule.popNext()
            }
            guard let time = next, begin + time <= now, let slot = free.popLast() else { return nil }
            next = schedule.popNext()
            let target = rotation.popNext()
            result.due()
            slots[slot] = Slot(target: target, due: begin + time, sent: now)
            return (target, slot)
        }

        private mutating func take(_ slot: Int) -> Slot? {
            defer { slots[slot] = nil }
            if slots[slot] != nil { free.append(slot) }
            return slots[slot]
        }

        mutating func ended(_ number: Int, _ response: HTTPResponse, _ plan: LoadPlan, now: Int64) {
            guard let slot = take(number) else { return }
            let hasHash = plan.hash.map { response[$0.header] == $0.value }
            let isSuccess = plan.targets[slot.target].isSuccess(response.status)
            result.ended(
                slot.target, isSuccess ? .success(hasHash: hasHash) : .status(response.status, hasHash: hasHash),
                due: slot.due, sent: slot.sent, now: now)
        }

        mutating func failed(_ number: Int, _ failure: HTTPFailure, now: Int64) {
            guard let slot = take(number) else { return }
            result.ended(slot.target, .failure(failure.code.rawValue), due: slot.due, sent: slot.sent, now: now)
        }
    }
}

/// Why a load test cannot run.
public struct LoadError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason.
    public let description: String

    init(_ description: String) { self.description = description }
}
