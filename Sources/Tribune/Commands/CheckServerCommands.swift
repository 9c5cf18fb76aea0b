internal import CurlHTTP

/// `tribune check healthy` and `tribune check ready`: checks a running server. Container images without a shell use
/// them as health check.
enum CheckServerCommands {
    static let all = [
        command("healthy", "Check that a running server answers.", path: "/-/healthy"),
        command("ready", "Check that a running server is ready for queries.", path: "/-/ready"),
    ]

    private static func command(_ word: String, _ summary: String, path: String) -> Command {
        Command(
            "check \(word)", summary,
            options: [
                .value("url", "URL", "The server; may also be a Prometheus.", default: "http://127.0.0.1:9190"),
                .value("timeout", "SECONDS", "Timeout of the request.", default: "5"),
            ]
        ) { (invocation) throws(CommandFailure) in
            guard let seconds = invocation.value("timeout").flatMap({ Int64($0) }), (1...3600).contains(seconds) else {
                throw invocation.misuse(of: "timeout", "a number of seconds from 1 to 3600")
            }
            var server = invocation.value("url") ?? ""
            if server.hasSuffix("/") { server.removeLast() }
            var request = HTTPRequest(url: server + path)
            request.timeoutMilliseconds = seconds * 1000
            let response: HTTPResponse
            do throws(HTTPFailure) {
                response = try HTTPClient().send(request)
            } catch {
                throw CommandFailure("\(request.url): \(error.message)")
            }
            guard response.status == 200 else {
                throw CommandFailure("\(request.url) returned status \(response.status), expected 200")
            }
            Console.print("SUCCESS: \(server) is \(word)")
            return 0
        }
    }
}
