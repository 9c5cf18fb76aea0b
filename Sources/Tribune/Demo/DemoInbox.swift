internal import JSON
internal import Synchronization
internal import WebServer

/// The demo's webhook receiver.
final class DemoInbox: Sendable {
    private let received = Mutex<[String]>([])

    /// The received messages, one line each.
    var lines: [String] { received.withLock { $0 } }

    /// Starts listening on `port` of loopback.
    func serve(port: Int) throws(CommandFailure) -> HTTPServer {
        do throws(HTTPServerError) {
            return try HTTPServer(HTTPServerConfiguration(address: "127.0.0.1", port: port)) { self.take($0) }
        } catch {
            throw CommandFailure(error.description)
        }
    }

    private func take(_ request: HTTPServerRequest) -> HTTPServerResponse {
        do throws(JSONError) {
            let body = try JSON(parsing: request.body)
            let summary = body["commonAnnotations"]?["summary"]?.text ?? ""
            received.withLock { $0.append("\(body["status"]?.text ?? "?") \(summary)") }
            return .text("ok\n")
        } catch {
            return .text("\(error)\n", status: 400)
        }
    }
}
