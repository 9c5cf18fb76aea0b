internal import Glibc
package import MetricModel
package import Rollback
internal import Runtime

/// HAProxy, through its runtime API.
///
/// Each exchange uses its own connection, so that HAProxy's close ends the response, and reloads and restarts need no
/// special handling.
package struct HAProxyRouter: TrafficRouter {
    let route: HAProxyRoute
    let isolation: TrafficRoute.Isolation
    let timeout: Milliseconds
    package var fence = Fence.none

    /// A router of `route`.
    package init(
        route: HAProxyRoute, isolation: TrafficRoute.Isolation, timeout: Milliseconds, fence: Fence = .none
    ) {
        self.route = route
        self.isolation = isolation
        self.timeout = timeout
        self.fence = fence
    }

    package func read() throws(RouterError) -> Inspection {
        let servers = try checkedState()
        let stable = try pick(route.stable, from: servers)
        let candidate = try pick(route.candidate, from: servers)
        let split: TrafficSplit?
        switch route.division {
        case .weights:
            let shares = candidate.map(\.share).reduce(0, +)
            split = TrafficSplit(candidateShares: shares, of: shares + stable.map(\.share).reduce(0, +))
        case .map(let entry):
            split = try value(of: entry).flatMap { Int($0) }.flatMap(TrafficSplit.init(candidate:))
        }
        let isOpen = try route.testers.map { entry throws(RouterError) in try value(of: entry) == "on" } ?? false
        return Inspection(
            split: isOpen ? split?.withTesters : split, stable: Self.health(of: stable),
            candidate: Self.health(of: candidate),
            isCandidateIsolated: candidate.allSatisfy(\.isOut), candidateRequests: try requests(of: route.candidate),
            process: try process())
    }

    /// The process that answers; after a reload it is another one.
    private func process() throws(RouterError) -> RouterProcess? {
        let lines = try ask("show info").split(whereSeparator: \.isNewline)
        func number(_ name: String) -> Int64? {
            lines.first { $0.hasPrefix("\(name): ") }.flatMap { Int64($0.dropFirst(name.utf8.count + 2)) }
        }
        guard let pid = number("Pid"), let uptime = number("Uptime_sec") else { return nil }
        return RouterProcess(pid: pid, uptime: uptime, at: SystemClock.monotonicNanoseconds() / 1_000_000_000)
    }

    /// The side that gains traffic is set first, so that there is always one with traffic.
    package func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        if split > .allStable {
            try run(route.candidate.map { "set server \($0) state ready" }, operation)
        }
        switch route.division {
        case .weights:
            guard let weights = route.weights(for: split) else { throw RouterError("\(split) needs weights over 256") }
            let stable = route.stable.map { "set server \($0) weight \(weights.stable)" }
            let candidate = route.candidate.map { "set server \($0) weight \(weights.candidate)" }
            try run(split.candidate == 100 ? candidate + stable : stable + candidate, operation)
        case .map(let entry): try set(entry, to: String(split.candidate), operation)
        }
        if let entry = route.testers { try set(entry, to: split > .allStable ? "on" : "off", operation) }
    }

    package func isolate(for operation: RouterOperation) throws(RouterError) {
        switch isolation {
        case .drain, .maint: try run(route.candidate.map { "set server \($0) state \(isolation.rawValue)" }, operation)
        case .none: break
        }
        if route.shutdownSessions { try run(route.candidate.map { "shutdown sessions server \($0)" }, operation) }
    }

    // MARK: exchanges

    private func ask(_ command: String, for write: RouterOperation? = nil) throws(RouterError) -> String {
        let deadline = SystemClock.monotonicNanoseconds(in: timeout.rawValue)
        let socket = try StreamSocket(connectingTo: route.address, deadline: deadline)
        // HAProxy stores no epoch, so this is the last possible check.
        if let write { try fence.check(write) }
        return try socket.exchange(command + "\n")
    }

    /// Runs commands whose response is empty on success. Any text is an error.
    private func run(_ commands: [String], _ operation: RouterOperation) throws(RouterError) {
        let answer = try ask(commands.joined(separator: ";"), for: operation)
        let words = answer.split(whereSeparator: \.isNewline).joined(separator: " ")
        guard words.isEmpty else { throw RouterError("HAProxy reports: \(words.prefix(200))") }
    }

    /// The state of all servers. HAProxy clears the result of a health check while the next one runs. A state read at
    /// that time is read again, for a tenth of a second at most, so that a running check does not delay a rollback
    /// until its next attempt or cause a page.
    private func checkedState() throws(RouterError) -> [HAProxyServer: ServerState] {
        let end = SystemClock.monotonicNanoseconds(in: min(100, timeout.rawValue / 2))
        while true {
            let servers = try state()
            let stable = route.stable.compactMap { servers[$0] }
            guard Self.health(of: stable) != .healthy, stable.contains(where: \.isBeingChecked),
                SystemClock.monotonicNanoseconds() < end
            else { return servers }
            usleep(500)
        }
    }

    private func state() throws(RouterError) -> [HAProxyServer: ServerState] {
        var servers: [HAProxyServer: ServerState] = [:]
        for backend in Set((route.stable + route.candidate).map(\.backend)).sorted() {
            let answer = try ask("show servers state \(backend)")
            guard let parsed = ServerState.parse(answer) else {
                throw RouterError("HAProxy reports: \(answer.split(whereSeparator: \.isNewline).first ?? "nothing")")
            }
            servers.merge(parsed) { $1 }
        }
        return servers
    }

    private func pick(
        _ wanted: [HAProxyServer], from servers: [HAProxyServer: ServerState]
    ) throws(RouterError) -> [ServerState] {
        var states: [ServerState] = []
        for server in wanted {
            guard let state = servers[server] else { throw RouterError("HAProxy has no server \(server)") }
            states.append(state)
        }
        return states
    }

    /// Sessions of the servers since HAProxy was started.
    private func requests(of servers: [HAProxyServer]) throws(RouterError) -> UInt64 {
        var total: UInt64 = 0
        for backend in Set(servers.map(\.backend)) {
            let lines = try ask("show stat \(backend) 4 -1").split(whereSeparator: \.isNewline)
            let names = lines.first?.dropFirst(2).split(separator: ",", omittingEmptySubsequences: false) ?? []
            guard let column = names.firstIndex(of: "stot") else { throw RouterError("HAProxy shows no statistics") }
            for line in lines.dropFirst() {
                let cells = line.split(separator: ",", omittingEmptySubsequences: false)
                guard cells.count > column else { continue }
                let server = HAProxyServer(backend: String(cells[0]), server: String(cells[1]))
                if servers.contains(server) { total &+= UInt64(cells[column]) ?? 0 }
            }
        }
        return total
    }

    private func set(
        _ entry: HAProxyRoute.MapEntry, to value: String, _ operation: RouterOperation
    ) throws(RouterError) {
        let words = "map \(entry.file) \(entry.key) \(value)"
        do throws(RouterError) {
            try run(["set \(words)"], operation)
        } catch {
            guard error.description.contains("entry not found") else { throw error }
            try run(["add \(words)"], operation)
        }
    }

    /// The value of `entry`; `nil` if its map has none.
    private func value(of entry: HAProxyRoute.MapEntry) throws(RouterError) -> String? {
        let answer = try ask("show map \(entry.file)")
        for line in answer.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            if words.count == 3, words[1] == entry.key { return String(words[2]) }
        }
        if answer.contains("Unknown map") { throw RouterError("HAProxy has no map \(entry.file)") }
        return nil
    }

    /// At least half of the servers must be healthy, so that one broken server of many does not prevent a rollback.
    private static func health(of servers: [ServerState]) -> TargetHealth {
        let healthy = servers.filter { $0.health == .healthy }.count
        if healthy * 2 >= servers.count, healthy > 0 { return .healthy }
        return servers.map(\.health).first { $0 != .healthy } ?? .unknown("no server")
    }
}
