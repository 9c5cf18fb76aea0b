internal import JSON
internal import LoadTest
internal import Runtime
internal import Synchronization

/// The traffic of the kit: requests to all services through HAProxy, at times that do not depend on the answers.
///
/// Owned by the kit; may be used from any thread.
final class KitLoad: Sendable {
    /// The counts since the start.
    struct Count: Equatable, Sendable {
        /// Requests that have ended.
        var ended: UInt64 = 0
        /// Of these, without a good answer.
        var failed: UInt64 = 0
        /// Why they failed.
        var reasons: [String: UInt64] = [:]
    }

    private struct State {
        var runner: LoadRunner?
        var rate = 0.0
        var isStopped = false
        var count = Count()
        var current = Count()
    }

    /// The most requests per second.
    static let rates = 1.0...5000
    /// A plan ends after a minute, so that its result is known; the next one follows at once.
    private static let planSeconds = 60.0

    private let ports: KitPorts
    private let state: Mutex<State>
    private let thread = Mutex<WorkerThread?>(nil)

    /// A load of `rate` requests per second that has not been started.
    init(_ ports: KitPorts, rate: Double) {
        self.ports = ports
        state = Mutex(State(rate: rate))
    }

    /// Begins to send.
    func start() throws(WorkerThread.StartError) {
        let started = try WorkerThread("load") { self.work() }
        thread.withLock { $0 = started }
    }

    /// Sends at another rate from now on.
    func change(to rate: Double) {
        state.withLock { state in
            state.rate = rate
            state.runner?.stop()
        }
    }

    /// Ends it after the requests in progress.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.runner?.stop()
        }
        thread.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    /// The counts so far, and the rate.
    var json: JSON {
        let (count, rate) = state.withLock { state in
            var count = state.count
            count.ended += state.current.ended
            count.failed += state.current.failed
            return (count, state.rate)
        }
        return [
            "rate": .number(rate), "ended": .integer(Int64(count.ended)), "failed": .integer(Int64(count.failed)),
            "reasons": .object(
                count.reasons.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .integer(Int64($0.value))) }),
        ]
    }

    private func work() {
        while let rate = state.withLock({ $0.isStopped ? nil : $0.rate }) {
            do throws(LoadError) {
                let runner = try LoadRunner(plan(rate))
                state.withLock { state in
                    state.runner = runner
                    state.current = Count()
                    if state.isStopped || state.rate != rate { runner.stop() }
                }
                let result = try runner.run { progress in
                    self.state.withLock { state in
                        state.current.ended += progress.second.ended
                        state.current.failed += progress.second.failed
                    }
                }
                state.withLock { state in
                    state.current = Count()
                    state.count.ended += result.total.requests
                    state.count.failed += result.total.failed
                    state.count.reasons.merge(result.total.failures, uniquingKeysWith: +)
                }
            } catch {
                Console.error("load: \(error.description)")
                return
            }
        }
    }

    private func plan(_ rate: Double) -> LoadPlan {
        var plan = LoadPlan()
        plan.stages = [LoadStage(seconds: Self.planSeconds, from: rate, to: rate)]
        plan.connections = 400
        plan.timeout = 20
        plan.targets = ports.services.map { service in
            var target = LoadPlan.Target(name: service.name, url: "http://127.0.0.1:\(service.shared)/")
            if service.name == "coordinator" {
                target.url += "api/v1/coordinate"
                target.method = "POST"
                target.headers["Content-Type"] = "application/json"
                target.body = #"{"task_type": "coordination_test", "user_id": "kit"}"#
            }
            return target
        }
        return plan
    }
}
