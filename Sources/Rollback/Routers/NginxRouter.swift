internal import CurlHTTP
internal import Glibc
internal import MetricModel
internal import Runtime

/// nginx by a file that it includes in its `http` block.
///
/// The file holds the upstream and a variable `$tribune_UPSTREAM` with the version of the file. nginx acknowledges nothing
/// and has several workers, so a shift counts only when the probe URL, which answers with that variable, has given the new
/// version many times in a row over new connections.
struct NginxRouter: TrafficRouter {
    let route: NginxRoute
    let timeout: Milliseconds
    let client: HTTPClient

    private static let probes = 16

    var description: String { "nginx \(route.file)" }

    /// What the workers run, if they agree; what the file says is only taken when they run that very file.
    func read() throws(RouterError) -> Inspection {
        let text: String
        do throws(FileText.ReadError) {
            text = String(decoding: try FileText.bytes(route.file, limit: 1 << 20), as: UTF8.self)
        } catch {
            throw RouterError(error.description)
        }
        let split = (0...100).lazy.compactMap { TrafficSplit(candidate: $0) }.first { self.text(for: $0) == text }
        var isLive = false
        if let split { isLive = try isRunning(version(of: split)) }
        return Inspection(
            split: isLive ? split : nil, stable: .unknown("nginx does not tell"),
            isCandidateIsolated: isLive && split == .allStable)
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        let deadline = SystemClock.monotonicNanoseconds(in: timeout.rawValue)
        let old = FileText.read(route.file)
        try DiscoveryFile.replace(route.file, with: text(for: split))
        do throws(RouterError) {
            _ = try Program.run(route.test, timeout: timeout)
        } catch {
            // A file that nginx refuses would keep it from starting again.
            if let old { try DiscoveryFile.replace(route.file, with: old) }
            throw error
        }
        _ = try Program.run(route.reload, timeout: timeout)
        while try !isRunning(version(of: split)) {
            guard SystemClock.monotonicNanoseconds() < deadline else {
                throw RouterError("the workers of nginx do not run the new file")
            }
            usleep(5000)
        }
    }

    /// A server at share 0 stands as `down` in the file: nothing is left to do.
    func isolate(for operation: RouterOperation) throws(RouterError) {}

    /// The file for `split`. nginx has no weight 0, so a side without traffic is `down`.
    func text(for split: TrafficSplit) -> String {
        func servers(_ addresses: [String], _ weight: Int) -> [String] {
            addresses.map { "    server \($0) \(weight > 0 ? "weight=\(weight)" : "down");" }
        }
        let lines =
            ["# Written by Tribune. Changes are lost.", "upstream \(route.upstream) {"]
            + servers(route.stable, split.stable * route.candidate.count)
            + servers(route.candidate, split.candidate * route.stable.count)
            + ["}", "map $host $tribune_\(variable) {", "    default \"\(version(of: split))\";", "}", ""]
        return lines.joined(separator: "\n")
    }

    private var variable: String {
        String(route.upstream.map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }

    /// Distinguishes divisions, and files of different servers.
    private func version(of split: TrafficSplit) -> String {
        let servers = CRC32C.checksum((route.stable + ["|"] + route.candidate).joined(separator: ",").utf8)
        return "\(split.candidate)-\(String(servers, radix: 16))"
    }

    private func isRunning(_ version: String) throws(RouterError) -> Bool {
        for _ in 0..<Self.probes {
            var request = HTTPRequest(url: route.probe)
            // A kept connection stays with a worker that may be shutting down.
            request.headers = [("Connection", "close")]
            request.timeoutMilliseconds = timeout.rawValue
            request.maximumBodyBytes = 4096
            do throws(HTTPFailure) {
                let response = try client.send(request)
                let body = String(decoding: response.body, as: UTF8.self)
                if body.split(whereSeparator: \.isWhitespace).first.map(String.init) != version { return false }
            } catch {
                throw RouterError("the probe of nginx failed: \(error.message)")
            }
        }
        return true
    }
}
