internal import CurlHTTP
internal import Glibc
internal import JSON
internal import Runtime
internal import Synchronization
internal import WebServer

/// The kit's switches, its receivers of chat and webhooks, and its executor of improvements, on one port.
///
/// | path | response |
/// |---|---|
/// | `POST /switch?service=NAME&version=VERSION&mode=MODE` | switches a demo service |
/// | `GET /load`, `POST /load?rate=NUMBER` | the load, and its rate |
/// | `POST /received/CHANNEL` | takes a message |
/// | `GET /received` | the messages, with the time of each |
/// | `POST /executor` | takes an improvement: the service's faults end, and it is reported as succeeded |
final class KitControl: Sendable {
    private struct Message {
        var milliseconds: Int64
        var channel: String
        var body: JSON
    }

    /// The most messages that are kept.
    private static let limit = 2000

    private let ports: KitPorts
    private let load: KitLoad
    private let gatesToken: String
    private let messages = Mutex<[Message]>([])
    private let improvements = Mutex<[JSON]>([])
    private let wake = Mutex<WorkerThread?>(nil)
    private let isStopped = Atomic<Bool>(false)

    init(ports: KitPorts, load: KitLoad, gatesToken: String) {
        self.ports = ports
        self.load = load
        self.gatesToken = gatesToken
    }

    /// Starts listening, and the thread of the executor.
    func serve() throws(CommandFailure) -> HTTPServer {
        do throws(WorkerThread.StartError) {
            let started = try WorkerThread("executor") { self.execute() }
            wake.withLock { $0 = started }
        } catch {
            throw CommandFailure(error.description)
        }
        do throws(HTTPServerError) {
            return try HTTPServer(HTTPServerConfiguration(address: "127.0.0.1", port: ports.control)) {
                self.answer($0)
            }
        } catch {
            stop()
            throw CommandFailure(error.description)
        }
    }

    /// Ends the thread of the executor.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        wake.withLock { thread in
            defer { thread = nil }
            return thread
        }?.join()
    }

    private func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
        func parameter(_ name: String) -> String { request.query.first { $0.name == name }?.value ?? "" }
        switch (request.method, request.path) {
        case ("POST", "/switch"):
            return flip(service: parameter("service"), version: parameter("version"), mode: parameter("mode"))
        case ("GET", "/load"): return Self.json(load.json)
        case ("POST", "/load"):
            guard let rate = Double(parameter("rate")), KitLoad.rates.contains(rate) else {
                return .text("rate must be a number from 1 to 5000\n", status: 400)
            }
            load.change(to: rate)
            return .text("\(rate)\n")
        case ("GET", "/received"): return Self.json(received)
        case ("POST", let path) where path.hasPrefix("/received/"):
            return take(String(path.dropFirst("/received/".count)), request.body)
        case ("POST", "/executor"):
            // The sender is refused, whatever is wrong with its body.
            guard case .some(let body) = try? JSON(parsing: request.body), body["improvement_id"]?.text != nil else {
                return .text("improvement_id is missing\n", status: 400)
            }
            improvements.withLock { if $0.count < Self.limit { $0.append(body) } }
            return HTTPServerResponse(
                status: 202, headers: [("Content-Type", "application/json")], body: Array("{}".utf8))
        case _: return .text("not found\n", status: 404)
        }
    }

    private func flip(service: String, version: String, mode: String) -> HTTPServerResponse {
        guard let port = ports.port(of: service, version) else {
            return .text("no version \(version) of a service \(service)\n", status: 404)
        }
        guard let wanted = DemoService.Misbehaviour(rawValue: mode) else {
            let known = DemoService.Misbehaviour.allCases.map(\.rawValue).joined(separator: ", ")
            return .text("mode must be one of \(known)\n", status: 400)
        }
        do throws(CommandFailure) {
            try DemoFleet.misbehave(wanted, port: port)
        } catch {
            return .text("\(error.message)\n", status: 502)
        }
        return .text("\(service) \(version): \(mode)\n")
    }

    // MARK: messages

    private func take(_ channel: String, _ body: [UInt8]) -> HTTPServerResponse {
        guard case .some(let json) = try? JSON(parsing: body) else {
            return .text("the body is not JSON\n", status: 400)
        }
        let message = Message(milliseconds: SystemClock.wallMilliseconds(), channel: channel, body: json)
        messages.withLock { messages in
            if messages.count >= Self.limit { messages.removeFirst() }
            messages.append(message)
        }
        // Slack's own answer, without a line end.
        return .text("ok")
    }

    private var received: JSON {
        .array(
            messages.withLock { $0 }.map { message in
                [
                    "channel": .string(message.channel), "milliseconds": .integer(message.milliseconds),
                    "body": message.body,
                ]
            })
    }

    private static func json(_ value: JSON) -> HTTPServerResponse {
        HTTPServerResponse(
            status: 200, headers: [("Content-Type", "application/json")], body: Array(value.encoded.utf8))
    }

    // MARK: executor

    /// Carries out improvements, one after the other.
    private func execute() {
        while !isStopped.load(ordering: .relaxed) {
            let next = improvements.withLock { waiting -> JSON? in
                waiting.isEmpty ? .none : .some(waiting.removeFirst())
            }
            guard case .some(let work) = next else {
                usleep(50_000)
                continue
            }
            let service = work["service"]?.text ?? ""
            var status = "succeeded"
            for port in ["blue", "green"].compactMap({ ports.port(of: service, $0) }) {
                do throws(CommandFailure) {
                    try DemoFleet.misbehave(.none, port: port)
                } catch {
                    status = "failed"
                }
            }
            report(work["improvement_id"]?.text ?? "", status)
        }
    }

    private func report(_ id: String, _ status: String) {
        var request = HTTPRequest(url: "http://127.0.0.1:\(ports.tribune)/api/v1/improvements/\(id)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.authorize(credentials: gatesToken)
        let body: JSON = ["status": .string(status), "detail": "the kit's executor"]
        request.body = Array(body.encoded.utf8)
        do throws(HTTPFailure) {
            let response = try HTTPClient().send(request)
            if response.status != 200 { Console.error("executor: \(request.url) answered \(response.status)") }
        } catch {
            Console.error("executor: \(request.url): \(error.message)")
        }
    }
}
