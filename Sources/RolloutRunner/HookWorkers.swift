internal import CurlHTTP
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime
internal import Synchronization
internal import TrafficRouters

/// The threads that call the hooks of one plan. They start when they are needed.
///
/// Some hooks take hours, such as a load test, so calls run beside one another, and the end of the plan ends them.
final class HookWorkers: Sendable {
    /// Calls at the same time.
    private static let width = 16

    private struct State {
        var threads: [WorkerThread] = []
        /// The ids of calls that were sent and have not ended, by their keys. A later call replaces one that waits.
        var newest: [String: UInt64] = [:]
    }

    private let mailbox = Mailbox<HookCall>(capacity: 64)
    private let client: HTTPClient
    private let plan: Mailbox<PlanMessage>
    private let state = Mutex(State())
    private let hasEnded = Atomic(false)

    init(client: HTTPClient, mailbox plan: Mailbox<PlanMessage>) {
        self.client = client
        self.plan = plan
    }

    /// Has `call` made; its answer is sent to the plan's thread. Does not block.
    func send(_ call: HookCall) {
        let fault = state.withLock { state -> String? in
            state.newest[call.key] = call.id
            guard state.newest.count > state.threads.count, state.threads.count < Self.width else { return nil }
            do throws(WorkerThread.StartError) {
                state.threads.append(try WorkerThread("hooks") { [self] in work() })
                return nil
            } catch {
                return state.threads.isEmpty ? error.description : nil
            }
        }
        if let fault { return answer(call, HookAnswer(.none, fault)) }
        if !mailbox.send(call) { answer(call, HookAnswer(.none, "too many calls wait")) }
    }

    private func work() {
        let isOver: @Sendable () -> Bool = { [self] in hasEnded.load(ordering: .acquiring) }
        while case .message(let call) = mailbox.receive() {
            guard !isOver() else { return }
            guard state.withLock({ $0.newest[call.key] == call.id }) else { continue }
            answer(call, Self.make(call, client, isCancelled: isOver))
        }
    }

    private func answer(_ call: HookCall, _ answer: HookAnswer) {
        state.withLock { if $0.newest[call.key] == call.id { $0.newest[call.key] = nil } }
        plan.send(.hookAnswered(call.id, answer))
    }

    /// Ends the threads. Calls under way are given up within a second.
    func stop() {
        hasEnded.store(true, ordering: .releasing)
        mailbox.close()
        let threads = state.withLock { state in
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }

    // MARK: one call

    private static func make(
        _ call: HookCall, _ client: HTTPClient, isCancelled: @escaping @Sendable () -> Bool
    ) -> HookAnswer {
        switch call.hook.kind {
        case .http(let url, let headers):
            var request = HTTPRequest(method: "POST", url: url)
            request.headers = headers.map { ($0.name, $0.value) }
            request.headers += [("Content-Type", "application/json"), ("Idempotency-Key", call.key)]
            request.body = Array(call.json.encoded.utf8)
            request.timeoutMilliseconds = call.hook.timeout.rawValue
            request.maximumBodyBytes = 1 << 16
            do throws(HTTPFailure) {
                let response = try client.send(request, isCancelled: isCancelled)
                return answer(response.status, response.body)
            } catch {
                return HookAnswer(.none, error.message)
            }
        case .command(let command):
            do throws(RouterError) {
                return answer(
                    try Program.finish(
                        command, input: call.json.encoded, environment: environment(of: call),
                        timeout: call.hook.timeout, isCancelled: isCancelled))
            } catch {
                return HookAnswer(.none, error.description)
            }
        }
    }

    private static func environment(of call: HookCall) -> [String: String] {
        var values = [
            "TRIBUNE_HOOK": call.hook.name, "TRIBUNE_WHEN": call.hook.moment.rawValue, "TRIBUNE_PLAN": call.plan,
            "TRIBUNE_GENERATION": String(call.generation), "TRIBUNE_IDEMPOTENCY_KEY": call.key,
        ]
        values["TRIBUNE_SERVICE"] = call.service
        values["TRIBUNE_STAGE"] = call.stage.map(String.init)
        values["TRIBUNE_CANDIDATE"] = call.candidate.map(String.init)
        values["TRIBUNE_ROLLBACK"] = call.rollback
        return values
    }

    /// The answer of a web service: the `result` in its body, else its status.
    private static func answer(_ status: Int, _ body: [UInt8]) -> HookAnswer {
        // A body that is not JSON has no result.
        let json = try? JSON(parsing: body)
        let detail = json?["detail"]?.text.map(line) ?? "answered \(status)"
        if (200..<300).contains(status) {
            guard let result = json?["result"]?.text else { return HookAnswer(.pass, detail) }
            guard let verdict = HookAnswer.Verdict(rawValue: result), verdict != .none else {
                return HookAnswer(.none, "the result is neither pass nor fail nor hold: \(line(result))")
            }
            return HookAnswer(verdict, detail)
        }
        let isRefusal = (400..<500).contains(status) && status != 408 && status != 429
        return HookAnswer(isRefusal ? .fail : .none, detail)
    }

    /// The answer of a program: its exit code, with the last line of its output.
    private static func answer(_ ending: Program.Ending) -> HookAnswer {
        let last = ending.output.split(whereSeparator: \.isNewline).last.map { line(String($0)) }
        return switch ending.exit {
        case .code(0): HookAnswer(.pass, last ?? "exit code 0")
        // EX_TEMPFAIL of sysexits.h.
        case .code(75): HookAnswer(.hold, last ?? "exit code 75")
        case .code(let code): HookAnswer(.fail, last ?? "exit code \(code)")
        case .signal(let number): HookAnswer(.none, "ended with signal \(number)")
        }
    }

    /// Text of a hook as one short line.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 }.prefix(300))
    }
}
