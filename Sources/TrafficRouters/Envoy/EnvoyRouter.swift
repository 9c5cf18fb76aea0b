internal import CurlHTTP
internal import Glibc
internal import JSON
internal import MetricModel
internal import Rollback
internal import Runtime

/// Envoy, configured by a discovery file of routes or by runtime keys.
///
/// Envoy does not acknowledge a file, and accepts a runtime key that no route uses. So a shift is complete only when
/// the admin endpoint shows the split in routes that are in use.
struct EnvoyRouter: TrafficRouter {
    let route: EnvoyRoute
    let timeout: Milliseconds
    let client: HTTPClient
    var fence = Fence.none

    /// Workers follow the main thread, whose state the endpoint shows, within milliseconds. A cluster whose traffic was
    /// removed is watched until it gets no requests for a moment, or for this long: it may have other clients.
    private static let settling = (pause: UInt32(5000), attempts: 20)

    func read() throws(RouterError) -> Inspection {
        let admin = admin
        let split =
            switch route.division {
            case .discoveryFile(let path, let name): try discovered(name, in: path, admin)
            case .runtime(let prefix): try running(prefix, admin)
            }
        return Inspection(
            split: split, stable: try admin.health(of: route.stable), candidate: try admin.health(of: route.candidate),
            isCandidateIsolated: split == .allStable, candidateRequests: try admin.requests(of: route.candidate),
            process: try admin.process())
    }

    func shift(to split: TrafficSplit, for operation: RouterOperation) throws(RouterError) {
        let admin = admin
        switch route.division {
        case .discoveryFile(let path, let name): try publish(split, name, path, operation, admin)
        case .runtime(let prefix):
            var values = keys(of: split, prefix)
            if let testers = route.testers {
                values += keys(of: split > .allStable ? .allCandidate : .allStable, testers)
            }
            if fence.isShared {
                let key = "\(prefix).tribune_epoch"
                let last = try admin.runtime()[key].flatMap { UInt64($0) }
                try fence.check(operation, against: last, in: "the runtime key \(key) of \(route.admin)")
                values.append((key, Int(clamping: operation.epoch)))
            }
            try fence.check(operation)
            try admin.setRuntime(values)
            guard try running(prefix, admin) == split else {
                throw RouterError(
                    "Envoy does not use the weights that were set; check whether a later runtime layer overrides them")
            }
        }
        if split == .allStable { try settle(route.candidate, admin) }
        if split == .allCandidate { try settle(route.stable, admin) }
    }

    /// At weight 0 the candidate gets no requests, so nothing is left to do.
    func isolate(for operation: RouterOperation) throws(RouterError) {}

    private var admin: EnvoyAdmin {
        EnvoyAdmin(
            url: route.admin, client: client, deadline: SystemClock.monotonicNanoseconds(in: timeout.rawValue))
    }

    private var division: EnvoyDivision {
        var division = EnvoyDivision(stable: route.stable, candidate: route.candidate)
        if case .discoveryFile = route.division { division.testers = route.testers }
        return division
    }

    private func settle(_ cluster: String, _ admin: EnvoyAdmin) throws(RouterError) {
        guard var before = try admin.requests(of: cluster) else { return }
        for _ in 0..<Self.settling.attempts {
            usleep(Self.settling.pause)
            guard let now = try admin.requests(of: cluster), now != before else { return }
            before = now
        }
    }

    // MARK: runtime keys

    private func running(_ prefix: String, _ admin: EnvoyAdmin) throws(RouterError) -> TrafficSplit? {
        let (keys, routes) = (try admin.runtime(), try admin.configurations().map(\.routes))
        func split(_ prefix: String) throws(RouterError) -> TrafficSplit? {
            var weights: [String: Int64] = [:]
            for cluster in [route.stable, route.candidate] {
                weights[cluster] = keys["\(prefix).\(cluster)"].flatMap { Int64($0) }
            }
            return try division.split(of: routes, prefix: prefix, runtime: weights)
        }
        let divided = try split(prefix)
        guard let testers = route.testers else { return divided }
        return try split(testers) == .allStable ? divided : divided?.withTesters
    }

    /// The runtime keys under `prefix` with the weights of `split`.
    private func keys(of split: TrafficSplit, _ prefix: String) -> [(key: String, value: Int)] {
        [("\(prefix).\(route.stable)", split.stable), ("\(prefix).\(route.candidate)", split.candidate)]
    }

    // MARK: The discovery file

    /// The split in use by Envoy, if the file has the same. A different split would be used after the next restart.
    ///
    /// The versions may differ: Envoy keeps the old version if nothing else has changed.
    private func discovered(_ name: String, in path: String, _ admin: EnvoyAdmin) throws(RouterError) -> TrafficSplit? {
        let live = try configuration(name, admin)
        let document = try document(path)
        let split = try division.split(of: [live.routes])
        let written = try division.split(of: [resource(name, in: document, path)])
        return written == split ? split : nil
    }

    /// Replaces the file and waits until Envoy uses it. If Envoy rejects it, the old file is restored.
    private func publish(
        _ split: TrafficSplit, _ name: String, _ path: String, _ operation: RouterOperation, _ admin: EnvoyAdmin
    ) throws(RouterError) {
        let version = "\(operation.key) \(split) epoch \(operation.epoch)"
        let old = try document(path)
        let changed = try division.setting(split, in: resource(name, in: old, path))
        let new = old.setting("version_info", .string(version)).setting("resources", [changed])
        let before = try admin.updates(of: name)
        try DiscoveryFile.replace(path, with: new.encoded) { () throws(RouterError) in
            // Read again, as late as possible.
            try fence.check(operation, against: Self.epoch(in: try document(path)), in: path)
            try fence.check(operation)
        }
        while true {
            let live = try configuration(name, admin)
            let updates = try admin.updates(of: name)
            let isRead = live.version == version || updates.taken > before.taken
            if isRead, try division.split(of: [live.routes]) == split { return }
            let isRefused = updates.refused > before.refused
            guard !isRefused, SystemClock.monotonicNanoseconds() < admin.deadline else {
                // Envoy continues with its current routes, but without the file it would have none after a restart.
                try DiscoveryFile.restore(path, to: old.encoded, from: new.encoded)
                let what = isRefused ? "rejected the routes, see its log" : "did not apply the routes in time"
                throw RouterError("Envoy \(what); \(path) was restored")
            }
            usleep(1000)
        }
    }

    /// The epoch under which the file was written; `nil` if Tribune did not write it.
    private static func epoch(in document: JSON) -> UInt64? {
        let words = (document["version_info"]?.text ?? "").split(separator: " ")
        guard words.count >= 2, words[words.count - 2] == "epoch" else { return nil }
        return UInt64(words[words.count - 1])
    }

    private func configuration(_ name: String, _ admin: EnvoyAdmin) throws(RouterError) -> EnvoyAdmin.Configuration {
        let all = try admin.discovered()
        guard let found = all.first(where: { $0.routes["name"]?.text == name }) else {
            throw RouterError("Envoy at \(route.admin) has no route configuration \(name) from discovery")
        }
        return found
    }

    private func document(_ path: String) throws(RouterError) -> JSON {
        let bytes: [UInt8]
        do throws(FileText.ReadError) { bytes = try FileText.bytes(path, limit: 16 << 20) } catch {
            throw RouterError(error.description)
        }
        do throws(JSONError) { return try JSON(parsing: bytes) } catch {
            throw RouterError("\(path) must be written as JSON: \(error)")
        }
    }

    private func resource(_ name: String, in document: JSON, _ path: String) throws(RouterError) -> JSON {
        let resources = document["resources"]?.elements ?? []
        guard let only = resources.first, resources.count == 1, only["name"]?.text == name else {
            throw RouterError("\(path) must contain exactly the route configuration \(name)")
        }
        return only
    }
}
