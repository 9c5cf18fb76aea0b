internal import CurlHTTP
internal import Glibc
internal import MetricModel
internal import Rollback
internal import Runtime

/// nginx, through a file that it includes in its `http` block.
///
/// The file contains the upstream and a variable `$tribune_UPSTREAM` with the version of the file and the worker that
/// responds. nginx acknowledges nothing and has several workers. So a shift is complete only when no worker from before
/// the reload accepts connections any more, as far as they are visible, and the probe URL, which returns that variable,
/// has returned the new version many times in a row over new connections.
struct NginxRouter: TrafficRouter {
    let route: NginxRoute
    let timeout: Milliseconds
    let client: HTTPClient
    var fence = Fence.none

    private static let probes = 16

    /// The split that the workers use, if they agree. The file's content is used only if the workers use that file.
    func read() throws(RouterError) -> Inspection {
        let written = Self.body(try contents())
        let testers: [TrafficSplit] = route.testers == nil ? [] : [.testersOnly]
        let split = (testers + (0...100).compactMap { TrafficSplit(candidate: $0) }).first {
            Self.body(self.text(for: $0)) == written
        }
        var isLive = false
        if let split { isLive = try isRunning(version(of: split)) }
        return Inspection(
            split: isLive ? split : nil, stable: .unknown("not reported by nginx"),
            isCandidateIsolated: isLive && split == .allStable)
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        let deadline = SystemClock.monotonicNanoseconds(in: timeout.rawValue)
        let old = FileText.read(route.file)
        let new = text(for: split, epoch: fence.isShared ? operation.epoch : nil)
        try DiscoveryFile.replace(route.file, with: new) { () throws(RouterError) in
            // Read again, as late as possible.
            try fence.check(operation, against: FileText.read(route.file).flatMap(Self.epoch(of:)), in: route.file)
            try fence.check(operation)
        }
        do throws(RouterError) {
            _ = try Program.run(route.test, timeout: timeout)
        } catch {
            // nginx could not start again with a file that it rejects.
            if let old { try DiscoveryFile.restore(route.file, to: old, from: new) }
            throw error
        }
        // If nginx's process is not visible, its responses after the reload must suffice.
        let workers = (try? probe())?.worker.flatMap { NginxWorkers(beside: $0) }
        let before = workers?.accepting ?? []
        _ = try Program.run(route.reload, timeout: timeout)
        while true {
            if before.isDisjoint(with: workers?.accepting ?? []), try isRunning(version(of: split)) { return }
            guard SystemClock.monotonicNanoseconds() < deadline else {
                throw RouterError("the workers of nginx do not use the new file")
            }
            usleep(5000)
        }
    }

    /// A server with share 0 is `down` in the file, so nothing is left to do.
    func isolate(for operation: RouterOperation) throws(RouterError) {}

    /// The file for `split`. nginx has no weight 0, so a side without traffic is `down`.
    ///
    /// - Parameter epoch: stored in its first line if several processes share a lease.
    func text(for split: TrafficSplit, epoch: UInt64? = nil) -> String {
        func servers(_ addresses: [String], _ weight: Int) -> [String] {
            addresses.map { "    server \($0) \(weight > 0 ? "weight=\(weight)" : "down");" }
        }
        let lines =
            [
                "\(Self.heading)\(epoch.map { " under epoch \($0)" } ?? ""). Changes are lost.",
                "upstream \(route.upstream) {",
            ]
            + servers(route.stable, split.stable * route.candidate.count)
            + servers(route.candidate, split.candidate * route.stable.count)
            + testers(split)
            + ["}", "map $host $tribune_\(variable) {", "    default \"\(version(of: split)) $pid\";", "}", ""]
        return lines.joined(separator: "\n")
    }

    /// The lines between the upstream and the variable that send testers to the candidate, or to the stable version.
    private func testers(_ split: TrafficSplit) -> [String] {
        guard let name = route.testers else { return [] }
        let addresses = split > .allStable ? route.candidate : route.stable
        return ["}", "upstream \(name) {"] + addresses.map { "    server \($0);" }
    }

    private var variable: String {
        String(route.upstream.map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }

    /// Identifies the split, and distinguishes the files of different servers.
    private func version(of split: TrafficSplit) -> String {
        let servers = CRC32C.checksum((route.stable + ["|"] + route.candidate).joined(separator: ",").utf8)
        return "\(split.isForTesters ? "testers" : String(split.candidate))-\(String(servers, radix: 16))"
    }

    private static let heading = "# Written by Tribune"

    /// The epoch in the first line of the file, if there is one.
    private static func epoch(of text: String) -> UInt64? {
        let words = text.prefix { !$0.isNewline }.split { $0 == " " || $0 == "." }
        guard text.hasPrefix(heading), let place = words.firstIndex(of: "epoch"), place + 1 < words.count else {
            return nil
        }
        return UInt64(words[place + 1])
    }

    /// Everything except the first line, which contains the epoch.
    private static func body(_ text: String) -> Substring { text.drop { !$0.isNewline } }

    private func contents() throws(RouterError) -> String {
        do throws(FileText.ReadError) {
            return String(decoding: try FileText.bytes(route.file, limit: 1 << 20), as: UTF8.self)
        } catch {
            throw RouterError(error.description)
        }
    }

    private func isRunning(_ version: String) throws(RouterError) -> Bool {
        for _ in 0..<Self.probes where try probe().version != version { return false }
        return true
    }

    /// The version used by one worker, and its process id.
    private func probe() throws(RouterError) -> (version: String?, worker: Int?) {
        var request = HTTPRequest(url: route.probe)
        // A persistent connection could stay with a worker that is shutting down.
        request.headers = [("Connection", "close")]
        request.timeoutMilliseconds = timeout.rawValue
        request.maximumBodyBytes = 4096
        do throws(HTTPFailure) {
            let body = String(decoding: try client.send(request).body, as: UTF8.self)
            let words = body.split(whereSeparator: \.isWhitespace)
            return (words.first.map(String.init), words.dropFirst().first.flatMap { Int($0) })
        } catch {
            throw RouterError("the probe of nginx failed: \(error.message)")
        }
    }
}
