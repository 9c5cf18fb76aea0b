internal import CurlHTTP
internal import Lease
internal import MetricModel
internal import Rollback
internal import RuleModel
internal import Runtime
internal import Synchronization
internal import TrafficRouters

/// The HTTP client shared by routers and gates. Hides the library from the runner's interface.
final class RouterClient: Sendable {
    let http = HTTPClient()
}

/// The work of a ``RouteWorker``.
enum RouteTask: Sendable {
    case operate(RouterOperation)
    case probe(Pulse)
}

/// The thread that executes the operations of one route, one after the other.
final class RouteWorker: Sendable {
    let mailbox = Mailbox<RouteTask>(capacity: 64)
    private let pulse: Pulse
    private let thread: Mutex<WorkerThread?>
    private let end = EndMark()

    /// Whether the thread has done its last operation.
    var hasEnded: Bool { end.isSet.load(ordering: .acquiring) }

    private final class EndMark: Sendable {
        let isSet = Atomic(false)
    }

    init(
        _ router: ServiceRouter, _ name: String, lease: LeaseRunner?, mailbox plan: Mailbox<PlanMessage>
    ) throws(WorkerThread.StartError) {
        pulse = Pulse("router \(name)")
        let (mailbox, end, pulse) = (mailbox, end, pulse)
        let longest = router.longestOperation.rawValue
        let worker = try WorkerThread("router \(name)") {
            while case .message(let task) = mailbox.receive() {
                let operation: RouterOperation
                switch task {
                case .operate(let wanted): operation = wanted
                case .probe(let asked):
                    asked.answer()
                    continue
                }
                // It may have waited here while the lease was lost, or the process stood still.
                let isPermitted = lease?.permits(operation) ?? true
                // A command may take as long as the plan lets it, and the thread does not stand still meanwhile.
                let result =
                    isPermitted
                    ? pulse.allow(longest) { router.perform(operation) } : .failed("the lease no longer permits it")
                plan.send(.replied(operation.id, result))
            }
            end.isSet.store(true, ordering: .releasing)
        }
        thread = Mutex(worker)
    }

    /// Asks the thread whether it turns over.
    func probe() -> Pulse {
        if pulse.ask() { mailbox.send(.probe(pulse)) }
        return pulse
    }

    /// Lets the thread end when what it has been asked is done, without waiting for it.
    func retire() { mailbox.close() }

    /// Ends the thread when what it has been asked is done.
    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
    }
}

/// The thread that evaluates the gates of one plan.
final class GateWorker: Sendable {
    let mailbox = Mailbox<GateQuestion>(capacity: 64)
    private let evaluate: RollbackRunner.Evaluation
    private let client: HTTPClient
    private let plan: Mailbox<PlanMessage>
    private let thread = Mutex<WorkerThread?>(nil)

    init(evaluate: @escaping RollbackRunner.Evaluation, client: HTTPClient, mailbox plan: Mailbox<PlanMessage>) {
        self.evaluate = evaluate
        self.client = client
        self.plan = plan
    }

    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("gates") { [mailbox, evaluate, client, plan] in
            while case .message(let question) = mailbox.receive() {
                let answers = question.gates.map { Self.ask($0, evaluate, client) }
                plan.send(.gatesAnswered(question.id, answers))
            }
        }
        thread.withLock { $0 = worker }
    }

    func stop() {
        mailbox.close()
        thread.withLock { $0.take() }?.join()
    }

    private static func ask(
        _ gate: RolloutPlan.Gate, _ evaluate: RollbackRunner.Evaluation, _ client: HTTPClient
    ) -> GateAnswer {
        switch gate.kind {
        case .expression(let text, let healthy):
            switch evaluate(text, gate.query) {
            case .failure(let fault):
                return GateAnswer(name: gate.name, isOpen: false, detail: fault.description, isMissing: true)
            case .success(let values):
                // Without data the condition is not proven, so the gate stays closed.
                guard values.contains(where: { !$0.isNaN }) else {
                    return GateAnswer(name: gate.name, isOpen: false, detail: "no data", isMissing: true)
                }
                let bad = values.first { !healthy.holds(for: $0) }
                let shown = FloatText.general(bad ?? values[0])
                return GateAnswer(
                    name: gate.name, isOpen: bad == nil, detail: "\(shown), healthy is \(healthy)", value: values[0])
            }
        case .http(let url):
            var request = HTTPRequest(url: url)
            request.timeoutMilliseconds = 10_000
            request.maximumBodyBytes = 1 << 20
            do throws(HTTPFailure) {
                let status = try client.send(request).status
                return GateAnswer(name: gate.name, isOpen: (200..<300).contains(status), detail: "answered \(status)")
            } catch {
                return GateAnswer(name: gate.name, isOpen: false, detail: error.message)
            }
        case .rule, .approval:
            return GateAnswer(name: gate.name, isOpen: false, detail: "evaluated by the controller")
        }
    }
}
